/* session.h - a process's membership in the MPI run: begins with it, and ends without hanging. */
#ifndef SHEAF_SESSION_H
#define SHEAF_SESSION_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <stdint.h>

/* What the environment of an MPI launcher says before MPI starts; -1 where it does not. */
struct session_environment {
    int rank;
    int rank_count;
    int local_rank; /* among the ranks of this host */
    int local_count;
};

struct session_environment session_environment_read(void);
/* True when this process was started as a rank (by mpirun, or srun with PMIx). */
bool session_is_under_mpi(void);

/* Starts MPI; nothing collective follows but the finalizing. PROCESS when what has started this
 * process is gone: MPI then takes it for the only rank, which it must not act as. */
int session_open(struct sheaf_error *error);

/* Ends the membership and, unless everything is well, the process. When nobody was lost the ranks
 * finalize together, with a watchdog of `deadline_s` seconds that leaves with `status`. After a
 * loss that may wait for ever, so the process leaves at once with `status`. Standard
 * streams are flushed first. Returns only after a clean finalize. */
void session_close(bool somebody_was_lost, int status, unsigned deadline_s);

#endif
