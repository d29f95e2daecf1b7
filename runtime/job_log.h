/* job_log.h - a table of commands that have run, as GNU parallel's --joblog. */
#ifndef SHEAF_JOB_LOG_H
#define SHEAF_JOB_LOG_H

#include "../jobs/command_record.h"

#include <stdio.h>

void job_log_begin(FILE *out);
void job_log_add(FILE *out, const struct command_record *record);

#endif
