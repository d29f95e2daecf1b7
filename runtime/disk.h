/* disk.h - the file operations that the journal and the stores use, replaceable in tests.
 *
 * Production uses disk_system(). Tests pass one that fails the Nth call, tears or loses unsynced
 * writes at a simulated crash, or flips bits. */
#ifndef SHEAF_DISK_H
#define SHEAF_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Every function returns what its system call returns, with errno set on -1. */
struct disk {
    void *context;
    int (*open)(void *context, const char *path, int flags, mode_t mode);
    int (*close)(void *context, int descriptor);
    ssize_t (*write)(void *context, int descriptor, const void *data, size_t size);
    ssize_t (*pread)(void *context, int descriptor, void *data, size_t size, off_t offset);
    int (*datasync)(void *context, int descriptor);
    int (*truncate)(void *context, int descriptor, off_t size);
    int (*rename)(void *context, const char *from, const char *to);
    int (*unlink)(void *context, const char *path);
    int (*sync_directory)(void *context, const char *path);
    int (*make_directory)(void *context, const char *path, mode_t mode);
    off_t (*size)(void *context, int descriptor); /* of an open file */
};

/* The operating system's files. Borrows a static. */
const struct disk *disk_system(void);

/* All of `data`, continuing after short writes and EINTR. 0 or -1 with errno. */
int disk_write_all(const struct disk *disk, int descriptor, const void *data, size_t size);
/* Bytes read: `size` unless the file ends before; -1 with errno. */
ssize_t disk_read_all(const struct disk *disk, int descriptor, void *data, size_t size,
                      off_t offset);

#endif
