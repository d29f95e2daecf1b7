/* job_file.c - reads a job file into a job. */
#include "job_file.h"

#include "../scheduler/memory.h"
#include "job_path.h"
#include "suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int job_reader_must_be(struct job_reader *reader, const yaml_node_t *node, const char *where,
                       const char *what)
{
    char found[JOB_YAML_FOUND_BYTES];
    return job_yaml_error(&reader->yaml, node, reader->error, "%s must be %s, found %s", where,
                          what, job_yaml_found(node, found));
}

int job_reader_unknown_key(struct job_reader *reader, const yaml_node_t *key, const char *where,
                           const struct job_field *fields)
{
    enum { FIELDS_MAX = 16 };
    const char *names[FIELDS_MAX];
    char listed[200] = "";
    size_t length = 0;
    size_t count = 0;
    for (; fields[count].key != NULL && count < FIELDS_MAX; count++) {
        names[count] = fields[count].key;
        if (length < sizeof listed)
            length += (size_t)snprintf(listed + length, sizeof listed - length, "%s%s",
                                       count > 0 ? ", " : "", names[count]);
    }
    char found[JOB_YAML_FOUND_BYTES];
    job_yaml_found(key, found);
    const char *nearest = suggest_nearest(job_yaml_text(key), names, count);
    if (nearest != NULL)
        return job_yaml_error(&reader->yaml, key, reader->error,
                              "unknown key %s in %s; did you mean \"%s\"?", found, where, nearest);
    return job_yaml_error(&reader->yaml, key, reader->error, "unknown key %s in %s; it can have %s",
                          found, where, listed);
}

int job_reader_read_mapping(struct job_reader *reader, yaml_node_t *node, const char *where,
                            const struct job_field *fields)
{
    int code = job_yaml_check_mapping(&reader->yaml, node, where, reader->error);
    if (code != 0)
        return code;
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; code == 0 && pair < end;
         pair++) {
        yaml_node_t *key = job_yaml_node(&reader->yaml, pair->key);
        const struct job_field *field = fields;
        while (field->key != NULL && strcmp(field->key, job_yaml_text(key)) != 0)
            field++;
        if (field->key == NULL)
            code = job_reader_unknown_key(reader, key, where, fields);
        else
            code = field->read(reader, job_yaml_node(&reader->yaml, pair->value));
    }
    return code;
}

int job_file_read_plugin(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || text[0] == '\0')
        return job_reader_must_be(reader, value, "plugin", "the name of a plug-in (FILE.so)");
    struct sheaf_error cause;
    int code = job_path_find_plugin(text, reader->directory, &reader->job->plugin_path, &cause);
    if (code != 0) {
        job_yaml_error(&reader->yaml, value, reader->error, "%s", cause.text);
        reader->error->code = code;
    }
    return code;
}

/* The name becomes that of the run directory. */
static int read_name(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    bool is_good = text != NULL && text[0] != '\0' && text[0] != '.' && text[0] != '-' &&
                   strlen(text) <= JOB_NAME_BYTES_MAX && strchr(text, '/') == NULL;
    for (const char *at = text; is_good && *at != '\0'; at++)
        is_good = (unsigned char)*at >= ' ' && *at != 0x7f;
    if (!is_good)
        return job_reader_must_be(
            reader, value, "name",
            "a file name (at most 100 bytes, no '/', no '.' or '-' at the start)");
    reader->job->name = memory_copy_string(text);
    return 0;
}

int job_file_read_output(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || text[0] == '\0' || text[strlen(text) - 1] == '/')
        return job_reader_must_be(reader, value, "output",
                                  "the name of a file, or - for standard output");
    if (strcmp(text, "-") == 0) {
        reader->job->output_path = memory_copy_string(text);
        return 0;
    }
    struct sheaf_error cause;
    int code = job_path_absolute(text, &reader->job->output_path, &cause);
    if (code != 0)
        return job_yaml_error(&reader->yaml, value, reader->error,
                              "%s; make the directory, or change \"output\"", cause.text);
    return 0;
}

