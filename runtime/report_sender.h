/* report_sender.h - the executor's end of the ring to its rank. */
#ifndef SHEAF_REPORT_SENDER_H
#define SHEAF_REPORT_SENDER_H

#include "context.h"
#include "slot_message.h"
#include "wake.h"

/* Keeps slot; borrows what is sent for the call. */
struct report_sender {
    struct shared_slot *slot;
    struct rank_waker waker;
    struct byte_writer pending; /* small pieces, to be sent together */
    uint64_t left;              /* bytes of the message after `pending` */
};

/* A report in pieces: the report without body, then `body_size` bytes of it, then the end, which
 * wakes the rank. Each may wait for the rank to make room. */
void report_sender_begin(struct report_sender *sender, const struct slot_report *report,
                         uint64_t body_size);
void report_sender_add(struct report_sender *sender, const void *data, size_t size);
void report_sender_end(struct report_sender *sender);

/* A failure of `range`, in one call. The rank is not woken: many may come together. It sees them
 * when its longest sleep is over, or after report_sender_wake. */
void report_sender_fail(struct report_sender *sender, struct range range,
                        const struct attempt_failure *failure);
void report_sender_wake(struct report_sender *sender);

/* For an executor that finds the shared memory overwritten: says so and aborts. */
_Noreturn void report_sender_abort_damaged(void);

#endif
