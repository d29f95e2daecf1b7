/* spin.c - benchmark: tasks that use a set amount of CPU time and log when they start.
 *
 * Parameters: spin_ns, CPU time of a task; quick, the number of tasks at the front that do nothing;
 * log, a file that gets a line "TIME INDEX ATTEMPT PID PARENT" for each start of another task (""
 * = none); crash, the index of a task whose first attempt kills its executor (-1 = none). With
 * `split: plugin` also records, the number of tasks, which then have 64 bytes of input each. */
#include "clock.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    uint64_t spin_ns;
    uint64_t quick;
    int64_t crash;
    int log; /* a descriptor, or -1 */
};

static int open_settings(struct sheaf_context *context, void **local)
{
    struct settings *settings = malloc(sizeof *settings);
    if (settings == NULL)
        return sheaf_fail(context, "no memory");
    *settings = (struct settings){
        .spin_ns = (uint64_t)sheaf_parameter_integer(context, "spin_ns"),
        .quick = (uint64_t)sheaf_parameter_integer(context, "quick"),
        .crash = sheaf_parameter_integer(context, "crash"),
        .log = -1,
    };
    const char *path = sheaf_parameter_string(context, "log");
    if (path[0] != '\0') {
        settings->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (settings->log < 0) {
            free(settings);
            return sheaf_fail(context, "cannot write %s", path);
        }
    }
    *local = settings;
    return 0;
}

static void close_settings(struct sheaf_context *context, void *local)
{
    const struct settings *settings = local;
    (void)context;
    if (settings->log >= 0)
        close(settings->log);
    free(local);
}

static int split(struct sheaf_context *context)
{
    static const char record[64] = "input";
    int64_t count = sheaf_parameter_integer(context, "records");
    int status = 0;
    for (int64_t i = 0; i < count && status == 0; i++)
        status = sheaf_add_task(context, record, sizeof record);
    return status;
}

static int log_start(struct sheaf_context *context, int log, const struct sheaf_task *task)
{
    char line[128];
    int length = snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 " %" PRIu32 " %d %d\n",
                          clock_now_ns(CLOCK_REALTIME), task->index, task->attempt, (int)getpid(),
                          (int)getppid());
    return write(log, line, (size_t)length) == length ? 0 : sheaf_fail(context, "log not written");
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    const struct settings *settings = sheaf_local(context);
    const uint64_t one = 1;
    if (task->index == 0 && clock_start(context) != 0)
        return -1;
    if (task->index >= settings->quick) {
        if (settings->log >= 0 && log_start(context, settings->log, task) != 0)
            return -1;
        if (settings->crash >= 0 && task->index == (uint64_t)settings->crash && task->attempt == 1)
            kill(getpid(), SIGKILL);
        uint64_t end_ns = clock_now_ns(CLOCK_THREAD_CPUTIME_ID) + settings->spin_ns;
        while (clock_now_ns(CLOCK_THREAD_CPUTIME_ID) < end_ns)
            continue;
    }
    return sheaf_emit(context, &one, sizeof one);
}

static uint64_t number_of(struct sheaf_bytes bytes)
{
    uint64_t number;
    memcpy(&number, bytes.data, sizeof number);
    return number;
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    uint64_t sum = number_of(left) + number_of(right);
    return sheaf_emit(context, &sum, sizeof sum);
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    return clock_emit(context, number_of(result));
}

SHEAF_PLUGIN(.open = open_settings, .close = close_settings, .split = split, .run = run,
             .merge = merge, .finish = finish)
