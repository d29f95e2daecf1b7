/* mpirun_guard.c - what a launcher that was killed cannot do. */
#include "mpirun_guard.h"

#include "process_guard.h"
#include "run_place.h"
#include "world_files.h"

/* For mpirun to end on the SIGTERM that it gets when the launcher is killed: one that is told so
 * while it starts may hang for ever instead. */
enum { PATIENCE_MS = 5000 };

static void clean_up(void *dir)
{
    run_place_forget();
    world_files_sweep_when_dead(dir);
}

int mpirun_guard_start(pid_t mpirun, const char *dir, struct sheaf_error *error)
{
    const struct process_guard guard = {.process = mpirun,
                                        .patience_ms = PATIENCE_MS,
                                        .afterwards = clean_up,
                                        .context = (void *)dir};
    return process_guard_start(&guard, error);
}
