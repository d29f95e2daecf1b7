/* process_files.c - reads what /proc says of a process. */
#include "process_files.h"

#include "../scheduler/bytes.h"
#include "../scheduler/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 << 20 };

/* Such a file does not tell its size before. */
char *process_file_read(pid_t process, const char *name, size_t *size)
{
    char path[64];
    char buffer[4096];
    struct byte_writer writer = {0};
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)process, name);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    ssize_t got;
    while (writer.size < FILE_BYTES_MAX && (got = read(descriptor, buffer, sizeof buffer)) > 0)
        byte_writer_put(&writer, buffer, (size_t)got);
    close(descriptor);
    *size = writer.size;
    byte_writer_put_u8(&writer, '\0');
    char *text = memory_copy(writer.data, writer.size);
    byte_writer_close(&writer);
    return text;
}
