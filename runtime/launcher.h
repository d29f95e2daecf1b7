/* launcher.h - `sheaf run` outside MPI: starts mpirun, again if need be, until the job has ended.
 */
#ifndef SHEAF_LAUNCHER_H
#define SHEAF_LAUNCHER_H

#include "options.h"

/* Returns the exit status of the job, or a code when nothing could be started. Shows progress on
 * standard error, and copies a result that belongs on standard output there. */
int launcher_run(const struct run_options *options, struct sheaf_error *error);

#endif
