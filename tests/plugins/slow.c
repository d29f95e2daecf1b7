/* slow.c - tasks that sleep; each result is the index as text and a space. The last ones may be
 * held (release.h). */
#include "release.h"

#include <inttypes.h>
#include <time.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int64_t ms = sheaf_parameter_integer(context, "milliseconds");
    struct timespec duration = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&duration, NULL);
    int waited = wait_if_held(context, task->index);
    if (waited != 0)
        return waited;
    return sheaf_emit_text(context, "%" PRIu64 " ", task->index);
}

SHEAF_PLUGIN(.run = run)
