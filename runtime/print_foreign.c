/* print_foreign.c - prints what others wrote so that it does a terminal no harm. */
#include "print_foreign.h"

#include "../scheduler/printable.h"

void print_foreign(FILE *out, const char *bytes, size_t size)
{
    char character[PRINTABLE_BYTES];
    for (size_t at = 0, taken; at < size; at += taken)
        fwrite(character, 1, printable_character(bytes + at, size - at, character, &taken), out);
}
