/* job_file_tasks.c - reads "tasks" in a job file: commands, and which come after which others. */
#include "job_file.h"

#include "../scheduler/memory.h"
#include "suggest.h"
#include "task_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASK_NAME_BYTES_MAX = 200,
    CYCLE_TEXT_BYTES = 700,
    TASK_FOUND_BYTES = TASK_NAME_BYTES_MAX + 8,
};

/* Where the next event belongs. */
enum place { IN_LIST, AT_KEY, AT_VALUE, IN_AFTER };

enum task_key { KEY_NAME, KEY_COMMAND, KEY_AFTER, KEY_COUNT };

static const struct job_field task_fields[] = {
    [KEY_NAME] = {"name", NULL},
    [KEY_COMMAND] = {"command", NULL},
    [KEY_AFTER] = {"after", NULL},
    [KEY_COUNT] = {NULL, NULL},
};

/* One element of the list. */
struct listed_task {
    size_t name;    /* in `texts`; 0: it has none */
    size_t command; /* likewise */
    uint32_t line;  /* from 0 */
    uint32_t name_line;
};

/* `task` comes after the one whose name is `name`. */
struct reference {
    size_t name; /* in `reference_texts` */
    uint32_t task;
    uint32_t line;
};

struct named_task {
    const char *name;
    uint32_t task;
};

struct job_tasks {
    struct job_reader *reader;
    enum place place;
    enum task_key key;             /* AT_VALUE, IN_AFTER */
    uint32_t key_lines[KEY_COUNT]; /* of this task, from 1; 0: it is not there */
    struct listed_task *tasks;
    size_t count;
    size_t capacity;
    struct byte_writer texts; /* begins with an empty one */
    struct reference *references;
    size_t reference_count;
    size_t reference_capacity;
    struct byte_writer reference_texts;

    /* Once all is read. */
    struct task_table *table;
    struct named_task *named; /* by name */
    uint32_t named_count;
};

struct job_tasks *job_tasks_create(struct job_reader *reader)
{
    struct job_tasks *tasks = memory_allocate_zeroed(1, sizeof *tasks);
    tasks->reader = reader;
    byte_writer_put_u8(&tasks->texts, '\0');
    return tasks;
}

void job_tasks_destroy(struct job_tasks *tasks)
{
    free(tasks->tasks);
    free(tasks->references);
    free(tasks->named);
    byte_writer_close(&tasks->texts);
    byte_writer_close(&tasks->reference_texts);
    task_table_destroy(tasks->table);
    free(tasks);
}

/* What an event would be in the tree, for errors. */
static yaml_node_t node_of(const yaml_event_t *event)
{
    yaml_node_t node = {.start_mark = event->start_mark, .type = YAML_MAPPING_NODE};
    if (event->type == YAML_SEQUENCE_START_EVENT)
        node.type = YAML_SEQUENCE_NODE;
    if (event->type == YAML_SCALAR_EVENT) {
        node.type = YAML_SCALAR_NODE;
        node.data.scalar.value = event->data.scalar.value;
        node.data.scalar.length = event->data.scalar.length;
        node.data.scalar.style = event->data.scalar.style;
    }
    return node;
}

static yaml_node_t node_at(uint32_t line)
{
    return (yaml_node_t){.start_mark.line = line};
}

static uint32_t line_of(const yaml_event_t *event)
{
    return (uint32_t)event->start_mark.line;
}

static size_t put_text(struct byte_writer *texts, const yaml_node_t *node)
{
    size_t place = texts->size;
    byte_writer_put(texts, node->data.scalar.value, node->data.scalar.length + 1);
    return place;
}

static struct listed_task *last_task(const struct job_tasks *tasks)
{
    return &tasks->tasks[tasks->count - 1];
}

