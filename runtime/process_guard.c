/* process_guard.c - ends a process that outlives the one that has started it. */
#include "process_guard.h"

#include "process_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

enum { PARENT = STDERR_FILENO + 1, PROCESS, FIRST_UNUSED };

/* Where there are descriptors, they get the numbers that are kept. */
static void place(struct process_watch *parent, struct process_watch *process)
{
    int parent_copy = fcntl(parent->descriptor, F_DUPFD, FIRST_UNUSED);
    int process_copy = fcntl(process->descriptor, F_DUPFD, FIRST_UNUSED);
    if (parent->descriptor >= 0)
        parent->descriptor = dup2(parent_copy, PARENT);
    if (process->descriptor >= 0)
        process->descriptor = dup2(process_copy, PROCESS);
}

/* In the child. */
static _Noreturn void be_guard(struct process_watch parent, struct process_watch process,
                               const struct process_guard *guard)
{
    int null = open("/dev/null", O_RDWR);
    if (null < 0)
        _exit(126);
    place(&parent, &process);
    /* What else it has inherited others may wait for to be closed. */
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        dup2(null, i);
    close_range(FIRST_UNUSED, ~0U, 0);
    setsid(); /* signals to the group are for the parent */
    process_watch_wait(&parent, -1);
    process_watch_wait(&process, guard->patience_ms);
    process_watch_signal(&process, SIGKILL);
    close_range(PARENT, ~0U, 0);
    if (guard->afterwards != NULL)
        guard->afterwards(guard->context);
    _exit(0);
}

int process_guard_start(const struct process_guard *guard, struct sheaf_error *error)
{
    struct process_watch parent = {.process = 0};
    struct process_watch watched = {.process = 0};
    int code = 0;
    if (!process_watch_open(&parent, getpid()) || !process_watch_open(&watched, guard->process)) {
        code = sheaf_error_set_errno(error, errno, "cannot watch processes");
        goto out;
    }
    pid_t child = fork();
    if (child == 0)
        be_guard(parent, watched, guard);
    if (child < 0)
        code = sheaf_error_set_errno(error, errno, "cannot start a process");
out:
    process_watch_close(&parent);
    process_watch_close(&watched);
    return code;
}
