/* inquiry.c - programs that are asked something: run side by side, each with a deadline. */
#include "inquiry.h"

#include "../scheduler/scheduler.h"
#include "clock.h"
#include "process_detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 128 }; /* as many as mpirun starts at a time */

static _Noreturn void become(const struct inquiry *inquiry, pid_t parent, int out)
{
    if (!process_detach(parent, SIGKILL))
        _exit(INQUIRY_CANNOT_EXECUTE);
    if (inquiry->is_needless != NULL && inquiry->is_needless(inquiry->context))
        _exit(INQUIRY_NEEDLESS);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(inquiry->stream != STDERR_FILENO ? out : null, STDOUT_FILENO);
    dup2(inquiry->stream != STDOUT_FILENO ? out : null, STDERR_FILENO);
    execvp(inquiry->words[0], (char *const *)(uintptr_t)inquiry->words);
    _exit(errno == ENOENT ? INQUIRY_NOT_FOUND : INQUIRY_CANNOT_EXECUTE);
}

static void start(struct inquiry *inquiry, uint64_t timeout_ns)
{
    int ends[2];
    pid_t parent = getpid();
    inquiry->attempts++;
    inquiry->start_errno = 0;
    inquiry->has_ended = false;
    inquiry->text[0] = '\0';
    inquiry->text_size = 0;
    inquiry->process = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        inquiry->start_errno = errno;
        return;
    }
    pid_t child = fork();
    if (child == 0)
        become(inquiry, parent, ends[1]);
    if (child <= 0 || !process_watch_open(&inquiry->end, child)) {
        inquiry->start_errno = errno;
        if (child > 0) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
        close(ends[0]);
    } else {
        inquiry->process = child;
        inquiry->text_descriptor = ends[0];
        fcntl(ends[0], F_SETFL, O_NONBLOCK);
        inquiry->deadline_ns = clock_monotonic_ns() + timeout_ns;
        inquiry->last_deadline_ns = inquiry->deadline_ns;
    }
    close(ends[1]);
}

/* Takes in what has come; never waits. */
static void read_text(struct inquiry *inquiry)
{
    char dropped[4096];
    ssize_t got = 1;
    while (got > 0 || (got < 0 && errno == EINTR)) {
        size_t room = inquiry->text_bytes - 1 - inquiry->text_size;
        got = room > 0 ? read(inquiry->text_descriptor, inquiry->text + inquiry->text_size, room)
                       : read(inquiry->text_descriptor, dropped, sizeof dropped);
        if (got > 0 && room > 0)
            inquiry->text_size += (size_t)got;
    }
    inquiry->text[inquiry->text_size] = '\0';
    if (got == 0) {
        close(inquiry->text_descriptor);
        inquiry->text_descriptor = -1;
    }
}

static void collect(struct inquiry *inquiry, bool has_ended)
{
    if (!has_ended) {
        kill(-inquiry->process, SIGKILL);
        kill(inquiry->process, SIGKILL); /* it may not lead a group yet */
    }
    int status = 0;
    while (waitpid(inquiry->process, &status, 0) < 0 && errno == EINTR)
        continue;
    /* Something else that it started may hold the stream open: what has come is enough. */
    if (inquiry->text_descriptor >= 0)
        read_text(inquiry);
    if (inquiry->text_descriptor >= 0)
        close(inquiry->text_descriptor);
    process_watch_close(&inquiry->end);
    inquiry->process = 0;
    inquiry->has_ended = has_ended;
    inquiry->exit_status =
        WIFSIGNALED(status) ? INQUIRY_KILLED + WTERMSIG(status) : WEXITSTATUS(status);
}

/* By a signal that it was not meant to end by, or, by what a shell returns, something within it. */
static bool was_killed(const struct inquiry *inquiry)
{
    return inquiry->has_ended && inquiry->exit_status > INQUIRY_KILLED &&
           inquiry->exit_status < INQUIRY_KILLED + NSIG;
}

