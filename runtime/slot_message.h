/* slot_message.h - what a rank and an executor say to each other through the rings. */
#ifndef SHEAF_SLOT_MESSAGE_H
#define SHEAF_SLOT_MESSAGE_H

#include "../scheduler/fact.h"

enum {
    SLOT_ORDER_HEADER_BYTES = 64, /* a multiple of 16: the body that follows is aligned */
    SLOT_ORDER_QUIT = 0,          /* as `work`: call close and end */
    /* An order ends early when its report holds this much. */
    SLOT_REPORT_PARTIALS_MAX = FACT_PARTIALS_MAX / 2,
    /* Of results that are collected, and of those that are merged, which makes them fewer. */
    SLOT_REPORT_COLLECTED_BYTES_MAX = 8 << 20,
    SLOT_REPORT_MERGED_BYTES_MAX = 64 << 20,
    SLOT_REPORT_FAILURES_MAX = 256, /* or when so many of its tasks failed */
    SLOT_RUN_CHUNK_MAX = 1024,      /* tasks claimed at once; overshoots the limits above by this */
};

/* Rank to executor: the header, then the body of struct work_order. */
struct slot_order {
    uint64_t seq; /* numbers the orders of a rank; never 0 */
    uint32_t work;
    uint32_t attempt;
    struct range range;
    uint64_t task_count;
    uint64_t body_size;
    bool has_input;
    bool may_merge; /* RUN: join results on the spot */
};

void slot_order_encode(const struct slot_order *order, struct byte_writer *writer);
/* False when it is not an order. */
bool slot_order_decode(struct byte_reader *reader, struct slot_order *order);

enum slot_report_kind {
    SLOT_REPORT_FAILED = 1, /* one task of RUN, or the whole order */
    SLOT_REPORT_TASKS = 2,  /* a batch of split; the rest of the message */
    SLOT_REPORT_DONE = 3,   /* the order ended; its bytes are the rest of the message */
};

/* Executor to rank. */
struct slot_report {
    enum slot_report_kind kind;
    struct range range;
    enum cause cause; /* FAILED */
    int32_t detail;   /* FAILED: exit status or signal number */
    bool is_for_good; /* FAILED: another attempt would fail, too */
    bool is_open;     /* FAILED: it was the executor's open */
    const char *text; /* FAILED; borrowed */
    size_t text_size;
    uint64_t log_first_bytes; /* FAILED: what the executor wrote to its log meanwhile */
    uint64_t log_end_bytes;
    uint64_t tasks_run; /* DONE */
    uint64_t busy_ns;
    const struct partial *partials; /* DONE; borrowed */
    uint32_t partial_count;
    const unsigned char *body; /* TASKS, DONE: decoded only; borrowed */
    size_t body_size;
};

/* Encodes all but the body. */
void slot_report_encode(const struct slot_report *report, struct byte_writer *writer);
/* Borrows the reader's data. `partials` has room for FACT_PARTIALS_MAX. False unless the report is
 * well-formed: partials ascend inside its range and their sizes add up to the body's. */
bool slot_report_decode(struct byte_reader *reader, struct partial *partials,
                        struct slot_report *report);

#endif
