/* memory_file.h - bytes that a command reads as if they were in a file.
 *
 * A file and not a pipe: nobody has to feed it while the command runs, so neither can wait for the
 * other, and a command that does not read to the end breaks nothing. */
#ifndef SHEAF_MEMORY_FILE_H
#define SHEAF_MEMORY_FILE_H

#include <stddef.h>

/* A descriptor at the start of these bytes, closed on exec and owned by the caller; -1 with errno
 * set when there is no memory for them. */
int memory_file_create(const void *data, size_t size);
/* The same, for a command that finds it under /dev/fd/: not closed on exec, and above the numbers
 * that scripts choose for themselves. */
int memory_file_create_inherited(const void *data, size_t size);

#endif
