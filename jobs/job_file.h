/* job_file.h - the keys of a job file, read into a job. */
#ifndef SHEAF_JOB_FILE_H
#define SHEAF_JOB_FILE_H

#include "job.h"
#include "job_yaml.h"
#include "stage_plan.h"

/* Borrows all but `directory`. */
struct job_reader {
    struct job_yaml yaml;
    struct job *job;         /* being filled; the caller closes it after an error */
    struct stage_plan *plan; /* NULL unless the job has stages */
    struct stage *stage;     /* of which `job` is */
    const char *source_path;
    char *directory;         /* of the job file, absolute */
    struct job_tasks *tasks; /* what "tasks" lists: read before the tree is there */
    struct sheaf_error *error;
};

typedef int job_reader_function(struct job_reader *reader, yaml_node_t *value);

struct job_field {
    const char *key;
    job_reader_function *read;
};

/* Calls the field's function for each key of a mapping. `where` is the mapping's name in errors:
 * "the job", "limits". */
int job_reader_read_mapping(struct job_reader *reader, yaml_node_t *node, const char *where,
                            const struct job_field *fields);
/* Sets "file:line: WHERE must be WHAT, found ...". */
int job_reader_must_be(struct job_reader *reader, const yaml_node_t *node, const char *where,
                       const char *what);

/* The values of "command", "shell", "pipe", "merge_command" and "outputs". */
int job_file_read_command(struct job_reader *reader, yaml_node_t *value);
int job_file_read_shell(struct job_reader *reader, yaml_node_t *value);
int job_file_read_pipe(struct job_reader *reader, yaml_node_t *value);
int job_file_read_merge_command(struct job_reader *reader, yaml_node_t *value);
int job_file_read_outputs(struct job_reader *reader, yaml_node_t *value);
/* After all keys were read: that either a plug-in or a command is there, and that a command's
 * inputs are such. */
int job_file_check_command(struct job_reader *reader, yaml_node_t *root);

/* The values of the other keys. */
job_reader_function job_file_read_plugin;
job_reader_function job_file_read_split;
job_reader_function job_file_read_parameters;
job_reader_function job_file_read_limits;
job_reader_function job_file_read_ranges;
job_reader_function job_file_read_resources;
job_reader_function job_file_read_output;

/* The keys that a job has, and each stage of one. */
#define JOB_FILE_FIELDS                                                                            \
    {"plugin", job_file_read_plugin}, {"command", job_file_read_command},                          \
        {"shell", job_file_read_shell}, {"pipe", job_file_read_pipe},                              \
        {"merge_command", job_file_read_merge_command}, {"outputs", job_file_read_outputs},        \
        {"split", job_file_read_split}, {"parameters", job_file_read_parameters},                  \
        {"limits", job_file_read_limits}, {"ranges", job_file_read_ranges},                        \
    {                                                                                              \
        "resources", job_file_read_resources                                                       \
    }

/* The value of "stages", for a job whose other keys are only defaults for them. */
int job_file_read_stages(struct job_reader *reader, yaml_node_t *value);

/* The error for a key that none of the fields has. */
int job_reader_unknown_key(struct job_reader *reader, const yaml_node_t *key, const char *where,
                           const struct job_field *fields);

/* Takes in the list that is the value of "tasks", event by event. Borrows the reader. The caller
 * owns what it returns. */
struct job_tasks *job_tasks_create(struct job_reader *reader);
void job_tasks_destroy(struct job_tasks *tasks);
/* For struct job_yaml_list. */
int job_tasks_take(void *tasks, const yaml_event_t *event);
/* The value of "tasks", whose list was taken. */
int job_file_read_tasks(struct job_reader *reader, yaml_node_t *value);
/* After all keys were read: that listed tasks are all that the job is made of. Before
 * job_file_check_command. */
int job_file_check_tasks(struct job_reader *reader, yaml_node_t *root);

#endif
