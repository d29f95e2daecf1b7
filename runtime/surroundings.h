/* surroundings.h - what a call of the plug-in finds around it: set back when it has changed.
 *
 * A task may be worth a few nanoseconds, so nothing is asked of the kernel after each. The
 * functions of the C library that change something are watched instead (surroundings_watch.c): they
 * take note of it in one word, which is looked at after each call of the plug-in. */
#ifndef SHEAF_SURROUNDINGS_H
#define SHEAF_SURROUNDINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum surroundings_change {
    CHANGED_DIRECTORY = 1 << 0,
    CHANGED_MASK = 1 << 1,
    CHANGED_CORES = 1 << 2,
    CHANGED_SIGNALS = 1 << 3, /* that are blocked */
    CHANGED_LIMITS = 1 << 4,  /* the soft ones */
    CHANGED_FLOATING = 1 << 5,
    CHANGED_ENVIRONMENT = 1 << 6,
    CHANGED_PROCESS = 1 << 7, /* it is a copy that was forked from another */
};

/* A set of changes that there may be. */
extern atomic_uint surroundings_changes;

static inline bool surroundings_may_have_changed(void)
{
    return atomic_load_explicit(&surroundings_changes, memory_order_relaxed) != 0;
}

/* This process is none that was forked by the plug-in. Those that are forked from it will be. */
void surroundings_begin(void);
bool surroundings_are_of_a_copy(void);

/* Takes note of the current directory, the umask, the cores, the blocked signals, the soft limits,
 * how floating-point numbers are rounded, and the environment, which from now on lies in memory of
 * this file's. Once in a process. */
void surroundings_note(void);
/* Sets back what has changed since; nothing before surroundings_note. What cannot be set back is
 * told on standard error. */
void surroundings_restore(void);
/* Likewise, what changes without a call that could be noticed: strings of the environment that are
 * written to, instructions that change how numbers are rounded. It costs no system call. */
void surroundings_restore_memory(void);
/* Sets back all of that, as if everything had changed. */
void surroundings_restore_all(void);

/* surroundings_look.c: what is not watched, or was changed by system calls of the plug-in's own. */
#define SURROUNDINGS_GLANCE_NS ((uint64_t)1000 * 1000)      /* at least, from look to look ... */
#define SURROUNDINGS_LOOK_NS   ((uint64_t)20 * 1000 * 1000) /* ... and at everything */

/* Takes note of descriptors, niceness, timers and handlers of signals. */
void surroundings_note_kernel(void);
/* After a call of the plug-in: sets back what has changed, if the last look is long enough ago.
 * Files, pipes and sockets that were opened since are closed, which is told. */
void surroundings_look(uint64_t now_ns);
/* Something cannot be set back: the executor is to be replaced. */
bool surroundings_are_spoilt(void);

#endif
