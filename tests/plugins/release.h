/* release.h - lets a task wait until the test has made a file. */
#ifndef SHEAF_TEST_RELEASE_H
#define SHEAF_TEST_RELEASE_H

#include <sheaf.h>

#include <stdbool.h>
#include <time.h>
#include <unistd.h>

enum { RELEASE_POLL_MS = 20, RELEASE_PATIENCE_MS = 300 * 1000 };

/* The parameter `release` names the file. 0, or what `run` is to return. */
static inline int wait_for_release(struct sheaf_context *context)
{
    const char *release = sheaf_parameter_string(context, "release");
    const struct timespec nap = {.tv_nsec = RELEASE_POLL_MS * 1000000};
    for (int ms = 0; access(release, F_OK) != 0; ms += RELEASE_POLL_MS) {
        if (ms >= RELEASE_PATIENCE_MS)
            return sheaf_fail(context, "nobody made %s", release);
        nanosleep(&nap, NULL);
    }
    return 0;
}

/* With the parameter `release` the last tasks, from number `held` on, wait: whatever the machine
 * does, the job does not end before its test has done what it means to do. 0, or what `run` is to
 * return. */
static inline int wait_if_held(struct sheaf_context *context, uint64_t index)
{
    bool is_held = sheaf_parameter_exists(context, "release") &&
                   (int64_t)index >= sheaf_parameter_integer(context, "held");
    return is_held ? wait_for_release(context) : 0;
}

#endif
