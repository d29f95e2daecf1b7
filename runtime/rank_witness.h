/* rank_witness.h - a process beside a rank that tells the launcher if the rank ends.
 *
 * Nobody else would: mpirun says nothing. While MPI starts the other ranks wait for it without an
 * end, later the master only sees what is beside it. */
#ifndef SHEAF_RANK_WITNESS_H
#define SHEAF_RANK_WITNESS_H

#include <sys/types.h>

/* Before MPI starts: forks the witness of this process. Returns it; 0 when it could not be made:
 * then it takes --start-timeout until the launcher notices, or --lost-after until the master does.
 */
pid_t rank_witness_start(int rank);
/* The rank leaves in order. */
void rank_witness_end(pid_t witness);

#endif
