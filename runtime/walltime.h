/* walltime.h - when a run must be over, and what has to happen before. */
#ifndef SHEAF_WALLTIME_H
#define SHEAF_WALLTIME_H

#include "options.h"

/* No limit. */
#define WALLTIME_NEVER UINT64_MAX

/* When the run must be over, in ms since 1970: as the launcher says, or else the earlier of
 * --walltime, counted from now, and the end of the Slurm job. Slurm may be asked, so this comes
 * before MPI. TIMEOUT or PROCESS when there is a Slurm job and its end cannot be learnt: then
 * *end_unix_ms is what --walltime says. */
int walltime_find(const struct run_options *options, uint64_t *end_unix_ms,
                  struct sheaf_error *error);

/* Steps towards the end, each on the monotonic clock, WALLTIME_NEVER without a limit. What comes
 * after tasks_end_ns is the reserve: 30 s, or a tenth of the time when there are less than 5
 * minutes. A third of it is for tasks that take longer than measured, a third for the master to
 * sync and to say end, a third for mpirun to end and for what the caller does then. */
struct walltime {
    uint64_t tasks_end_ns; /* nothing is started that would end later; what runs is asked to end */
    uint64_t cut_off_ns;   /* what runs is given up */
    uint64_t leave_ns;     /* the launcher ends what is left of the run */
};

/* With `left_ns` (or WALLTIME_NEVER) from `now_ns` on. */
struct walltime walltime_plan(uint64_t left_ns, uint64_t now_ns);
/* The same, by the clocks. */
struct walltime walltime_plan_until(uint64_t end_unix_ms);

#endif
