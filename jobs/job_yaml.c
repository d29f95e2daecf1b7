/* job_yaml.c - parses a job file's text by libyaml, and says where something is wrong. */
#include "job_yaml.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t line_of_offset(const char *text, size_t size, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < size && i < offset; i++)
        line += text[i] == '\n';
    return line;
}

struct yaml_input {
    const char *text;
    size_t size;
    const char *path;
    struct sheaf_error *error;
};

/* Says in whole sentences what libyaml found. */
static int syntax_error(const struct yaml_input *input, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return sheaf_error_set(input->error, SHEAF_ERROR_LIMIT, "%s: out of memory", input->path);
    if (parser->error == YAML_READER_ERROR)
        return sheaf_error_set(input->error, SHEAF_ERROR_JOB,
                               "%s:%zu: not UTF-8 text (%s); is this a job file?", input->path,
                               line_of_offset(input->text, input->size, parser->problem_offset),
                               parser->problem);
    size_t at = parser->problem_mark.index;
    bool is_tab = at < input->size && input->text[at] == '\t';
    return sheaf_error_set(input->error, SHEAF_ERROR_JOB, "%s:%zu: not valid YAML: %s%s%s%s",
                           input->path, parser->problem_mark.line + 1, parser->problem,
                           parser->context != NULL ? " " : "",
                           parser->context != NULL ? parser->context : "",
                           is_tab ? "; indent by spaces, YAML allows no tabs there" : "");
}

struct event_count {
    int documents;
    int depth;
};

/* What is refused here cannot make the tree larger than the text, or its walk deeper than
 * JOB_YAML_DEPTH_MAX. Returns what is wrong, NULL for nothing. */
static const char *event_problem(const yaml_event_t *event, struct event_count *count)
{
    static const char anchors[] = "anchors and aliases (& and *) are not for job files; write the "
                                  "value out, or quote a text that starts with & or *";
    static const char tags[] = "tags (!) are not for job files; quote a text to make it a string";
    const yaml_char_t *anchor = NULL;
    const yaml_char_t *tag = NULL;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++count->documents > 1)
            return "a second document (after \"---\"); a job file describes one job";
        break;
    case YAML_ALIAS_EVENT:
        return anchors;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
            return "a text holds a NUL character";
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        count->depth++;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        count->depth++;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        count->depth--;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    if (anchor != NULL)
        return anchors;
    if (tag != NULL)
        return tags;
    return count->depth > JOB_YAML_DEPTH_MAX ? "nested too deeply for a job file" : NULL;
}

/* The tree as far as it is built: the collections that are open, and the keys that wait for their
 * values. */
struct tree_builder {
    struct job_yaml *yaml;
    struct event_count count;
    int parents[JOB_YAML_DEPTH_MAX];
    int keys[JOB_YAML_DEPTH_MAX]; /* 0: none waits */
    int depth;
    int list_depth; /* collections that are open of the list that is taken, with it; 0: none is */
};

static void attach(struct tree_builder *builder, int number, yaml_mark_t mark)
{
    yaml_document_t *document = &builder->yaml->document;
    CHECK(number > 0);
    yaml_document_get_node(document, number)->start_mark = mark;
    if (builder->depth == 0)
        return; /* the first node is the root */
    int parent = builder->parents[builder->depth - 1];
    int *key = &builder->keys[builder->depth - 1];
    if (yaml_document_get_node(document, parent)->type == YAML_SEQUENCE_NODE) {
        CHECK(yaml_document_append_sequence_item(document, parent, number));
    } else if (*key == 0) {
        *key = number;
    } else {
        CHECK(yaml_document_append_mapping_pair(document, parent, *key, number));
        *key = 0;
    }
}

/* Before its value is attached. */
static bool is_value_of_list(const struct tree_builder *builder)
{
    const struct job_yaml_list *list = builder->yaml->list;
    if (list == NULL || builder->depth != 1 || builder->keys[0] == 0)
        return false;
    const char *key = job_yaml_text(job_yaml_node(builder->yaml, builder->keys[0]));
    return key != NULL && strcmp(key, list->key) == 0;
}

static void open_collection(struct tree_builder *builder, int number, yaml_mark_t mark)
{
    attach(builder, number, mark);
    builder->parents[builder->depth] = number;
    builder->keys[builder->depth++] = 0;
}

static int take_of_list(struct tree_builder *builder, const yaml_event_t *event)
{
    const struct job_yaml_list *list = builder->yaml->list;
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        builder->list_depth++;
    if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        builder->list_depth--;
    return builder->list_depth > 0 ? list->take(list->context, event) : 0;
}

static int take_event(struct tree_builder *builder, const yaml_event_t *event)
{
    yaml_document_t *document = &builder->yaml->document;
    const yaml_mark_t mark = event->start_mark;
    int number;
    if (builder->list_depth > 0)
        return take_of_list(builder, event);
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        number = yaml_document_add_scalar(document, NULL, event->data.scalar.value,
                                          (int)event->data.scalar.length, event->data.scalar.style);
        attach(builder, number, mark);
        break;
    case YAML_SEQUENCE_START_EVENT:
        number = yaml_document_add_sequence(document, NULL, event->data.sequence_start.style);
        if (is_value_of_list(builder)) {
            attach(builder, number, mark);
            builder->list_depth = 1;
        } else {
            open_collection(builder, number, mark);
        }
        break;
    case YAML_MAPPING_START_EVENT:
        number = yaml_document_add_mapping(document, NULL, event->data.mapping_start.style);
        open_collection(builder, number, mark);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
    case YAML_ALIAS_EVENT:
        break;
    }
    return 0;
}

