/* plugin_probe.c - loads a plug-in in a child process to see what it offers. */
#include "plugin_probe.h"

#include "../jobs/plugin.h"
#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROBE_TIMEOUT_MS = 30 * 1000 };

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

/* Reads the whole answer, or fails at the deadline or at the end of the pipe. */
static bool read_answer(int descriptor, struct probe_answer *answer)
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
            return false;
        ssize_t got = read(descriptor, (unsigned char *)answer + filled, sizeof *answer - filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        filled += (size_t)got;
    }
    return true;
}

int plugin_probe(const char *path, struct plugin_hooks *hooks, struct sheaf_error *error)
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
    bool is_answered = child > 0 && read_answer(descriptors[0], &answer);
    close(descriptors[0]);
    if (child < 0)
        return sheaf_error_set_errno(error, fork_errno, "cannot start a process to load %s", path);
    if (!is_answered)
        kill(child, SIGKILL);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!is_answered)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "loading the plug-in %s never came to an end or ended its process "
                               "(wait status 0x%x): look at its constructors and libraries",
                               path, (unsigned)status);
    if (answer.code < 0) {
        if (error != NULL)
            *error = answer.error;
        return answer.code;
    }
    *hooks = answer.hooks;
    return 0;
}
