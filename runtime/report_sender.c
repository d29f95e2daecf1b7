/* report_sender.c - writes reports into the ring, as the rank makes room. */
#include "report_sender.h"

#include "../scheduler/check.h"
#include "executor_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES_COPIED = 4096, /* pieces up to this size are sent together with others */
    PENDING_BYTES_MAX = 1 << 16,
};

void report_sender_abort_damaged(void)
{
    fprintf(stderr, "sheaf: the plug-in has written over memory that Sheaf shares with its "
                    "executor: look for a wild pointer\n");
    abort();
}

static bool has_room(const struct shared_slot *slot)
{
    return !ring_is_full(&slot->reports);
}

static void send_bytes(struct report_sender *sender, const unsigned char *data, size_t size,
                       uint64_t left)
{
    struct ring *ring = &sender->slot->reports;
    while (size > 0) {
        size_t written = ring_write(ring, data, size, left);
        data += written;
        size -= written;
        if (size == 0)
            return;
        if (!ring_is_intact(ring))
            report_sender_abort_damaged();
        wake_rank(&sender->waker);
        wake_wait_executor(sender->slot, has_room);
    }
}

static void send_pending(struct report_sender *sender)
{
    send_bytes(sender, sender->pending.data, sender->pending.size, sender->left);
    byte_writer_clear(&sender->pending);
}

void report_sender_begin(struct report_sender *sender, const struct slot_report *report,
                         uint64_t body_size)
{
    CHECK(sender->pending.size == 0 && sender->left == 0);
    slot_report_encode(report, &sender->pending);
    sender->left = body_size;
}

void report_sender_add(struct report_sender *sender, const void *data, size_t size)
{
    CHECK(size <= sender->left);
    if (size > PIECE_BYTES_COPIED || sender->pending.size > PENDING_BYTES_MAX)
        send_pending(sender);
    sender->left -= size;
    if (size > PIECE_BYTES_COPIED)
        send_bytes(sender, data, size, sender->left);
    else
        byte_writer_put(&sender->pending, data, size);
}

void report_sender_end(struct report_sender *sender)
{
    CHECK(sender->left == 0);
    send_pending(sender);
    wake_rank(&sender->waker);
}

void report_sender_fail(struct report_sender *sender, struct range range,
                        const struct attempt_failure *failure)
{
    uint64_t log_bytes = executor_log_size();
    const struct slot_report report = {.kind = SLOT_REPORT_FAILED,
                                       .range = range,
                                       .cause = failure->cause,
                                       .detail = failure->detail,
                                       .is_for_good = failure->is_for_good,
                                       .is_open = failure->is_open,
                                       .text = failure->text,
                                       .text_size = strnlen(failure->text, FACT_TEXT_BYTES_MAX - 1),
                                       .log_first_bytes = atomic_load(&sender->slot->log_bytes),
                                       .log_end_bytes = log_bytes};
    atomic_store(&sender->slot->log_bytes, log_bytes);
    report_sender_begin(sender, &report, 0);
    send_pending(sender);
}

void report_sender_wake(struct report_sender *sender)
{
    wake_rank(&sender->waker);
}
