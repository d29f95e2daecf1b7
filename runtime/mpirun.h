/* mpirun.h - finds mpirun, and knows what each version must be told. */
#ifndef SHEAF_MPIRUN_H
#define SHEAF_MPIRUN_H

#include "options.h"

struct mpirun {
    const char *path; /* as given, or "mpirun" for the first in $PATH; borrowed */
    int major;
    int minor;
};

/* Understands the first line of `mpirun --version`. PROCESS unless it is Open MPI 4.1 or later. */
int mpirun_read_version(const char *text, struct mpirun *mpirun, struct sheaf_error *error);
/* Asks the mpirun that `path` (NULL = the one in $PATH) names; gives up after 10 s. Keeps path. */
int mpirun_find(const char *path, struct mpirun *mpirun, struct sheaf_error *error);

/* The value of a parameter of Open MPI that the user has given, on the command line or in the
 * environment; NULL if none. Borrowed from there. */
const char *mpirun_find_parameter(const struct run_options *options, const char *name);

/* Whether the user's own words for mpirun say where ranks go. */
bool mpirun_is_mapped_by_user(const struct run_options *options);

/* The folder in which mpirun makes its session directory. Borrowed from there. */
const char *mpirun_session_base(const struct run_options *options);

/* Where ranks go. */
struct mpirun_layout {
    uint32_t ranks;
    uint32_t host_count;  /* 0 = this host alone */
    bool is_crowded;      /* more ranks than cores: those that wait must yield */
    const char *host;     /* the hosts, if not those that the user names; borrowed */
    const char *hostfile; /* the copy of the user's that was read; NULL: none; borrowed */
};

/* Chosen from what the user says, the hosts, and the cores this process may use: on one host, a
 * master and two workers (one, if there is one core), so that losing one does not stop the job; on
 * several, a worker each and the master. */
struct mpirun_layout mpirun_layout_choose(const struct run_options *options, uint32_t host_count,
                                          uint32_t core_count);

/* What to start on each rank: `sheaf run --under-launcher ...`. */
struct mpirun_program {
    const char *path;
    bool is_restart;
    uint64_t end_unix_ms;        /* as walltime_find says; 0 = it has not been asked */
    const char *stored_input;    /* NULL: none */
    const char *mpi_environment; /* a word of mpi_environment.h; NULL: none */
    const char *host_slots;      /* a word of host_slots.h; NULL: none */
    const char *world;           /* as of world_files_begin; NULL: none */
};

/* The argument vector of mpirun, ended by NULL. The caller frees it with free(): its strings are
 * borrowed, or lie in the same memory. */
char **mpirun_arguments(const struct mpirun *mpirun, const struct mpirun_layout *layout,
                        const struct mpirun_program *program, const struct run_options *options);

#endif
