/* process_files.c - reads what /proc says of a process. */
#include "process_files.h"

#include "../scheduler/bytes.h"
#include "../scheduler/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
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

/* "PID (name) state PPID PGRP SESSION ...", the time of the start is number 22, that
 * of its threads number 20. */
bool process_stat_read(pid_t process, struct process_stat *stat)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t size = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name may hold anything */
    struct process_stat found;
    int parent;
    int session;
    if (name_end == NULL ||
        sscanf(name_end + 1,
               " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %" SCNd32
               " %*d %" SCNu64,
               &found.state, &parent, &session, &found.thread_count, &found.start_ticks) != 5)
        return false;
    found.parent = parent;
    found.session = session;
    *stat = found;
    return true;
}

bool process_is_alive(pid_t process, uint64_t start_ticks)
{
    struct process_stat stat;
    return process_stat_read(process, &stat) && stat.start_ticks == start_ticks &&
           ((stat.state != 'Z' && stat.state != 'X') || stat.thread_count > 1);
}
