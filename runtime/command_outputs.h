/* command_outputs.h - the output files of one executor's commands: from templates to files in their
 * places. */
#ifndef SHEAF_COMMAND_OUTPUTS_H
#define SHEAF_COMMAND_OUTPUTS_H

#include "../jobs/job_command.h"

/* NULL stands for a job without output files: everything below then does nothing. */
struct command_outputs;

/* Tells the staging folders of the job and run from those of others (staging.h). */
uint32_t command_outputs_key(const struct job *job, const char *run_dir);

/* `note` as in staging.h. Keeps all. */
struct command_outputs *command_outputs_create(const struct job *job, const char *run_dir,
                                               char *note);
/* To tell the commands only: they name the files' own places, and nothing is made. Keeps the job.
 */
struct command_outputs *command_outputs_create_to_tell(const struct job *job);
void command_outputs_destroy(struct command_outputs *outputs);

/* Finds the paths of the task's files, whose values are given, and makes room for them; `named`
 * then says where the command is to write. Borrows the values. */
int command_outputs_begin(struct command_outputs *outputs, uint64_t task,
                          const struct command_values *values, struct job_command_values *named,
                          struct sheaf_error *error);
/* The place of output file i, after begin. Borrowed until the next begin. */
const char *command_outputs_target(const struct command_outputs *outputs, size_t i);
/* After the command has succeeded: puts the files in their places. */
int command_outputs_publish(struct command_outputs *outputs, struct sheaf_error *error);
/* Ends what begin has begun, whatever came of it. */
void command_outputs_end(struct command_outputs *outputs);

#endif
