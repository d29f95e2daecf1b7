/* process_watch.c - sees the end of a process by a pidfd, or else by its number and its start. */
#include "process_watch.h"

#include "../scheduler/check.h"
#include "clock.h"
#include "process_files.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define NS_PER_MS ((uint64_t)1000000)

bool process_watch_open(struct process_watch *watch, pid_t process)
{
    struct process_watch opened = {.process = process};
    opened.descriptor = pidfd_open(process, 0);
    struct process_stat stat;
    if (opened.descriptor < 0 && !process_stat_read(process, &stat))
        return false;
    if (opened.descriptor < 0)
        opened.start_ticks = stat.start_ticks;
    *watch = opened;
    return true;
}

static bool wait_by_descriptor(const struct process_watch *watch, int patience_ms)
{
    struct pollfd ended = {.fd = watch->descriptor, .events = POLLIN};
    int ready;
    while ((ready = poll(&ended, 1, patience_ms)) < 0 && errno == EINTR)
        continue;
    return ready == 1;
}

bool process_watch_has_ended(const struct process_watch *watch)
{
    if (watch->process == 0)
        return false;
    return watch->descriptor >= 0 ? wait_by_descriptor(watch, 0)
                                  : !process_is_alive(watch->process, watch->start_ticks);
}

bool process_watch_wait(const struct process_watch *watch, int patience_ms)
{
    CHECK(watch->process != 0);
    if (watch->descriptor >= 0)
        return wait_by_descriptor(watch, patience_ms);
    uint64_t begin_ns = clock_monotonic_ns();
    while (!process_watch_has_ended(watch)) {
        uint64_t passed_ms = (clock_monotonic_ns() - begin_ns) / NS_PER_MS;
        if (patience_ms >= 0 && passed_ms >= (uint64_t)patience_ms)
            return false;
        poll(NULL, 0, PROCESS_WATCH_LOOK_MS);
    }
    return true;
}

void process_watch_signal(const struct process_watch *watch, int signal_number)
{
    if (watch->process == 0)
        return;
    if (watch->descriptor >= 0)
        pidfd_send_signal(watch->descriptor, signal_number, NULL, 0);
    else if (!process_watch_has_ended(watch))
        kill(watch->process, signal_number);
}

void process_watch_close(struct process_watch *watch)
{
    if (watch->process != 0 && watch->descriptor >= 0)
        close(watch->descriptor);
    *watch = (struct process_watch){.descriptor = -1};
}
