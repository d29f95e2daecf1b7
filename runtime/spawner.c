/* spawner.c - starts, talks to and ends the spawner, from the rank's side. */
#include "spawner.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "clock.h"
#include "shared_memory.h"
#include "spawner_again.h"
#include "spawner_main.h"

#include <bsd/sys/queue.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_INTERVAL_NS = 1000000,    /* between looks at the socket without a reason */
    END_WAIT_NS = 2000000000,      /* patience with a spawner that was told to stop */
    UNREAPED_WAIT_NS = 1000000000, /* patience with one that closed its socket */
    SUCCESSOR_WAIT_MS = 2000,      /* patience for the first word of a successor */
    POLL_INTERVAL_NS = 1000000,
};

/* A command that the socket had no room for. */
struct queued_command {
    struct spawner_command command;
    int descriptor;
    STAILQ_ENTRY(queued_command) next;
};

struct spawner {
    pid_t process;
    int socket;
    int successor_socket; /* -1: none was ordered */
    int wake;             /* eventfd */
    int epoll;            /* of socket and wake */
    struct shared_rank *shared;
    int shared_descriptor;
    char **environment; /* from before MPI started; owned */
    uint32_t posts_received;
    uint64_t next_look_ns;
    uint64_t closed_ns; /* when its end of the socket was found closed; 0: it is open */
    bool is_preparing;
    bool is_reaped;
    int status; /* of waitpid, or -1 */
    STAILQ_HEAD(, queued_command) queue;
};

static int watch(int epoll, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static void close_spawner(struct spawner *spawner)
{
    if (spawner->epoll >= 0)
        close(spawner->epoll);
    if (spawner->wake >= 0)
        close(spawner->wake);
    if (spawner->socket >= 0)
        close(spawner->socket);
    if (spawner->successor_socket >= 0)
        close(spawner->successor_socket);
    if (spawner->shared_descriptor >= 0) {
        munmap(spawner->shared, sizeof *spawner->shared);
        close(spawner->shared_descriptor);
    }
    spawner_again_free_environment(spawner->environment);
    free(spawner);
}

static int open_socket(int *near, int *far, struct sheaf_error *error)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        return sheaf_error_set_errno(error, errno, "cannot make a socket to the spawner");
    *near = sockets[0];
    *far = sockets[1];
    return 0;
}

/* Makes what rank and spawner share. `far` is the spawner's end of the socket. */
static int open_channels(struct spawner *spawner, int *far, struct sheaf_error *error)
{
    void *shared = NULL;
    spawner->shared_descriptor =
        shared_memory_create("sheaf-rank", sizeof *spawner->shared, &shared);
    if (spawner->shared_descriptor < 0)
        return sheaf_error_set_errno(error, errno, "cannot share memory with the spawner");
    spawner->shared = shared;
    spawner->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    spawner->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (spawner->wake < 0 || spawner->epoll < 0)
        return sheaf_error_set_errno(error, errno, "cannot make a descriptor for the spawner");
    int code = open_socket(&spawner->socket, far, error);
    if (code != 0)
        return code;
    if (watch(spawner->epoll, spawner->wake) != 0 || watch(spawner->epoll, spawner->socket) != 0) {
        code = sheaf_error_set_errno(error, errno, "cannot watch the spawner");
        close(*far);
    }
    return code;
}

/* Without this a descriptor of ours could be number 0, 1 or 2, which the spawner replaces. Opened
 * for reading, so that writing to a closed standard output stays an error. */
static void hold_standard_descriptors(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (null >= 0 && null <= STDERR_FILENO)
        null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0)
        close(null);
}

/* Never returns in the child. Owns `far`, the spawner's end of its socket. */
static int fork_process(const struct spawner *spawner, int far, bool is_successor,
                        struct sheaf_error *error)
{
    const struct spawner_main_options options = {.socket = far,
                                                 .wake = spawner->wake,
                                                 .shared = spawner->shared,
                                                 .rank_process = getpid(),
                                                 .is_successor = is_successor};
    fflush(NULL); /* or both processes would write what is buffered */
    pid_t process = fork();
    if (process == 0)
        spawner_main(&options);
    int code = process;
    if (process < 0)
        code =
            sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                            "cannot start the spawner: %s: look at `ulimit -u`", strerror(errno));
    close(far);
    return code;
}

int spawner_start(struct spawner **spawner, struct sheaf_error *error)
{
    hold_standard_descriptors();
    struct spawner *started = memory_allocate_zeroed(1, sizeof *started);
    *started = (struct spawner){
        .socket = -1, .successor_socket = -1, .wake = -1, .epoll = -1, .shared_descriptor = -1};
    STAILQ_INIT(&started->queue);
    started->environment = spawner_again_copy_environment();
    int far = -1;
    int code = open_channels(started, &far, error);
    if (code != 0)
        goto close;
    code = fork_process(started, far, false, error);
    if (code < 0)
        goto close;
    started->process = code;
    *spawner = started;
    return 0;
close:
    close_spawner(started);
    return code;
}

