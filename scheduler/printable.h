/* printable.h - what others wrote, made harmless to a terminal and still readable. */
#ifndef SHEAF_PRINTABLE_H
#define SHEAF_PRINTABLE_H

#include <stddef.h>

enum {
    PRINTABLE_GROWTH = 4, /* so many times its size a text can grow */
    PRINTABLE_BYTES = 5,  /* of one character, with NUL */
};

/* Writes `bytes` into `text`, with NUL. Characters of UTF-8 stay; a tab becomes a blank; control
 * characters, of one byte or two, and bytes that are no UTF-8 become \xNN. Cut, between characters,
 * where there is no room. Returns the length. */
size_t printable(const char *bytes, size_t size, char *text, size_t text_size);
/* The same for the character that `bytes` begins with, without NUL; size > 0. *taken: how many of
 * the bytes it stands for. */
size_t printable_character(const char *bytes, size_t size, char text[PRINTABLE_BYTES],
                           size_t *taken);

#endif
