/* slow_link.c - no plug-in, but preloaded into sheaf: makes long messages between its ranks slow.
 *
 * Environment: SLOW_LINK_US is what each large fragment of a message takes, if it comes from one of
 * the ranks in SLOW_LINK_FROM, such as "12". */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* As in mpi.h, where types and communicators are pointers. */
int MPI_Isend(const void *data, int count, void *type, int rank, int tag, void *communicator,
              void *request);

enum { LARGE_BYTES = 3000 };

static void wait_us(long us)
{
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&left, NULL);
}

__attribute__((visibility("default"))) int MPI_Isend(const void *data, int count, void *type,
                                                     int rank, int tag, void *communicator,
                                                     void *request)
{
    static int (*isend)(const void *, int, void *, int, int, void *, void *);
    if (isend == NULL) {
        void *found = dlsym(RTLD_NEXT, "MPI_Isend");
        memcpy(&isend, &found, sizeof isend); /* POSIX's way to make a function of it */
    }
    const char *pause_us = getenv("SLOW_LINK_US");
    const char *slow_ranks = getenv("SLOW_LINK_FROM");
    const char *own_rank = getenv("OMPI_COMM_WORLD_RANK");
    if (count >= LARGE_BYTES && pause_us != NULL && slow_ranks != NULL && own_rank != NULL &&
        strchr(slow_ranks, own_rank[0]) != NULL)
        wait_us(strtol(pause_us, NULL, 10));
    return isend(data, count, type, rank, tag, communicator, request);
}
