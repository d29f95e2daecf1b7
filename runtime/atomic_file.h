/* atomic_file.h - replaces a small file as a whole: readers see the old bytes or the new ones. */
#ifndef SHEAF_ATOMIC_FILE_H
#define SHEAF_ATOMIC_FILE_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct atomic_file {
    const char *path;
    const void *data;
    size_t size;
    mode_t mode;    /* of the new file; the umask applies */
    bool is_synced; /* on disk, name and all, when the call returns; else only atomic */
};

/* Writes a file beside (file_beside.h) and renames it. Borrows everything. On failure the old file
 * is untouched.
 */
int atomic_file_write(const struct atomic_file *file, struct sheaf_error *error);

#endif