int job_file_read_parameters(struct job_reader *reader, yaml_node_t *value)
{
    if (job_yaml_is_empty(value))
        return 0;
    int code = job_yaml_check_mapping(&reader->yaml, value, "parameters", reader->error);
    if (code != 0)
        return code;
    const yaml_node_pair_t *end = value->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = value->data.mapping.pairs.start; pair < end; pair++) {
        const char *name = job_yaml_text(job_yaml_node(&reader->yaml, pair->key));
        yaml_node_t *node = job_yaml_node(&reader->yaml, pair->value);
        const char *text = job_yaml_text(node);
        char found[JOB_YAML_FOUND_BYTES];
        if (text == NULL || job_yaml_is_empty(node))
            return job_yaml_error(&reader->yaml, node, reader->error,
                                  "parameter \"%.100s\" must be a number, true, false or a text "
                                  "(\"\" for an empty one), found %s",
                                  name, job_yaml_found(node, found));
        struct sheaf_error cause;
        struct parameter_list *list = &reader->job->parameters;
        code = job_yaml_is_quoted(node) ? parameter_list_set_string(list, name, text, &cause)
                                        : parameter_list_set(list, name, text, &cause);
        if (code != 0)
            return job_yaml_error(&reader->yaml, node, reader->error, "%s", cause.text);
    }
    return 0;
}

static int read_timeout(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || parse_duration(text, &reader->job->limits.task_timeout_ns, NULL) != 0)
        return job_reader_must_be(reader, value, "limits.timeout",
                                  "a duration such as 500ms, 10s, 5min or 2h (0 for none)");
    return 0;
}

static const char memory_expected[] = "a size of 1M or more, such as 512M or 2G";

/* 0 stands for what would be without it. */
static bool read_memory_size(const char *text, uint64_t *size_bytes)
{
    return parse_size(text, size_bytes, NULL) == 0 &&
           (*size_bytes == 0 || *size_bytes >= JOB_MEMORY_BYTES_MIN);
}

static int read_memory(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || !read_memory_size(text, &reader->job->limits.task_memory_bytes))
        return job_reader_must_be(reader, value, "limits.memory", memory_expected);
    return 0;
}

/* A count from 1 to `count_max`. */
static int read_count(struct job_reader *reader, yaml_node_t *value, const char *where,
                      uint32_t count_max, uint32_t *count)
{
    const char *text = job_yaml_text(value);
    uint64_t parsed;
    char what[64];
    snprintf(what, sizeof what, "a count from 1 to %u", count_max);
    if (text == NULL || parse_count(text, &parsed, NULL) != 0 || parsed < 1 || parsed > count_max)
        return job_reader_must_be(reader, value, where, what);
    *count = (uint32_t)parsed;
    return 0;
}

enum { ATTEMPTS_MAX = 1000, FAILURES_MAX = 1000000000 };

static int read_attempts(struct job_reader *reader, yaml_node_t *value)
{
    return read_count(reader, value, "limits.attempts", ATTEMPTS_MAX,
                      &reader->job->limits.attempts_max);
}

static int read_crashes(struct job_reader *reader, yaml_node_t *value)
{
    return read_count(reader, value, "limits.crashes", ATTEMPTS_MAX,
                      &reader->job->limits.crashes_max);
}

static int read_failures(struct job_reader *reader, yaml_node_t *value)
{
    return read_count(reader, value, "limits.max_failures", FAILURES_MAX,
                      &reader->job->limits.failures_max);
}

int job_file_read_limits(struct job_reader *reader, yaml_node_t *value)
{
    static const struct job_field fields[] = {
        {"timeout", read_timeout}, {"memory", read_memory},         {"attempts", read_attempts},
        {"crashes", read_crashes}, {"max_failures", read_failures}, {NULL, NULL},
    };
    return job_yaml_is_empty(value) ? 0 : job_reader_read_mapping(reader, value, "limits", fields);
}

/* A count from 1 to 2^40, the scheduler's longest range. */
static int read_range_count(struct job_reader *reader, yaml_node_t *value, const char *where,
                            uint64_t *count)
{
    const char *text = job_yaml_text(value);
    uint64_t parsed;
    if (text == NULL || parse_count(text, &parsed, NULL) != 0 || parsed < 1 ||
        parsed > (uint64_t)1 << 40)
        return job_reader_must_be(reader, value, where, "a count of tasks from 1 to 2^40");
    *count = parsed;
    return 0;
}

static int read_range_min(struct job_reader *reader, yaml_node_t *value)
{
    return read_range_count(reader, value, "ranges.min", &reader->job->limits.range_count_min);
}

static int read_range_max(struct job_reader *reader, yaml_node_t *value)
{
    return read_range_count(reader, value, "ranges.max", &reader->job->limits.range_count_max);
}

