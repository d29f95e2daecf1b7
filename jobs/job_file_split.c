/* job_file_split.c - reads the value of "split" in a job file. */
#include "job_file.h"

#include "../scheduler/fact.h"
#include "../scheduler/memory.h"
#include "job_path.h"

#include <string.h>

static int read_range(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    uint64_t tasks;
    if (text == NULL || parse_count(text, &tasks, NULL) != 0 || tasks == 0)
        return job_reader_must_be(reader, value, "split.range", "a count of tasks (1 or more)");
    if (tasks > SHEAF_TASKS_MAX)
        return job_reader_must_be(reader, value, "split.range", "at most 2^62 tasks");
    reader->job->split.kind = SPLIT_RANGE;
    reader->job->split.tasks = tasks;
    return 0;
}

static void add_pattern(struct job_reader *reader, const char *text)
{
    struct split *split = &reader->job->split;
    bool is_result = reader->plan != NULL && stage_reference_is_whole(text);
    split->patterns[split->pattern_count++] =
        is_result ? memory_copy_string(text) : job_path_join_pattern(reader->directory, text);
}

/* One pattern, or a list of them. */
static int read_patterns(struct job_reader *reader, yaml_node_t *value, const char *where)
{
    static const char what[] = "a list of files or patterns such as [a.txt, \"data/*.txt\"]";
    struct split *split = &reader->job->split;
    const char *text = job_yaml_text(value);
    if (text != NULL && text[0] != '\0') {
        split->patterns = memory_allocate_zeroed(1, sizeof *split->patterns);
        add_pattern(reader, text);
        return 0;
    }
    if (value->type != YAML_SEQUENCE_NODE)
        return job_reader_must_be(reader, value, where, what);
    yaml_node_item_t *items = value->data.sequence.items.start;
    size_t count = (size_t)(value->data.sequence.items.top - items);
    if (count == 0)
        return job_yaml_error(&reader->yaml, value, reader->error,
                              "%s must be %s, found an empty list", where, what);
    split->patterns = memory_allocate_zeroed(count, sizeof *split->patterns);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = job_yaml_node(&reader->yaml, items[i]);
        text = job_yaml_text(item);
        if (text == NULL || text[0] == '\0')
            return job_reader_must_be(reader, item, where, what);
        add_pattern(reader, text);
    }
    return 0;
}

static int read_files(struct job_reader *reader, yaml_node_t *value)
{
    reader->job->split.kind = SPLIT_FILES;
    return read_patterns(reader, value, "split.files");
}

static int read_lines_files(struct job_reader *reader, yaml_node_t *value)
{
    return read_patterns(reader, value, "split.lines.files");
}

static int read_lines_block(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    uint64_t block_bytes;
    if (text == NULL || parse_size(text, &block_bytes, NULL) != 0 || block_bytes == 0 ||
        block_bytes > SPLIT_BLOCK_BYTES_MAX)
        return job_reader_must_be(reader, value, "split.lines.block",
                                  "a size from 1 byte to 1G, such as 64K or 1M");
    reader->job->split.block_bytes = block_bytes;
    return 0;
}

static int read_lines(struct job_reader *reader, yaml_node_t *value)
{
    static const struct job_field fields[] = {
        {"files", read_lines_files},
        {"block", read_lines_block},
        {NULL, NULL},
    };
    struct split *split = &reader->job->split;
    split->kind = SPLIT_LINES;
    split->block_bytes = SPLIT_BLOCK_BYTES_DEFAULT;
    if (value->type != YAML_MAPPING_NODE)
        return read_patterns(reader, value, "split.lines");
    int code = job_reader_read_mapping(reader, value, "split.lines", fields);
    if (code == 0 && split->pattern_count == 0)
        code = job_yaml_error(&reader->yaml, value, reader->error,
                              "split.lines needs \"files\", such as {files: [a.txt], block: 1M}");
    return code;
}

static int read_axis_value(struct job_reader *reader, struct split_axis *axis, yaml_node_t *node)
{
    const char *text = job_yaml_text(node);
    char found[JOB_YAML_FOUND_BYTES];
    if (text == NULL || job_yaml_is_empty(node) || strchr(text, '\n') != NULL)
        return job_yaml_error(&reader->yaml, node, reader->error,
                              "each value of split.product.%s must be a text of one line, found %s",
                              axis->name, job_yaml_found(node, found));
    axis->values[axis->value_count++] = memory_copy_string(text);
    return 0;
}

static int read_axis(struct job_reader *reader, struct split_axis *axis, yaml_node_t *node)
{
    if (node->type == YAML_SCALAR_NODE) {
        axis->values = memory_allocate_zeroed(1, sizeof *axis->values);
        return read_axis_value(reader, axis, node);
    }
    yaml_node_item_t *items = NULL;
    size_t count = 0;
    if (node->type == YAML_SEQUENCE_NODE) {
        items = node->data.sequence.items.start;
        count = (size_t)(node->data.sequence.items.top - items);
    }
    if (count == 0)
        return job_yaml_error(&reader->yaml, node, reader->error,
                              "split.product.%s must be a list of one value or more, such as "
                              "[1, 2], found %s",
                              axis->name, items != NULL ? "an empty list" : "a mapping");
    axis->values = memory_allocate_zeroed(count, sizeof *axis->values);
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++)
        code = read_axis_value(reader, axis, job_yaml_node(&reader->yaml, items[i]));
    return code;
}

static int read_product(struct job_reader *reader, yaml_node_t *value)
{
    int code = job_yaml_check_mapping(&reader->yaml, value, "split.product", reader->error);
    if (code != 0)
        return code;
    struct split *split = &reader->job->split;
    split->kind = SPLIT_PRODUCT;
    const yaml_node_pair_t *pairs = value->data.mapping.pairs.start;
    size_t count = (size_t)(value->data.mapping.pairs.top - pairs);
    if (count == 0)
        return job_yaml_error(&reader->yaml, value, reader->error,
                              "split.product needs values to combine, such as {a: [1, 2]}");
    split->axes = memory_allocate_zeroed(count, sizeof *split->axes);
    for (size_t i = 0; code == 0 && i < count; i++) {
        yaml_node_t *key = job_yaml_node(&reader->yaml, pairs[i].key);
        if (!parameter_name_is_valid(job_yaml_text(key)))
            return job_reader_must_be(reader, key, "a name in split.product",
                                      "a letter or '_', then letters, digits, '_', '-' or '.'");
        struct split_axis *axis = &split->axes[split->axis_count++];
        axis->name = memory_copy_string(job_yaml_text(key));
        code = read_axis(reader, axis, job_yaml_node(&reader->yaml, pairs[i].value));
    }
    return code;
}

int job_file_read_split(struct job_reader *reader, yaml_node_t *value)
{
    static const char what[] = "one of {range: N}, {lines: [FILES]}, {files: [FILES]}, "
                               "{product: {a: [1, 2], ...}} or plugin";
    static const struct job_field fields[] = {
        {"range", read_range},     {"lines", read_lines}, {"files", read_files},
        {"product", read_product}, {NULL, NULL},
    };
    const char *text = job_yaml_text(value);
    if (text != NULL && strcmp(text, "plugin") == 0) {
        reader->job->split.kind = SPLIT_PLUGIN;
        return 0;
    }
    if (value->type != YAML_MAPPING_NODE)
        return job_reader_must_be(reader, value, "split", what);
    if (value->data.mapping.pairs.top - value->data.mapping.pairs.start != 1)
        return job_yaml_error(&reader->yaml, value, reader->error,
                              "split must have one key: it is %s", what);
    return job_reader_read_mapping(reader, value, "split", fields);
}
