/* host_name.c - which words may be the name of a host. */
#include "host_name.h"

#include "../scheduler/printable.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Not <ctype.h>: the user's locale has no say in it. */
static bool are_of(const char *bytes, size_t size, const char *marks)
{
    for (size_t i = 0; i < size; i++) {
        char byte = bytes[i];
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= '0' && byte <= '9');
        if (!is_plain && (byte == '\0' || strchr(marks, byte) == NULL))
            return false;
    }
    return true;
}

static bool is_word(const char *bytes, size_t size)
{
    return size > 0 && bytes[0] != '-' && are_of(bytes, size, "._:%[]-");
}

static int refuse(const char *what, const char *bytes, size_t size, const struct host_place *place,
                  struct sheaf_error *error)
{
    enum { SHOWN_BYTES = 60 };
    char shown[SHOWN_BYTES * 4 + 1];
    char line[32] = "";
    if (place->line > 0)
        snprintf(line, sizeof line, ":%zu", place->line);
    printable(bytes, size < SHOWN_BYTES ? size : SHOWN_BYTES, shown, sizeof shown);
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "%.400s%s: \"%s\" %s: correct it there; a name has letters, digits and "
                           "._:%%[]- and does not begin with -",
                           place->source, line, shown, what);
}

int host_name_check(const char *name, size_t size, const struct host_place *place,
                    struct sheaf_error *error)
{
    size_t sign = size > 0 && (name[0] == '+' || name[0] == '^') ? 1 : 0;
    const char *host = name + sign;
    size_t host_size = size - sign;
    const char *at = memchr(host, '@', host_size);
    bool is_good = at == NULL || is_word(host, (size_t)(at - host));
    if (at != NULL) {
        host_size -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    if (is_good && is_word(host, host_size))
        return 0;
    return refuse("is not the name of a host", name, size, place, error);
}

int host_name_check_rest(const char *text, size_t size, const struct host_place *place,
                         struct sheaf_error *error)
{
    return are_of(text, size, " \t._:%[]-=,+@*")
               ? 0
               : refuse("after the name of a host is not understood", text, size, place, error);
}
