/* stage_result.h - tells whether what a stage reads is what it was when the stage began. */
#ifndef SHEAF_STAGE_RESULT_H
#define SHEAF_STAGE_RESULT_H

#include "../jobs/stage_plan.h"

/* Appends a line that says which content the result of a stage has: its SHA-256, which is kept in
 * the stage's run directory, so that it is not read each time. Of more than 1 GiB it says which
 * file it is, its size and the time of its last change. */
int stage_result_describe(const char *stage_dir, const char *result_path, struct byte_writer *text,
                          struct sheaf_error *error);

/* What a stage has begun with: all such lines. Nothing is kept for a new stage. */
int stage_reads_write(const char *stage_dir, const struct byte_writer *text,
                      struct sheaf_error *error);
bool stage_reads_are(const char *stage_dir, const struct byte_writer *text);

#endif
