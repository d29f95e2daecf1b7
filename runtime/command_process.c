/* command_process.c - starts a command, reads what it writes, and leaves nothing of it behind. */
#include "command_process.h"

#include "clock.h"
#include "process_children.h"
#include "process_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS ((uint64_t)1000000)

enum {
    PIPE_READ_BYTES = 64 << 10,
    POLL_MS_WITHOUT_PIDFD = 5, /* a kernel before 5.3 */
    EXIT_NOT_STARTED = 127,
    ENDS = 4,
    LOOK_MS = 20, /* between looks for what is left of a command */
};

/* ---- stopping ---- */

static int stop_event = -1; /* written by the handler of SIGTERM: a poll notices */

static void on_terminate(int number)
{
    (void)number;
    int errno_before = errno;
    const uint64_t one = 1;
    ssize_t ignored = write(stop_event, &one, sizeof one);
    (void)ignored; /* it holds very many before there is no room */
    errno = errno_before;
}

void command_process_watch_stops(void)
{
    struct sigaction action = {.sa_handler = on_terminate, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigaction(SIGTERM, &action, NULL);
}

static void close_end(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* ---- starting ---- */

struct start {
    const struct command_process_options *options;
    pid_t parent;
    int out;
    int err;
    int failure; /* errno of the child, which shares this memory */
};

/* In the child, until it executes the program: only calls that are safe after vfork. */
static void become(struct start *start)
{
    pid_t session = setsid();
    if (start->options->session != NULL)
        atomic_store(start->options->session, session);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int input = start->options->input;
    if (getppid() == start->parent && (input < 0 || dup2(input, STDIN_FILENO) >= 0) &&
        dup2(start->out, STDOUT_FILENO) >= 0 && dup2(start->err, STDERR_FILENO) >= 0)
        execvpe(start->options->arguments[0], start->options->arguments,
                start->options->environment);
    start->failure = errno;
}

/* vfork, because it costs the same however large this process is. */
__attribute__((noinline)) static pid_t start_child(struct start *start)
{
    pid_t child = vfork();
    if (child == 0) {
        become(start);
        _exit(EXIT_NOT_STARTED);
    }
    if (child < 0)
        start->failure = errno;
    return child;
}

static int make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static void close_pipe(int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

/* Before the number is free to be somebody else's. */
static void forget_session(const struct command_process_options *options)
{
    if (options->session != NULL)
        atomic_store(options->session, 0);
}

/* False, with start_errno set, when there is no command to wait for. */
static bool start(struct command_process *command, const struct command_process_options *options)
{
    int out[2];
    int err[2];
    struct start start = {.options = options, .parent = getpid()};
    command->start_ns = command->memory_looked_ns = clock_monotonic_ns();
    command->start_unix_ns = clock_wall_ns();
    if (make_pipe(out) != 0) {
        command->start_errno = errno;
        return false;
    }
    if (make_pipe(err) != 0) {
        command->start_errno = errno;
        close_pipe(out);
        return false;
    }
    start.out = out[1];
    start.err = err[1];
    command->process = start_child(&start);
    if (start.failure != 0) {
        command->start_errno = start.failure;
        forget_session(options);
        if (command->process > 0)
            waitpid(command->process, NULL, 0);
        close_pipe(out);
        close_pipe(err);
        return false;
    }
    close(out[1]);
    close(err[1]);
    command->out_pipe = out[0];
    command->err_pipe = err[0];
    command->ended = (int)syscall(SYS_pidfd_open, command->process, 0);
    return true;
}

/* ---- reading ---- */

/* Appends what is there. False at the end of the stream. */
static bool read_some(int pipe, struct byte_writer *writer)
{
    unsigned char buffer[PIPE_READ_BYTES];
    ssize_t got = read(pipe, buffer, sizeof buffer);
    if (got > 0)
        byte_writer_put(writer, buffer, (size_t)got);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void read_out(struct command_process *command, const struct command_process_options *options)
{
    if (!read_some(command->out_pipe, &command->out)) {
        close(command->out_pipe);
        command->out_pipe = -1;
    }
    if (command->out.size > options->out_bytes_max && command->end == COMMAND_ENDED) {
        command->end = COMMAND_WROTE_TOO_MUCH;
        kill(-command->process, SIGKILL);
    }
    if (command->end == COMMAND_WROTE_TOO_MUCH)
        command->out.size = options->out_bytes_max;
}

/* Of what is too long the first and the last part tell the most. */
static void read_err(struct command_process *command, const struct command_process_options *options)
{
    if (!read_some(command->err_pipe, &command->err)) {
        close(command->err_pipe);
        command->err_pipe = -1;
    }
    size_t kept_max = options->err_bytes_max;
    if (command->err.size <= kept_max)
        return;
    size_t lost = command->err.size - kept_max;
    size_t head = kept_max / 2;
    memmove(command->err.data + head, command->err.data + head + lost, kept_max - head);
    command->err.size = kept_max;
    command->err_bytes_lost += lost;
}

/* What is left in a pipe whose writers are all dead. */
static void drain(struct command_process *command, const struct command_process_options *options)
{
    for (size_t before = SIZE_MAX; command->out_pipe >= 0 && command->out.size != before;) {
        before = command->out.size;
        read_out(command, options);
    }
    for (uint64_t before = UINT64_MAX; command->err_pipe >= 0;) {
        uint64_t now = command->err.size + command->err_bytes_lost;
        if (now == before)
            break;
        before = now;
        read_err(command, options);
    }
}

/* ---- ending ---- */

static void kill_child(void *context, pid_t child)
{
    (void)context;
    kill(-child, SIGKILL); /* when it leads a group of its own */
    kill(child, SIGKILL);
}

/* What the command has left behind is our child now, and its children will be. */
static void end_descendants(void)
{
    enum { ROUND_NS = 1000000, ROUNDS_MAX = 10000 };
    for (int round = 0; round < ROUNDS_MAX; round++) { /* what hangs in the kernel is left */
        pid_t ended = waitpid(-1, NULL, WNOHANG);
        if (ended < 0 && errno != EINTR)
            return;
        if (ended != 0)
            continue;
        process_children_find(kill_child, NULL);
        nanosleep(&(struct timespec){.tv_nsec = ROUND_NS}, NULL);
    }
}

/* True when the command's own process has ended, which stays a zombie: until it is collected nobody
 * else can have the number of its group. */
static bool has_ended(const struct command_process *command)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)command->process, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == command->process;
}

static void collect(struct command_process *command, const struct command_process_options *options)
{
    struct rusage usage = {0};
    kill(-command->process, SIGKILL);
    forget_session(options);
    while (wait4(command->process, &command->status, 0, &usage) < 0 && errno == EINTR)
        continue;
    command->duration_ns = clock_monotonic_ns() - command->start_ns;
    command->memory_bytes = (uint64_t)usage.ru_maxrss * 1024;
    end_descendants();
    drain(command, options);
}

/* Milliseconds until the time limit wants attention again; -1: never. */
static int watch_time(struct command_process *command,
                      const struct command_process_options *options)
{
    if (options->timeout_ns == 0)
        return -1;
    uint64_t elapsed_ns = clock_monotonic_ns() - command->start_ns;
    uint64_t limit_ns = options->timeout_ns;
    if (elapsed_ns >= limit_ns && !command->was_warned) {
        command->was_warned = true;
        if (command->end == COMMAND_ENDED)
            command->end = COMMAND_TIMED_OUT;
        kill(-command->process, SIGTERM);
    }
    if (command->was_warned)
        limit_ns += COMMAND_TERM_MS * NS_PER_MS;
    if (elapsed_ns >= limit_ns) {
        kill(-command->process, SIGKILL);
        return -1;
    }
    uint64_t left_ms = (limit_ns - elapsed_ns) / NS_PER_MS + 1;
    return left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
}

/* Milliseconds until memory wants to be looked at again. All that the command has started is among
 * our descendants, however often it has forked: we are its subreaper. */
static int watch_memory(struct command_process *command,
                        const struct command_process_options *options)
{
    uint64_t interval_ns = options->memory_look_ms * NS_PER_MS;
    uint64_t elapsed_ns = clock_monotonic_ns() - command->memory_looked_ns;
    if (elapsed_ns < interval_ns)
        return (int)((interval_ns - elapsed_ns) / NS_PER_MS) + 1;
    if (command->end == COMMAND_ENDED &&
        process_memory_of_descendants(getpid()) > options->memory_bytes_max) {
        command->end = COMMAND_USED_TOO_MUCH_MEMORY;
        kill(-command->process, SIGKILL);
    }
    command->memory_looked_ns = clock_monotonic_ns();
    return (int)options->memory_look_ms;
}

/* However it ends now, it may have done half of its work. */
static void look_for_stop(struct command_process *command,
                          const struct command_process_options *options)
{
    uint64_t ignored;
    while (read(stop_event, &ignored, sizeof ignored) > 0)
        continue;
    if (command->end != COMMAND_ENDED || options->is_stopping == NULL ||
        atomic_load(options->is_stopping) == 0 || has_ended(command))
        return;
    command->end = COMMAND_STOPPED;
    kill(-command->process, SIGTERM);
}

struct others {
    pid_t own; /* process of the command; a zombie, perhaps */
    size_t living_count;
};

static void count_other(void *context, pid_t child)
{
    struct others *others = context;
    if (child != others->own && waitpid(child, NULL, WNOHANG) == 0)
        others->living_count++;
}

/* The shell may end at once by SIGTERM, while a program that it started still saves what it has:
 * that has the same time to do so. */
static bool is_over(struct command_process *command, const struct command_process_options *options)
{
    close_end(&command->ended); /* it would wake us up again and again */
    command->is_abandoned = true;
    uint64_t limit_ns = UINT64_MAX;
    if (command->end == COMMAND_TIMED_OUT)
        limit_ns = options->timeout_ns + COMMAND_TERM_MS * NS_PER_MS;
    else if (command->end != COMMAND_STOPPED)
        return true;
    struct others others = {.own = command->process};
    process_children_find(count_other, &others);
    return others.living_count == 0 || clock_monotonic_ns() - command->start_ns >= limit_ns;
}

static int shorter(int a_ms, int b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

static void wait_for_end(struct command_process *command,
                         const struct command_process_options *options)
{
    for (;;) {
        struct pollfd ends[ENDS] = {
            {.fd = command->ended, .events = POLLIN},
            {.fd = command->out_pipe, .events = POLLIN},
            {.fd = command->err_pipe, .events = POLLIN},
            {.fd = stop_event, .events = POLLIN},
        };
        look_for_stop(command, options);
        int patience_ms = watch_time(command, options);
        patience_ms = shorter(patience_ms, watch_memory(command, options));
        if (command->ended < 0)
            patience_ms =
                shorter(patience_ms, command->is_abandoned ? LOOK_MS : POLL_MS_WITHOUT_PIDFD);
        int ready = poll(ends, ENDS, patience_ms);
        if (ready < 0)
            continue;
        if (ends[1].revents != 0)
            read_out(command, options);
        if (ends[2].revents != 0)
            read_err(command, options);
        if ((ends[0].revents != 0 || (command->ended < 0 && has_ended(command))) &&
            is_over(command, options))
            return;
    }
}

void command_process_run(struct command_process *command,
                         const struct command_process_options *options)
{
    byte_writer_clear(&command->out);
    byte_writer_clear(&command->err);
    command->end = COMMAND_ENDED;
    command->err_bytes_lost = 0;
    command->was_warned = command->is_abandoned = false;
    command->start_errno = 0;
    if (!start(command, options)) {
        command->end = COMMAND_NOT_STARTED;
        return;
    }
    wait_for_end(command, options);
    collect(command, options);
    close_end(&command->out_pipe);
    close_end(&command->err_pipe);
    close_end(&command->ended);
}

void command_process_close(struct command_process *command)
{
    byte_writer_close(&command->out);
    byte_writer_close(&command->err);
}
