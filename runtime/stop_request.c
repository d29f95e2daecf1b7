/* stop_request.c - takes in the signals by which the launcher is asked to stop. */
#include "stop_request.h"

#include "../scheduler/scheduler.h"
#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

int stop_request_open(struct stop_request *request, struct sheaf_error *error)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    for (size_t i = 0; i < sizeof stop_signals / sizeof *stop_signals; i++) {
        struct sigaction action;
        if (sigaction(stop_signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&signals, stop_signals[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would make the children's statuses vanish */
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int descriptor = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0)
        return sheaf_error_set_errno(error, errno, "cannot watch for signals");
    *request = (struct stop_request){.descriptor = descriptor};
    return 0;
}

void stop_request_close(struct stop_request *request)
{
    close(request->descriptor);
}

void stop_request_update(struct stop_request *request, uint64_t now_ns)
{
    struct signalfd_siginfo info;
    while (read(request->descriptor, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (!request->is_asked) {
            request->is_asked = true;
            request->signal_number = (int)info.ssi_signo;
            request->asked_at_ns = now_ns;
        } else if (info.ssi_signo == SIGINT) {
            request->is_urgent = true;
        }
    }
}

void stop_request_wait(struct stop_request *request, uint64_t duration_ns)
{
    uint64_t end_ns = clock_monotonic_ns() + duration_ns;
    for (uint64_t now_ns; !request->is_asked && (now_ns = clock_monotonic_ns()) < end_ns;) {
        struct pollfd poll_descriptor = {.fd = request->descriptor, .events = POLLIN};
        poll(&poll_descriptor, 1, (int)((end_ns - now_ns) / SHEAF_NS_PER_MS) + 1);
        stop_request_update(request, clock_monotonic_ns());
    }
}
