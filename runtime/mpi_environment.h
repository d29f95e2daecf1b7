/* mpi_environment.h - which variables of MPI a task finds: the user's own.
 *
 * mpirun fills the environment of a rank with variables that say which rank of what it is, where
 * its daemon listens, and what the options of its command line were. A program that a task starts
 * must not find them: it would take itself for that rank. What the user has set before is meant for
 * every program, and stays. The two look the same in a rank, so the user's come to it in a word,
 * from whoever knows the environment before mpirun: the launcher, or, in a run without one, mpirun
 * itself, as long as it is on this host. */
#ifndef SHEAF_MPI_ENVIRONMENT_H
#define SHEAF_MPI_ENVIRONMENT_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The longest word: well below what the kernel allows for an argument. */
enum { MPI_ENVIRONMENT_BYTES_MAX = 64 << 10 };

/* The variables of MPI among `environment` (as of environ(7)) in one word without blanks, which the
 * caller owns; an empty one when there are none. INPUT when it would be too long. */
int mpi_environment_encode(char *const *environment, char **word, struct sheaf_error *error);
/* The same of an mpirun (by the name of its program) as it was when that began; NULL when the
 * process is none, or cannot be looked at. */
char *mpi_environment_of_mpirun(pid_t process);

/* Removes all variables of MPI from this process's environment. */
void mpi_environment_remove(void);
/* Sets those of a word. */
void mpi_environment_restore(const char *word);
/* Makes programs of MPI that this process starts stay on its host and on the cores to which it is
 * bound, with one rank a core unless they ask for more; the user's own settings stay. */
void mpi_environment_confine(uint32_t core_count);

#endif
