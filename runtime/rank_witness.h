/* rank_witness.h - a process beside a rank that tells the launcher if the rank ends while MPI
 * starts.
 *
 * Nobody else would: the other ranks wait for it without an end, and mpirun says nothing. */
#ifndef SHEAF_RANK_WITNESS_H
#define SHEAF_RANK_WITNESS_H

#include <sys/types.h>

/* Before MPI starts: forks the witness of this process. Returns it; 0 when it could not be made:
 * then it takes --start-timeout until the launcher notices. */
pid_t rank_witness_start(int rank);
/* MPI has started. */
void rank_witness_end(pid_t witness);

#endif