int job_file_read_ranges(struct job_reader *reader, yaml_node_t *value)
{
    static const struct job_field fields[] = {
        {"min", read_range_min},
        {"max", read_range_max},
        {NULL, NULL},
    };
    if (job_yaml_is_empty(value))
        return 0;
    int code = job_reader_read_mapping(reader, value, "ranges", fields);
    const struct job_limits *limits = &reader->job->limits;
    if (code == 0 && limits->range_count_max > 0 &&
        limits->range_count_min > limits->range_count_max)
        code = job_yaml_error(&reader->yaml, value, reader->error,
                              "ranges.min is %llu and ranges.max is %llu; min must not be larger",
                              (unsigned long long)limits->range_count_min,
                              (unsigned long long)limits->range_count_max);
    return code;
}

static int read_cores(struct job_reader *reader, yaml_node_t *value)
{
    return read_count(reader, value, "resources.cores", JOB_CORES_MAX,
                      &reader->job->resources.cores);
}

static int read_gpus(struct job_reader *reader, yaml_node_t *value)
{
    return read_count(reader, value, "resources.gpus", JOB_GPUS_MAX, &reader->job->resources.gpus);
}

static int read_reserved_memory(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || !read_memory_size(text, &reader->job->resources.memory_bytes))
        return job_reader_must_be(reader, value, "resources.memory", memory_expected);
    return 0;
}

int job_file_read_resources(struct job_reader *reader, yaml_node_t *value)
{
    static const struct job_field fields[] = {
        {"cores", read_cores},
        {"memory", read_reserved_memory},
        {"gpus", read_gpus},
        {NULL, NULL},
    };
    return job_yaml_is_empty(value) ? 0
                                    : job_reader_read_mapping(reader, value, "resources", fields);
}

static int read_stages(struct job_reader *reader, yaml_node_t *value)
{
    return job_yaml_is_empty(value)
               ? job_reader_must_be(reader, value, "stages", "a list of stages")
               : job_file_read_stages(reader, value);
}

static int read_job(struct job_reader *reader)
{
    static const struct job_field fields[] = {
        JOB_FILE_FIELDS,
        {"name", read_name},
        {"output", job_file_read_output},
        {"stages", read_stages},
        {"tasks", job_file_read_tasks},
        {NULL, NULL},
    };
    struct job *job = reader->job;
    job->split.kind = SPLIT_RANGE;
    yaml_node_t *root = job_yaml_root(&reader->yaml);
    int code = job_reader_read_mapping(reader, root, "the job", fields);
    if (code != 0)
        return code;
    code = job_file_check_tasks(reader, root);
    if (code == 0 && job->plan == NULL)
        code = job_file_check_command(reader, root);
    if (code != 0)
        return code;
    if (job->name == NULL)
        job->name = job_path_stem(job->source_path);
    if (job->output_path == NULL)
        job->output_path = memory_copy_string("-");
    return 0;
}

int job_parse(const char *text, size_t size, const char *path, struct job *job,
              struct sheaf_error *error)
{
    if (size > JOB_FILE_BYTES_MAX)
        return sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "%s is larger than 64 MiB; is this a job file? (Large inputs belong "
                               "in files that \"split\" names)",
                               path);
    struct job parsed = {0};
    struct sheaf_error local;
    struct job_reader reader = {
        .yaml.path = path, .job = &parsed, .error = error != NULL ? error : &local};
    int code = job_path_absolute(path, &parsed.source_path, reader.error);
    if (code != 0)
        return code;
    reader.source_path = parsed.source_path;
    reader.directory = job_path_directory(parsed.source_path);
    reader.tasks = job_tasks_create(&reader);
    const struct job_yaml_list list = {"tasks", job_tasks_take, reader.tasks};
    reader.yaml.list = &list;
    code = job_yaml_load(&reader.yaml, text, size, reader.error);
    if (code == 0) {
        code = read_job(&reader);
        job_yaml_close(&reader.yaml);
    }
    job_tasks_destroy(reader.tasks);
    free(reader.directory);
    if (code != 0) {
        job_close(&parsed);
        return code;
    }
    parsed.source_text = memory_allocate(size + 1);
    memcpy(parsed.source_text, text, size);
    parsed.source_text[size] = '\0';
    *job = parsed;
    return 0;
}