static int begin_task(struct job_tasks *tasks, const yaml_event_t *event)
{
    yaml_node_t node = node_of(event);
    if (event->type != YAML_MAPPING_START_EVENT)
        return job_reader_must_be(tasks->reader, &node, "a task",
                                  "a mapping (lines of key: value)");
    void *grown = tasks->tasks;
    memory_grow(&grown, &tasks->capacity, tasks->count + 1, sizeof *tasks->tasks);
    tasks->tasks = grown;
    tasks->tasks[tasks->count++] = (struct listed_task){.line = line_of(event)};
    memset(tasks->key_lines, 0, sizeof tasks->key_lines);
    tasks->place = AT_KEY;
    return 0;
}

static int end_task(struct job_tasks *tasks)
{
    struct job_reader *reader = tasks->reader;
    const yaml_node_t place = node_at(last_task(tasks)->line);
    tasks->place = IN_LIST;
    if (last_task(tasks)->command != 0)
        return 0;
    return job_yaml_error(&reader->yaml, &place, reader->error,
                          "a task needs a command, such as {name: a, command: \"make a\", "
                          "after: [b]}");
}

static int take_key(struct job_tasks *tasks, const yaml_event_t *event)
{
    struct job_reader *reader = tasks->reader;
    yaml_node_t node = node_of(event);
    char found[JOB_YAML_FOUND_BYTES];
    if (event->type == YAML_MAPPING_END_EVENT)
        return end_task(tasks);
    if (event->type != YAML_SCALAR_EVENT)
        return job_yaml_error(&reader->yaml, &node, reader->error,
                              "a key of a task is %s; it must be a word",
                              job_yaml_found(&node, found));
    enum task_key key = KEY_NAME;
    while (key < KEY_COUNT && strcmp(task_fields[key].key, job_yaml_text(&node)) != 0)
        key++;
    if (key == KEY_COUNT)
        return job_reader_unknown_key(reader, &node, "a task", task_fields);
    if (tasks->key_lines[key] != 0)
        return job_yaml_error(&reader->yaml, &node, reader->error,
                              "the key %s is there twice (first on line %u); remove one",
                              job_yaml_found(&node, found), tasks->key_lines[key]);
    tasks->key_lines[key] = line_of(event) + 1;
    tasks->key = key;
    tasks->place = AT_VALUE;
    return 0;
}

static int take_name(struct job_tasks *tasks, const yaml_node_t *node)
{
    const char *text = job_yaml_text(node);
    bool is_good = text != NULL && text[0] != '\0' && strlen(text) <= TASK_NAME_BYTES_MAX;
    for (const char *at = text; is_good && *at != '\0'; at++)
        is_good = (unsigned char)*at >= ' ' && *at != 0x7f;
    if (!is_good)
        return job_reader_must_be(tasks->reader, node, "the name of a task",
                                  "a text of one line and at most 200 bytes");
    last_task(tasks)->name = put_text(&tasks->texts, node);
    last_task(tasks)->name_line = (uint32_t)node->start_mark.line;
    return 0;
}

static int take_command(struct job_tasks *tasks, const yaml_node_t *node)
{
    const char *text = job_yaml_text(node);
    if (text == NULL || text[0] == '\0' || strlen(text) > ITEM_BYTES_MAX)
        return job_reader_must_be(tasks->reader, node, "the command of a task",
                                  "a command line, such as \"cc -c main.c\"");
    last_task(tasks)->command = put_text(&tasks->texts, node);
    return 0;
}

static int take_reference(struct job_tasks *tasks, const yaml_node_t *node)
{
    const char *text = job_yaml_text(node);
    if (text == NULL || text[0] == '\0')
        return job_reader_must_be(tasks->reader, node, "each of \"after\"", "the name of a task");
    void *grown = tasks->references;
    memory_grow(&grown, &tasks->reference_capacity, tasks->reference_count + 1,
                sizeof *tasks->references);
    tasks->references = grown;
    tasks->references[tasks->reference_count++] = (struct reference){
        .name = put_text(&tasks->reference_texts, node),
        .task = (uint32_t)(tasks->count - 1),
        .line = (uint32_t)node->start_mark.line,
    };
    return 0;
}

