/* no_run.c - a plug-in without the one function that it must have. */
#include <sheaf.h>

static int split(struct sheaf_context *context)
{
    return sheaf_add_tasks(context, 1);
}

SHEAF_PLUGIN(.split = split)
