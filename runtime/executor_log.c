/* executor_log.c - log files of executors, in the run directory. */
#include "executor_log.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HOST_BYTES = 256, LOG_MODE = 0600, DIRECTORY_MODE = 0700 };
enum { STAT_BLOCK_BYTES = 512, KEPT_BYTES = EXECUTOR_LOG_BYTES_MAX / 2, HOLE_UNIT_BYTES = 1 << 20 };

/* False when it does not fit. */
static bool name_log(char path[PATH_BYTES], const char *run_dir, long spawner, int64_t slot)
{
    char host[HOST_BYTES] = "";
    int length;
    if (gethostname(host, sizeof host - 1) != 0)
        strcpy(host, "unknown-host");
    if (slot == EXECUTOR_LOG_PREPARE)
        length = snprintf(path, PATH_BYTES, "%s/logs/spawner-%s-%ld.log", run_dir, host, spawner);
    else
        length = snprintf(path, PATH_BYTES, "%s/logs/executor-%s-%ld-%ld.log", run_dir, host,
                          spawner, (long)slot);
    return length > 0 && length < PATH_BYTES;
}

static int open_log(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    if (run_dir == NULL || !name_log(path, run_dir, spawner, slot))
        return -1;
    char *name = strrchr(path, '/');
    *name = '\0';
    if (mkdir(path, DIRECTORY_MODE) != 0 && errno != EEXIST)
        return -1;
    *name = '/';
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, LOG_MODE);
}

void executor_log_open(const char *run_dir, long spawner, int64_t slot)
{
    int log = open_log(run_dir, spawner, slot);
    if (log >= 0) {
        dup2(log, STDERR_FILENO);
        close(log);
    } else if (run_dir != NULL) {
        fprintf(stderr,
                "sheaf: cannot write a task log in %s/logs: %s; output of tasks is shown "
                "here\n",
                run_dir, strerror(errno));
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void free_older_part(const char *path, off_t size)
{
    off_t end = (size - KEPT_BYTES) / HOLE_UNIT_BYTES * HOLE_UNIT_BYTES;
    int log = open(path, O_WRONLY | O_CLOEXEC);
    if (log < 0)
        return;
    int failed = fallocate(log, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, end);
    /* Where a file cannot have holes all of it goes: a full disk would end the job. */
    if (failed != 0)
        failed = ftruncate(log, 0);
    if (failed != 0)
        perror("sheaf: a task log cannot be made smaller");
    close(log);
}

void executor_log_limit(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    struct stat status;
    if (run_dir != NULL && name_log(path, run_dir, spawner, slot) && stat(path, &status) == 0 &&
        status.st_size > EXECUTOR_LOG_BYTES_MAX &&
        (uint64_t)status.st_blocks * STAT_BLOCK_BYTES > EXECUTOR_LOG_BYTES_MAX)
        free_older_part(path, status.st_size);
}

uint64_t executor_log_size(void)
{
    struct stat status;
    if (fstat(STDERR_FILENO, &status) != 0 || !S_ISREG(status.st_mode))
        return 0;
    return (uint64_t)status.st_size;
}

char *executor_log_path(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    return name_log(path, run_dir, spawner, slot) ? memory_copy(path, strlen(path) + 1) : NULL;
}

/* Keeps the last lines. A line of which the start was cut off counts, unless others follow. */
static size_t keep_lines(char *text, size_t size, bool starts_within_line)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\0'))
        size--;
    size_t first = size;
    int lines = 0;
    while (first > 0) {
        if (text[first - 1] == '\n' && ++lines == EXECUTOR_LOG_LINES_MAX)
            break;
        first--;
    }
    const char *cut = first == 0 && starts_within_line ? memchr(text, '\n', size) : NULL;
    if (cut != NULL)
        first = (size_t)(cut - text) + 1;
    memmove(text, text + first, size - first);
    return size - first;
}

size_t executor_log_read_tail(const char *path, struct executor_log_span span, char *text,
                              size_t text_size)
{
    int log = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    ssize_t size = 0;
    uint64_t first = span.first_bytes;
    if (log >= 0 && fstat(log, &status) == 0 && S_ISREG(status.st_mode)) {
        uint64_t file_size = (uint64_t)status.st_size;
        uint64_t end = span.end_bytes < file_size ? span.end_bytes : file_size;
        if (first < end && end - first > text_size)
            first = end - text_size;
        if (first < end)
            size = pread(log, text, (size_t)(end - first), (off_t)first);
    }
    if (log >= 0)
        close(log);
    return size > 0 ? keep_lines(text, (size_t)size, first > span.first_bytes) : 0;
}

void executor_log_drop_empty(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    struct stat status;
    if (run_dir != NULL && name_log(path, run_dir, spawner, slot) && stat(path, &status) == 0 &&
        status.st_size == 0)
        unlink(path);
}
