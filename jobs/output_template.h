/* output_template.h - the paths of a task's output files, from templates with replacement
 * strings. */
#ifndef SHEAF_OUTPUT_TEMPLATE_H
#define SHEAF_OUTPUT_TEMPLATE_H

#include "command_template.h"

enum { JOB_OUTPUTS_MAX = 64 };

/* Whether the path differs from task to task. */
bool output_template_is_varied(const char *text, const struct command_names *names);
/* JOB when the path asks for an input that no command has. */
int output_template_check(const char *text, const struct command_template_options *options,
                          struct sheaf_error *error);
/* Appends the path and NUL. INPUT when a value holds a NUL byte. */
int output_template_fill(const char *text, const struct command_template_options *options,
                         const struct command_values *values, struct byte_writer *path,
                         struct sheaf_error *error);

#endif
