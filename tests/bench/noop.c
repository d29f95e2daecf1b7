/* noop.c - benchmark: tasks that do nothing but tell their number; the sum of all is merged. */
#include "clock.h"

#include <string.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    if (task->index == 0 && clock_start(context) != 0)
        return -1;
    return sheaf_emit(context, &task->index, sizeof task->index);
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

SHEAF_PLUGIN(.run = run, .merge = merge, .finish = finish)
