/* walltime.c - finds out when a run must be over. */
#include "walltime.h"

#include "../scheduler/scheduler.h"
#include "clock.h"
#include "inquiry.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESERVE_NS_MAX    (30 * SHEAF_NS_PER_S)
#define RESERVE_DIVISOR   10
#define SQUEUE_TIMEOUT_NS (10 * SHEAF_NS_PER_S)
#define UNIX_S_MAX        (UINT64_C(1) << 40)

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct walltime walltime_plan(uint64_t left_ns, uint64_t now_ns)
{
    if (left_ns == WALLTIME_NEVER)
        return (struct walltime){WALLTIME_NEVER, WALLTIME_NEVER, WALLTIME_NEVER};
    uint64_t reserve_ns = earlier(left_ns / RESERVE_DIVISOR, RESERVE_NS_MAX);
    uint64_t tasks_end_ns = now_ns + left_ns - reserve_ns;
    return (struct walltime){
        .tasks_end_ns = tasks_end_ns,
        .cut_off_ns = tasks_end_ns + reserve_ns / 3,
        .leave_ns = tasks_end_ns + reserve_ns / 3 * 2,
    };
}

struct walltime walltime_plan_until(uint64_t end_unix_ms)
{
    uint64_t now_unix_ms = clock_wall_ns() / SHEAF_NS_PER_MS;
    uint64_t left_ms = end_unix_ms > now_unix_ms ? end_unix_ms - now_unix_ms : 0;
    return walltime_plan(end_unix_ms == WALLTIME_NEVER ? WALLTIME_NEVER : left_ms * SHEAF_NS_PER_MS,
                         clock_monotonic_ns());
}

/* Seconds since 1970 in digits, which a line break may follow. */
static bool read_unix_s(const char *text, uint64_t *unix_ms)
{
    char *end;
    uint64_t unix_s = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || end[strspn(end, "\n")] != '\0' || unix_s == 0 ||
        unix_s > UNIX_S_MAX)
        return false;
    *unix_ms = unix_s * 1000;
    return true;
}

static int ask_slurm(const char *job, uint64_t *end_unix_ms, struct sheaf_error *error)
{
    const char *words[] = {"env", "SLURM_TIME_FORMAT=%s", "squeue", "-h", "-j", job, "-o", "%e",
                           NULL};
    char text[256];
    struct inquiry inquiry = {
        .words = words, .stream = STDOUT_FILENO, .text = text, .text_bytes = sizeof text};
    inquiries_run(&inquiry, 1, SQUEUE_TIMEOUT_NS, NULL);
    if (!inquiry.has_ended)
        return sheaf_error_set(error, SHEAF_ERROR_TIMEOUT,
                               "Slurm does not say when job %s must end (squeue did not answer "
                               "within 10 s); give the time with --walltime",
                               job);
    if (inquiry.exit_status != 0 || !read_unix_s(text, end_unix_ms))
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "Slurm does not say when job %s must end (squeue: status %d, "
                               "\"%.*s\"); give the time with --walltime",
                               job, inquiry.exit_status, (int)strcspn(text, "\n"), text);
    return 0;
}

/* Without a Slurm job there is no limit. */
static int find_slurm_end(uint64_t *end_unix_ms, struct sheaf_error *error)
{
    const char *job = getenv("SLURM_JOB_ID");
    const char *end = getenv("SLURM_JOB_END_TIME"); /* newer versions say it by themselves */
    *end_unix_ms = WALLTIME_NEVER;
    if (job == NULL || (end != NULL && read_unix_s(end, end_unix_ms)))
        return 0;
    return ask_slurm(job, end_unix_ms, error);
}

int walltime_find(const struct run_options *options, uint64_t *end_unix_ms,
                  struct sheaf_error *error)
{
    if (options->end_unix_ms != 0) {
        *end_unix_ms = options->end_unix_ms;
        return 0;
    }
    uint64_t slurm_unix_ms;
    uint64_t own_unix_ms = WALLTIME_NEVER;
    int code = find_slurm_end(&slurm_unix_ms, error);
    if (options->walltime_ns != 0)
        own_unix_ms = (clock_wall_ns() + options->walltime_ns) / SHEAF_NS_PER_MS;
    *end_unix_ms = earlier(slurm_unix_ms, own_unix_ms);
    return code;
}
