/* print_foreign.h - prints what others wrote so that it does a terminal no harm. */
#ifndef SHEAF_PRINT_FOREIGN_H
#define SHEAF_PRINT_FOREIGN_H

#include "../scheduler/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* `bytes` as printable.h writes them. */
void print_foreign(FILE *out, const char *bytes, size_t size);
/* printf for one line, or a part of one, with names, paths or words of others in it: all of it is
 * made harmless but a line break at the end of the format. In one write, where nothing is buffered.
 */
void __attribute__((format(printf, 2, 3))) print_harmless(FILE *out, const char *format, ...);
void __attribute__((format(printf, 2, 0)))
print_harmless_list(FILE *out, const char *format, va_list arguments);
/* What the user asked for byte for byte; to a terminal as printable.h writes its lines. */
void print_content(FILE *out, const void *bytes, size_t size);
/* The last words of a command, "sheaf: error: ...", on standard error. Returns its exit status. */
int print_failure(const struct sheaf_error *error);

#endif
