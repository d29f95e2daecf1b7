/* stored_input.h - keeps what the launcher reads from standard input, for the ranks and for later
 * runs. */
#ifndef SHEAF_STORED_INPUT_H
#define SHEAF_STORED_INPUT_H

#include "../scheduler/error.h"

#define STORED_INPUT_PREFIX "stdin-"

/* Copies the stream `descriptor` to a file of the run directory `dir`, which is made if need be.
 * The file is named by its contents, so that another input never takes the place of one that a run
 * may still need. Returns its absolute path in *path, which the caller owns. */
int stored_input_write(const char *dir, int descriptor, char **path, struct sheaf_error *error);

#endif
