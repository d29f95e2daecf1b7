/* command_plugin.h - the hooks that run commands, in the place of a plug-in's. */
#ifndef SHEAF_COMMAND_PLUGIN_H
#define SHEAF_COMMAND_PLUGIN_H

#include "../jobs/job.h"
#include "../jobs/sheaf.h"

#include <sys/types.h>

enum {
    COMMAND_OUT_BYTES_MAX = 128 << 20,    /* of one task's standard output: more fails it */
    COMMAND_MERGED_BYTES_MAX = 511 << 20, /* of a merge command's: a result has a limit, too */
    COMMAND_ERR_BYTES_MAX = 1 << 20,      /* of its standard error: the first and last halves */
    COMMAND_TIMEOUT_SLACK_MS = 10000,     /* for the hooks to end a command by themselves */
};

struct attempt_failure;
struct command_record;

/* What the hooks find in sheaf_shared. Borrows, for as long as the executor lives. */
struct command_setup {
    const struct job *job;
    const char *run_dir;    /* NULL: none */
    pid_t spawner;          /* names files, together with the slot */
    char *staging_note;     /* of the slot (staging.h); NULL: none */
    _Atomic pid_t *session; /* of the command that the slot runs, 0: none; NULL: nobody asks */
    uint32_t slot;
    uint32_t slot_number; /* on its host, from 1 */
    /* Called with what has become of each command, whose failure is NULL when it has succeeded.
     * NULL: nobody wants to know. */
    void (*ended)(void *context, const struct command_record *record,
                  const struct attempt_failure *failure);
    void *ended_context;
};

/* The command of a task in words that can be typed; the task is not run. The caller owns *text. */
int command_plugin_type(const struct command_setup *setup, const struct sheaf_task *task,
                        char **text, struct sheaf_error *error);

/* Borrows a static. `run` and `merge` emit a command_record; `merge` is there, but only called for
 * a job that has a merge command. */
const struct sheaf_plugin *command_plugin_table(void);

#endif
