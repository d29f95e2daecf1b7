/* job_command_line.c - makes a job of a command and its inputs, without a job file. */
#include "job.h"

#include "../scheduler/memory.h"
#include "command_list.h"
#include "job_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The file name of its program, less what a file name should not hold. */
char *job_command_line_name(const char *text)
{
    text += strspn(text, " \t\n");
    char *word = memory_copy_string(text);
    word[strcspn(word, " \t\n|&;<>()$`\\\"'{}")] = '\0';
    char *stem = job_path_stem(word);
    free(word);
    const char *start = stem + strspn(stem, ".");
    char *name = memory_copy_string(*start != '\0' ? start : "command");
    free(stem);
    if (strlen(name) > JOB_NAME_BYTES_MAX)
        name[JOB_NAME_BYTES_MAX] = '\0';
    return name;
}

static int read_list(const struct job_command_line *line, struct job *job,
                     struct sheaf_error *error)
{
    char *absolute;
    int code = job_path_absolute(line->list_path, &absolute, error);
    if (code != 0)
        return code;
    struct split *split = &job->split;
    split->kind = !line->is_piped         ? SPLIT_ITEMS
                  : line->is_list_private ? SPLIT_STORED_BLOCKS
                                          : SPLIT_BLOCKS;
    split->item_form = line->is_nul_ended   ? ITEM_NUL_ENDED
                       : line->text == NULL ? ITEM_COMMANDS
                                            : ITEM_LINES;
    split->patterns = memory_allocate_zeroed(1, sizeof *split->patterns);
    split->patterns[split->pattern_count++] = job_path_escape(absolute);
    free(job->source_path);
    job->source_path = absolute;
    const char *name = line->is_list_private ? NULL : line->list_path;
    struct sheaf_error unread;
    if (line->is_stored)
        error = &unread; /* which does not matter any more */
    if (split->item_form == ITEM_COMMANDS)
        code = command_list_find_shell(absolute, name, &job->command.shell, error);
    if (code == 0 && split->item_form == ITEM_COMMANDS)
        code = command_list_find_barriers(absolute, &split->table, error);
    if (code == 0 && split->table != NULL)
        split->kind = SPLIT_TASKS;
    return line->is_stored ? 0 : code;
}

/* They stay as they are: a command finds its files where its user would. */
static void read_patterns(const struct job_command_line *line, struct split *split)
{
    split->kind = line->is_piped ? SPLIT_BLOCKS : SPLIT_FILES;
    split->patterns = memory_allocate_zeroed(line->pattern_count, sizeof *split->patterns);
    for (size_t i = 0; i < line->pattern_count; i++)
        split->patterns[split->pattern_count++] = memory_copy_string(line->patterns[i]);
}

static void read_values(struct split_axis *axis, const char *text)
{
    size_t count = 1;
    for (const char *at = text; *at != '\0'; at++)
        count += *at == ',';
    axis->values = memory_allocate_zeroed(count, sizeof *axis->values);
    for (;;) {
        size_t length = strcspn(text, ",");
        char *value = memory_copy_string(text);
        value[length] = '\0';
        axis->values[axis->value_count++] = value;
        if (text[length] == '\0')
            return;
        text += length + 1;
    }
}

static int read_axis(struct split *split, const char *assignment, struct sheaf_error *error)
{
    const char *equals = strchr(assignment, '=');
    char *name = memory_copy_string(assignment);
    name[equals != NULL ? equals - assignment : 0] = '\0';
    int code = 0;
    if (!parameter_name_is_valid(name) || strchr(assignment, '\n') != NULL)
        code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "the values of a command are given by NAME=VALUE,VALUE,... on one "
                               "line (such as seed=1,2,3), found \"%.100s\"",
                               assignment);
    for (size_t i = 0; code == 0 && i < split->axis_count; i++)
        if (strcmp(split->axes[i].name, name) == 0)
            code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "\"%s\" is given twice; write its values behind each other "
                                   "(%s=1,2,3)",
                                   name, name);
    if (code != 0) {
        free(name);
        return code;
    }
    struct split_axis *axis = &split->axes[split->axis_count++];
    axis->name = name;
    read_values(axis, equals + 1);
    return 0;
}

static int read_grid(const struct job_command_line *line, struct split *split,
                     struct sheaf_error *error)
{
    split->kind = SPLIT_PRODUCT;
    split->axes = memory_allocate_zeroed(line->assignment_count, sizeof *split->axes);
    int code = 0;
    for (size_t i = 0; code == 0 && i < line->assignment_count; i++)
        code = read_axis(split, line->assignments[i], error);
    return code;
}

static int read_inputs(const struct job_command_line *line, struct job *job,
                       struct sheaf_error *error)
{
    int ways = (line->list_path != NULL) + (line->pattern_count > 0) + (line->assignment_count > 0);
    if (ways > 1)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "a command takes its inputs from a list, from --input or from "
                               "--param: choose one");
    if (line->is_piped && (ways == 0 || line->assignment_count > 0))
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--pipe cuts text into blocks: name its file, or --input PATTERN, "
                               "or - for standard input");
    job->command.is_piped = line->is_piped;
    job->split.block_bytes =
        line->is_piped && line->block_bytes == 0 ? SPLIT_BLOCK_BYTES_DEFAULT : line->block_bytes;
    if (line->list_path != NULL)
        return read_list(line, job, error);
    if (line->pattern_count > 0)
        read_patterns(line, &job->split);
    else if (line->assignment_count > 0)
        return read_grid(line, &job->split, error);
    return 0;
}

int job_read_command_line(const struct job_command_line *line, struct job *job,
                          struct sheaf_error *error)
{
    struct job read = {.split.kind = SPLIT_RANGE, .command.is_there = true};
    read.source_path = memory_copy_string("the command");
    if (line->text != NULL)
        read.command.text = memory_copy_string(line->text);
    int code = read_inputs(line, &read, error);
    if (code != 0) {
        job_close(&read);
        return code;
    }
    if (line->name != NULL)
        read.name = memory_copy_string(line->name);
    else if (line->text == NULL)
        read.name = job_path_stem(read.source_path);
    else
        read.name = job_command_line_name(line->text);
    read.output_path = memory_copy_string("-");
    *job = read;
    return 0;
}
