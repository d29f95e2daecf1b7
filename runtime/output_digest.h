/* output_digest.h - tells whether the files that a stage has declared as its outputs are what they
 * were when another stage began to read them. */
#ifndef SHEAF_OUTPUT_DIGEST_H
#define SHEAF_OUTPUT_DIGEST_H

#include "../scheduler/range_set.h"
#include "declared_files.h"

/* Borrows everything. */
struct output_digest_source {
    const char *stage_dir;
    const struct job *job;
    struct input_store *const *inputs;
    const struct range_set *done;        /* the tasks whose files count */
    void (*keep_contact)(void *context); /* called again and again meanwhile */
    void *context;
};

/* Keeps in the stage's directory which files there are, and their SHA-256; of more than 1 GiB, in
 * place of that, their sizes and the times of their last changes. Files that are as they were the
 * last time are not read. */
int output_digest_keep(const struct output_digest_source *source, struct sheaf_error *error);

/* Appends what was kept as a line that begins with `name`; nothing for a stage without such files.
 */
void output_digest_describe(const char *stage_dir, const char *name, struct byte_writer *text);

#endif
