/* heat.c - how heat spreads along a rod: a program of MPI, of which each rank has a piece of the
 * rod. Not a plug-in: heat.yaml runs it as a command.
 *
 *   mpicc -O2 -o heat heat.c && mpirun -n 2 ./heat 0.25
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = 1200, STEPS = 2000 };

/* One step of what lies between cell 0 and cell `count` + 1, which belong to the neighbours. */
static void spread(double *heat, double *next, int count, double conductivity)
{
    for (int i = 1; i <= count; i++)
        next[i] = heat[i] + conductivity * (heat[i - 1] - 2 * heat[i] + heat[i + 1]);
    memcpy(heat + 1, next + 1, (size_t)count * sizeof *heat);
}

int main(int argc, char **argv)
{
    int rank;
    int ranks;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    double conductivity = argc > 1 ? atof(argv[1]) : 0.25;
    int left = rank > 0 ? rank - 1 : MPI_PROC_NULL;
    int right = rank < ranks - 1 ? rank + 1 : MPI_PROC_NULL;
    int count = CELLS / ranks;
    double *heat = calloc((size_t)count + 2, sizeof *heat);
    double *next = calloc((size_t)count + 2, sizeof *next);
    if (heat == NULL || next == NULL)
        MPI_Abort(MPI_COMM_WORLD, 1);
    if (rank == 0)
        heat[0] = 1; /* this end of the rod is kept hot, the other one cold */
    for (int step = 0; step < STEPS; step++) {
        MPI_Sendrecv(&heat[1], 1, MPI_DOUBLE, left, 0, &heat[count + 1], 1, MPI_DOUBLE, right, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Sendrecv(&heat[count], 1, MPI_DOUBLE, right, 0, &heat[0], 1, MPI_DOUBLE, left, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        spread(heat, next, count, conductivity);
    }
    double own = 0;
    double all = 0;
    for (int i = 1; i <= count; i++)
        own += heat[i];
    MPI_Reduce(&own, &all, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("conductivity %g: heat %.6f\n", conductivity, all);
    free(heat);
    free(next);
    MPI_Finalize();
    return 0;
}