/* Waits for an end, a deadline or a signal. Returns the number of those that have ended. */
static size_t wait_for_some(struct inquiry *const *running, size_t count, struct stop_request *stop)
{
    struct pollfd polled[2 * AT_ONCE_MAX + 1];
    struct pollfd *texts = polled + count;
    uint64_t next_ns = UINT64_MAX;
    uint64_t look_ns = clock_monotonic_ns() + PROCESS_WATCH_LOOK_MS * SHEAF_NS_PER_MS;
    for (size_t i = 0; i < count; i++) {
        polled[i] = (struct pollfd){.fd = running[i]->end.descriptor, .events = POLLIN};
        texts[i] = (struct pollfd){.fd = running[i]->text_descriptor, .events = POLLIN};
        if (running[i]->deadline_ns < next_ns)
            next_ns = running[i]->deadline_ns;
        if (running[i]->end.descriptor < 0 && look_ns < next_ns)
            next_ns = look_ns;
    }
    texts[count] = (struct pollfd){.fd = stop != NULL ? stop->descriptor : -1, .events = POLLIN};
    uint64_t now_ns = clock_monotonic_ns();
    poll(polled, 2 * count + 1,
         next_ns > now_ns ? (int)((next_ns - now_ns) / SHEAF_NS_PER_MS) + 1 : 0);
    now_ns = clock_monotonic_ns();
    if (stop != NULL)
        stop_request_update(stop, now_ns);
    size_t ended = 0;
    for (size_t i = 0; i < count; i++) {
        bool has_ended = process_watch_has_ended(&running[i]->end);
        if (texts[i].revents != 0)
            read_text(running[i]);
        if (!has_ended && now_ns < running[i]->deadline_ns && (stop == NULL || !stop->is_asked))
            continue;
        collect(running[i], has_ended);
        if (was_killed(running[i]) && running[i]->attempts < INQUIRY_ATTEMPTS_MAX &&
            now_ns < running[i]->deadline_ns && (stop == NULL || !stop->is_asked))
            start(running[i], running[i]->deadline_ns - now_ns);
        ended++;
    }
    return ended;
}

static void set_deadlines(struct inquiry *const *running, size_t count, uint64_t deadline_ns)
{
    for (size_t i = 0; i < count; i++)
        running[i]->deadline_ns =
            deadline_ns < running[i]->last_deadline_ns ? deadline_ns : running[i]->last_deadline_ns;
}

static bool are_doubtful(struct inquiry *const *running, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!running[i]->is_doubtful)
            return false;
    return true;
}

/* Takes those out that have ended. True if one of them has ended well. */
static bool keep_running(struct inquiry **running, size_t *count)
{
    bool has_good = false;
    size_t left = 0;
    for (size_t i = 0; i < *count; i++) {
        if (running[i]->process != 0)
            running[left++] = running[i];
        else
            has_good |= running[i]->has_ended && running[i]->exit_status == 0;
    }
    *count = left;
    return has_good;
}

void inquiries_run(struct inquiry *inquiries, size_t count, uint64_t timeout_ns,
                   struct stop_request *stop)
{
    const struct inquiry_patience patience = {
        .timeout_ns = timeout_ns,
        .quiet_ns = UINT64_MAX,
        .doubtful_quiet_ns = UINT64_MAX,
        .stop = stop,
    };
    inquiries_run_patiently(inquiries, count, &patience);
}

void inquiries_run_patiently(struct inquiry *inquiries, size_t count,
                             const struct inquiry_patience *patience)
{
    struct inquiry *running[AT_ONCE_MAX];
    struct stop_request *stop = patience->stop;
    size_t running_count = 0;
    size_t next = 0;
    bool has_good = false;
    for (;;) {
        while (next < count && running_count < AT_ONCE_MAX && (stop == NULL || !stop->is_asked)) {
            start(&inquiries[next], patience->timeout_ns);
            if (inquiries[next].process != 0)
                running[running_count++] = &inquiries[next];
            next++;
        }
        if (running_count == 0)
            return;
        if (wait_for_some(running, running_count, stop) == 0)
            continue;
        has_good |= keep_running(running, &running_count);
        uint64_t quiet_ns =
            are_doubtful(running, running_count) ? patience->doubtful_quiet_ns : patience->quiet_ns;
        if (has_good && next == count && quiet_ns != UINT64_MAX)
            set_deadlines(running, running_count, clock_monotonic_ns() + quiet_ns);
    }
}
