/* process_guard.c - ends a process that outlives the one that has started it. */
#include "process_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* In the child, with descriptors of the two processes. */
static _Noreturn void guard(int parent, int process, int patience_ms)
{
    enum { PARENT = STDERR_FILENO + 1, PROCESS, FIRST_UNUSED };
    int null = open("/dev/null", O_RDWR);
    int parent_copy = fcntl(parent, F_DUPFD, FIRST_UNUSED);
    int process_copy = fcntl(process, F_DUPFD, FIRST_UNUSED);
    if (null < 0 || dup2(parent_copy, PARENT) < 0 || dup2(process_copy, PROCESS) < 0)
        _exit(126);
    /* What else it has inherited others may wait for to be closed. */
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        dup2(null, i);
    close_range(FIRST_UNUSED, ~0U, 0);
    setsid(); /* signals to the group are for the parent */
    struct pollfd ended = {.fd = PARENT, .events = POLLIN};
    while (poll(&ended, 1, -1) < 0 && errno == EINTR)
        continue;
    ended.fd = PROCESS;
    while (poll(&ended, 1, patience_ms) < 0 && errno == EINTR)
        continue;
    pidfd_send_signal(PROCESS, SIGKILL, NULL, 0);
    _exit(0);
}

int process_guard_start(pid_t process, int patience_ms, struct sheaf_error *error)
{
    int parent_descriptor = pidfd_open(getpid(), 0);
    int descriptor = pidfd_open(process, 0);
    int code = 0;
    if (parent_descriptor < 0 || descriptor < 0) {
        code = sheaf_error_set_errno(error, errno, "cannot watch processes");
        goto out;
    }
    pid_t child = fork();
    if (child == 0)
        guard(parent_descriptor, descriptor, patience_ms);
    if (child < 0)
        code = sheaf_error_set_errno(error, errno, "cannot start a process");
out:
    if (parent_descriptor >= 0)
        close(parent_descriptor);
    if (descriptor >= 0)
        close(descriptor);
    return code;
}
