/* plugin_probe.c - loads a plug-in in a child process to see what it offers. */
#include "plugin_probe.h"

#include "../jobs/plugin.h"
#include "clock.h"
#include "process_end.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROBE_TIMEOUT_MS = 30 * 1000,
    PROBE_TRIES = 3, /* of what somebody kills */
};

/* What the child writes into the pipe, in one write. */
struct probe_answer {
    int code;
    struct plugin_hooks hooks;
    struct sheaf_error error;
};

static _Noreturn void probe_in_child(const char *path, int descriptor)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct probe_answer answer;
    memset(&answer, 0, sizeof answer);
    const struct sheaf_plugin *table;
    answer.code = plugin_load(path, &table, &answer.error);
    if (answer.code == 0) {
        answer.hooks.has_split = table->split != NULL;
        answer.hooks.has_merge = table->merge != NULL;
        answer.hooks.has_finish = table->finish != NULL;
    }
    ssize_t written = write(descriptor, &answer, sizeof answer);
    _exit(written == (ssize_t)sizeof answer ? 0 : 1);
}

enum answer_end {
    ANSWER_WHOLE,
    ANSWER_NONE, /* the pipe ended before */
    ANSWER_LATE,
};

static enum answer_end read_answer(int descriptor, struct probe_answer *answer)
{
    uint64_t deadline_ns = clock_monotonic_ns() + (uint64_t)PROBE_TIMEOUT_MS * 1000000;
    size_t filled = 0;
    while (filled < sizeof *answer) {
        uint64_t now_ns = clock_monotonic_ns();
        struct pollfd readable = {.fd = descriptor, .events = POLLIN};
        int timeout_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / 1000000) + 1 : 0;
        int ready = poll(&readable, 1, timeout_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return ANSWER_LATE;
        ssize_t got = read(descriptor, (unsigned char *)answer + filled, sizeof *answer - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ANSWER_NONE;
        filled += (size_t)got;
    }
    return ANSWER_WHOLE;
}

/* Its constructors run before anything of Sheaf's can watch over them. */
static int say_how_it_ended(const char *path, enum answer_end end, int status,
                            struct sheaf_error *error)
{
    static const char advice[] = "look at its constructors and at those of its libraries (`ldd`)";
    if (end == ANSWER_LATE)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "loading the plug-in %s has not come to an end within %d s: %s",
                               path, PROBE_TIMEOUT_MS / 1000, advice);
    if (WIFSIGNALED(status))
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "the process that loaded the plug-in %s was killed by signal %d "
                               "(%s): %s",
                               path, WTERMSIG(status), strsignal(WTERMSIG(status)), advice);
    return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                           "loading the plug-in %s ended the process, with exit status %d: %s",
                           path, WEXITSTATUS(status), advice);
}

/* *is_killed: not the plug-in ended its process. */
static int probe_once(const char *path, struct plugin_hooks *hooks, bool *is_killed,
                      struct sheaf_error *error)
{
    int descriptors[2];
    if (pipe(descriptors) != 0)
        return sheaf_error_set_errno(error, errno, "cannot make a pipe to load %s", path);
    pid_t child = fork();
    if (child == 0) {
        close(descriptors[0]);
        probe_in_child(path, descriptors[1]);
    }
    int fork_errno = errno;
    close(descriptors[1]);
    struct probe_answer answer;
    enum answer_end end = child > 0 ? read_answer(descriptors[0], &answer) : ANSWER_NONE;
    close(descriptors[0]);
    if (child < 0)
        return sheaf_error_set_errno(error, fork_errno, "cannot start a process to load %s", path);
    if (end != ANSWER_WHOLE) /* one that is ending anyway ends as it would have */
        kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    *is_killed = end == ANSWER_NONE && process_end_is_foreign(status);
    if (end != ANSWER_WHOLE)
        return say_how_it_ended(path, end, status, error);
    if (answer.code < 0) {
        if (error != NULL)
            *error = answer.error;
        return answer.code;
    }
    *hooks = answer.hooks;
    return 0;
}

int plugin_probe(const char *path, struct plugin_hooks *hooks, struct sheaf_error *error)
{
    bool is_killed = false;
    int code = probe_once(path, hooks, &is_killed, error);
    for (int tries = 1; is_killed && tries < PROBE_TRIES; tries++) {
        is_killed = false;
        code = probe_once(path, hooks, &is_killed, error);
    }
    return code;
}
