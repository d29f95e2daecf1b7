/* patient.c - tasks that last until the run is to stop; parameter `then` says what they do about
 * it: "finish", or "give up", or "fail for good". A merge gives up, too. */
#include <sheaf.h>

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { WAITS_MAX = 120000 };

static int wait_for_stop(struct sheaf_context *context)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    for (int i = 0; i < WAITS_MAX; i++) {
        if (sheaf_is_stopping(context))
            return 0;
        nanosleep(&nap, NULL);
    }
    return sheaf_fail_for_good(context, "nobody stopped me");
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    const char *then = sheaf_parameter_string(context, "then");
    if (wait_for_stop(context) != 0)
        return -1;
    if (strcmp(then, "give up") == 0)
        return sheaf_fail(context, "gave up");
    if (strcmp(then, "fail for good") == 0)
        return sheaf_fail_for_good(context, "failed, and not for the stop");
    return sheaf_emit_text(context, "%" PRIu64, task->index);
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    (void)left;
    (void)right;
    return wait_for_stop(context) != 0 ? -1 : sheaf_fail(context, "gave up");
}

SHEAF_PLUGIN(.run = run, .merge = merge)
