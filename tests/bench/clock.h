/* clock.h - how long a benchmark's tasks took: from the start of task 0 to finish.
 *
 * Both happen in different processes, so the start goes through the file that the parameter
 * `clock` names. The launch of MPI is left out, and so is the split. Times are CLOCK_REALTIME, as
 * the shell has it. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <sheaf.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static inline uint64_t clock_now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* In task 0. */
static inline int clock_start(struct sheaf_context *context)
{
    const char *path = sheaf_parameter_string(context, "clock");
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return sheaf_fail(context, "cannot write %s", path);
    fprintf(file, "%" PRIu64 "\n", clock_now_ns(CLOCK_REALTIME));
    return fclose(file) == 0 ? 0 : sheaf_fail(context, "cannot write %s", path);
}

/* In finish: emits the seconds since clock_start and `value`, which tells that all was done. */
static inline int clock_emit(struct sheaf_context *context, uint64_t value)
{
    uint64_t end_ns = clock_now_ns(CLOCK_REALTIME);
    const char *path = sheaf_parameter_string(context, "clock");
    uint64_t start_ns;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return sheaf_fail(context, "cannot read %s", path);
    int count = fscanf(file, "%" SCNu64, &start_ns);
    fclose(file);
    if (count != 1)
        return sheaf_fail(context, "%s holds no time", path);
    return sheaf_emit_text(context, "%.6f %" PRIu64 "\n", (double)(end_ns - start_ns) / 1e9, value);
}

#endif
