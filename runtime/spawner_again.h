/* spawner_again.h - a spawner made after MPI has started, when somebody has killed those that were
 * forked before.
 *
 * A fork of the rank would have its threads' locks, and memory that a network card writes to. So
 * the program is executed again, with the rank's own command line, under which it is found. */
#ifndef SHEAF_SPAWNER_AGAIN_H
#define SHEAF_SPAWNER_AGAIN_H

#include "../scheduler/error.h"
#include "spawner_main.h"

/* A copy of the environment, before MPI adds to it. The caller owns it. */
char **spawner_again_copy_environment(void);
void spawner_again_free_environment(char **environment);

struct spawner_again {
    char *const *environment; /* borrowed */
    int socket;               /* the spawner's end of it; borrowed, like the others */
    int wake;
    int shared; /* descriptor of the struct shared_rank */
};

/* Returns its process, a child of this one, or a code. */
int spawner_again_start(const struct spawner_again *again, struct sheaf_error *error);

/* At the beginning of main: becomes the spawner, if that is what this process was executed for. */
void spawner_again_enter(void);

#endif
