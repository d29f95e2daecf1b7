/* run_summary.c - what a run that went well has done, in one line. */
#include "run_summary.h"

#include "progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

void run_summary_add(struct run_summary *sum, const struct run_summary *part)
{
    sum->tasks += part->tasks;
    sum->tasks_before += part->tasks_before;
    sum->retries += part->retries;
    sum->busy_ns += part->busy_ns;
    sum->slot_ns += part->slot_ns;
}

/* A slot may have ended an order between two looks at how many there are. */
static uint64_t busy_percent(const struct run_summary *summary)
{
    __extension__ typedef unsigned __int128 wide;
    if (summary->busy_ns >= summary->slot_ns)
        return 100;
    return (uint64_t)((wide)summary->busy_ns * 100 / summary->slot_ns);
}

void run_summary_describe(const struct run_summary *summary, char text[RUN_SUMMARY_TEXT_BYTES])
{
    char tasks[PROGRESS_TASKS_BYTES];
    char before[PROGRESS_NUMBER_BYTES];
    char retries[PROGRESS_NUMBER_BYTES];
    char duration[PROGRESS_DURATION_BYTES];
    progress_format_tasks(summary->tasks, tasks);
    progress_format_number(summary->tasks_before, before);
    progress_format_number(summary->retries, retries);
    progress_format_duration(summary->elapsed_ns / NS_PER_MS, duration);
    size_t length = (size_t)snprintf(text, RUN_SUMMARY_TEXT_BYTES, "%s", tasks);
    bool is_all_before = summary->tasks_before > 0 && summary->tasks_before >= summary->tasks;
    if (is_all_before)
        length += (size_t)snprintf(text + length, RUN_SUMMARY_TEXT_BYTES - length,
                                   ", all of them done before");
    else if (summary->tasks_before > 0)
        length += (size_t)snprintf(text + length, RUN_SUMMARY_TEXT_BYTES - length,
                                   " (%s of them before)", before);
    length += (size_t)snprintf(
        text + length, RUN_SUMMARY_TEXT_BYTES - length, "%s in %s; %s attempt%s %s",
        is_all_before ? "," : "", duration, summary->retries == 0 ? "no" : retries,
        summary->retries == 1 ? "" : "s", summary->retries == 1 ? "was repeated" : "were repeated");
    if (summary->busy_ns > 0)
        snprintf(text + length, RUN_SUMMARY_TEXT_BYTES - length,
                 "; slots were busy %" PRIu64 " %% of the time", busy_percent(summary));
}
