/* job_file_stages.c - reads the value of "stages" in a job file. */
#include "job_file.h"

#include "../scheduler/memory.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The nodes of one stage that are understood when all stages have been read. */
struct stage_nodes {
    yaml_node_t *stage;
    yaml_node_t *after;   /* NULL: none */
    yaml_node_t *command; /* here or at the top; NULL: none */
    yaml_node_t *split;
};

static int read_name(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    if (text == NULL || !stage_name_is_valid(text))
        return job_reader_must_be(
            reader, value, "the name of a stage",
            "a letter or '_', then letters, digits, '_' and '-' (64 at most)");
    reader->stage->name = memory_copy_string(text);
    return 0;
}

static int read_priority(struct job_reader *reader, yaml_node_t *value)
{
    const char *text = job_yaml_text(value);
    char *end = NULL;
    long priority = text != NULL ? strtol(text, &end, 10) : 0;
    if (text == NULL || end == text || *end != '\0' || priority < -1000000 || priority > 1000000)
        return job_reader_must_be(reader, value, "priority",
                                  "a whole number from -1000000 to 1000000");
    reader->stage->priority = priority;
    return 0;
}

/* Read later. */
static int skip(struct job_reader *reader, yaml_node_t *value)
{
    (void)reader;
    (void)value;
    return 0;
}

static yaml_node_t *find_value(struct job_reader *reader, yaml_node_t *mapping, const char *key)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++)
        if (strcmp(job_yaml_text(job_yaml_node(&reader->yaml, pair->key)), key) == 0)
            return job_yaml_node(&reader->yaml, pair->value);
    return NULL;
}

/* Lists and mappings of small things are joined; what stands for one thing is replaced. */
static bool is_replaced(struct job_reader *reader, yaml_node_t *stage, const char *key)
{
    bool is_program = strcmp(key, "plugin") == 0 || strcmp(key, "command") == 0;
    if (is_program)
        return find_value(reader, stage, "plugin") != NULL ||
               find_value(reader, stage, "command") != NULL;
    return strcmp(key, "split") == 0 && find_value(reader, stage, "split") != NULL;
}

/* What stands at the top holds for each stage. */
static int read_defaults(struct job_reader *reader, yaml_node_t *root, yaml_node_t *stage)
{
    static const struct job_field fields[] = {JOB_FILE_FIELDS, {NULL, NULL}};
    int code = 0;
    for (const struct job_field *field = fields; code == 0 && field->key != NULL; field++) {
        yaml_node_t *value = find_value(reader, root, field->key);
        if (value != NULL && !is_replaced(reader, stage, field->key))
            code = field->read(reader, value);
    }
    return code;
}

static int read_stage(struct job_reader *reader, yaml_node_t *root, struct stage_nodes *nodes)
{
    static const struct job_field fields[] = {
        {"name", read_name},
        {"after", skip},
        {"priority", read_priority},
        JOB_FILE_FIELDS,
        {"output", job_file_read_output},
        {NULL, NULL},
    };
    struct job *job = reader->job;
    job->split.kind = SPLIT_RANGE;
    int code = job_yaml_check_mapping(&reader->yaml, nodes->stage, "a stage", reader->error);
    if (code == 0)
        code = read_defaults(reader, root, nodes->stage);
    if (code == 0)
        code = job_reader_read_mapping(reader, nodes->stage, "a stage", fields);
    if (code == 0)
        code = job_file_check_command(reader, nodes->stage);
    if (code == 0 && reader->stage->name == NULL)
        code = job_yaml_error(&reader->yaml, nodes->stage, reader->error,
                              "a stage needs a name, such as \"- name: count\"");
    if (code != 0)
        return code;
    nodes->after = find_value(reader, nodes->stage, "after");
    nodes->command = find_value(reader, nodes->stage, "command");
    if (nodes->command == NULL && job->command.is_there)
        nodes->command = find_value(reader, root, "command");
    nodes->split = find_value(reader, nodes->stage, "split");
    if (nodes->split == NULL)
        nodes->split = find_value(reader, root, "split");
    /* A command that was given no inputs is one task. */
    if (job->command.is_there && job->split.kind == SPLIT_RANGE && nodes->split == NULL)
        job->split.tasks = 1;
    job->name = memory_copy_string(reader->stage->name);
    job->source_path = memory_copy_string(reader->source_path);
    if (job->output_path == NULL)
        job->output_path = memory_copy_string("-");
    return 0;
}

