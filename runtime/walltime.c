/* walltime.c - finds out when a run must be over. */
#include "walltime.h"

#include "../scheduler/scheduler.h"
#include "clock.h"
#include "command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESERVE_NS_MAX    (30 * SHEAF_NS_PER_S)
#define RESERVE_DIVISOR   10
#define SQUEUE_TIMEOUT_NS (10 * SHEAF_NS_PER_S)
#define LEFT_S_MAX        (UINT64_C(1) << 32) /* 136 years: sums and products below do not overflow */

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

/* Digits alone; moves on behind them. */
static bool read_number(const char **text, uint64_t *number)
{
    if (!isdigit((unsigned char)**text))
        return false;
    char *end;
    *number = strtoull(*text, &end, 10);
    *text = end;
    return *number < LEFT_S_MAX;
}

bool walltime_read_left(const char *text, uint64_t *left_ns)
{
    uint64_t days = 0;
    uint64_t seconds = 0;
    uint64_t number;
    if (strncmp(text, "UNLIMITED", strlen("UNLIMITED")) == 0) {
        *left_ns = WALLTIME_NEVER;
        return true;
    }
    if (!read_number(&text, &number))
        return false;
    if (*text == '-') {
        days = number;
        text++;
        if (!read_number(&text, &number))
            return false;
    }
    seconds = number;
    for (int i = 0; i < 2 && *text == ':'; i++) {
        text++;
        if (!read_number(&text, &number) || number >= 60)
            return false;
        seconds = seconds * 60 + number;
    }
    if (text[strspn(text, " \n")] != '\0' || seconds >= LEFT_S_MAX - days * 86400 ||
        days >= LEFT_S_MAX / 86400)
        return false;
    *left_ns = (days * 86400 + seconds) * SHEAF_NS_PER_S;
    return true;
}

static int ask_slurm(const char *job, uint64_t *end_unix_ms, struct sheaf_error *error)
{
    const char *words[] = {"squeue", "-h", "-j", job, "-o", "%L", NULL};
    char text[256];
    struct command command = {
        .words = words, .stream = STDOUT_FILENO, .text = text, .text_bytes = sizeof text};
    commands_run(&command, 1, SQUEUE_TIMEOUT_NS, NULL);
    uint64_t left_ns;
    if (!command.has_ended)
        return sheaf_error_set(error, SHEAF_ERROR_TIMEOUT,
                               "Slurm does not say when job %s must end (squeue did not answer "
                               "within 10 s); give the time with --walltime",
                               job);
    if (command.exit_status != 0 || !walltime_read_left(text, &left_ns))
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "Slurm does not say when job %s must end (squeue: status %d, "
                               "\"%.*s\"); give the time with --walltime",
                               job, command.exit_status, (int)strcspn(text, "\n"), text);
    *end_unix_ms =
        left_ns == WALLTIME_NEVER ? WALLTIME_NEVER : (clock_wall_ns() + left_ns) / SHEAF_NS_PER_MS;
    return 0;
}

/* Without a Slurm job there is no limit. */
static int find_slurm_end(uint64_t *end_unix_ms, struct sheaf_error *error)
{
    const char *job = getenv("SLURM_JOB_ID");
    const char *end = getenv("SLURM_JOB_END_TIME"); /* newer versions say it by themselves */
    uint64_t end_unix_s;
    *end_unix_ms = WALLTIME_NEVER;
    if (job == NULL)
        return 0;
    if (end != NULL && read_number(&end, &end_unix_s) && *end == '\0' && end_unix_s > 0) {
        *end_unix_ms = end_unix_s * 1000;
        return 0;
    }
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