static int take_after(struct job_tasks *tasks, const yaml_node_t *node)
{
    if (node->type == YAML_SEQUENCE_NODE) {
        tasks->place = IN_AFTER;
        return 0;
    }
    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length > 0)
        return take_reference(tasks, node);
    return job_reader_must_be(tasks->reader, node, "\"after\" of a task",
                              "the names of other tasks, such as [parse, check]");
}

static int take_value(struct job_tasks *tasks, const yaml_event_t *event)
{
    yaml_node_t node = node_of(event);
    tasks->place = AT_KEY;
    switch (tasks->key) {
    case KEY_NAME:
        return take_name(tasks, &node);
    case KEY_COMMAND:
        return take_command(tasks, &node);
    case KEY_AFTER:
        return take_after(tasks, &node);
    case KEY_COUNT:
        break;
    }
    return 0;
}

static int take_after_item(struct job_tasks *tasks, const yaml_event_t *event)
{
    yaml_node_t node = node_of(event);
    if (event->type != YAML_SEQUENCE_END_EVENT)
        return take_reference(tasks, &node);
    tasks->place = AT_KEY;
    return 0;
}

int job_tasks_take(void *context, const yaml_event_t *event)
{
    struct job_tasks *tasks = context;
    switch (tasks->place) {
    case IN_LIST:
        return begin_task(tasks, event);
    case AT_KEY:
        return take_key(tasks, event);
    case AT_VALUE:
        return take_value(tasks, event);
    case IN_AFTER:
        return take_after_item(tasks, event);
    }
    return 0;
}

/* The texts become the table's. */
static void fill_table(struct job_tasks *tasks)
{
    uint32_t count = (uint32_t)tasks->count;
    struct task_table *table = task_table_create(count, (char *)tasks->texts.data);
    tasks->texts = (struct byte_writer){0};
    for (uint32_t task = 0; task < count; task++) {
        table->names[task] = table->texts + tasks->tasks[task].name;
        table->commands[task] = table->texts + tasks->tasks[task].command;
    }
    tasks->table = table;
}

static int compare_names(const void *a, const void *b)
{
    const struct named_task *left = a;
    const struct named_task *right = b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : (left->task > right->task) - (left->task < right->task);
}

static int compare_names_only(const void *a, const void *b)
{
    const struct named_task *left = a;
    const struct named_task *right = b;
    return strcmp(left->name, right->name);
}

static int sort_names(struct job_tasks *tasks)
{
    const struct task_table *table = tasks->table;
    struct job_reader *reader = tasks->reader;
    tasks->named = memory_allocate_zeroed(table->count, sizeof *tasks->named);
    for (uint32_t task = 0; task < table->count; task++)
        if (table->names[task][0] != '\0')
            tasks->named[tasks->named_count++] = (struct named_task){table->names[task], task};
    qsort(tasks->named, tasks->named_count, sizeof *tasks->named, compare_names);
    for (uint32_t i = 1; i < tasks->named_count; i++) {
        const struct named_task *first = &tasks->named[i - 1];
        const struct named_task *second = &tasks->named[i];
        const yaml_node_t place = node_at(tasks->tasks[second->task].name_line);
        if (strcmp(first->name, second->name) == 0)
            return job_yaml_error(&reader->yaml, &place, reader->error,
                                  "two tasks are named \"%s\" (the first on line %u); each needs "
                                  "a name of its own",
                                  second->name, tasks->tasks[first->task].name_line + 1);
    }
    return 0;
}

