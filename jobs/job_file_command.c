/* job_file_command.c - reads "command" in a job file. */
#include "job_file.h"

#include "../scheduler/memory.h"
#include "command_shell.h"

#include <stdlib.h>
#include <string.h>

int job_file_read_command(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || text[0] == '\0')
        return job_reader_must_be(reader, value, "command",
                                  "a command line, such as \"convert {} {/.}.png\"");
    reader->job->command.is_there = true;
    reader->job->command.text = memory_copy_string(text);
    return 0;
}

int job_file_read_pipe(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    bool is_true = text != NULL && strcmp(text, "true") == 0;
    if (!is_true && (text == NULL || strcmp(text, "false") != 0))
        return job_reader_must_be(reader, value, "pipe", "true or false");
    reader->job->command.is_piped = is_true;
    return 0;
}

int job_file_read_merge_command(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || text[0] == '\0')
        return job_reader_must_be(reader, value, "merge_command",
                                  "a command line, such as \"sort -m {left} {right}\"");
    reader->job->command.merge_text = memory_copy_string(text);
    return 0;
}

int job_file_read_shell(struct job_reader *reader, yaml_node_t *value)
{
    struct job_command *command = &reader->job->command;
    const char *text = job_yaml_text(value);
    if (text == NULL || !command_shell_is_known(text))
        return job_reader_must_be(reader, value, "shell",
                                  "the path or name of sh, bash, dash, zsh, ksh or their like");
    free(command->shell); /* the default of all stages */
    command->shell = memory_copy_string(text);
    command->has_own_shell = true;
    return 0;
}

/* One path, or a list of them. */
int job_file_read_outputs(struct job_reader *reader, yaml_node_t *value)
{
    static const char what[] = "a list of paths with replacement strings, such as [\"{/.}.png\"]";
    struct job_command *command = &reader->job->command;
    bool is_list = value->type == YAML_SEQUENCE_NODE;
    yaml_node_item_t *items = is_list ? value->data.sequence.items.start : NULL;
    size_t count = is_list ? (size_t)(value->data.sequence.items.top - items) : 1;
    if (count == 0)
        return job_reader_must_be(reader, value, "outputs", what);
    command->outputs = memory_allocate_zeroed(count, sizeof *command->outputs);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = is_list ? job_yaml_node(&reader->yaml, items[i]) : value;
        const char *text = job_yaml_text(item);
        if (text == NULL || text[0] == '\0')
            return job_reader_must_be(reader, item, "outputs", what);
        command->outputs[command->output_count++] = memory_copy_string(text);
    }
    return 0;
}

/* A line is an input, unless they are piped: blocks that a reader cuts are for plug-ins. */
static void use_lines_as_items(struct split *split, bool is_piped)
{
    if (split->kind != SPLIT_LINES)
        return;
    if (is_piped) {
        split->kind = SPLIT_BLOCKS;
        return;
    }
    split->kind = SPLIT_ITEMS;
    split->item_form = ITEM_LINES;
    split->block_bytes = 0;
}

int job_file_check_command(struct job_reader *reader, yaml_node_t *root)
{
    struct job *job = reader->job;
    if (job->plugin_path == NULL && !job->command.is_there)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "the job needs a plug-in or a command; add a line \"plugin: "
                              "FILE.so\" or \"command: PROGRAM {}\"");
    if (job->plugin_path != NULL && job->command.is_there)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "the job has a plug-in and a command; keep one of them");
    /* At the top of a job in stages it is meant for those that have commands. */
    bool has_lone_shell = job->command.shell != NULL && reader->plan == NULL;
    const char *lone = job->command.is_piped             ? "pipe"
                       : job->command.merge_text != NULL ? "merge_command"
                       : job->command.output_count > 0   ? "outputs"
                       : has_lone_shell                  ? "shell"
                                                         : NULL;
    if (!job->command.is_there && lone != NULL)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "\"%s\" belongs to a command, and the job has a plug-in", lone);
    if (!job->command.is_there)
        return 0;
    if (job->command.is_piped && job->split.kind != SPLIT_LINES)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "\"pipe: true\" needs text to cut into blocks; add \"split: "
                              "{lines: {files: [FILES], block: 1M}}\"");
    if (job->split.kind == SPLIT_PLUGIN)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "\"split: plugin\" needs a plug-in, and the job has a command");
    use_lines_as_items(&job->split, job->command.is_piped);
    return 0;
}
