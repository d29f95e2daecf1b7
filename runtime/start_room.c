/* start_room.c - whether a host has room for what Open MPI puts there when ranks start. */
#include "start_room.h"

#include "unnamed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *start_room_temporary(void)
{
    const char *path = getenv("TMPDIR");
    return path != NULL && path[0] != '\0' ? path : "/tmp";
}

/* Where space cannot be set aside. */
static int write_all(int descriptor, uint64_t bytes)
{
    static const char block[64 << 10];
    while (bytes > 0) {
        ssize_t written =
            write(descriptor, block, bytes < sizeof block ? (size_t)bytes : sizeof block);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : ENOSPC;
        bytes -= (uint64_t)written;
    }
    return 0;
}

int start_room_try(const char *dir, uint64_t bytes)
{
    int descriptor = unnamed_file_open(dir);
    if (descriptor < 0)
        return errno;
    int result = fallocate(descriptor, 0, 0, (off_t)bytes) == 0 ? 0 : errno;
    if (result != 0 && result != ENOSPC && result != EDQUOT)
        result = write_all(descriptor, bytes);
    if (close(descriptor) != 0 && result == 0)
        result = errno;
    return result;
}

static bool check(const char *dir, uint64_t bytes, char *reason, size_t reason_bytes)
{
    int problem = start_room_try(dir, bytes);
    if (problem == ENOSPC || problem == EDQUOT)
        snprintf(reason, reason_bytes, "%s has no room for %u MiB (%s)", dir,
                 (unsigned)(bytes >> 20), strerror(problem));
    else if (problem != 0)
        snprintf(reason, reason_bytes, "%s cannot be written (%s)", dir, strerror(problem));
    return problem == 0;
}

bool start_room_check_temporary(char *reason, size_t reason_bytes)
{
    return check(start_room_temporary(), START_ROOM_TEMPORARY_BYTES, reason, reason_bytes);
}

bool start_room_check_shared(char *reason, size_t reason_bytes)
{
    return check("/dev/shm", START_ROOM_SHARED_BYTES, reason, reason_bytes);
}

bool start_room_check(char *reason, size_t reason_bytes)
{
    return start_room_check_temporary(reason, reason_bytes) &&
           start_room_check_shared(reason, reason_bytes);
}
