/* last_lines.h - of what a program wrote, the last lines with words: mostly why it failed. */
#ifndef SHEAF_LAST_LINES_H
#define SHEAF_LAST_LINES_H

#include <stddef.h>

enum { LAST_LINES_MAX = 3 };

/* Writes the last lines that have a letter in them, in their order with " | " between them: the
 * last one, cut at its end where it is too long, and those before it for which there is room. Where
 * no line has a letter, the last that is not blank. Escape sequences for terminals are left out.
 * The text ends with NUL; returns its length, 0 when there is nothing. */
size_t last_lines(const void *bytes, size_t size, char *text, size_t text_size);

#endif
