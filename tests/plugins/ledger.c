/* ledger.c - tasks that sleep and keep books: each start is a line in the file `ledger`, "TIME_MS
 * EXECUTOR INDEX" with the wall-clock time and the process, so that a test can count what ran, and
 * when; with the parameter `ends` each end is one, too, with " end" after it. Results are the index
 * and a space; the split is by range, or by the plug-in. The last tasks may be held, once they have
 * begun (release.h). */
#include "release.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int open_executor(struct sheaf_context *context, void **local)
{
    static int ledger;
    const char *path = sheaf_parameter_string(context, "ledger");
    ledger = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    *local = &ledger;
    return ledger >= 0 ? 0 : sheaf_fail(context, "cannot open %s", path);
}

static int enter(struct sheaf_context *context, uint64_t index, const char *what)
{
    const int *ledger = sheaf_local(context);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char line[64];
    int length = snprintf(line, sizeof line, "%" PRIu64 " %d %" PRIu64 "%s\n",
                          (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                          (int)getpid(), index, what);
    ssize_t written = write(*ledger, line, (size_t)length);
    return written == length ? 0 : sheaf_fail(context, "cannot write the ledger");
}

static int split(struct sheaf_context *context)
{
    return sheaf_add_tasks(context, (uint64_t)sheaf_parameter_integer(context, "tasks"));
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int64_t ms = sheaf_parameter_integer(context, "milliseconds");
    struct timespec duration = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = ms % 1000 * 1000000};
    int status = enter(context, task->index, "");
    nanosleep(&duration, NULL);
    if (status == 0)
        status = wait_if_held(context, task->index);
    if (status == 0 && sheaf_parameter_exists(context, "ends"))
        status = enter(context, task->index, " end");
    return status != 0 ? status : sheaf_emit_text(context, "%" PRIu64 " ", task->index);
}

#ifdef LEDGER_MERGES
static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    int status = sheaf_emit(context, left.data, left.size);
    return status != 0 ? status : sheaf_emit(context, right.data, right.size);
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    return sheaf_emit(context, result.data, result.size);
}

SHEAF_PLUGIN(.open = open_executor, .split = split, .run = run, .merge = merge, .finish = finish)
#else
SHEAF_PLUGIN(.open = open_executor, .split = split, .run = run)
#endif
