/* large.c - each result has `bytes` bytes, all the low byte of the index. With the parameter
 * `release` the last tasks, from number `held` on, wait until a file of that name is there. */
#include <sheaf.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 20, PATIENCE_MS = 300 * 1000 };

static int wait_for_release(struct sheaf_context *context, const struct sheaf_task *task)
{
    if (!sheaf_parameter_exists(context, "release") ||
        (int64_t)task->index < sheaf_parameter_integer(context, "held"))
        return 0;
    const char *release = sheaf_parameter_string(context, "release");
    const struct timespec nap = {.tv_nsec = POLL_MS * 1000000};
    for (int ms = 0; access(release, F_OK) != 0; ms += POLL_MS) {
        if (ms >= PATIENCE_MS)
            return sheaf_fail(context, "nobody made %s", release);
        nanosleep(&nap, NULL);
    }
    return 0;
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int waited = wait_for_release(context, task);
    if (waited != 0)
        return waited;
    size_t size = (size_t)sheaf_parameter_integer(context, "bytes");
    unsigned char *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL)
        return sheaf_fail(context, "no memory");
    memset(bytes, (int)(task->index & 0xff), size);
    int status = sheaf_emit(context, bytes, size);
    free(bytes);
    return status;
}

SHEAF_PLUGIN(.run = run)
