/* large.c - each result has `bytes` bytes, all the low byte of the index. With the parameter
 * `release` the last tasks, from number `held` on, wait until a file of that name is there. */
#include "release.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_held(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_parameter_exists(context, "release") &&
           (int64_t)task->index >= sheaf_parameter_integer(context, "held");
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int waited = is_held(context, task) ? wait_for_release(context) : 0;
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
