/* print_foreign.c - prints what others wrote so that it does a terminal no harm. */
#include "print_foreign.h"

#include "../scheduler/memory.h"
#include "../scheduler/printable.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void print_foreign(FILE *out, const char *bytes, size_t size)
{
    char character[PRINTABLE_BYTES];
    for (size_t at = 0, taken; at < size; at += taken)
        fwrite(character, 1, printable_character(bytes + at, size - at, character, &taken), out);
}

void print_harmless_list(FILE *out, const char *format, va_list arguments)
{
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    if (length < 0)
        return;
    size_t size = (size_t)length;
    size_t format_length = strlen(format);
    bool is_line = format_length > 0 && format[format_length - 1] == '\n' && size > 0;
    size -= is_line ? 1 : 0;
    size_t room = PRINTABLE_GROWTH * size + 2;
    char *shown = memory_allocate(room);
    size_t shown_size = printable(text, size, shown, room);
    if (is_line)
        shown[shown_size++] = '\n'; /* in the NUL's place */
    fwrite(shown, 1, shown_size, out);
    free(shown);
    free(text);
}

void print_harmless(FILE *out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_harmless_list(out, format, arguments);
    va_end(arguments);
}

void print_content(FILE *out, const void *bytes, size_t size)
{
    const char *at = bytes;
    if (size == 0)
        return;
    if (isatty(fileno(out)) == 0) {
        fwrite(bytes, 1, size, out);
        return;
    }
    for (size_t line; size > 0; at += line, size -= line) {
        const char *end = memchr(at, '\n', size);
        line = end != NULL ? (size_t)(end - at) + 1 : size;
        print_foreign(out, at, line - (end != NULL ? 1 : 0));
        if (end != NULL)
            putc('\n', out);
    }
}

int print_failure(const struct sheaf_error *error)
{
    print_harmless(stderr, "sheaf: error: %s\n", error->text);
    return sheaf_error_exit_status(error->code);
}
