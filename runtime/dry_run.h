/* dry_run.h - says what a run would do, and where. */
#ifndef SHEAF_DRY_RUN_H
#define SHEAF_DRY_RUN_H

#include "hosts.h"

struct dry_run_options {
    const struct run_options *options;
    const struct job *job;
    const struct host_list *hosts;
    uint32_t ranks;
};

/* Prints the commands that would run to standard output, one a line, and the rest to standard
 * error. Makes nothing. */
int dry_run(const struct dry_run_options *options, struct sheaf_error *error);

#endif
