/* session.c - begins and ends a process's membership in the MPI run. */
#include "session.h"

#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int environment_integer(const char *const *names)
{
    for (; *names != NULL; names++) {
        const char *text = getenv(*names);
        if (text == NULL)
            continue;
        char *end;
        long value = strtol(text, &end, 10);
        if (end != text && *end == '\0' && value >= 0 && value <= 100000000)
            return (int)value;
    }
    return -1;
}

struct session_environment session_environment_read(void)
{
    static const char *const rank[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", NULL};
    static const char *const count[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS", NULL};
    static const char *const local_rank[] = {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", NULL};
    static const char *const local_count[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", NULL};
    return (struct session_environment){
        .rank = environment_integer(rank),
        .rank_count = environment_integer(count),
        .local_rank = environment_integer(local_rank),
        .local_count = environment_integer(local_count),
    };
}

bool session_is_under_mpi(void)
{
    return session_environment_read().rank >= 0;
}

int session_open(struct sheaf_error *error)
{
    struct session_environment environment = session_environment_read();
    int provided;
    int rank_count;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return sheaf_error_set(error, SHEAF_ERROR_TRANSPORT,
                               "MPI_Init_thread failed; run `sheaf doctor` on this host");
    /* After a loss every call must come back to us. */
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_size(MPI_COMM_WORLD, &rank_count);
    if (rank_count == 1 && (environment.rank > 0 || environment.rank_count > 1))
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "mpirun was gone before MPI had started on rank %d: repeat the "
                               "command",
                               environment.rank);
    return 0;
}

static volatile sig_atomic_t status_of_watchdog;

static void leave_by_watchdog(int signal_number)
{
    (void)signal_number;
    _exit(status_of_watchdog);
}

void session_close(bool somebody_was_lost, int status, unsigned deadline_s)
{
    fflush(NULL);
    status_of_watchdog = status;
    signal(SIGALRM, leave_by_watchdog);
    alarm(deadline_s);
    if (somebody_was_lost)
        _exit(status);
    MPI_Finalize();
    alarm(0);
}
