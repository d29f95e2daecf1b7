/* plugin_probe.c - loads a plug-in in a child process to see what it offers. */
#include "plugin_probe.h"

#include "../jobs/plugin.h"
#include "clock.h"
#include "print_foreign.h"
#include "process_end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROBE_TIMEOUT_MS = 30 * 1000,
    PROBE_SHOWN_MAX = 64 << 10, /* bytes of what it prints */
    PROBE_TRIES = 3,            /* of what somebody kills */
};

/* What the child writes into the pipe, in one write. */
struct probe_answer {
    int code;
    struct plugin_hooks hooks;
    struct sheaf_error error;
};

/* What the child holds of it: where its answer goes, and what it prints. */
enum { PIPE_ANSWER = 0, PIPE_PRINTED, PIPES };

static _Noreturn void probe_in_child(const char *path, const int descriptors[PIPES])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(descriptors[PIPE_PRINTED], STDOUT_FILENO);
    dup2(descriptors[PIPE_PRINTED], STDERR_FILENO);
    close(descriptors[PIPE_PRINTED]);
    struct probe_answer answer;
    memset(&answer, 0, sizeof answer);
    const struct sheaf_plugin *table;
    answer.code = plugin_load(path, &table, &answer.error);
    if (answer.code == 0) {
        answer.hooks.has_split = table->split != NULL;
        answer.hooks.has_merge = table->merge != NULL;
        answer.hooks.has_finish = table->finish != NULL;
    }
    fflush(NULL);
    ssize_t written = write(descriptors[PIPE_ANSWER], &answer, sizeof answer);
    _exit(written == (ssize_t)sizeof answer ? 0 : 1);
}

enum answer_end {
    ANSWER_WHOLE,
    ANSWER_NONE, /* the pipe ended before */
    ANSWER_LATE,
};

struct probe {
    int descriptors[PIPES]; /* to read from; what is printed does not wait */
    struct probe_answer answer;
    size_t filled; /* bytes of it */
    size_t shown;  /* bytes of what is printed */
};

/* User code must not hold this process's standard error: under a launcher that is where the master
 * speaks. What it prints is shown, made harmless. False when there is no more. */
static bool show_printed(struct probe *probe)
{
    char bytes[4096];
    ssize_t got = read(probe->descriptors[PIPE_PRINTED], bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return errno == EINTR;
    if (got <= 0)
        return false;
    size_t room = PROBE_SHOWN_MAX - probe->shown;
    size_t size = (size_t)got < room ? (size_t)got : room;
    for (const char *at = bytes, *end = bytes + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        print_foreign(stderr, at, (size_t)((newline != NULL ? newline : end) - at));
        if (newline != NULL)
            fputc('\n', stderr);
        at = newline != NULL ? newline + 1 : end;
    }
    probe->shown += size;
    return true;
}

static enum answer_end read_answer(struct probe *probe)
{
    uint64_t deadline_ns = clock_monotonic_ns() + (uint64_t)PROBE_TIMEOUT_MS * 1000000;
    struct pollfd readable[PIPES] = {{.fd = probe->descriptors[PIPE_ANSWER], .events = POLLIN},
                                     {.fd = probe->descriptors[PIPE_PRINTED], .events = POLLIN}};
    while (probe->filled < sizeof probe->answer) {
        uint64_t now_ns = clock_monotonic_ns();
        int timeout_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / 1000000) + 1 : 0;
        int ready = poll(readable, PIPES, timeout_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || now_ns >= deadline_ns)
            return ANSWER_LATE;
        if (readable[PIPE_PRINTED].revents != 0 && !show_printed(probe))
            readable[PIPE_PRINTED].fd = -1;
        if (readable[PIPE_ANSWER].revents == 0)
            continue;
        ssize_t got =
            read(readable[PIPE_ANSWER].fd, (unsigned char *)&probe->answer + probe->filled,
                 sizeof probe->answer - probe->filled);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ANSWER_NONE;
        probe->filled += (size_t)got;
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

/* In *write_ends what the child gets. */
static int open_pipes(struct probe *probe, int write_ends[PIPES], const char *path,
                      struct sheaf_error *error)
{
    for (int i = 0; i < PIPES; i++) {
        int pair[2];
        if (pipe(pair) != 0) {
            int code = sheaf_error_set_errno(error, errno, "cannot make a pipe to load %s", path);
            while (--i >= 0) {
                close(probe->descriptors[i]);
                close(write_ends[i]);
            }
            return code;
        }
        probe->descriptors[i] = pair[0];
        write_ends[i] = pair[1];
    }
    fcntl(probe->descriptors[PIPE_PRINTED], F_SETFL, O_NONBLOCK);
    return 0;
}

/* *is_killed: not the plug-in ended its process. */
static int probe_once(const char *path, struct plugin_hooks *hooks, bool *is_killed,
                      struct sheaf_error *error)
{
    struct probe probe = {.filled = 0};
    int write_ends[PIPES] = {-1, -1};
    int code = open_pipes(&probe, write_ends, path, error);
    if (code != 0)
        return code;
    fflush(NULL); /* or else the child prints it again */
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < PIPES; i++)
            close(probe.descriptors[i]);
        probe_in_child(path, write_ends);
    }
    int fork_errno = errno;
    for (int i = 0; i < PIPES; i++)
        close(write_ends[i]);
    enum answer_end end = child > 0 ? read_answer(&probe) : ANSWER_NONE;
    close(probe.descriptors[PIPE_ANSWER]);
    if (child > 0 && end != ANSWER_WHOLE) /* one that is ending anyway ends as it would have */
        kill(child, SIGKILL);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    while (probe.shown < PROBE_SHOWN_MAX && show_printed(&probe))
        continue;
    close(probe.descriptors[PIPE_PRINTED]);
    if (child < 0)
        return sheaf_error_set_errno(error, fork_errno, "cannot start a process to load %s", path);
    *is_killed = end == ANSWER_NONE && process_end_is_foreign(status);
    if (end != ANSWER_WHOLE)
        return say_how_it_ended(path, end, status, error);
    if (probe.answer.code < 0) {
        if (error != NULL)
            *error = probe.answer.error;
        return probe.answer.code;
    }
    *hooks = probe.answer.hooks;
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
