/* disk.c - the operating system's file operations behind struct disk. */
#include "disk.h"

#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int system_open(void *context, const char *path, int flags, mode_t mode)
{
    (void)context;
    return run_place_open_file(path, flags, mode);
}

static int system_close(void *context, int descriptor)
{
    (void)context;
    return close(descriptor);
}

static ssize_t system_write(void *context, int descriptor, const void *data, size_t size)
{
    (void)context;
    return write(descriptor, data, size);
}

static ssize_t system_pread(void *context, int descriptor, void *data, size_t size, off_t offset)
{
    (void)context;
    return pread(descriptor, data, size, offset);
}

static int system_datasync(void *context, int descriptor)
{
    (void)context;
    return fdatasync(descriptor);
}

static int system_truncate(void *context, int descriptor, off_t size)
{
    (void)context;
    return ftruncate(descriptor, size);
}

static int system_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return run_place_rename(from, to);
}

static int system_unlink(void *context, const char *path)
{
    (void)context;
    return run_place_unlink(path);
}

static int system_sync_directory(void *context, const char *path)
{
    (void)context;
    int descriptor = run_place_open_folder(path);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    int sync_errno = errno;
    close(descriptor);
    errno = sync_errno;
    return result;
}

static int system_make_directory(void *context, const char *path, mode_t mode)
{
    (void)context;
    (void)mode;
    return run_place_make_folder(path);
}

static off_t system_size(void *context, int descriptor)
{
    (void)context;
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_size : -1;
}

const struct disk *disk_system(void)
{
    static const struct disk disk = {
        .open = system_open,
        .close = system_close,
        .write = system_write,
        .pread = system_pread,
        .datasync = system_datasync,
        .truncate = system_truncate,
        .rename = system_rename,
        .unlink = system_unlink,
        .sync_directory = system_sync_directory,
        .make_directory = system_make_directory,
        .size = system_size,
    };
    return &disk;
}

int disk_write_all(const struct disk *disk, int descriptor, const void *data, size_t size)
{
    const unsigned char *next = data;
    while (size > 0) {
        ssize_t written = disk->write(disk->context, descriptor, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = ENOSPC; /* what a file system that takes nothing means */
        if (written <= 0)
            return -1;
        next += written;
        size -= (size_t)written;
    }
    return 0;
}

ssize_t disk_read_all(const struct disk *disk, int descriptor, void *data, size_t size,
                      off_t offset)
{
    unsigned char *next = data;
    size_t left = size;
    while (left > 0) {
        ssize_t got = disk->pread(disk->context, descriptor, next, left, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        next += got;
        left -= (size_t)got;
        offset += got;
    }
    return (ssize_t)(size - left);
}
