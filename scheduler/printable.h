/* printable.h - what others wrote, made harmless to a terminal and still readable. */
#ifndef SHEAF_PRINTABLE_H
#define SHEAF_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

enum { PRINTABLE_GROWTH = 4 }; /* so many times its size a text can grow */

/* Writes `bytes` into `text`, with NUL. Characters of UTF-8 stay; a tab becomes a blank; control
 * characters, of one byte or two, and bytes that are no UTF-8 become \xNN. Cut, between characters,
 * where there is no room. Returns the length. */
size_t printable(const char *bytes, size_t size, char *text, size_t text_size);
/* The same, all of it, to a file. */
void printable_print(FILE *out, const char *bytes, size_t size);

#endif
