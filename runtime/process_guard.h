/* process_guard.h - ends a process that outlives the one that has started it. */
#ifndef SHEAF_PROCESS_GUARD_H
#define SHEAF_PROCESS_GUARD_H

#include "../scheduler/error.h"

#include <sys/types.h>

/* Starts a child that waits for the death of this process, however it comes, then gives `process`
 * (a child, too, not yet collected) patience_ms to end by itself, and kills it. The guard is for
 * the caller to kill and to collect when it is no longer needed. */
int process_guard_start(pid_t process, int patience_ms, struct sheaf_error *error);

#endif
