/* job_command.c - reads the command of a job, and the values of its names. */
#include "job_command.h"

#include "../scheduler/memory.h"
#include "command_braces.h"
#include "output_template.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_parameter_names(const struct job *job, const char **names)
{
    for (size_t i = 0; i < job->parameters.count; i++)
        names[i] = job->parameters.items[i].name;
}

struct job_command_names job_command_names_of(const struct job *job)
{
    const struct split *split = &job->split;
    size_t output_count = job->command.output_count;
    size_t named_count = split->axis_count + job->parameters.count;
    struct job_command_names list = {
        .names = memory_allocate_zeroed(named_count + output_count + 1, sizeof *list.names),
        .count = named_count,
        .output_names = memory_allocate_zeroed(output_count, sizeof *list.output_names),
    };
    for (size_t i = 0; i < split->axis_count; i++)
        list.names[i] = split->axes[i].name;
    add_parameter_names(job, list.names + split->axis_count);
    for (size_t i = 0; i < output_count; i++) {
        snprintf(list.output_names[i], JOB_OUTPUT_NAME_BYTES, "out%zu", i + 1);
        list.names[list.count++] = list.output_names[i];
    }
    if (output_count > 0)
        list.names[list.count++] = "out"; /* the first once more */
    return list;
}

void job_command_names_close(struct job_command_names *list)
{
    free(list->names);
    free(list->output_names);
}

struct command_template_options job_command_options(const struct job *job,
                                                    const struct job_command_names *list)
{
    const struct split *split = &job->split;
    return (struct command_template_options){
        .shell = job->command.shell,
        .names = {.names = list->names, .count = list->count, .axis_count = split->axis_count},
        .takes_input = split->kind == SPLIT_FILES || split->kind == SPLIT_ITEMS,
        .has_no_input = job->command.is_piped,
    };
}

/* What stands in the path of an output is not where it is written. */
static struct command_template_options output_options_of(const struct job *job,
                                                         const struct job_command_names *list)
{
    struct command_template_options options = job_command_options(job, list);
    options.names.count = job->split.axis_count + job->parameters.count;
    return options;
}

static int check_outputs(const struct job *job, const struct command_template *command,
                         const struct job_command_names *list, struct sheaf_error *error)
{
    const struct command_template_options options = output_options_of(job, list);
    size_t first = options.names.count;
    size_t output_count = job->command.output_count;
    int code = 0;
    for (size_t i = 0; code == 0 && i < output_count; i++) {
        const char *text = job->command.outputs[i];
        code = output_template_check(text, &options, error);
        bool is_used = command_template_uses(command, first + i) ||
                       (i == 0 && command_template_uses(command, first + output_count));
        if (code == 0 && !is_used)
            code = sheaf_error_set(error, SHEAF_ERROR_JOB,
                                   "the command does not write the output file \"%.200s\": put "
                                   "{out%zu} where it names that file",
                                   text, i + 1);
    }
    return code;
}

int job_command_parse(const struct job *job, struct command_template **command,
                      struct sheaf_error *error)
{
    struct job_command_names list = job_command_names_of(job);
    const struct command_template_options options = job_command_options(job, &list);
    struct command_template *created = NULL;
    int code = command_braces_check(job->command.text, &options, error);
    if (code == 0)
        code = command_template_create(job->command.text, &options, &created, error);
    if (code == 0)
        code = check_outputs(job, created, &list, error);
    job_command_names_close(&list);
    if (code == 0)
        *command = created;
    else
        command_template_destroy(created);
    return code;
}

const char *job_command_find_common_output(const struct job *job)
{
    struct job_command_names list = job_command_names_of(job);
    const struct command_template_options options = output_options_of(job, &list);
    const char *found = NULL;
    for (size_t i = 0; found == NULL && i < job->command.output_count; i++)
        if (!output_template_is_varied(job->command.outputs[i], &options.names))
            found = job->command.outputs[i];
    job_command_names_close(&list);
    return found;
}

int job_command_put_output(const struct job *job, size_t i, const struct command_values *values,
                           struct byte_writer *path, struct sheaf_error *error)
{
    struct job_command_names list = job_command_names_of(job);
    const struct command_template_options options = output_options_of(job, &list);
    int code = output_template_fill(job->command.outputs[i], &options, values, path, error);
    job_command_names_close(&list);
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
        .shell = job->command.shell,
        .names = {.names = names, .count = count, .axis_count = JOB_MERGE_SIDES},
        .has_no_input = true,
    };
    struct command_template *created;
    int code = command_braces_check(job->command.merge_text, &options, error);
    if (code == 0)
        code = command_template_create(job->command.merge_text, &options, &created, error);
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

int job_command_parse_line(const struct job *job, const char *line,
                           struct command_template **command, struct sheaf_error *error)
{
    const struct command_template_options options = {.shell = job->command.shell, .is_plain = true};
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

static void init_values(struct job_command_values *values, const struct job *job, size_t axis_count,
                        size_t output_count)
{
    size_t parameter_count = job->parameters.count;
    *values = (struct job_command_values){
        .axis_count = axis_count,
        .parameter_count = parameter_count,
        .output_count = output_count,
        .items = memory_allocate_zeroed(axis_count + parameter_count + output_count + 1,
                                        sizeof *values->items),
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
    init_values(values, job, job->split.axis_count, job->command.output_count);
}

void job_command_values_init_merge(struct job_command_values *values, const struct job *job)
{
    init_values(values, job, JOB_MERGE_SIDES, 0);
}

struct command_value job_command_input(const struct job *job, uint64_t task,
                                       struct command_value input,
                                       char index[JOB_COMMAND_INDEX_BYTES])
{
    if (job->command.is_piped)
        return (struct command_value){NULL, 0};
    if (job->split.kind != SPLIT_RANGE)
        return input;
    int size = snprintf(index, JOB_COMMAND_INDEX_BYTES, "%" PRIu64, task);
    return (struct command_value){index, (size_t)size};
}

void job_command_values_set_output(struct job_command_values *values, size_t i, const char *path)
{
    struct command_value *outputs = values->items + values->axis_count + values->parameter_count;
    outputs[i] = (struct command_value){path, strlen(path)};
    if (i == 0)
        outputs[values->output_count] = outputs[i];
}

void job_command_values_close(struct job_command_values *values)
{
    for (size_t i = 0; i < values->parameter_count; i++)
        free(values->texts[i]);
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
