/* command_outputs.c - fills in the paths of a task's output files, and follows them. */
#include "command_outputs.h"

#include "../scheduler/memory.h"
#include "checksum.h"
#include "output_files.h"
#include "staging.h"

#include <stdlib.h>

struct command_outputs {
    const struct job *job;
    struct output_files *files;
    struct byte_writer paths; /* of one task, each ended by NUL */
    size_t *starts;           /* of each in `paths` */
    char **targets;           /* pointers to them */
};

/* Whatever is left of another job, or of another run, is not taken for this one's. */
uint32_t command_outputs_key(const struct job *job, const char *run_dir)
{
    struct byte_writer text = {0};
    struct checksum checksum;
    byte_writer_put_string(&text, run_dir != NULL ? run_dir : "");
    byte_writer_put_string(&text, job->command.text);
    for (size_t i = 0; i < job->command.output_count; i++)
        byte_writer_put_string(&text, job->command.outputs[i]);
    checksum_init(&checksum);
    uint32_t key = checksum_of(&checksum, text.data, text.size);
    byte_writer_close(&text);
    return key;
}

struct command_outputs *command_outputs_create_to_tell(const struct job *job)
{
    size_t count = job->command.output_count;
    if (count == 0)
        return NULL;
    struct command_outputs *outputs = memory_allocate_zeroed(1, sizeof *outputs);
    outputs->job = job;
    outputs->starts = memory_allocate_zeroed(count, sizeof *outputs->starts);
    outputs->targets = memory_allocate_zeroed(count, sizeof *outputs->targets);
    return outputs;
}

struct command_outputs *command_outputs_create(const struct job *job, const char *run_dir,
                                               char *note)
{
    if (note != NULL)
        staging_sweep(note); /* of the executor that had the slot before */
    struct command_outputs *outputs = command_outputs_create_to_tell(job);
    if (outputs != NULL)
        outputs->files = output_files_create(command_outputs_key(job, run_dir), note);
    return outputs;
}

void command_outputs_destroy(struct command_outputs *outputs)
{
    if (outputs == NULL)
        return;
    output_files_destroy(outputs->files);
    byte_writer_close(&outputs->paths);
    free(outputs->starts);
    free(outputs->targets);
    free(outputs);
}

int command_outputs_begin(struct command_outputs *outputs, uint64_t task,
                          const struct command_values *values, struct job_command_values *named,
                          struct sheaf_error *error)
{
    if (outputs == NULL)
        return 0;
    size_t count = outputs->job->command.output_count;
    int code = 0;
    byte_writer_clear(&outputs->paths);
    for (size_t i = 0; code == 0 && i < count; i++) {
        outputs->starts[i] = outputs->paths.size;
        code = job_command_put_output(outputs->job, i, values, &outputs->paths, error);
    }
    for (size_t i = 0; code == 0 && i < count; i++)
        outputs->targets[i] = (char *)outputs->paths.data + outputs->starts[i];
    if (code == 0 && outputs->files != NULL)
        code = output_files_begin(outputs->files, task, outputs->targets, count, error);
    for (size_t i = 0; code == 0 && i < count; i++)
        job_command_values_set_output(
            named, i,
            outputs->files != NULL ? output_files_staged(outputs->files, i) : outputs->targets[i]);
    return code;
}

const char *command_outputs_target(const struct command_outputs *outputs, size_t i)
{
    return outputs->targets[i];
}

int command_outputs_publish(struct command_outputs *outputs, struct sheaf_error *error)
{
    return outputs != NULL ? output_files_publish(outputs->files, error) : 0;
}

void command_outputs_end(struct command_outputs *outputs)
{
    if (outputs != NULL)
        output_files_end(outputs->files);
}
