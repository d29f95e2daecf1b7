/* run_job.h - the job that a command line names, with what the command line changes of it. */
#ifndef SHEAF_RUN_JOB_H
#define SHEAF_RUN_JOB_H

#include "options.h"

/* Reads the job and changes it as the options say, without job_check. The caller closes it. */
int run_job_read(const struct run_options *options, struct job *job, struct sheaf_error *error);

/* job_check, for a run as the options say. */
int run_job_check(const struct run_options *options, const struct job *job,
                  struct sheaf_error *error);

/* Chooses the shell of a job of commands that was not told which: that with which the run in `dir`
 * was begun, if that is a run of the job, or else the default. NULL: there is no such run. */
void run_job_settle_shell(struct job *job, const char *dir);

/* The name of the job whose list comes from standard input; the caller owns it. */
char *run_job_name_of_input(const struct run_options *options);

/* The run directory for a job; the caller owns it. */
char *run_job_directory(const struct run_options *options, const char *job_name);

#endif
