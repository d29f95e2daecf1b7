/* start_limits.c - whether this host can start so many ranks at all. */
#include "start_limits.h"

#include "process_memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

/* Measured with Open MPI 4.1, and rounded up: 65 ranks on two cores start within 4 s, and the time
 * grows with the square of their number. */
enum {
    RANKS_PER_CORE_MAX = 128,
    HOST_RANKS_MIN = 256, /* so many may be tried anywhere */
    FILES_OF_MPIRUN = 44,
    FILES_OF_RANK = 4, /* within mpirun */
    FILES_OF_WORKER = 40,
    FILES_OF_SLOT = 2,
    PROCESSES_OF_RANK = 6, /* threads count, too */
};

#define RANK_BYTES ((uint64_t)8 << 20)

static int refuse_ranks(uint32_t ranks, uint64_t ranks_max, const char *why,
                        struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "%" PRIu32
                           " workers are too many for this host: %s lets it have %" PRIu64
                           ". A worker is a process of MPI, which runs as many tasks at a time as "
                           "it has slots: take fewer workers, with more slots (--slots)",
                           ranks - 1, why, ranks_max - 1);
}

static int check_files(uint64_t needed, const char *who, struct sheaf_error *error)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                           "%s needs %" PRIu64 " open files, and the limit is %" PRIu64
                           ": raise it with `ulimit -n %" PRIu64 "`%s, or take fewer",
                           who, needed, (uint64_t)limit.rlim_cur, needed,
                           limit.rlim_max < needed ? " (the administrator must allow it)" : "");
}

static int check_processes(uint64_t needed, struct sheaf_error *error)
{
    struct rlimit limit;
    bool is_bound = geteuid() != 0 && getrlimit(RLIMIT_NPROC, &limit) == 0;
    if (is_bound && limit.rlim_cur < needed)
        return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                               "so many workers and slots need %" PRIu64
                               " processes, and the limit is %" PRIu64
                               ": raise it with `ulimit -u %" PRIu64 "`, or take fewer",
                               needed, (uint64_t)limit.rlim_cur, needed);
    if (process_limit_read("/proc/sys/kernel/pid_max") < needed) /* of all users */
        return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                               "so many workers and slots need %" PRIu64
                               " processes, more than /proc/sys/kernel/pid_max: take fewer",
                               needed);
    return 0;
}

int start_limits_check(const struct start_demand *demand, struct sheaf_error *error)
{
    uint32_t ranks = demand->ranks;
    uint64_t slots = demand->slots > 0 ? demand->slots : 1;
    uint64_t by_cores = (uint64_t)demand->core_count * RANKS_PER_CORE_MAX;
    uint64_t by_memory = node_memory_bytes() / RANK_BYTES;
    if (by_cores < HOST_RANKS_MIN)
        by_cores = HOST_RANKS_MIN;
    if (ranks > by_cores)
        return refuse_ranks(ranks, by_cores, "the number of its cores", error);
    if (ranks > by_memory)
        return refuse_ranks(ranks, by_memory, "its memory", error);
    int code = check_files(FILES_OF_MPIRUN + (uint64_t)ranks * FILES_OF_RANK,
                           "mpirun, for so many workers,", error);
    if (code == 0 && ranks > 0)
        code =
            check_files(FILES_OF_WORKER + slots * FILES_OF_SLOT, "a worker, for its slots,", error);
    if (code == 0)
        code = check_processes(ranks * (PROCESSES_OF_RANK + slots), error);
    return code;
}
