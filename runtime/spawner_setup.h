/* spawner_setup.h - what a spawner must know to prepare, as the rank hands it over. */
#ifndef SHEAF_SPAWNER_SETUP_H
#define SHEAF_SPAWNER_SETUP_H

#include "slot_set.h"

/* Owns everything. */
struct spawner_setup {
    struct job job;
    bool has_merge;
    uint32_t core_count;   /* of the slot that has the fewest */
    char *run_dir;         /* NULL: none */
    char *mpi_environment; /* of tasks: mpi_environment.h */
    uint32_t slot_count;
    uint64_t world; /* slot_set.h */
    bool has_past;
};

/* Returns a descriptor (close-on-exec, owned by the caller) of memory that holds the encoding, or a
 * negative code. A message would not do: a socket limits their size. */
int spawner_setup_write(const struct slot_set_options *options, struct sheaf_error *error);
int spawner_setup_read(int descriptor, struct spawner_setup *setup, struct sheaf_error *error);

#endif
