/* job_file_command.c - reads "command" in a job file. */
#include "job_file.h"

#include "../scheduler/memory.h"

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

/* A line is an input: blocks of lines are for plug-ins, which cut them themselves. */
static void use_lines_as_items(struct split *split)
{
    if (split->kind != SPLIT_LINES)
        return;
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
    if (!job->command.is_there)
        return 0;
    if (job->split.kind == SPLIT_PLUGIN)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "\"split: plugin\" needs a plug-in, and the job has a command");
    use_lines_as_items(&job->split);
    return 0;
}
