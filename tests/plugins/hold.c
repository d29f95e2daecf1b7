/* hold.c - tasks that wait until a file is there (parameter `release`); each result is the index as
 * text and a space. Task 0 does not wait: that it is done shows that the job runs. */
#include "release.h"

#include <inttypes.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int waited = task->index > 0 ? wait_for_release(context) : 0;
    if (waited != 0)
        return waited;
    return sheaf_emit_text(context, "%" PRIu64 " ", task->index);
}

SHEAF_PLUGIN(.run = run)
