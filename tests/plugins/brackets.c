/* brackets.c - results that show in which order they were merged: ((0 1) (2 3)). */
#include <sheaf.h>

#include <inttypes.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_emit_text(context, "%" PRIu64, task->index);
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    sheaf_emit(context, "(", 1);
    sheaf_emit(context, left.data, left.size);
    sheaf_emit(context, " ", 1);
    sheaf_emit(context, right.data, right.size);
    return sheaf_emit(context, ")", 1);
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    return sheaf_emit_text(context, "%.*s of %" PRIu64, (int)result.size, (const char *)result.data,
                           sheaf_task_count(context));
}

SHEAF_PLUGIN(.run = run, .merge = merge, .finish = finish)
