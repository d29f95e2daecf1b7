/* progress.h - puts the standing of a run into words: one line, as wide as there is room. */
#ifndef SHEAF_PROGRESS_H
#define SHEAF_PROGRESS_H

#include "status.h"

#include <stddef.h>

enum {
    PROGRESS_LINE_BYTES = 512,
    PROGRESS_NUMBER_BYTES = 32,
    PROGRESS_DURATION_BYTES = 32,
};

/* "primes: running  43.0 %  43,000 of 100,000 tasks  8,312/s  7 s left  2 workers". Leaves out
 * what is least needed until the line has at most `width` columns. */
void progress_format(const struct status *status, size_t width, char line[PROGRESS_LINE_BYTES]);

/* 1234567 as "1,234,567". */
void progress_format_number(uint64_t number, char text[PROGRESS_NUMBER_BYTES]);
/* "7 s", "3 min 20 s", "2 h 05 min", "3 d 4 h". */
void progress_format_duration(uint64_t duration_ms, char text[PROGRESS_DURATION_BYTES]);

#endif
