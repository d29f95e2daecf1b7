/* disk_unsynced.h - the operating system's files, never synced: as good while nothing crashes, and
 * faster. */
#ifndef SHEAF_TEST_DISK_UNSYNCED_H
#define SHEAF_TEST_DISK_UNSYNCED_H

#include "../../runtime/disk.h"

static inline int unsynced_datasync(void *context, int descriptor)
{
    (void)context;
    (void)descriptor;
    return 0;
}

static inline int unsynced_sync_directory(void *context, const char *path)
{
    (void)context;
    (void)path;
    return 0;
}

/* Borrows a static. */
static inline const struct disk *disk_unsynced(void)
{
    static struct disk disk;
    disk = *disk_system();
    disk.datasync = unsynced_datasync;
    disk.sync_directory = unsynced_sync_directory;
    return &disk;
}

#endif
