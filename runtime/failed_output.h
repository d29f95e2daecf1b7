/* failed_output.h - what failed commands wrote: records in a few files of the run directory, one
 * for each executor's slot. */
#ifndef SHEAF_FAILED_OUTPUT_H
#define SHEAF_FAILED_OUTPUT_H

#include "../jobs/command_record.h"
#include "../scheduler/error.h"

#include <sys/types.h>

#define FAILED_OUTPUT_FOLDER "failed"

enum { FAILED_OUTPUT_BYTES_MAX = 1 << 20 }; /* kept of standard output: the last part */

/* Names the file. Borrows. */
struct failed_output_place {
    const char *run_dir; /* NULL: nothing is kept */
    const char *host;
    pid_t spawner;
    uint32_t slot;
};

/* Appends a record. What cannot be written is complained of on standard error, and lost. */
void failed_output_append(const struct failed_output_place *place,
                          const struct command_record *record);

struct failed_outputs;

/* Reads all that a run directory holds: *outputs is owned by the caller. */
int failed_outputs_read(const char *run_dir, struct failed_outputs **outputs,
                        struct sheaf_error *error);
void failed_outputs_close(struct failed_outputs *outputs);
/* The last attempt at a task, borrowed, or NULL. */
const struct command_record *failed_outputs_find(const struct failed_outputs *outputs,
                                                 uint64_t task);

#endif
