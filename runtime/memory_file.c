/* memory_file.c - bytes in anonymous memory that has a descriptor. */
#include "memory_file.h"

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INHERITED_MIN = 62 }; /* shells open /dev/fd/63 and below for their own <( ) */

int memory_file_create(const void *data, size_t size)
{
    int descriptor = memfd_create("sheaf-bytes", MFD_CLOEXEC);
    if (descriptor < 0)
        return -1;
    if (disk_write_all(disk_system(), descriptor, data, size) == 0 &&
        lseek(descriptor, 0, SEEK_SET) == 0)
        return descriptor;
    int saved = errno;
    close(descriptor);
    errno = saved;
    return -1;
}

int memory_file_create_inherited(const void *data, size_t size)
{
    int descriptor = memory_file_create(data, size);
    if (descriptor < 0)
        return -1;
    int inherited = fcntl(descriptor, F_DUPFD, INHERITED_MIN);
    int saved = errno;
    close(descriptor);
    errno = saved;
    return inherited;
}
