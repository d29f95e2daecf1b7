/* wrong_version.c - a plug-in of another version of the interface. */
#include <sheaf.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    (void)context;
    (void)task;
    return 0;
}

SHEAF_EXPORT const struct sheaf_plugin sheaf_plugin;
const struct sheaf_plugin sheaf_plugin = {.interface_version = SHEAF_INTERFACE_VERSION + 1,
                                          .size_bytes = sizeof sheaf_plugin,
                                          .run = run};
