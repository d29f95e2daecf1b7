/* process_detach.h - frees a new child from the signals and the terminal of its parent. */
#ifndef SHEAF_PROCESS_DETACH_H
#define SHEAF_PROCESS_DETACH_H

#include <stdbool.h>
#include <sys/types.h>

/* In the child, before it becomes another program: no signal is handled or blocked, its session is
 * its own, so that nothing in it can ask a terminal for a password, and `death_signal` comes when
 * `parent` dies. False when that has died already. */
bool process_detach(pid_t parent, int death_signal);

#endif
