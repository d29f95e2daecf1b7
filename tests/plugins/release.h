/* release.h - lets a hook wait until the test has made a file. */
#ifndef SHEAF_TEST_RELEASE_H
#define SHEAF_TEST_RELEASE_H

#include <sheaf.h>

#include <stdbool.h>
#include <time.h>
#include <unistd.h>

enum { RELEASE_POLL_MS = 20, RELEASE_PATIENCE_MS = 300 * 1000 };

/* 0, or what the hook is to return. */
static inline int wait_for_file(struct sheaf_context *context, const char *path)
{
    const struct timespec nap = {.tv_nsec = RELEASE_POLL_MS * 1000000};
    for (int ms = 0; access(path, F_OK) != 0; ms += RELEASE_POLL_MS) {
        if (ms >= RELEASE_PATIENCE_MS)
            return sheaf_fail(context, "nobody made %s", path);
        nanosleep(&nap, NULL);
    }
    return 0;
}

/* The parameter `release` names the file. */
static inline int wait_for_release(struct sheaf_context *context)
{
    return wait_for_file(context, sheaf_parameter_string(context, "release"));
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
