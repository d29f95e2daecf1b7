/* progress.h - puts the standing of a run into words: one line, as wide as there is room. */
#ifndef SHEAF_PROGRESS_H
#define SHEAF_PROGRESS_H

#include "status.h"

#include <stddef.h>

enum {
    PROGRESS_LINE_BYTES = 512,
    PROGRESS_NUMBER_BYTES = 32,
    PROGRESS_DURATION_BYTES = 32,
    PROGRESS_TASKS_BYTES = 40,
    PROGRESS_RATE_BYTES = 48,
    PROGRESS_OTHERS_BYTES = 96,
};

/* "primes: running  43.0 %  43,000 of 100,000 tasks  8,312/s  7 s left  2 workers". Leaves out
 * what is least needed until the line has at most `width` columns. */
void progress_format(const struct status *status, size_t width, char line[PROGRESS_LINE_BYTES]);

/* 1234567 as "1,234,567". */
void progress_format_number(uint64_t number, char text[PROGRESS_NUMBER_BYTES]);
/* "1 task", "1,234 tasks". */
void progress_format_tasks(uint64_t count, char text[PROGRESS_TASKS_BYTES]);
/* ", 3 failed, 17 not run", for behind those that are done; empty when there are none. */
void progress_format_others(const struct task_counts *tasks, char text[PROGRESS_OTHERS_BYTES]);
/* "8,312/s", "0.3/s", "20/min", "5/h": never 0 unless it is. `what` comes before the slash. */
void progress_format_rate(uint64_t per_ks, const char *what, char text[PROGRESS_RATE_BYTES]);
/* "7 s", "3 min 20 s", "2 h 05 min", "3 d 4 h". */
void progress_format_duration(uint64_t duration_ms, char text[PROGRESS_DURATION_BYTES]);

#endif
