/* process_files.h - reads what /proc says of a process. */
#ifndef SHEAF_PROCESS_FILES_H
#define SHEAF_PROCESS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of /proc/PROCESS/NAME, ended by NUL, which is not counted in *size. NULL when the process has
 * gone, or must not be looked at. The caller owns it. */
char *process_file_read(pid_t process, const char *name, size_t *size);

struct process_stat {
    char state; /* a letter of ps(1) */
    pid_t parent;
    pid_t session;
    int32_t thread_count;
    uint64_t start_ticks; /* since the host was booted: tells it from others with its number */
};

/* False, and *stat untouched, when there is no such process. */
bool process_stat_read(pid_t process, struct process_stat *stat);
/* Whether it was started when `start_ticks` says, and has not ended, with all its threads. A zombie
 * has: it holds no files and no memory any more. */
bool process_is_alive(pid_t process, uint64_t start_ticks);

#endif