/* Returns false when the socket has no room. A closed socket takes everything: the end of the
 * spawner is found out by receiving. */
static bool try_send(struct spawner *spawner, const struct spawner_command *command, int descriptor)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)command, .iov_len = sizeof *command};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do {
        sent = sendmsg(spawner->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS))
        return false;
    if (descriptor >= 0)
        close(descriptor);
    return true;
}

static void send_queued(struct spawner *spawner)
{
    struct queued_command *first;
    while ((first = STAILQ_FIRST(&spawner->queue)) != NULL &&
           try_send(spawner, &first->command, first->descriptor)) {
        STAILQ_REMOVE_HEAD(&spawner->queue, next);
        free(first);
    }
}

void spawner_send(struct spawner *spawner, const struct spawner_command *command, int descriptor)
{
    if (command->kind == SPAWNER_PREPARE)
        spawner->is_preparing = true;
    if (STAILQ_EMPTY(&spawner->queue) && try_send(spawner, command, descriptor))
        return;
    struct queued_command *queued = memory_allocate(sizeof *queued);
    *queued = (struct queued_command){.command = *command, .descriptor = descriptor};
    STAILQ_INSERT_TAIL(&spawner->queue, queued, next);
}

/* Its end of the socket is closed: the process has ended or is about to. */
static void note_closed(struct spawner *spawner, uint64_t now_ns)
{
    if (spawner->closed_ns != 0)
        return;
    spawner->closed_ns = now_ns > 0 ? now_ns : 1;
    epoll_ctl(spawner->epoll, EPOLL_CTL_DEL, spawner->socket, NULL); /* readable for ever */
}

int spawner_receive(struct spawner *spawner, uint64_t now_ns, struct spawner_event *event)
{
    send_queued(spawner);
    if (spawner->closed_ns != 0)
        return 0;
    if (!spawner_has_news(spawner) && now_ns < spawner->next_look_ns)
        return 0;
    ssize_t size = recv(spawner->socket, event, sizeof *event, MSG_DONTWAIT);
    if (size == (ssize_t)sizeof *event) {
        spawner->posts_received++;
        if (event->kind == SPAWNER_PREPARED || event->kind == SPAWNER_PREPARE_FAILED)
            spawner->is_preparing = false;
        return 1;
    }
    spawner->next_look_ns = now_ns + LOOK_INTERVAL_NS;
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
        note_closed(spawner, now_ns);
    return 0;
}

/* Somebody else's waitpid may have taken the status (ECHILD). */
static bool reap(struct spawner *spawner)
{
    if (spawner->is_reaped)
        return true;
    int status;
    pid_t ended = waitpid(spawner->process, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR))
        return false;
    spawner->is_reaped = true;
    spawner->status = ended == spawner->process ? status : -1;
    return true;
}

bool spawner_has_ended(struct spawner *spawner, int *status)
{
    if (spawner->closed_ns == 0)
        return false;
    if (!reap(spawner) && clock_monotonic_ns() < spawner->closed_ns + UNREAPED_WAIT_NS)
        return false;
    *status = spawner->is_reaped ? spawner->status : -1;
    return true;
}

void spawner_kill(struct spawner *spawner)
{
    if (spawner->is_reaped)
        return;
    kill(-spawner->process, SIGKILL); /* what prepare may have started, too */
    kill(spawner->process, SIGKILL);
}

static bool wait_for_end(struct spawner *spawner, uint64_t patience_ns)
{
    uint64_t end_ns = clock_monotonic_ns() + patience_ns;
    const struct timespec interval = {.tv_nsec = POLL_INTERVAL_NS};
    while (!reap(spawner)) {
        if (clock_monotonic_ns() >= end_ns)
            return false;
        nanosleep(&interval, NULL);
    }
    return true;
}

/* It ends when its spawner has, and all that this has left. */
static void collect_guard(struct spawner *spawner)
{
    uint64_t end_ns = clock_monotonic_ns() + END_WAIT_NS;
    const struct timespec interval = {.tv_nsec = POLL_INTERVAL_NS};
    pid_t guard = atomic_exchange(&spawner->shared->guard_process, 0);
    if (guard <= 0)
        return;
    for (pid_t ended; (ended = waitpid(guard, NULL, WNOHANG)) != guard;) {
        if ((ended < 0 && errno != EINTR) || clock_monotonic_ns() >= end_ns)
            return;
        nanosleep(&interval, NULL);
    }
}

