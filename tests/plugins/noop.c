/* noop.c - the cheapest task: counts itself. */
#include <sheaf.h>

#include <string.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    uint64_t one = 1;
    (void)task;
    return sheaf_emit(context, &one, sizeof one);
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    uint64_t sum, other;
    memcpy(&sum, left.data, sizeof sum);
    memcpy(&other, right.data, sizeof other);
    sum += other;
    return sheaf_emit(context, &sum, sizeof sum);
}

SHEAF_PLUGIN(.run = run, .merge = merge)
