/* failure_log.h - remembers which workers tried a task in vain, for the line that tells its end. */
#ifndef SHEAF_FAILURE_LOG_H
#define SHEAF_FAILURE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FAILURE_LOG_WORKERS_MAX = 8,   /* of one task; more attempts are only counted */
    FAILURE_LOG_TASKS_MAX = 10000, /* further tasks are told without their history */
};

struct failure_log;

struct failure_log *failure_log_create(void);
void failure_log_destroy(struct failure_log *log);

/* One attempt at `task` failed on `worker`. */
void failure_log_add(struct failure_log *log, uint64_t task, uint32_t worker);
/* "3 attempts, on workers 1, 2, 1" into text; empty when nothing is known. Forgets the task. */
void failure_log_take(struct failure_log *log, uint64_t task, char *text, size_t text_size);

#endif
