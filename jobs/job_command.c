/* job_command.c - reads the command of a job, and the values of its names. */
#include "job_command.h"

#include "../scheduler/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_parameter_names(const struct job *job, const char **names)
{
    for (size_t i = 0; i < job->parameters.count; i++)
        names[i] = job->parameters.items[i].name;
}

int job_command_parse(const struct job *job, struct command_template **command,
                      struct sheaf_error *error)
{
    const struct split *split = &job->split;
    size_t count = split->axis_count + job->parameters.count;
    const char **names = memory_allocate_zeroed(count, sizeof *names);
    for (size_t i = 0; i < split->axis_count; i++)
        names[i] = split->axes[i].name;
    add_parameter_names(job, names + split->axis_count);
    const struct command_template_options options = {
        .names = {.names = names, .count = count, .axis_count = split->axis_count},
        .takes_input = split->kind == SPLIT_FILES || split->kind == SPLIT_ITEMS,
        .has_no_input = job->command.is_piped,
    };
    int code = command_template_create(job->command.text, &options, command, error);
    free(names);
    return code;
}

int job_command_parse_merge(const struct job *job, struct command_template **command,
                            struct sheaf_error *error)
{
    size_t count = JOB_MERGE_SIDES + job->parameters.count;
    const char **names = memory_allocate_zeroed(count, sizeof *names);
    names[JOB_MERGE_LEFT] = "left";
    names[JOB_MERGE_RIGHT] = "right";
    add_parameter_names(job, names + JOB_MERGE_SIDES);
    const struct command_template_options options = {
        .names = {.names = names, .count = count, .axis_count = JOB_MERGE_SIDES},
        .has_no_input = true,
    };
    struct command_template *created;
    int code = command_template_create(job->command.merge_text, &options, &created, error);
    free(names);
    if (code != 0)
        return code;
    if (command_template_uses(created, JOB_MERGE_LEFT) &&
        command_template_uses(created, JOB_MERGE_RIGHT)) {
        *command = created;
        return 0;
    }
    command_template_destroy(created);
    return sheaf_error_set(error, SHEAF_ERROR_JOB,
                           "the merge command must read two results, {left} and {right}, and write "
                           "one, as in \"sort -m {left} {right}\"; found \"%.200s\"",
                           job->command.merge_text);
}

int job_command_parse_line(const char *line, struct command_template **command,
                           struct sheaf_error *error)
{
    const struct command_template_options options = {.is_plain = true};
    return command_template_create(line, &options, command, error);
}

/* As a user would write it. Returns a string the caller owns. */
static char *parameter_text(const struct parameter *parameter)
{
    char text[64] = "";
    switch (parameter->type) {
    case PARAMETER_INTEGER:
        snprintf(text, sizeof text, "%" PRId64, parameter->integer);
        break;
    case PARAMETER_REAL:
        snprintf(text, sizeof text, "%.15g", parameter->real);
        if (strtod(text, NULL) != parameter->real)
            snprintf(text, sizeof text, "%.17g", parameter->real);
        break;
    case PARAMETER_BOOLEAN:
        snprintf(text, sizeof text, "%s", parameter->integer != 0 ? "true" : "false");
        break;
    case PARAMETER_STRING:
        return memory_copy_string(parameter->string);
    }
    return memory_copy_string(text);
}

static void init_values(struct job_command_values *values, const struct job *job, size_t axis_count)
{
    size_t parameter_count = job->parameters.count;
    *values = (struct job_command_values){
        .axis_count = axis_count,
        .count = axis_count + parameter_count,
        .items = memory_allocate_zeroed(axis_count + parameter_count, sizeof *values->items),
        .texts = memory_allocate_zeroed(parameter_count, sizeof *values->texts),
    };
    for (size_t i = 0; i < parameter_count; i++) {
        values->texts[i] = parameter_text(&job->parameters.items[i]);
        values->items[axis_count + i] =
            (struct command_value){values->texts[i], strlen(values->texts[i])};
    }
}

void job_command_values_init(struct job_command_values *values, const struct job *job)
{
    init_values(values, job, job->split.axis_count);
}

void job_command_values_init_merge(struct job_command_values *values, const struct job *job)
{
    init_values(values, job, JOB_MERGE_SIDES);
}

void job_command_values_close(struct job_command_values *values)
{
    for (size_t i = values->axis_count; i < values->count; i++)
        free(values->texts[i - values->axis_count]);
    free(values->texts);
    free(values->items);
    *values = (struct job_command_values){0};
}

int job_command_values_set(struct job_command_values *values, struct command_value input,
                           struct sheaf_error *error)
{
    const char *at = input.data;
    const char *end = at + input.size;
    for (size_t i = 0; i < values->axis_count; i++) {
        size_t left = (size_t)(end - at);
        const char *equals = left > 0 ? memchr(at, '=', left) : NULL;
        const char *line_end = left > 0 ? memchr(at, '\n', left) : NULL;
        if (equals == NULL || line_end == NULL || equals > line_end)
            return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                                   "the task's input is not one line name=value for each name");
        values->items[i] = (struct command_value){equals + 1, (size_t)(line_end - equals - 1)};
        at = line_end + 1;
    }
    return 0;
}
