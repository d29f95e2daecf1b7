/* count.c - a plug-in that adds up its tasks' indices: nothing lost, nothing counted twice.
 *
 * The parameter `stamp` names a file to which the first executor of each worker of each run adds
 * the wall-clock time, in ms, at which it opened. */
#include <sheaf.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int open_executor(struct sheaf_context *context, void **local)
{
    (void)local;
    if (!sheaf_parameter_exists(context, "stamp"))
        return 0;
    const char *path = sheaf_parameter_string(context, "stamp");
    int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0)
        return sheaf_fail(context, "cannot open %s", path);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char line[32];
    int length = snprintf(line, sizeof line, "%" PRIu64 "\n",
                          (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    ssize_t written = write(file, line, (size_t)length);
    close(file);
    return written == length ? 0 : sheaf_fail(context, "cannot write %s", path);
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_emit(context, &task->index, sizeof task->index);
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    uint64_t sums[2];
    memcpy(&sums[0], left.data, sizeof sums[0]);
    memcpy(&sums[1], right.data, sizeof sums[1]);
    uint64_t sum = sums[0] + sums[1];
    return sheaf_emit(context, &sum, sizeof sum);
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    uint64_t sum = 0;
    memcpy(&sum, result.data, result.size);
    return sheaf_emit_text(context, "%" PRIu64 "\n", sum);
}

SHEAF_PLUGIN(.open = open_executor, .run = run, .merge = merge, .finish = finish)
