/* job_yaml.h - a job file's text as a tree of nodes, with errors that name file and line. */
#ifndef SHEAF_JOB_YAML_H
#define SHEAF_JOB_YAML_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <yaml.h>

enum { JOB_YAML_DEPTH_MAX = 16 };

/* A list that may be long: what is in it is taken as it is read, and is not in the tree. */
struct job_yaml_list {
    const char *key; /* of the file's mapping; only a list in its place is taken */
    /* Borrows the event. Returns 0, or a negative code after setting an error. */
    int (*take)(void *context, const yaml_event_t *event);
    void *context;
};

/* Borrows path and list. */
struct job_yaml {
    const char *path;
    const struct job_yaml_list *list; /* NULL: none */
    yaml_document_t document;
};

/* Parses one document. A job file needs no anchors, aliases and tags, so these are errors, as are
 * NUL characters, deep nesting, an empty file and a second document. */
int job_yaml_load(struct job_yaml *yaml, const char *text, size_t size, struct sheaf_error *error);
void job_yaml_close(struct job_yaml *yaml);

yaml_node_t *job_yaml_root(struct job_yaml *yaml);
/* Node by the number that sequences and mappings hold. */
yaml_node_t *job_yaml_node(struct job_yaml *yaml, int number);

/* The text of a scalar, borrowed; NULL for a list or mapping. */
const char *job_yaml_text(const yaml_node_t *node);
/* An unquoted scalar without text: what YAML makes of `key:` alone. */
bool job_yaml_is_empty(const yaml_node_t *node);
/* A scalar written in quotes, or as a block. */
bool job_yaml_is_quoted(const yaml_node_t *node);

/* Sets a JOB error "path:line: text" for the node's place. Returns the code. */
int job_yaml_error(const struct job_yaml *yaml, const yaml_node_t *node, struct sheaf_error *error,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

enum { JOB_YAML_FOUND_BYTES = 80 };
/* Describes a node for "..., found %s": its text in quotes (cut, unprintable characters replaced),
 * "a list", "a mapping" or "nothing". Returns `buffer`. */
const char *job_yaml_found(const yaml_node_t *node, char buffer[JOB_YAML_FOUND_BYTES]);

/* Checks that `node` is a mapping whose keys are different scalars. `where` names it in errors. */
int job_yaml_check_mapping(struct job_yaml *yaml, const yaml_node_t *node, const char *where,
                           struct sheaf_error *error);

#endif
