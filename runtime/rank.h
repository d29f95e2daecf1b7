/* rank.h - one rank of the run, from its start to its end: the master, a worker, or both. */
#ifndef SHEAF_RANK_H
#define SHEAF_RANK_H

#include "options.h"

/* Runs until the job or the run is over. Returns the exit status of the process (rank 0: the
 * job's; workers: 0 unless they failed). After a loss it does not return but leaves. */
int rank_main(const struct run_options *options);

#endif
