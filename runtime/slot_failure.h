/* slot_failure.h - says how a process ended: cause, number and a text for people. */
#ifndef SHEAF_SLOT_FAILURE_H
#define SHEAF_SLOT_FAILURE_H

#include "slot_set.h"

/* Fills cause, detail and text from a status of waitpid (-1: not known). The text starts with
 * `prefix`. */
void slot_failure_of_status(struct slot_event *event, const char *prefix, int status);
/* Like slot_failure_of_status, for a process that we have killed because of `cause`. */
struct slot_failure_limits {
    uint64_t timeout_ns;
    uint64_t memory_bytes;
};
void slot_failure_of_kill(struct slot_event *event, const char *prefix, enum cause cause,
                          struct slot_failure_limits limits);

#endif
