/* atomic_file.c - replaces a file as a whole. */
#include "atomic_file.h"

#include "../scheduler/memory.h"
#include "file_beside.h"
#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int write_all(int descriptor, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(descriptor, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        data += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Writes, syncs if asked to, and closes; errno tells what failed. */
static int fill(int descriptor, const struct atomic_file *file)
{
    int result = write_all(descriptor, file->data, file->size);
    if (result == 0 && file->is_synced)
        result = fsync(descriptor);
    int saved_errno = errno;
    /* A network file system reports at close what it could not write. */
    if (close(descriptor) != 0 && result == 0)
        return -1;
    errno = saved_errno;
    return result;
}

static int sync_directory_of(const char *path)
{
    char *directory = memory_copy_string(path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        strcpy(directory, ".");
    else
        slash[slash == directory ? 1 : 0] = '\0';
    int descriptor = run_place_open_folder(directory);
    free(directory);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    if (result != 0 && errno == EINVAL)
        result = 0; /* this file system syncs names by itself */
    int saved_errno = errno;
    close(descriptor);
    errno = saved_errno;
    return result;
}

int atomic_file_write(const struct atomic_file *file, struct sheaf_error *error)
{
    char *beside = NULL;
    int code = 0;
    int descriptor = file_beside_make(file->path, file->mode, &beside);
    if (descriptor < 0)
        return sheaf_error_set_errno(error, errno, "cannot make a file beside %s", file->path);
    if (fill(descriptor, file) != 0 || run_place_rename(beside, file->path) != 0) {
        code = sheaf_error_set_errno(error, errno, "cannot write %s", file->path);
        run_place_unlink(beside);
        goto out;
    }
    if (file->is_synced && sync_directory_of(file->path) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot sync the directory of %s", file->path);
out:
    free(beside);
    return code;
}
