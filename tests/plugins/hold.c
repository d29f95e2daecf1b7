/* hold.c - tasks that wait until a file is there (parameter `release`); each result is the index as
 * text and a space. Task 0 does not wait: that it is done shows that the job runs.
 *
 * With the parameter `prepare`, prepare makes the file PREPARE.PROCESS, and waits for PREPARE.
 * While there is PREPARE.broken it fails. */
#include "release.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

static int prepare(struct sheaf_context *context, void **shared)
{
    char path[4096];
    *shared = NULL;
    if (!sheaf_parameter_exists(context, "prepare"))
        return 0;
    const char *name = sheaf_parameter_string(context, "prepare");
    snprintf(path, sizeof path, "%s.broken", name);
    if (access(path, F_OK) == 0)
        return sheaf_fail(context, "the table is not there");
    snprintf(path, sizeof path, "%s.%d", name, (int)getpid());
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0)
        close(file);
    return wait_for_file(context, name);
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    int waited = task->index > 0 ? wait_for_release(context) : 0;
    if (waited != 0)
        return waited;
    return sheaf_emit_text(context, "%" PRIu64 " ", task->index);
}

SHEAF_PLUGIN(.prepare = prepare, .run = run)
