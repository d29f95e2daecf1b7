/* surroundings_look.c - what the kernel knows of a process is looked at now and then, whoever has
 * changed it, and set back: descriptors, niceness, timers and handlers of signals.
 *
 * A look costs some system calls, so one follows a task only when the last is long enough ago. */
#include "surroundings.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    DESCRIPTORS_NOTED = 4096, /* more than these are left alone */
    TIMERS = 3,
};

static struct {
    bool is_there;
    bool is_spoilt;
    bool has_told;
    uint64_t glanced_ns;
    uint64_t looked_ns;
    int free_descriptor; /* the one that a call would have got first */
    unsigned char is_open[DESCRIPTORS_NOTED];
    int niceness;
    struct itimerval timers[TIMERS];
    struct sigaction handlers[NSIG];
} noted;

/* ---- descriptors ---- */

static void visit_descriptors(void (*visit)(int descriptor))
{
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int descriptor = (int)strtol(entry->d_name, NULL, 10);
        if (isdigit((unsigned char)entry->d_name[0]) && descriptor != dirfd(folder))
            visit(descriptor);
    }
    closedir(folder);
}

static void note_descriptor(int descriptor)
{
    if (descriptor < DESCRIPTORS_NOTED)
        noted.is_open[descriptor] = 1;
}

/* Devices and what the kernel has no file for are often a library's, which opens them once for all
 * tasks. */
static bool is_left_behind(int descriptor)
{
    struct stat status;
    return descriptor < DESCRIPTORS_NOTED && noted.is_open[descriptor] == 0 &&
           fstat(descriptor, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISFIFO(status.st_mode) ||
            S_ISSOCK(status.st_mode));
}

static void close_left_behind(int descriptor)
{
    if (!is_left_behind(descriptor))
        return;
    if (!noted.has_told)
        fprintf(stderr,
                "sheaf: a task has left descriptor %d open: it is closed, and so are others. What "
                "is to stay open for all tasks belongs into open or prepare\n",
                descriptor);
    noted.has_told = true;
    close(descriptor);
}

/* ---- the rest ---- */

static int get_niceness(void)
{
    return getpriority(PRIO_PROCESS, 0);
}

static void restore_niceness(void)
{
    if (get_niceness() == noted.niceness || noted.is_spoilt)
        return;
    noted.is_spoilt = setpriority(PRIO_PROCESS, 0, noted.niceness) != 0;
}

static bool is_running(const struct itimerval *timer)
{
    return timer->it_value.tv_sec != 0 || timer->it_value.tv_usec != 0;
}

/* One that was running when the tasks began is `open`'s. */
static void stop_timer(int which)
{
    const struct itimerval never = {0};
    struct itimerval now;
    if (!is_running(&noted.timers[which]) && getitimer((__itimer_which_t)which, &now) == 0 &&
        is_running(&now))
        setitimer((__itimer_which_t)which, &never, NULL);
}

static bool is_same_handler(const struct sigaction *a, const struct sigaction *b)
{
    return a->sa_flags == b->sa_flags && a->sa_handler == b->sa_handler;
}

static void restore_handlers(void)
{
    for (int i = 1; i < NSIG; i++) {
        struct sigaction now;
        if (sigaction(i, NULL, &now) == 0 && !is_same_handler(&now, &noted.handlers[i]))
            sigaction(i, &noted.handlers[i], NULL);
    }
}

/* ---- looks ---- */

void surroundings_note_kernel(void)
{
    visit_descriptors(note_descriptor);
    while (noted.free_descriptor < DESCRIPTORS_NOTED && noted.is_open[noted.free_descriptor] != 0)
        noted.free_descriptor++;
    noted.niceness = get_niceness();
    for (int i = 0; i < TIMERS; i++)
        getitimer((__itimer_which_t)i, &noted.timers[i]);
    for (int i = 1; i < NSIG; i++)
        sigaction(i, NULL, &noted.handlers[i]);
    noted.is_there = true;
}

static void glance(void)
{
    if (fcntl(noted.free_descriptor, F_GETFD) >= 0)
        visit_descriptors(close_left_behind);
    restore_niceness();
    stop_timer(ITIMER_REAL);
}

static void look(void)
{
    visit_descriptors(close_left_behind);
    restore_niceness();
    for (int i = 0; i < TIMERS; i++)
        stop_timer(i);
    restore_handlers();
    surroundings_restore_all();
}

void surroundings_look(uint64_t now_ns)
{
    int saved = errno;
    if (!noted.is_there || now_ns - noted.glanced_ns < SURROUNDINGS_GLANCE_NS)
        return;
    noted.glanced_ns = now_ns;
    if (now_ns - noted.looked_ns >= SURROUNDINGS_LOOK_NS) {
        noted.looked_ns = now_ns;
        look();
    } else {
        glance();
    }
    errno = saved;
}

bool surroundings_are_spoilt(void)
{
    return noted.is_spoilt;
}
