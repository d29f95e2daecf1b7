/* command_record.h - what is kept of a command that ran: its end, its output, what it took. */
#ifndef SHEAF_COMMAND_RECORD_H
#define SHEAF_COMMAND_RECORD_H

#include "../scheduler/bytes.h"

enum { COMMAND_RECORD_TEXT_BYTES_MAX = 2000 }; /* of `command`: the rest is cut off */

/* Borrows what it points to. */
struct command_record {
    uint64_t task; /* index */
    uint32_t attempt;
    int32_t exit_status; /* of its own exit; 0 when a signal killed it */
    int32_t signal;      /* 0: it exited */
    uint64_t start_unix_us;
    uint64_t duration_us;
    uint64_t memory_bytes; /* the most that one of its processes held */
    const char *host;
    size_t host_bytes;
    const char *command; /* in words that can be typed */
    size_t command_bytes;
    const unsigned char *out; /* what it wrote to standard output */
    size_t out_bytes;
    const unsigned char *err; /* and to standard error */
    size_t err_bytes;
};

/* Encodes all but the bytes of `out` and `err`, which follow in this order. */
void command_record_put_head(const struct command_record *record, struct byte_writer *writer);
/* Reads the next record, which borrows from the reader's bytes. False when they are none. */
bool command_record_get(struct byte_reader *reader, struct command_record *record);

#endif
