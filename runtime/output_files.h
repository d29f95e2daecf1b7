/* output_files.h - the files that a command declares as its outputs: they appear when it has
 * succeeded, whole, and all of them.
 *
 * The command writes them in staging folders beside their places. They are synced, and then one
 * rename decides: the staging folder of the first becomes `.sheaf-KEY/TASK`, which of several
 * copies of the task only one can do. From there on whoever sees that folder moves its files into
 * their places: the copy that made it, one that came too late, or the next attempt after a crash.
 * The task counts as done after that. A file whose bytes are in their place already is not touched.
 */
#ifndef SHEAF_OUTPUT_FILES_H
#define SHEAF_OUTPUT_FILES_H

#include "../scheduler/error.h"

#include <stddef.h>
#include <stdint.h>

struct output_files;

/* The folder of a target, as others of the same folder have it; the caller owns it. */
char *output_files_folder(const char *target);

/* `key` tells jobs and runs apart; `note` is that of staging.h, or NULL. Keeps the note. */
struct output_files *output_files_create(uint32_t key, char *note);
void output_files_destroy(struct output_files *files);

/* Before the command: completes what an earlier attempt has decided, and makes the staging folders.
 * Borrows the targets. */
int output_files_begin(struct output_files *files, uint64_t task, char *const *targets,
                       size_t count, struct sheaf_error *error);
/* Where the command is to write target i. Borrowed until the end. */
const char *output_files_staged(const struct output_files *files, size_t i);

/* After it has succeeded: puts all files in their places. INPUT when one was not written. */
int output_files_publish(struct output_files *files, struct sheaf_error *error);
/* Ends what begin has begun, whatever came of it. */
void output_files_end(struct output_files *files);

#endif
