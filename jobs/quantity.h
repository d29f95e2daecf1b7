/* quantity.h - reads numbers that people write: integers, reals, counts, sizes, durations.
 *
 * Digits may be grouped by single underscores (1_000_000); there are no leading zeros, so that a
 * text such as "007" is not taken for a number by accident. */
#ifndef SHEAF_QUANTITY_H
#define SHEAF_QUANTITY_H

#include "../scheduler/error.h"

#include <stdint.h>

/* What a text looks like. */
enum number_form {
    NUMBER_FORM_NONE = 0,
    NUMBER_FORM_INTEGER, /* 42, -7, 1_000; 1e9, which has no point and is whole */
    NUMBER_FORM_REAL,    /* 0.5, .5, 5., 1.0e9, 1e-9; 1e30, which no integer holds */
};

enum number_form number_form_of(const char *text);

/* All of these return JOB with a text that says what was expected and what was found. */

/* -2^63 .. 2^63 - 1. A point or an exponent is fine when the value is whole (1e9, 2.5e3). */
int parse_integer(const char *text, int64_t *value, struct sheaf_error *error);
/* Any finite real; a value too small becomes 0. */
int parse_real(const char *text, double *value, struct sheaf_error *error);

/* A number of tasks, bytes ("64K", "2 MiB", "1G": powers of 1024) or a duration ("500ms", "10s",
 * "5min", "2h"; a bare number is seconds), with errors that say what was expected. */
int parse_count(const char *text, uint64_t *count, struct sheaf_error *error);
int parse_size(const char *text, uint64_t *size_bytes, struct sheaf_error *error);
int parse_duration(const char *text, uint64_t *duration_ns, struct sheaf_error *error);

enum { QUANTITY_TEXT_BYTES = 24 };

/* The other way, as it would be typed, in the largest unit that says it exactly: "64M", "90s". */
void format_size(uint64_t size_bytes, char text[QUANTITY_TEXT_BYTES]);
void format_duration(uint64_t duration_ns, char text[QUANTITY_TEXT_BYTES]);

#endif
