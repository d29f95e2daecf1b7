/* stage_run.h - runs the stages of a job one after the other, each by a master of its own.
 *
 * The ranks stay: a new master has a higher session number, which tells workers that what the one
 * before has ordered is void. The run directory of the whole job, whose lock is held all the time,
 * holds those of its stages. */
#ifndef SHEAF_STAGE_RUN_H
#define SHEAF_STAGE_RUN_H

#include "master.h"

struct stage_run;

/* Opens the run directory of a job that has stages. Keeps options and transport; takes over *job in
 * any case. */
int stage_run_create(const struct run_options *options, struct master_job *job,
                     struct transport *transport, struct stage_run **run,
                     struct sheaf_error *error);
void stage_run_destroy(struct stage_run *run);

/* Ends the master that is over (*master; NULL at first) and begins the next stage: 1 with its
 * master in *master, 0 and NULL when none is left that can run, or the run must end. */
int stage_run_next(struct stage_run *run, struct master **master);
/* The run is over, or must be (`code` below 0: why), with the master that was at it or NULL: makes
 * the job's output, and tells how it ended. Returns the exit status. */
int stage_run_finish(struct stage_run *run, struct master **master, int code);

/* As of a master. */
bool stage_run_ends_cleanly(const struct stage_run *run);
const char *stage_run_directory(const struct stage_run *run);
const char *stage_run_result_path(const struct stage_run *run);

#endif
