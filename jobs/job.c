/* job.c - owns what a job consists of, and encodes it for workers and the run directory. */
#include "job.h"

#include "../scheduler/memory.h"
#include "stage_plan.h"

#include <stdlib.h>
#include <string.h>

enum { JOB_ENCODING_VERSION = 3 };

const char *split_kind_name(enum split_kind kind)
{
    switch (kind) {
    case SPLIT_RANGE:
        return "range";
    case SPLIT_LINES:
        return "lines";
    case SPLIT_FILES:
        return "files";
    case SPLIT_PRODUCT:
        return "product";
    case SPLIT_PLUGIN:
        return "plugin";
    case SPLIT_ITEMS:
        return "items";
    case SPLIT_TASKS:
        return "tasks";
    case SPLIT_BLOCKS:
    case SPLIT_STORED_BLOCKS:
        return "blocks of lines";
    }
    return "unknown";
}

static void strings_free(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}

static void split_close(struct split *split)
{
    strings_free(split->patterns, split->pattern_count);
    strings_free(split->result_paths, split->result_count);
    for (size_t i = 0; i < split->axis_count; i++) {
        free(split->axes[i].name);
        strings_free(split->axes[i].values, split->axes[i].value_count);
    }
    free(split->axes);
    task_table_destroy(split->table);
}

void job_close(struct job *job)
{
    free(job->name);
    free(job->source_path);
    free(job->source_text);
    free(job->plugin_path);
    free(job->command.text);
    free(job->command.shell);
    free(job->command.merge_text);
    strings_free(job->command.outputs, job->command.output_count);
    free(job->output_path);
    split_close(&job->split);
    parameter_list_close(&job->parameters);
    stage_plan_destroy(job->plan);
    *job = (struct job){0};
}

