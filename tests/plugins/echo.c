/* echo.c - the result of a task is its input; nothing is merged. */
#include <sheaf.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    if ((uintptr_t)task->input.data % 16 != 0)
        return sheaf_fail(context, "the input is not aligned");
    return sheaf_emit(context, task->input.data, task->input.size);
}

SHEAF_PLUGIN(.run = run)
