/* run_job.h - the job that a command line names, with what the command line changes of it. */
#ifndef SHEAF_RUN_JOB_H
#define SHEAF_RUN_JOB_H

#include "options.h"

/* Reads the job and changes it as the options say, without job_check. The caller closes it. */
int run_job_read(const struct run_options *options, struct job *job, struct sheaf_error *error);

/* The name of the job whose list comes from standard input; the caller owns it. */
char *run_job_name_of_input(const struct run_options *options);

/* The run directory for a job; the caller owns it. */
char *run_job_directory(const struct run_options *options, const char *job_name);

#endif