static void encode_strings(struct byte_writer *writer, char *const *strings, size_t count)
{
    byte_writer_put_u32(writer, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        byte_writer_put_string(writer, strings[i]);
}

static void encode_optional(struct byte_writer *writer, const char *string)
{
    byte_writer_put_u8(writer, string != NULL);
    if (string != NULL)
        byte_writer_put_string(writer, string);
}

static void encode_split(struct byte_writer *writer, const struct split *split)
{
    byte_writer_put_u8(writer, (uint8_t)split->kind);
    byte_writer_put_u64(writer, split->tasks);
    encode_strings(writer, split->patterns, split->pattern_count);
    byte_writer_put_u64(writer, split->block_bytes);
    byte_writer_put_u8(writer, (uint8_t)split->item_form);
    byte_writer_put_u32(writer, (uint32_t)split->axis_count);
    for (size_t i = 0; i < split->axis_count; i++) {
        byte_writer_put_string(writer, split->axes[i].name);
        encode_strings(writer, split->axes[i].values, split->axes[i].value_count);
    }
}

void job_encode(const struct job *job, struct byte_writer *writer)
{
    byte_writer_put_u8(writer, JOB_ENCODING_VERSION);
    encode_optional(writer, job->name);
    encode_optional(writer, job->source_path);
    encode_optional(writer, job->plugin_path);
    byte_writer_put_u8(writer, job->command.is_there);
    encode_optional(writer, job->command.text);
    encode_optional(writer, job->command.shell);
    byte_writer_put_u8(writer, job->command.is_piped);
    encode_optional(writer, job->command.merge_text);
    encode_strings(writer, job->command.outputs, job->command.output_count);
    byte_writer_put_u8(writer, job->command.has_array_env);
    byte_writer_put_u64(writer, job->command.array_first);
    encode_optional(writer, job->output_path);
    encode_split(writer, &job->split);
    parameter_list_encode(&job->parameters, writer);
    byte_writer_put_u64(writer, job->limits.task_timeout_ns);
    byte_writer_put_u64(writer, job->limits.task_memory_bytes);
    byte_writer_put_u32(writer, job->limits.attempts_max);
    byte_writer_put_u32(writer, job->limits.crashes_max);
    byte_writer_put_u32(writer, job->limits.failures_max);
    byte_writer_put_u64(writer, job->limits.range_count_min);
    byte_writer_put_u64(writer, job->limits.range_count_max);
    byte_writer_put_u32(writer, job->resources.cores);
    byte_writer_put_u32(writer, job->resources.gpus);
    byte_writer_put_u64(writer, job->resources.memory_bytes);
}

/* A count of things that take at least four bytes each; 0 and `failed` when so many cannot
 * follow. */
static size_t decode_count(struct byte_reader *reader)
{
    size_t count = byte_reader_get_u32(reader);
    if (count > byte_reader_left(reader) / 4) {
        reader->failed = true;
        return 0;
    }
    return count;
}

static void decode_strings(struct byte_reader *reader, char ***strings, size_t *count)
{
    *count = decode_count(reader);
    *strings = memory_allocate_zeroed(*count, sizeof **strings);
    for (size_t i = 0; i < *count; i++)
        (*strings)[i] = byte_reader_get_string(reader);
}

static char *decode_optional(struct byte_reader *reader)
{
    return byte_reader_get_bool(reader) ? byte_reader_get_string(reader) : NULL;
}

static void decode_split(struct byte_reader *reader, struct split *split)
{
    uint8_t kind = byte_reader_get_u8(reader);
    if (kind < SPLIT_RANGE || kind > SPLIT_STORED_BLOCKS)
        reader->failed = true;
    split->kind = kind;
    split->tasks = byte_reader_get_u64(reader);
    decode_strings(reader, &split->patterns, &split->pattern_count);
    split->block_bytes = byte_reader_get_u64(reader);
    uint8_t form = byte_reader_get_u8(reader);
    if (form > ITEM_NUL_ENDED || (kind == SPLIT_ITEMS && form == 0))
        reader->failed = true;
    split->item_form = form;
    split->axis_count = decode_count(reader);
    split->axes = memory_allocate_zeroed(split->axis_count, sizeof *split->axes);
    for (size_t i = 0; i < split->axis_count; i++) {
        split->axes[i].name = byte_reader_get_string(reader);
        decode_strings(reader, &split->axes[i].values, &split->axes[i].value_count);
    }
}

int job_decode(struct byte_reader *reader, struct job *job, struct sheaf_error *error)
{
    struct job decoded = {0};
    if (byte_reader_get_u8(reader) != JOB_ENCODING_VERSION)
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                               "an encoded job is damaged, or of another version of sheaf");
    decoded.name = decode_optional(reader);
    decoded.source_path = decode_optional(reader);
    decoded.plugin_path = decode_optional(reader);
    decoded.command.is_there = byte_reader_get_bool(reader);
    decoded.command.text = decode_optional(reader);
    decoded.command.shell = decode_optional(reader);
    decoded.command.is_piped = byte_reader_get_bool(reader);
    decoded.command.merge_text = decode_optional(reader);
    decode_strings(reader, &decoded.command.outputs, &decoded.command.output_count);
    decoded.command.has_array_env = byte_reader_get_bool(reader);
    decoded.command.array_first = byte_reader_get_u64(reader);
    decoded.output_path = decode_optional(reader);
    decode_split(reader, &decoded.split);
    int code = parameter_list_decode(reader, &decoded.parameters, error);
    decoded.limits.task_timeout_ns = byte_reader_get_u64(reader);
    decoded.limits.task_memory_bytes = byte_reader_get_u64(reader);
    decoded.limits.attempts_max = byte_reader_get_u32(reader);
    decoded.limits.crashes_max = byte_reader_get_u32(reader);
    decoded.limits.failures_max = byte_reader_get_u32(reader);
    decoded.limits.range_count_min = byte_reader_get_u64(reader);
    decoded.limits.range_count_max = byte_reader_get_u64(reader);
    decoded.resources.cores = byte_reader_get_u32(reader);
    decoded.resources.gpus = byte_reader_get_u32(reader);
    decoded.resources.memory_bytes = byte_reader_get_u64(reader);
    if (decoded.resources.cores > JOB_CORES_MAX || decoded.resources.gpus > JOB_GPUS_MAX)
        reader->failed = true;
    if (code == 0 && reader->failed)
        code = sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "an encoded job is cut off");
    if (code != 0) {
        job_close(&decoded);
        return code;
    }
    *job = decoded;
    return 0;
}
