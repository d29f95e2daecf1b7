/* process_watch.h - sees the end of a process that need not be a child.
 *
 * By a pidfd (pidfd_open(2)), where there are any; else, with a kernel before 5.3 or a container
 * that forbids them, by looking now and then. */
#ifndef SHEAF_PROCESS_WATCH_H
#define SHEAF_PROCESS_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How often whoever polls `descriptor` looks by itself where there is none. */
enum { PROCESS_WATCH_LOOK_MS = 50 };

/* All zero watches nothing. */
struct process_watch {
    pid_t process;
    int descriptor; /* a pidfd, readable after the end, owned; -1: look with has_ended */
    uint64_t start_ticks;
};

/* False, with nothing to close, when there is no such process any more. */
bool process_watch_open(struct process_watch *watch, pid_t process);
/* A zombie has ended. What watches nothing never does. */
bool process_watch_has_ended(const struct process_watch *watch);
/* Waits for the end, at most patience_ms (-1: as long as it takes). Whether it has come. */
bool process_watch_wait(const struct process_watch *watch, int patience_ms);
/* Signals the process, unless it has ended. */
void process_watch_signal(const struct process_watch *watch, int signal_number);
/* Watches nothing from now on. */
void process_watch_close(struct process_watch *watch);

#endif
