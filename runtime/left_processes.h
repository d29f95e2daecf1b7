/* left_processes.h - finds what tasks have left running, by their mark, and ends it.
 *
 * Killed is what carries the mark in its environment, with what that has started and what shares a
 * session with it, whatever these have in theirs; of this process's user alone, and none that this
 * process was started by. */
#ifndef SHEAF_LEFT_PROCESSES_H
#define SHEAF_LEFT_PROCESSES_H

#include "task_mark.h"

#include <stdatomic.h>
#include <stddef.h>

enum left_processes_of {
    LEFT_BY_EARLIER, /* spawners of the run on this host: those that have ended, and of earlier
                        worlds all */
    LEFT_BY_OWNER,   /* the spawner of the mark, which has ended */
};

/* Borrows. */
struct left_processes {
    const struct task_mark *mark;
    enum left_processes_of whose;
    int patience_ms;
    const _Atomic pid_t *sessions; /* LEFT_BY_OWNER: what is in these is left, too, and what is in
                                      the spawner's; 0: none */
    uint32_t session_count;
};

/* Kills, and waits until all are gone, at most patience_ms. Returns how many are still there, with
 * one of them in *left: they hang in the kernel, or may not be killed. */
size_t left_processes_end(const struct left_processes *order, pid_t *left);

/* LEFT_BY_EARLIER, for a spawner that is to start others now: tells on standard error what it waits
 * for in vain. */
void left_processes_end_earlier(const struct task_mark *mark);

#endif
