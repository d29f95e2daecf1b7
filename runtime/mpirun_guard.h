/* mpirun_guard.h - ends an mpirun whose launcher was killed, and removes what it leaves. */
#ifndef SHEAF_MPIRUN_GUARD_H
#define SHEAF_MPIRUN_GUARD_H

#include "../scheduler/error.h"

#include <sys/types.h>

/* As process_guard_start, for an mpirun of the run in `dir`. */
int mpirun_guard_start(pid_t mpirun, const char *dir, struct sheaf_error *error);

#endif
