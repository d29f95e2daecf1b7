/* executor_log.c - log files of executors, in the run directory. */
#include "executor_log.h"

#include "../scheduler/memory.h"
#include "both_ends.h"
#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HOST_BYTES = 256, LOG_MODE = 0600 };

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

/* -1 with the error. */
static int open_log(const char *run_dir, long spawner, int64_t slot, struct sheaf_error *error)
{
    char path[PATH_BYTES];
    errno = ENAMETOOLONG;
    if (run_place_open(run_dir, error) != 0)
        return -1;
    if (!name_log(path, run_dir, spawner, slot))
        goto fail;
    char *name = strrchr(path, '/');
    *name = '\0';
    if (run_place_make_folder(path) != 0 && errno != EEXIST)
        goto fail;
    *name = '/';
    int log = run_place_open_file(path, O_WRONLY | O_CREAT | O_APPEND, LOG_MODE);
    if (log >= 0)
        return log;
fail:
    sheaf_error_set_errno(error, errno, "cannot write in %s/logs", run_dir);
    return -1;
}

/* What user code writes must not reach the launcher, which would take it for a rank's words. */
static void show_nothing(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0) {
        close(STDERR_FILENO);
        return;
    }
    dup2(null, STDERR_FILENO);
    close(null);
}

void executor_log_open(const char *run_dir, long spawner, int64_t slot)
{
    struct sheaf_error error;
    int log = run_dir != NULL ? open_log(run_dir, spawner, slot, &error) : -1;
    if (log >= 0) {
        dup2(log, STDERR_FILENO);
        close(log);
    } else if (run_dir != NULL) {
        fprintf(stderr, "sheaf: there is no task log, and what tasks write is lost: %s\n",
                error.text);
        show_nothing();
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void free_older_part(const char *path, off_t size)
{
    off_t end = (size - KEPT_BYTES) / HOLE_UNIT_BYTES * HOLE_UNIT_BYTES;
    int log = run_place_open_file(path, O_WRONLY, 0);
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
    if (run_dir != NULL && name_log(path, run_dir, spawner, slot) &&
        run_place_stat(path, &status) == 0 && status.st_size > EXECUTOR_LOG_BYTES_MAX &&
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

/* A part of the log, at most `room` bytes of it; returns how many. */
static size_t read_part(int log, uint64_t first, uint64_t end, char *text, size_t room)
{
    size_t wanted = end > first ? (size_t)(end - first < room ? end - first : room) : 0;
    ssize_t got = wanted > 0 ? pread(log, text, wanted, (off_t)first) : 0;
    return got > 0 ? (size_t)got : 0;
}

/* The beginning has the cause of what a tool for finding errors, a language's runtime or a trace
 * tells, the end what came of it. */
static size_t read_both_ends(int log, struct executor_log_span span, char *text, size_t room)
{
    size_t half = (room - strlen(BOTH_ENDS_GAP)) / 2;
    size_t size = read_part(log, span.first_bytes, span.end_bytes, text, half);
    size = both_ends_trim(text, both_ends_first(text, size, BOTH_ENDS_LINES_MAX / 2));
    memcpy(text + size, BOTH_ENDS_GAP, strlen(BOTH_ENDS_GAP));
    size += strlen(BOTH_ENDS_GAP);
    uint64_t first = span.end_bytes - span.first_bytes > half ? span.end_bytes - half : 0;
    if (first < span.first_bytes + size - strlen(BOTH_ENDS_GAP))
        first = span.first_bytes + size - strlen(BOTH_ENDS_GAP);
    char *tail = text + size;
    size_t tail_size = both_ends_trim(tail, read_part(log, first, span.end_bytes, tail, half));
    size_t start = both_ends_last(tail, tail_size, BOTH_ENDS_LINES_MAX / 2);
    const char *cut = start == 0 ? memchr(tail, '\n', tail_size) : NULL;
    if (cut != NULL) /* the first of them is not whole */
        start = (size_t)(cut - tail) + 1;
    memmove(tail, tail + start, tail_size - start);
    return size + tail_size - start;
}

static size_t read_span(int log, struct executor_log_span span, char *text, size_t room)
{
    size_t size = read_part(log, span.first_bytes, span.end_bytes, text, room);
    bool is_all = span.end_bytes - span.first_bytes <= room;
    size = both_ends_trim(text, size);
    if (is_all && both_ends_first(text, size, BOTH_ENDS_LINES_MAX) == size)
        return size;
    return read_both_ends(log, span, text, room);
}

size_t executor_log_read(const char *path, struct executor_log_span span, char *text,
                         size_t text_size)
{
    int log = run_place_open_file(path, O_RDONLY, 0);
    struct stat status;
    const char *name = strrchr(path, '/');
    size_t size = 0;
    int length = snprintf(text, text_size, "logs/%s, from byte %llu:\n",
                          name != NULL ? name + 1 : path, (unsigned long long)span.first_bytes);
    bool has_room = length > 0 && (size_t)length < text_size / 2;
    if (log >= 0 && has_room && fstat(log, &status) == 0 && S_ISREG(status.st_mode)) {
        if (span.end_bytes > (uint64_t)status.st_size)
            span.end_bytes = (uint64_t)status.st_size;
        if (span.first_bytes < span.end_bytes)
            size = read_span(log, span, text + length, text_size - (size_t)length);
    }
    if (log >= 0)
        close(log);
    return size > 0 ? (size_t)length + size : 0;
}

void executor_log_drop_empty(const char *run_dir, long spawner, int64_t slot)
{
    char path[PATH_BYTES];
    struct stat status;
    if (run_dir != NULL && name_log(path, run_dir, spawner, slot) &&
        run_place_stat(path, &status) == 0 && status.st_size == 0)
        run_place_unlink(path);
}
