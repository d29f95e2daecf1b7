/* process_tree.c - starts, signals and ends a child process with all that it starts. */
#include "process_tree.h"

#include "process_children.h"
#include "process_detach.h"
#include "task_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A child from before, left by what was this process before it executed sheaf. */
static void remember_stranger(void *context, pid_t child)
{
    struct process_tree *tree = context;
    if (tree->stranger_count < PROCESS_TREE_STRANGERS_MAX)
        tree->strangers[tree->stranger_count++] = child;
}

static bool is_stranger(const struct process_tree *tree, pid_t child)
{
    for (size_t i = 0; i < tree->stranger_count; i++)
        if (tree->strangers[i] == child)
            return true;
    return false;
}

static void forget_stranger(struct process_tree *tree, pid_t child)
{
    for (size_t i = 0; i < tree->stranger_count; i++)
        if (tree->strangers[i] == child)
            tree->strangers[i] = tree->strangers[--tree->stranger_count];
}

/* In the child: never returns. What goes wrong is told through `report`, which exec closes. */
static _Noreturn void become(char *const *arguments, const struct process_streams *streams,
                             pid_t parent, int report)
{
    if (!process_detach(parent, SIGTERM))
        _exit(126);
    if (streams->begin != NULL)
        streams->begin(streams->context);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(streams->out, STDOUT_FILENO) >= 0 &&
        dup2(streams->error, STDERR_FILENO) >= 0)
        execvp(arguments[0], arguments);
    int failure = errno;
    if (write(report, &failure, sizeof failure) != sizeof failure)
        _exit(126);
    _exit(127);
}

int process_tree_start(struct process_tree *tree, char *const *arguments,
                       const struct process_streams *streams, struct sheaf_error *error)
{
    int report[2];
    struct process_tree started = {.leader = 0};
    process_children_find(remember_stranger, &started);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || pipe2(report, O_CLOEXEC) != 0)
        return sheaf_error_set_errno(error, errno, "cannot prepare to start %s", arguments[0]);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        become(arguments, streams, parent, report[1]);
    int failure = child < 0 ? errno : 0;
    close(report[1]);
    if (child > 0) {
        if (read(report[0], &failure, sizeof failure) == sizeof failure)
            waitpid(child, NULL, 0);
        else
            failure = 0;
    }
    close(report[0]);
    if (failure != 0)
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS, "cannot start %s: %s", arguments[0],
                               strerror(failure));
    started.leader = child;
    *tree = started;
    return 0;
}

void process_tree_signal(const struct process_tree *tree, int signal_number)
{
    /* Until it is collected, no other process can have its number. */
    if (!tree->has_leader_ended)
        kill(-tree->leader, signal_number);
}

static void count_own(void *context, pid_t child)
{
    struct process_tree *tree = context;
    if (!is_stranger(tree, child))
        tree->child_count++;
}

bool process_tree_reap(struct process_tree *tree)
{
    for (;;) {
        int status;
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended < 0 && errno == EINTR)
            continue;
        if (ended < 0)
            return true;
        if (ended == 0 && tree->stranger_count == 0)
            return false;
        if (ended == 0)
            break;
        if (ended == tree->leader) {
            tree->has_leader_ended = true;
            tree->leader_status = status;
        }
        forget_stranger(tree, ended);
    }
    tree->child_count = 0;
    process_children_find(count_own, tree);
    return tree->child_count == 0;
}

bool process_tree_contains(const struct process_tree *tree, pid_t process)
{
    enum { DEPTH_MAX = 64 };
    for (int depth = 0; depth < DEPTH_MAX && process > 1; depth++) {
        if (process == tree->leader)
            return !tree->has_leader_ended;
        process = process_parent(process);
    }
    return false;
}

/* Its own children then become ours, and are found in the next round. */
static void kill_own(void *context, pid_t child)
{
    const struct process_tree *tree = context;
    if (!is_stranger(tree, child))
        kill(child, SIGKILL);
}

/* A guard ends by itself when it has cleared up after the spawner that was killed just now. */
static void kill_own_but_guards(void *context, pid_t child)
{
    if (!task_guard_is(child))
        kill_own(context, child);
}

bool process_tree_kill(struct process_tree *tree, uint32_t patience_ms)
{
    enum { ROUND_MS = 5, GUARDS_MS = 2000 };
    process_tree_signal(tree, SIGKILL);
    for (uint32_t waited_ms = 0; !process_tree_reap(tree); waited_ms += ROUND_MS) {
        if (waited_ms >= patience_ms)
            return false;
        process_children_find(waited_ms < GUARDS_MS ? kill_own_but_guards : kill_own, tree);
        nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000L}, NULL);
    }
    return true;
}
