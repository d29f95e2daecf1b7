/* naive_mpi.c - the plain MPI master/worker loop that Sheaf is measured beside.
 *
 * Usage: mpirun -n 3 naive_mpi TASKS [--batch N] [--bytes] [--spin-ns N]
 *
 * Rank 0 sends a worker the next N tasks as soon as it has answered the ones before. A task is a
 * number of 4 bytes and the answer one sum for the message; with --bytes both are 64 bytes a task,
 * kept by rank 0. Nothing is durable, and any rank that dies ends it. Prints seconds, without the
 * start and end of MPI. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_WORK = 1, TAG_END = 2, RECORD_BYTES = 64 };

struct settings {
    uint64_t tasks;
    int batch;
    int has_bytes;
    uint64_t spin_ns;
};

static struct settings parse(int argc, char **argv)
{
    struct settings settings = {.tasks = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, .batch = 1};
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--bytes") == 0)
            settings.has_bytes = 1;
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            settings.batch = atoi(argv[++i]);
        else if (strcmp(argv[i], "--spin-ns") == 0 && i + 1 < argc)
            settings.spin_ns = strtoull(argv[++i], NULL, 10);
    }
    if (settings.tasks == 0 || settings.batch < 1) {
        fprintf(stderr, "usage: naive_mpi TASKS [--batch N] [--bytes] [--spin-ns N]\n");
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    return settings;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void spin(uint64_t duration_ns)
{
    uint64_t end_ns = duration_ns > 0 ? cpu_ns() + duration_ns : 0;
    while (end_ns > 0 && cpu_ns() < end_ns)
        continue;
}

/* Answers a message of `size` bytes in place; returns the size of the answer. */
static int answer(const struct settings *settings, unsigned char *message, int size)
{
    int count = size / (settings->has_bytes ? RECORD_BYTES : (int)sizeof(uint32_t));
    for (int i = 0; i < count; i++)
        spin(settings->spin_ns);
    if (settings->has_bytes) {
        for (int i = 0; i < size; i++)
            message[i] ^= 0xff;
        return size;
    }
    uint64_t sum = 0;
    for (int i = 0; i < count; i++) {
        uint32_t task;
        memcpy(&task, message + (size_t)i * sizeof task, sizeof task);
        sum += task;
    }
    memcpy(message, &sum, sizeof sum);
    return sizeof sum;
}

static void work(const struct settings *settings, unsigned char *message, int capacity)
{
    for (;;) {
        MPI_Status status;
        int size;
        MPI_Recv(message, capacity, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == TAG_END)
            return;
        MPI_Get_count(&status, MPI_BYTE, &size);
        MPI_Send(message, answer(settings, message, size), MPI_BYTE, 0, TAG_WORK, MPI_COMM_WORLD);
    }
}

/* Sends the next tasks to `rank`, or the end when there are none. Returns 1 if an answer follows.
 */
static int feed(const struct settings *settings, int rank, uint64_t *next, unsigned char *message)
{
    uint64_t left = settings->tasks - *next;
    int count = left < (uint64_t)settings->batch ? (int)left : settings->batch;
    int size = 0;
    for (int i = 0; i < count; i++) {
        uint32_t task = (uint32_t)(*next + (uint64_t)i);
        int bytes = settings->has_bytes ? RECORD_BYTES : (int)sizeof task;
        memset(message + size, 0, (size_t)bytes);
        memcpy(message + size, &task, sizeof task);
        size += bytes;
    }
    MPI_Send(message, size, MPI_BYTE, rank, count > 0 ? TAG_WORK : TAG_END, MPI_COMM_WORLD);
    *next += (uint64_t)count;
    return count > 0;
}

static void lead(const struct settings *settings, unsigned char *message, int capacity, int ranks)
{
    unsigned char *results = settings->has_bytes ? malloc(settings->tasks * RECORD_BYTES) : NULL;
    uint64_t kept = 0;
    uint64_t next = 0;
    uint64_t sum = 0;
    int busy = 0;
    double start = MPI_Wtime();

    for (int rank = 1; rank < ranks; rank++)
        busy += feed(settings, rank, &next, message);
    while (busy > 0) {
        MPI_Status status;
        int size;
        MPI_Recv(message, capacity, MPI_BYTE, MPI_ANY_SOURCE, TAG_WORK, MPI_COMM_WORLD, &status);
        MPI_Get_count(&status, MPI_BYTE, &size);
        if (results != NULL) {
            memcpy(results + kept, message, (size_t)size);
            kept += (size_t)size;
        } else {
            uint64_t part;
            memcpy(&part, message, sizeof part);
            sum += part;
        }
        busy += feed(settings, status.MPI_SOURCE, &next, message) - 1;
    }

    printf("%.6f %llu\n", MPI_Wtime() - start, (unsigned long long)(sum + kept));
    free(results);
}

int main(int argc, char **argv)
{
    int rank;
    int ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);

    struct settings settings = parse(argc, argv);
    int capacity = settings.batch * RECORD_BYTES;
    unsigned char *message = malloc((size_t)capacity);
    if (message == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (rank == 0)
        lead(&settings, message, capacity, ranks);
    else
        work(&settings, message, capacity);

    free(message);
    MPI_Finalize();
    return 0;
}