/* Ends the process; what is shared stays. */
static void end_process(struct spawner *spawner)
{
    const struct spawner_command stop = {.kind = SPAWNER_STOP};
    struct queued_command *first;
    send_queued(spawner);
    while ((first = STAILQ_FIRST(&spawner->queue)) != NULL) {
        STAILQ_REMOVE_HEAD(&spawner->queue, next);
        if (first->descriptor >= 0)
            close(first->descriptor);
        free(first);
    }
    if (!spawner->is_preparing)
        try_send(spawner, &stop, -1);
    if (spawner->socket >= 0)
        close(spawner->socket);
    spawner->socket = -1;
    if (spawner->is_preparing || !wait_for_end(spawner, END_WAIT_NS)) {
        spawner_kill(spawner);
        wait_for_end(spawner, END_WAIT_NS);
    }
    collect_guard(spawner);
}

int spawner_reserve_successor(struct spawner *spawner, struct sheaf_error *error)
{
    int far = -1;
    int code = open_socket(&spawner->successor_socket, &far, error);
    if (code == 0)
        code = fork_process(spawner, far, true, error);
    return code < 0 ? code : 0;
}

/* One that has died is collected, and forgotten. */
static bool has_successor(struct spawner *spawner)
{
    struct pollfd polled = {.fd = spawner->successor_socket, .events = POLLIN};
    struct spawner_event event;
    if (spawner->successor_socket < 0)
        return false;
    if (poll(&polled, 1, 0) < 1 || (polled.revents & POLLHUP) == 0)
        return true;
    if (recv(spawner->successor_socket, &event, sizeof event, MSG_DONTWAIT) ==
        (ssize_t)sizeof event)
        waitpid(event.process, NULL, WNOHANG);
    close(spawner->successor_socket);
    spawner->successor_socket = -1;
    return false;
}

int spawner_order_successor(struct spawner *spawner, struct sheaf_error *error)
{
    CHECK(!spawner->is_preparing);
    if (has_successor(spawner))
        return 0;
    const struct spawner_command succeed = {.kind = SPAWNER_SUCCEED};
    int far = -1;
    int code = open_socket(&spawner->successor_socket, &far, error);
    if (code == 0)
        spawner_send(spawner, &succeed, far);
    return code;
}

/* Owns its end of the socket. */
static bool go_on_with(struct spawner *spawner, pid_t process, int socket)
{
    spawner->process = process;
    spawner->socket = socket;
    spawner->posts_received = atomic_load(&spawner->shared->spawner_posts);
    spawner->next_look_ns = 0;
    spawner->closed_ns = 0;
    spawner->is_preparing = false;
    spawner->is_reaped = false;
    spawner->status = -1;
    return watch(spawner->epoll, spawner->socket) == 0;
}

/* Its first word, which was sent when it was made, tells its process. */
static bool adopt_successor(struct spawner *spawner)
{
    struct spawner_event event;
    struct pollfd polled = {.fd = spawner->successor_socket, .events = POLLIN};
    if (!has_successor(spawner))
        return false;
    int socket = spawner->successor_socket;
    spawner->successor_socket = -1;
    if (poll(&polled, 1, SUCCESSOR_WAIT_MS) == 1 &&
        recv(socket, &event, sizeof event, MSG_DONTWAIT) == (ssize_t)sizeof event &&
        event.kind == SPAWNER_SUCCEEDED)
        return go_on_with(spawner, event.process, socket);
    close(socket);
    return false;
}

static int make_again(struct spawner *spawner, struct sheaf_error *error)
{
    struct spawner_again again = {.environment = spawner->environment,
                                  .wake = spawner->wake,
                                  .shared = spawner->shared_descriptor};
    int near = -1;
    int code = open_socket(&near, &again.socket, error);
    if (code < 0)
        return code;
    code = spawner_again_start(&again, error);
    close(again.socket);
    if (code < 0)
        close(near);
    else if (!go_on_with(spawner, code, near))
        code = sheaf_error_set_errno(error, errno, "cannot watch the spawner");
    return code < 0 ? code : 0;
}

int spawner_renew(struct spawner *spawner, struct sheaf_error *error)
{
    end_process(spawner);
    return adopt_successor(spawner) ? 0 : make_again(spawner, error);
}

void spawner_stop(struct spawner *spawner)
{
    if (spawner == NULL)
        return;
    end_process(spawner);
    if (spawner->successor_socket >= 0 && adopt_successor(spawner))
        end_process(spawner);
    close_spawner(spawner);
}

pid_t spawner_process(const struct spawner *spawner)
{
    return spawner->process;
}

struct shared_rank *spawner_shared_rank(const struct spawner *spawner)
{
    return spawner->shared;
}

int spawner_wake_descriptor(const struct spawner *spawner)
{
    return spawner->epoll;
}

bool spawner_has_news(const struct spawner *spawner)
{
    return atomic_load(&spawner->shared->spawner_posts) != spawner->posts_received;
}

void spawner_drain_wakes(const struct spawner *spawner)
{
    uint64_t count;
    ssize_t size = read(spawner->wake, &count, sizeof count);
    CHECK(size == (ssize_t)sizeof count || errno == EAGAIN || errno == EINTR);
}
