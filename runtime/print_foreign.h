/* print_foreign.h - prints what others wrote so that it does a terminal no harm. */
#ifndef SHEAF_PRINT_FOREIGN_H
#define SHEAF_PRINT_FOREIGN_H

#include <stddef.h>
#include <stdio.h>

/* As printable() shows it. */
void print_foreign(FILE *out, const char *bytes, size_t size);

#endif