static int unknown_name(struct job_tasks *tasks, const yaml_node_t *place, const char *name)
{
    struct job_reader *reader = tasks->reader;
    const char **names = memory_allocate_zeroed(tasks->named_count, sizeof *names);
    for (uint32_t i = 0; i < tasks->named_count; i++)
        names[i] = tasks->named[i].name;
    const char *nearest = suggest_nearest(name, names, tasks->named_count);
    int code =
        job_yaml_error(&reader->yaml, place, reader->error, "no task is named \"%.*s\"%s%s%s",
                       TASK_NAME_BYTES_MAX, name, nearest != NULL ? "; did you mean \"" : "",
                       nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    free(names);
    return code;
}

static int resolve(struct job_tasks *tasks, const struct reference *reference,
                   struct task_edge *edge)
{
    struct job_reader *reader = tasks->reader;
    const char *name = (const char *)tasks->reference_texts.data + reference->name;
    const yaml_node_t place = node_at(reference->line);
    const struct named_task key = {.name = name};
    const struct named_task *found =
        bsearch(&key, tasks->named, tasks->named_count, sizeof *tasks->named, compare_names_only);
    if (found == NULL)
        return unknown_name(tasks, &place, name);
    if (found->task == reference->task)
        return job_yaml_error(&reader->yaml, &place, reader->error,
                              "task \"%s\" is to come after itself; leave that out", name);
    *edge = (struct task_edge){.before = found->task, .after = reference->task};
    return 0;
}

/* "a after b after c after a", as far as there is room. */
static int refuse_cycle(struct job_tasks *tasks, const struct task_cycle *cycle)
{
    const struct task_table *table = tasks->table;
    char text[CYCLE_TEXT_BYTES + TASK_FOUND_BYTES];
    size_t length = 0;
    for (uint32_t i = 0; i <= cycle->count && length < CYCLE_TEXT_BYTES; i++) {
        bool is_cut = length > CYCLE_TEXT_BYTES - 2 * TASK_FOUND_BYTES && i < cycle->count;
        if (is_cut)
            i = cycle->count;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s%s",
                                   i > 0 ? " after " : "", is_cut ? "... after " : "",
                                   table->names[cycle->tasks[i % cycle->count]]);
    }
    struct job_reader *reader = tasks->reader;
    const yaml_node_t place = node_at(tasks->tasks[cycle->tasks[0]].line);
    return job_yaml_error(&reader->yaml, &place, reader->error,
                          "tasks come after each other in a circle of %u: %s; none of them could "
                          "ever start: take one \"after\" out",
                          cycle->count, text);
}

static int make_graph(struct job_tasks *tasks)
{
    struct task_table *table = tasks->table;
    size_t edge_count = tasks->reference_count;
    if (edge_count == 0)
        return 0;
    struct task_edge *edges = memory_allocate_zeroed(edge_count, sizeof *edges);
    int code = 0;
    for (size_t i = 0; code == 0 && i < edge_count; i++)
        code = resolve(tasks, &tasks->references[i], &edges[i]);
    struct task_cycle cycle = {0};
    if (code == 0)
        table->graph = task_graph_create(table->count, edges, (uint32_t)edge_count, &cycle);
    free(edges);
    if (code == 0 && table->graph == NULL)
        code = refuse_cycle(tasks, &cycle);
    free(cycle.tasks);
    if (code == 0)
        table->graph->names = table->names;
    return code;
}

int job_file_read_tasks(struct job_reader *reader, yaml_node_t *value)
{
    struct job_tasks *tasks = reader->tasks;
    if (tasks->count == 0)
        return job_reader_must_be(reader, value, "tasks",
                                  "a list of one task or more, such as - {name: a, command: "
                                  "\"make a\", after: [b]}");
    fill_table(tasks);
    int code = sort_names(tasks);
    if (code == 0)
        code = make_graph(tasks);
    if (code == 0) {
        reader->job->split.table = tasks->table;
        tasks->table = NULL;
    }
    return code;
}

int job_file_check_tasks(struct job_reader *reader, yaml_node_t *root)
{
    struct job *job = reader->job;
    if (job->split.table == NULL)
        return 0;
    bool has_split = job->split.kind != SPLIT_RANGE || job->split.tasks > 0;
    const char *other = job->plan != NULL           ? "stages"
                        : job->plugin_path != NULL  ? "a plug-in"
                        : job->command.is_there     ? "a command"
                        : has_split                 ? "a split"
                        : job->parameters.count > 0 ? "parameters"
                                                    : NULL;
    if (other != NULL)
        return job_yaml_error(&reader->yaml, root, reader->error,
                              "the job has \"tasks\" and %s; tasks that are listed have a command "
                              "each, and nothing else",
                              other);
    job->split.kind = SPLIT_TASKS;
    job->command.is_there = true;
    return 0;
}
