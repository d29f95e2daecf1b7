/* process_guard.h - ends a process that outlives the one that has started it. */
#ifndef SHEAF_PROCESS_GUARD_H
#define SHEAF_PROCESS_GUARD_H

#include "../scheduler/error.h"

#include <sys/types.h>

struct process_guard {
    pid_t process;   /* a child, too, not yet collected */
    int patience_ms; /* for it to end by itself */
    /* Called in the guard when the process has ended after this one. All other descriptors than
     * the standard ones, which lead nowhere, are closed. Or NULL. */
    void (*afterwards)(void *context);
    void *context;
};

/* Starts a child that waits for the death of this process, however it comes, then gives the guarded
 * one time to end by itself, and kills it. The guard is for the caller to kill and to collect when
 * it is no longer needed. Borrows. */
int process_guard_start(const struct process_guard *guard, struct sheaf_error *error);

#endif
