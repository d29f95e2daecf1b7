/* large.c - each result has `bytes` bytes, all the low byte of the index. The last ones may be
 * held (release.h). */
#include "release.h"

#include <stdlib.h>
#include <string.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int waited = wait_if_held(context, task->index);
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
