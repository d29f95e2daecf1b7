/* job_command.h - the command of a job, and what its replacement strings stand for. */
#ifndef SHEAF_JOB_COMMAND_H
#define SHEAF_JOB_COMMAND_H

#include "command_template.h"
#include "job.h"

/* Cuts the command of a job, which has one, into parts. *command is owned by the caller. */
int job_command_parse(const struct job *job, struct command_template **command,
                      struct sheaf_error *error);
/* Likewise its merge command, whose names are "left" and "right", which must be there, and those of
 * the job's parameters. */
int job_command_parse_merge(const struct job *job, struct command_template **command,
                            struct sheaf_error *error);
/* The same for one line of a command list. */
int job_command_parse_line(const struct job *job, const char *line,
                           struct command_template **command, struct sheaf_error *error);

/* What {} stands for: the task's input, or where tasks have none its index in words, for which
 * `index` is room; nothing where the input comes on standard input. Borrows both. */
enum { JOB_COMMAND_INDEX_BYTES = 24 };
struct command_value job_command_input(const struct job *job, uint64_t task,
                                       struct command_value input,
                                       char index[JOB_COMMAND_INDEX_BYTES]);

enum { JOB_OUTPUT_NAME_BYTES = 24 };

/* The names that a command may use, in the order of struct job_command_values. Owns. */
struct job_command_names {
    const char **names;
    size_t count;
    char (*output_names)[JOB_OUTPUT_NAME_BYTES];
};

/* Borrows from the job. */
struct job_command_names job_command_names_of(const struct job *job);
void job_command_names_close(struct job_command_names *list);
struct command_template_options job_command_options(const struct job *job,
                                                    const struct job_command_names *list);

/* The first output file of the job that would be the same for each task; NULL when there is none.
 * Borrowed from the job. */
const char *job_command_find_common_output(const struct job *job);
/* The path of output file i of a task, with NUL, behind what `path` holds. */
int job_command_put_output(const struct job *job, size_t i, const struct command_values *values,
                           struct byte_writer *path, struct sheaf_error *error);

/* Values by name: those of a product's axes, which each task has its own, then the parameters, then
 * where the outputs are to be written, which are the caller's to set: {out}, {out1}, {out2}, ...
 * Owns. All zero is empty. */
struct job_command_values {
    size_t axis_count;
    size_t parameter_count;
    size_t output_count;
    struct command_value *items;
    char **texts; /* of the parameters */
};

/* The first two values of a merge command are the caller's; parameters follow. */
enum { JOB_MERGE_LEFT = 0, JOB_MERGE_RIGHT = 1, JOB_MERGE_SIDES = 2 };

void job_command_values_init(struct job_command_values *values, const struct job *job);
/* The same for the merge command: axis_count is JOB_MERGE_SIDES. */
void job_command_values_init_merge(struct job_command_values *values, const struct job *job);
/* Where output i is to be written. Borrows the path. */
void job_command_values_set_output(struct job_command_values *values, size_t i, const char *path);
void job_command_values_close(struct job_command_values *values);
/* Takes the values of the axes from a task's input, which must outlive their use. MALFORMED when it
 * is not that of such a task. */
int job_command_values_set(struct job_command_values *values, struct command_value input,
                           struct sheaf_error *error);

#endif