static int unknown_stage(struct job_reader *reader, const yaml_node_t *node, const char *name,
                         size_t length)
{
    const char *names[STAGES_MAX];
    char wanted[STAGE_NAME_BYTES_MAX + 1];
    snprintf(wanted, sizeof wanted, "%.*s", (int)length, name);
    for (size_t i = 0; i < reader->plan->count; i++)
        names[i] = reader->plan->stages[i].name;
    const char *nearest = suggest_nearest(wanted, names, reader->plan->count);
    return job_yaml_error(&reader->yaml, node, reader->error, "there is no stage \"%s\"%s%s%s",
                          wanted, nearest != NULL ? "; did you mean \"" : "",
                          nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static int add_after(struct job_reader *reader, yaml_node_t *node, struct stage *stage)
{
    const char *name = job_yaml_text(node);
    if (name == NULL || name[0] == '\0')
        return job_reader_must_be(reader, node, "after", "the name of a stage, or a list of them");
    size_t number = stage_plan_find(reader->plan, name, strlen(name));
    if (number == reader->plan->count)
        return unknown_stage(reader, node, name, strlen(name));
    if (!stage->reads[number])
        stage->after[stage->after_count++] = number;
    stage->reads[number] = true;
    return 0;
}

static int read_after(struct job_reader *reader, const struct stage_nodes *nodes,
                      struct stage *stage)
{
    size_t count = reader->plan->count;
    stage->after = memory_allocate_zeroed(count, sizeof *stage->after);
    stage->reads = memory_allocate_zeroed(count, sizeof *stage->reads);
    yaml_node_t *value = nodes->after;
    if (value == NULL || job_yaml_is_empty(value))
        return 0;
    if (value->type != YAML_SEQUENCE_NODE)
        return add_after(reader, value, stage);
    const yaml_node_item_t *item = value->data.sequence.items.start;
    int code = 0;
    for (; code == 0 && item < value->data.sequence.items.top; item++)
        code = add_after(reader, job_yaml_node(&reader->yaml, *item), stage);
    return code;
}

static int check_cycle(struct job_reader *reader, const struct stage_nodes *nodes)
{
    size_t cycle[STAGES_MAX];
    size_t count = stage_plan_find_cycle(reader->plan, cycle);
    char text[1200] = "";
    size_t length = 0;
    if (count == 0)
        return 0;
    for (size_t i = 0; i <= count && length < sizeof text; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s%s", i > 0 ? " after " : "",
                             reader->plan->stages[cycle[i % count]].name);
    return job_yaml_error(&reader->yaml, nodes[cycle[0]].after, reader->error,
                          "stages wait for each other in a circle: %s; take one \"after\" out",
                          text);
}

/* Each "{NAME.result}" in `text` is one that will be there. */
static int check_references(struct job_reader *reader, struct stage *stage, const char *text,
                            const yaml_node_t *node)
{
    size_t length;
    size_t number = (size_t)(stage - reader->plan->stages);
    for (const char *at = text; (at = stage_reference_find(at, &length)) != NULL; at++) {
        size_t named = stage_plan_find(reader->plan, at + 1, length);
        if (named == reader->plan->count)
            return unknown_stage(reader, node, at + 1, length);
        if (!stage_plan_is_after(reader->plan, number, named))
            return job_yaml_error(&reader->yaml, node, reader->error,
                                  "stage \"%s\" reads {%s.result}, but need not come after it; add "
                                  "\"after: %s\"",
                                  stage->name, reader->plan->stages[named].name,
                                  reader->plan->stages[named].name);
        stage->reads[named] = true;
    }
    return 0;
}

static int check_patterns(struct job_reader *reader, struct stage *stage, const yaml_node_t *node)
{
    const struct split *split = &stage->job.split;
    int code = 0;
    for (size_t i = 0; code == 0 && i < split->pattern_count; i++) {
        size_t length;
        code = check_references(reader, stage, split->patterns[i], node);
        if (code == 0 && stage_reference_find(split->patterns[i], &length) != NULL &&
            !stage_reference_is_whole(split->patterns[i]))
            code =
                job_yaml_error(&reader->yaml, node, reader->error,
                               "\"{%.*s.result}\" is a whole path; it cannot be a part of one",
                               (int)length, stage_reference_find(split->patterns[i], &length) + 1);
    }
    return code;
}

/* The results' names are known to the command from now on; their paths come later. */
static int name_results(struct job_reader *reader, struct stage *stage, const yaml_node_t *node)
{
    struct parameter_list *parameters = &stage->job.parameters;
    for (size_t i = 0; i < reader->plan->count; i++) {
        char name[STAGE_NAME_BYTES_MAX + sizeof ".result"];
        struct sheaf_error cause;
        snprintf(name, sizeof name, "%s.result", reader->plan->stages[i].name);
        if (!stage->reads[i])
            continue;
        if (parameter_list_find(parameters, name) != NULL)
            return job_yaml_error(&reader->yaml, node, reader->error,
                                  "the parameter \"%s\" has the name of a stage's result; give it "
                                  "another",
                                  name);
        if (parameter_list_set_string(parameters, name, "", &cause) != 0)
            return job_yaml_error(&reader->yaml, node, reader->error, "%s", cause.text);
    }
    return 0;
}

/* What stages say of each other. */
static int connect(struct job_reader *reader, const struct stage_nodes *nodes)
{
    struct stage_plan *plan = reader->plan;
    int code = 0;
    for (size_t i = 0; code == 0 && i < plan->count; i++) {
        const char *name = plan->stages[i].name;
        size_t first = stage_plan_find(plan, name, strlen(name));
        if (first < i)
            return job_yaml_error(&reader->yaml, nodes[i].stage, reader->error,
                                  "two stages have the name \"%s\" (the first on line %zu)", name,
                                  nodes[first].stage->start_mark.line + 1);
    }
    for (size_t i = 0; code == 0 && i < plan->count; i++)
        code = read_after(reader, &nodes[i], &plan->stages[i]);
    if (code == 0)
        code = check_cycle(reader, nodes);
    for (size_t i = 0; code == 0 && i < plan->count; i++) {
        struct stage *stage = &plan->stages[i];
        if (stage->job.command.is_there)
            code = check_references(reader, stage, stage->job.command.text, nodes[i].command);
        if (code == 0)
            code = check_patterns(reader, stage, nodes[i].split);
        if (code == 0)
            code = name_results(reader, stage, nodes[i].stage);
    }
    return code;
}

int job_file_read_stages(struct job_reader *reader, yaml_node_t *value)
{
    size_t count = 0;
    if (value->type == YAML_SEQUENCE_NODE)
        count = (size_t)(value->data.sequence.items.top - value->data.sequence.items.start);
    if (count == 0 || count > STAGES_MAX)
        return job_reader_must_be(reader, value, "stages",
                                  "a list of 1 to 256 stages, each with a name");
    struct job *whole = reader->job;
    struct stage_nodes *nodes = memory_allocate_zeroed(count, sizeof *nodes);
    reader->plan = memory_allocate_zeroed(1, sizeof *reader->plan);
    whole->plan = reader->plan;
    reader->plan->stages = memory_allocate_zeroed(count, sizeof *reader->plan->stages);
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++) {
        reader->stage = &reader->plan->stages[reader->plan->count++];
        reader->job = &reader->stage->job;
        nodes[i].stage = job_yaml_node(&reader->yaml, value->data.sequence.items.start[i]);
        code = read_stage(reader, job_yaml_root(&reader->yaml), &nodes[i]);
    }
    reader->job = whole;
    if (code == 0)
        code = connect(reader, nodes);
    free(nodes);
    return code;
}
