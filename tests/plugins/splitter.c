/* splitter.c - a split that names `counted` tasks without input, then `named` tasks with `bytes`
 * bytes of input each. */
#include <sheaf.h>

#include <stdlib.h>
#include <string.h>

static int split(struct sheaf_context *context)
{
    int64_t counted = sheaf_parameter_integer(context, "counted");
    int64_t named = sheaf_parameter_integer(context, "named");
    size_t size = (size_t)sheaf_parameter_integer(context, "bytes");
    int status = sheaf_add_tasks(context, (uint64_t)counted);
    char *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL)
        return sheaf_fail(context, "no memory");
    for (int64_t i = 0; i < named && status == 0; i++) {
        memset(bytes, 'a' + (int)(i % 26), size);
        status = sheaf_add_task(context, bytes, size);
    }
    free(bytes);
    return status;
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_emit(context, task->input.data, task->input.size);
}

SHEAF_PLUGIN(.run = run, .split = split)
