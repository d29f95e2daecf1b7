/* hold.c - tasks that wait until a file is there (parameter `release`); each result is the index as
 * text and a space. Task 0 does not wait: that it is done shows that the job runs. */
#include <sheaf.h>

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 20, PATIENCE_MS = 300 * 1000 };

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    const char *release = sheaf_parameter_string(context, "release");
    const struct timespec nap = {.tv_nsec = POLL_MS * 1000000};
    for (int ms = 0; task->index > 0 && access(release, F_OK) != 0; ms += POLL_MS) {
        if (ms >= PATIENCE_MS)
            return sheaf_fail(context, "nobody made %s", release);
        nanosleep(&nap, NULL);
    }
    return sheaf_emit_text(context, "%" PRIu64 " ", task->index);
}

SHEAF_PLUGIN(.run = run)
