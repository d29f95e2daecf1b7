/* task_guard.h - a process beside a spawner that ends what the spawner's tasks have started, when
 * the spawner could not.
 *
 * Whoever kills all that is called sheaf misses the guard: it is listed as "task-guard", has a
 * session of its own, and ignores the signals that ask for an end, as it ends by itself. */
#ifndef SHEAF_TASK_GUARD_H
#define SHEAF_TASK_GUARD_H

#include "task_mark.h"

#include <stdatomic.h>
#include <stdint.h>

#define TASK_GUARD_TITLE "task-guard"

struct task_guard;

struct task_guard_options {
    const struct task_mark *mark; /* borrowed for the call, as all */
    char *notes;                  /* of staging_notes_make; NULL: nothing can be staged */
    uint32_t slot_count;
};

/* By the spawner, before it runs anything of the user's: makes the guard a child of its own parent,
 * so that nothing which waits for children finds it. Returns its process, or 0 with errno. */
pid_t task_guard_start(const struct task_guard_options *options, struct task_guard **guard);
/* Where the session of the command that the slot runs is to be noted: what is in it belongs to the
 * command, even if it has another environment. NULL when there is no guard. */
_Atomic pid_t *task_guard_session_of(struct task_guard *guard, uint32_t slot);
/* The spawner has ended all that it has started: nothing is left for the guard (NULL: there is
 * none), which ends with the spawner. */
void task_guard_dismiss(struct task_guard *guard);

/* Whether a process is a guard, of whatever spawner. */
bool task_guard_is(pid_t process);

#endif