static int build_tree(const struct yaml_input *input, struct tree_builder *builder)
{
    yaml_parser_t parser;
    CHECK(yaml_parser_initialize(&parser));
    yaml_parser_set_input_string(&parser, (const unsigned char *)input->text, input->size);
    int code = 0;
    bool is_done = false;
    while (code == 0 && !is_done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            code = syntax_error(input, &parser);
            break;
        }
        const char *problem = event_problem(&event, &builder->count);
        if (problem != NULL)
            code = sheaf_error_set(input->error, SHEAF_ERROR_JOB, "%s:%zu: %s", input->path,
                                   event.start_mark.line + 1, problem);
        else
            code = take_event(builder, &event);
        is_done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return code;
}

int job_yaml_load(struct job_yaml *yaml, const char *text, size_t size, struct sheaf_error *error)
{
    struct yaml_input input = {.text = text, .size = size, .path = yaml->path, .error = error};
    struct tree_builder builder = {.yaml = yaml};
    CHECK(yaml_document_initialize(&yaml->document, NULL, NULL, NULL, 1, 1));
    int code = build_tree(&input, &builder);
    if (code == 0 && yaml_document_get_root_node(&yaml->document) == NULL)
        code = sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "%s: the job file is empty; it needs at least \"plugin: FILE.so\"",
                               yaml->path);
    if (code != 0)
        yaml_document_delete(&yaml->document);
    return code;
}

void job_yaml_close(struct job_yaml *yaml)
{
    yaml_document_delete(&yaml->document);
}

yaml_node_t *job_yaml_root(struct job_yaml *yaml)
{
    return yaml_document_get_root_node(&yaml->document);
}

yaml_node_t *job_yaml_node(struct job_yaml *yaml, int number)
{
    yaml_node_t *node = yaml_document_get_node(&yaml->document, number);
    CHECK(node != NULL);
    return node;
}

const char *job_yaml_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

bool job_yaml_is_quoted(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
}

bool job_yaml_is_empty(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE && !job_yaml_is_quoted(node) &&
           node->data.scalar.length == 0;
}

int job_yaml_error(const struct job_yaml *yaml, const yaml_node_t *node, struct sheaf_error *error,
                   const char *format, ...)
{
    char text[SHEAF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return sheaf_error_set(error, SHEAF_ERROR_JOB, "%s:%zu: %s", yaml->path,
                           node->start_mark.line + 1, text);
}

const char *job_yaml_found(const yaml_node_t *node, char buffer[JOB_YAML_FOUND_BYTES])
{
    const char *text = job_yaml_text(node);
    if (text == NULL || job_yaml_is_empty(node)) {
        snprintf(buffer, JOB_YAML_FOUND_BYTES, "%s",
                 text != NULL                       ? "nothing"
                 : node->type == YAML_SEQUENCE_NODE ? "a list"
                                                    : "a mapping");
        return buffer;
    }
    enum { SHOWN_BYTES = JOB_YAML_FOUND_BYTES - 8 };
    snprintf(buffer, JOB_YAML_FOUND_BYTES, "\"%.*s%s\"", SHOWN_BYTES, text,
             strlen(text) > SHOWN_BYTES ? "..." : "");
    for (char *at = buffer; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    return buffer;
}

struct mapping_key {
    const char *text;
    const yaml_node_t *node;
};

static int compare_keys(const void *a, const void *b)
{
    const struct mapping_key *x = a;
    const struct mapping_key *y = b;
    int order = strcmp(x->text, y->text);
    if (order != 0)
        return order;
    return (x->node->start_mark.index > y->node->start_mark.index) -
           (x->node->start_mark.index < y->node->start_mark.index);
}

static int check_different(const struct job_yaml *yaml, struct mapping_key *keys, size_t count,
                           struct sheaf_error *error)
{
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < count; i++) {
        char found[JOB_YAML_FOUND_BYTES];
        if (strcmp(keys[i - 1].text, keys[i].text) == 0)
            return job_yaml_error(yaml, keys[i].node, error,
                                  "the key %s is there twice (first on line %zu); remove one",
                                  job_yaml_found(keys[i].node, found),
                                  keys[i - 1].node->start_mark.line + 1);
    }
    return 0;
}

int job_yaml_check_mapping(struct job_yaml *yaml, const yaml_node_t *node, const char *where,
                           struct sheaf_error *error)
{
    char found[JOB_YAML_FOUND_BYTES];
    if (node->type != YAML_MAPPING_NODE)
        return job_yaml_error(yaml, node, error,
                              "%s must be a mapping (lines of key: value), "
                              "found %s",
                              where, job_yaml_found(node, found));
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pairs);
    struct mapping_key *keys = memory_allocate_zeroed(count, sizeof *keys);
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++) {
        keys[i].node = job_yaml_node(yaml, pairs[i].key);
        keys[i].text = job_yaml_text(keys[i].node);
        if (keys[i].text == NULL)
            code = job_yaml_error(yaml, keys[i].node, error, "a key of %s is %s; it must be a word",
                                  where, job_yaml_found(keys[i].node, found));
    }
    if (code == 0)
        code = check_different(yaml, keys, count, error);
    free(keys);
    return code;
}
