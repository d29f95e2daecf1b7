/* job_file.h - the keys of a job file, read into a job. */
#ifndef SHEAF_JOB_FILE_H
#define SHEAF_JOB_FILE_H

#include "job.h"
#include "job_yaml.h"

/* Borrows all but `directory`. */
struct job_reader {
    struct job_yaml yaml;
    struct job *job; /* being filled; the caller closes it after an error */
    char *directory; /* of the job file, absolute */
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

/* The values of "command", "pipe", "merge_command" and "outputs". */
int job_file_read_command(struct job_reader *reader, yaml_node_t *value);
int job_file_read_pipe(struct job_reader *reader, yaml_node_t *value);
int job_file_read_merge_command(struct job_reader *reader, yaml_node_t *value);
int job_file_read_outputs(struct job_reader *reader, yaml_node_t *value);
/* After all keys were read: that either a plug-in or a command is there, and that a command's
 * inputs are such. */
int job_file_check_command(struct job_reader *reader, yaml_node_t *root);

/* The value of "split". */
int job_file_read_split(struct job_reader *reader, yaml_node_t *value);

#endif
