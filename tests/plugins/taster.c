/* taster.c - the split of the plug-in `splitter` with a result that stays small: how many tasks and
 * bytes of input there were. */
#include <sheaf.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct taste {
    uint64_t tasks;
    uint64_t bytes;
};

static int split(struct sheaf_context *context)
{
    int64_t named = sheaf_parameter_integer(context, "named");
    size_t size = (size_t)sheaf_parameter_integer(context, "bytes");
    char *bytes = calloc(1, size > 0 ? size : 1);
    if (bytes == NULL)
        return sheaf_fail(context, "no memory");
    int status = 0;
    for (int64_t i = 0; i < named && status == 0; i++)
        status = sheaf_add_task(context, bytes, size);
    free(bytes);
    return status;
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    struct taste taste = {.tasks = 1, .bytes = task->input.size};
    return sheaf_emit(context, &taste, sizeof taste);
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    struct taste a;
    struct taste b;
    memcpy(&a, left.data, sizeof a);
    memcpy(&b, right.data, sizeof b);
    struct taste sum = {a.tasks + b.tasks, a.bytes + b.bytes};
    return sheaf_emit(context, &sum, sizeof sum);
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    struct taste sum;
    memcpy(&sum, result.data, sizeof sum);
    return sheaf_emit_text(context, "%" PRIu64 " tasks, %" PRIu64 " bytes\n", sum.tasks, sum.bytes);
}

SHEAF_PLUGIN(.split = split, .run = run, .merge = merge, .finish = finish)
