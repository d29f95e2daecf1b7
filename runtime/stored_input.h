/* stored_input.h - keeps what the launcher reads from standard input, for the ranks and for later
 * runs. */
#ifndef SHEAF_STORED_INPUT_H
#define SHEAF_STORED_INPUT_H

#include "../scheduler/error.h"

#include <stdbool.h>

#define STORED_INPUT_PREFIX "stdin-"

/* Removes what earlier lists of the run have left, but `path`, unless that is NULL. */
void stored_input_remove_others(const char *dir, const char *path);

/* Removes what was only begun by launchers that were killed. */
void stored_input_remove_begun(const char *dir);

/* Copies the stream `descriptor` to a file of the run directory `dir`, which is made if need be.
 * The file is named by its contents, so that another input never takes the place of one that a run
 * may still need. Returns its absolute path in *path, which the caller owns, and in *is_new whether
 * nobody has it yet. */
int stored_input_write(const char *dir, int descriptor, char **path, bool *is_new,
                       struct sheaf_error *error);

#endif
