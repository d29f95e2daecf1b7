/* unnamed_file.c - opens files that have no name, or lose it at once. */
#include "unnamed_file.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int unnamed_file_open(const char *dir)
{
    int descriptor = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return descriptor;
    size_t size = strlen(dir) + sizeof "/.sheaf-XXXXXX";
    char *path = memory_allocate(size);
    snprintf(path, size, "%s/.sheaf-XXXXXX", dir);
    descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0)
        unlink(path);
    free(path);
    return descriptor;
}
