/* declared_files.c - fills in the paths of output files without running the tasks. */
#include "declared_files.h"

#include "../jobs/job_command.h"
#include "../jobs/split.h"
#include "../scheduler/memory.h"
#include "command_outputs.h"

#include <stdlib.h>
#include <string.h>

struct declared_files {
    const struct job *job;
    struct input_store *const *inputs;
    struct command_outputs *outputs;
    struct job_command_values values;
    struct byte_writer stored;
    struct byte_writer scratch;
};

/* The slot in which a task ran is forgotten with it. */
static bool names_slot(const struct job_command *command)
{
    for (size_t i = 0; i < command->output_count; i++)
        if (strstr(command->outputs[i], "{%}") != NULL)
            return true;
    return false;
}

struct declared_files *declared_files_create(const struct job *job,
                                             struct input_store *const *inputs)
{
    const struct job_command *command = &job->command;
    if (command->text == NULL || command->output_count == 0 || names_slot(command))
        return NULL;
    struct declared_files *files = memory_allocate_zeroed(1, sizeof *files);
    files->job = job;
    files->inputs = inputs;
    files->outputs = command_outputs_create_to_tell(job);
    job_command_values_init(&files->values, job);
    return files;
}

void declared_files_destroy(struct declared_files *files)
{
    if (files == NULL)
        return;
    command_outputs_destroy(files->outputs);
    job_command_values_close(&files->values);
    byte_writer_close(&files->stored);
    byte_writer_close(&files->scratch);
    free(files);
}

size_t declared_files_count(const struct declared_files *files)
{
    return files->job->command.output_count;
}

/* A block of text on standard input gives no name: it is not read. */
static int read_input(struct declared_files *files, uint64_t task, struct byte_reader *input,
                      struct sheaf_error *error)
{
    *input = (struct byte_reader){0};
    if (*files->inputs == NULL || files->job->command.is_piped)
        return 0;
    byte_writer_clear(&files->stored);
    int code = input_store_read(*files->inputs, (struct range){task, 1}, &files->stored, error);
    if (code != 0)
        return code;
    struct byte_reader reader = byte_reader_of(files->stored.data, files->stored.size);
    size_t size;
    const unsigned char *data = byte_reader_get_blob(&reader, &size);
    return split_materialize(files->job->split.kind, byte_reader_of(data, size), &files->scratch,
                             input, error);
}

int declared_files_look_up(struct declared_files *files, uint64_t task, struct sheaf_error *error)
{
    struct byte_reader input;
    char index[JOB_COMMAND_INDEX_BYTES];
    int code = read_input(files, task, &input, error);
    if (code != 0)
        return code;
    const struct command_value given = {input.data, input.size};
    const struct command_values values = {
        .input = job_command_input(files->job, task, given, index),
        .named = files->values.items,
        .task_number = task + 1,
    };
    code = job_command_values_set(&files->values, values.input, error);
    return code == 0 ? command_outputs_begin(files->outputs, task, &values, &files->values, error)
                     : code;
}

const char *declared_files_path(const struct declared_files *files, size_t i)
{
    return command_outputs_target(files->outputs, i);
}
