/* progress.c - puts the standing of a run into words. */
#include "progress.h"

#include "../scheduler/printable.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIELD_BYTES = 144, JOB_BYTES_SHOWN = 50 };

/* In the order in which they appear. */
enum field {
    FIELD_STATE,
    FIELD_PERCENT,
    FIELD_COUNT,
    FIELD_RATE,
    FIELD_REMAINING,
    FIELD_WORKERS,
    FIELD_ELAPSED,
    FIELD_FAILED,
    FIELD_NOT_RUN,
    FIELDS,
};

/* What a narrow terminal does without, first to last. The rest always stays. */
static const enum field dispensable_fields[] = {
    FIELD_ELAPSED, FIELD_WORKERS, FIELD_NOT_RUN, FIELD_RATE, FIELD_COUNT, FIELD_REMAINING,
};

void progress_format_number(uint64_t number, char text[PROGRESS_NUMBER_BYTES])
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t size = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[size++] = ',';
        text[size++] = digits[i];
    }
    text[size] = '\0';
}

void progress_format_duration(uint64_t duration_ms, char text[PROGRESS_DURATION_BYTES])
{
    uint64_t seconds = (duration_ms + 500) / 1000;
    uint64_t minutes = seconds / 60;
    uint64_t hours = minutes / 60;
    if (seconds < 60)
        snprintf(text, PROGRESS_DURATION_BYTES, "%" PRIu64 " s", seconds);
    else if (minutes < 60)
        snprintf(text, PROGRESS_DURATION_BYTES, "%" PRIu64 " min %02" PRIu64 " s", minutes,
                 seconds % 60);
    else if (hours < 24)
        snprintf(text, PROGRESS_DURATION_BYTES, "%" PRIu64 " h %02" PRIu64 " min", hours,
                 minutes % 60);
    else
        snprintf(text, PROGRESS_DURATION_BYTES, "%" PRIu64 " d %" PRIu64 " h", hours / 24,
                 hours % 24);
}

/* 100.0 only when nothing is missing. */
static uint64_t permille_of(uint64_t done, uint64_t total)
{
    if (done >= total)
        return 1000;
    /* Without overflow: the counts are below 2^62, so a thousandth of the total is exact enough
     * where done * 1000 would not fit. */
    uint64_t permille = total < (UINT64_C(1) << 53) ? done * 1000 / total : done / (total / 1000);
    return permille < 1000 ? permille : 999;
}

void progress_format_tasks(uint64_t count, char text[PROGRESS_TASKS_BYTES])
{
    char number[PROGRESS_NUMBER_BYTES];
    progress_format_number(count, number);
    snprintf(text, PROGRESS_TASKS_BYTES, "%s task%s", number, count == 1 ? "" : "s");
}

void progress_format_others(const struct task_counts *tasks, char text[PROGRESS_OTHERS_BYTES])
{
    char failed[PROGRESS_NUMBER_BYTES];
    char not_run[PROGRESS_NUMBER_BYTES];
    progress_format_number(tasks->failed, failed);
    progress_format_number(tasks->not_run, not_run);
    snprintf(text, PROGRESS_OTHERS_BYTES, "%s%s%s%s%s%s", tasks->failed > 0 ? ", " : "",
             tasks->failed > 0 ? failed : "", tasks->failed > 0 ? " failed" : "",
             tasks->not_run > 0 ? ", " : "", tasks->not_run > 0 ? not_run : "",
             tasks->not_run > 0 ? " not run" : "");
}

void progress_format_rate(uint64_t per_ks, const char *what, char text[PROGRESS_RATE_BYTES])
{
    char number[PROGRESS_NUMBER_BYTES];
    if (per_ks >= 10000) {
        progress_format_number(per_ks / 1000, number);
        snprintf(text, PROGRESS_RATE_BYTES, "%s%s/s", number, what);
    } else if (per_ks >= 100) {
        snprintf(text, PROGRESS_RATE_BYTES, "%" PRIu64 ".%" PRIu64 "%s/s", per_ks / 1000,
                 per_ks % 1000 / 100, what);
    } else if (per_ks * 60 >= 1000) {
        snprintf(text, PROGRESS_RATE_BYTES, "%" PRIu64 "%s/min", per_ks * 60 / 1000, what);
    } else {
        snprintf(text, PROGRESS_RATE_BYTES, "%" PRIu64 "%s/h", per_ks * 3600 / 1000, what);
    }
}

