/* process_tree.c - starts, signals and ends a child process with all that it starts. */
#include "process_tree.h"

#include <ctype.h>
#include <dirent.h>
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

/* The parent of a process, from /proc/PID/stat: "PID (name) state PPID ..."; 0 when it has gone. */
static pid_t parent_of(const char *process)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", process);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return 0;
    ssize_t size = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name may hold anything */
    int parent = 0;
    if (name_end == NULL || sscanf(name_end + 1, " %*c %d", &parent) != 1)
        return 0;
    return parent;
}

/* Calls `found` for each child of this process. */
static void find_children(void (*found)(struct process_tree *tree, pid_t child),
                          struct process_tree *tree)
{
    DIR *processes = opendir("/proc");
    if (processes == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == getpid())
            found(tree, (pid_t)strtol(entry->d_name, NULL, 10));
    }
    closedir(processes);
}

/* A child from before, left by what was this process before it executed sheaf. */
static void remember_stranger(struct process_tree *tree, pid_t child)
{
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
    sigset_t none;
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Without the terminal nothing below can ask for a password and be stopped for it. */
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(126); /* it died in between */
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
    find_children(remember_stranger, &started);
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

static void count_own(struct process_tree *tree, pid_t child)
{
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
    find_children(count_own, tree);
    return tree->child_count == 0;
}

bool process_tree_contains(const struct process_tree *tree, pid_t process)
{
    enum { DEPTH_MAX = 64 };
    for (int depth = 0; depth < DEPTH_MAX && process > 1; depth++) {
        if (process == tree->leader)
            return !tree->has_leader_ended;
        char name[24];
        snprintf(name, sizeof name, "%d", (int)process);
        process = parent_of(name);
    }
    return false;
}

/* Its own children then become ours, and are found in the next round. */
static void kill_own(struct process_tree *tree, pid_t child)
{
    if (!is_stranger(tree, child))
        kill(child, SIGKILL);
}

bool process_tree_kill(struct process_tree *tree, uint32_t patience_ms)
{
    enum { ROUND_MS = 5 };
    process_tree_signal(tree, SIGKILL);
    for (uint32_t waited_ms = 0; !process_tree_reap(tree); waited_ms += ROUND_MS) {
        if (waited_ms >= patience_ms)
            return false;
        find_children(kill_own, tree);
        nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000L}, NULL);
    }
    return true;
}
