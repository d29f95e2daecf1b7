/* check.c - reports a failed CHECK and aborts. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(
        stderr,
        "sheaf: internal error: %s is not true in %s (%s:%d)\n"
        "sheaf: the run stops here; nothing journalled is lost. Repeat the command to continue, "
        "and please report this line.\n",
        condition, function, file, line);
    abort();
}