static void format_count(const struct task_counts *tasks, char text[FIELD_BYTES])
{
    char done[PROGRESS_NUMBER_BYTES];
    char total[PROGRESS_TASKS_BYTES];
    progress_format_number(tasks->done, done);
    progress_format_tasks(tasks->total, total);
    snprintf(text, FIELD_BYTES, "%s of %s", done, total);
}

/* The percentage is of what has ended, well or badly: at the end of a job that failed it would say
 * 100 % of what is not all there. */
static void format_tasks(const struct task_counts *tasks, bool is_end,
                         char fields[FIELDS][FIELD_BYTES])
{
    char number[PROGRESS_NUMBER_BYTES];
    uint64_t permille = permille_of(task_counts_ended(tasks), tasks->total);
    if (tasks->total > 0 && (!is_end || tasks->done == tasks->total))
        snprintf(fields[FIELD_PERCENT], FIELD_BYTES, "%" PRIu64 ".%" PRIu64 " %%", permille / 10,
                 permille % 10);
    if (tasks->total > 0)
        format_count(tasks, fields[FIELD_COUNT]);
    if (tasks->failed > 0) {
        progress_format_number(tasks->failed, number);
        snprintf(fields[FIELD_FAILED], FIELD_BYTES, "%s failed", number);
    }
    if (tasks->not_run > 0) {
        progress_format_number(tasks->not_run, number);
        snprintf(fields[FIELD_NOT_RUN], FIELD_BYTES, "%s not run", number);
    }
}

static void format_fields(const struct status *status, char fields[FIELDS][FIELD_BYTES])
{
    char number[PROGRESS_NUMBER_BYTES];
    char stage[72] = "";
    if (status->stage_count > 0 && !status->has_ended)
        snprintf(stage, sizeof stage, "%.24s (%" PRIu64 " of %" PRIu64 ") ", status->stage,
                 status->stage_number, status->stage_count);
    char job[JOB_BYTES_SHOWN];
    printable(status->job, strlen(status->job), job,
              stage[0] != '\0' ? sizeof job / 2 : sizeof job);
    snprintf(fields[FIELD_STATE], FIELD_BYTES, "%s%s%s%s", job, job[0] != '\0' ? ": " : "", stage,
             status_state_word(status->state));
    format_tasks(&status->tasks, status_state_is_end(status->state), fields);
    if (status->tasks_per_ks > 0 && !status->has_ended)
        progress_format_rate(status->tasks_per_ks, "", fields[FIELD_RATE]);
    if (status->remaining_ms > 0 && !status->has_ended) {
        progress_format_duration(status->remaining_ms, number);
        snprintf(fields[FIELD_REMAINING], FIELD_BYTES, "%s left", number);
    }
    if (!status->has_ended && status->workers > 0)
        snprintf(fields[FIELD_WORKERS], FIELD_BYTES, "%" PRIu32 " worker%s", status->workers,
                 status->workers == 1 ? "" : "s");
    if (status->elapsed_ms > 0) {
        progress_format_duration(status->elapsed_ms, number);
        snprintf(fields[FIELD_ELAPSED], FIELD_BYTES, "after %s", number);
    }
}

static size_t width_of(char fields[FIELDS][FIELD_BYTES])
{
    size_t width = 0;
    for (int i = 0; i < FIELDS; i++)
        if (fields[i][0] != '\0')
            width += strlen(fields[i]) + (width > 0 ? 2 : 0);
    return width;
}

void progress_format(const struct status *status, size_t width, char line[PROGRESS_LINE_BYTES])
{
    char fields[FIELDS][FIELD_BYTES] = {{'\0'}};
    format_fields(status, fields);
    for (size_t i = 0; i < sizeof dispensable_fields / sizeof *dispensable_fields; i++)
        if (width_of(fields) > width)
            fields[dispensable_fields[i]][0] = '\0';
    size_t size = 0;
    line[0] = '\0';
    for (int i = 0; i < FIELDS; i++)
        if (fields[i][0] != '\0')
            size += (size_t)snprintf(line + size, PROGRESS_LINE_BYTES - size, "%s%s",
                                     size > 0 ? "  " : "", fields[i]);
    if (size > width)
        line[width] = '\0';
}
