/* executor_log.h - where the plug-in's own standard output and error go. */
#ifndef SHEAF_EXECUTOR_LOG_H
#define SHEAF_EXECUTOR_LOG_H

#include <stddef.h>
#include <stdint.h>

enum { EXECUTOR_LOG_PREPARE = -1 }; /* as `slot`: the spawner itself */
enum { EXECUTOR_LOG_BYTES_MAX = 16 << 20 };

/* Directs descriptors 1 and 2 to RUN_DIR/logs/executor-HOST-SPAWNER-SLOT.log (spawner-HOST-SPAWNER
 * for prepare), appending. Without a run directory, or when that fails, output goes to standard
 * error: standard output belongs to the job. */
void executor_log_open(const char *run_dir, long spawner, int64_t slot);
/* Of a log that takes more than EXECUTOR_LOG_BYTES_MAX of the disk the older part is freed, in
 * place: offsets in it stay as they are. */
void executor_log_limit(const char *run_dir, long spawner, int64_t slot);
/* Bytes written so far to where standard error goes; 0 when that is no file. In an executor. */
uint64_t executor_log_size(void);

/* A stretch of a log; an end behind the file's means the file's. */
struct executor_log_span {
    uint64_t first_bytes;
    uint64_t end_bytes;
};

/* Reads a stretch of the log `path`: behind a line with its name, what both_ends.h takes of it.
 * Returns the size; 0 when there are none or they cannot be read. The text is not
 * NUL-terminated and ends without a newline. */
size_t executor_log_read(const char *path, struct executor_log_span span, char *text,
                         size_t text_size);
/* Returns the path of that log, which the caller owns; NULL when it would be too long. */
char *executor_log_path(const char *run_dir, long spawner, int64_t slot);
/* Removes it again if nothing was written. */
void executor_log_drop_empty(const char *run_dir, long spawner, int64_t slot);

#endif
