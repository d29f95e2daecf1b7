/* job_command.h - the command of a job, and what its replacement strings stand for. */
#ifndef SHEAF_JOB_COMMAND_H
#define SHEAF_JOB_COMMAND_H

#include "command_template.h"
#include "job.h"

/* Cuts the command of a job, which has one, into parts. *command is owned by the caller. */
int job_command_parse(const struct job *job, struct command_template **command,
                      struct sheaf_error *error);
/* The same for one line of a command list. */
int job_command_parse_line(const char *line, struct command_template **command,
                           struct sheaf_error *error);

/* Values by name: those of a product's axes, which each task has its own, then the parameters.
 * Owns. All zero is empty. */
struct job_command_values {
    size_t axis_count;
    size_t count;
    struct command_value *items;
    char **texts; /* of the parameters */
};

void job_command_values_init(struct job_command_values *values, const struct job *job);
void job_command_values_close(struct job_command_values *values);
/* Takes the values of the axes from a task's input, which must outlive their use. MALFORMED when it
 * is not that of such a task. */
int job_command_values_set(struct job_command_values *values, struct command_value input,
                           struct sheaf_error *error);

#endif
