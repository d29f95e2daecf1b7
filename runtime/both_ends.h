/* both_ends.h - the first and the last lines of what a program wrote: the cause, and what came of
 * it. */
#ifndef SHEAF_BOTH_ENDS_H
#define SHEAF_BOTH_ENDS_H

#include <stddef.h>

#define BOTH_ENDS_GAP "\n[...]\n"

enum { BOTH_ENDS_LINES_MAX = 10 };

/* Copies all lines, or, where they are more than BOTH_ENDS_LINES_MAX or do not fit, the first and
 * the last ones with "[...]" between them. Returns the size: the text is not NUL-terminated and
 * ends without a newline. */
size_t both_ends(const char *bytes, size_t size, char *text, size_t text_size);

/* ---- its parts, for what is read piece by piece ---- */

/* The size without newlines and NULs at the end. */
size_t both_ends_trim(const char *text, size_t size);
/* How many bytes at the front hold the first `lines` lines. */
size_t both_ends_first(const char *text, size_t size, int lines);
/* Where the last `lines` lines begin. */
size_t both_ends_last(const char *text, size_t size, int lines);

#endif
