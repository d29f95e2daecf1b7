/* failure_log.c - a bounded table from task to the workers that tried it in vain. */
#include "failure_log.h"

#include "../scheduler/memory.h"
#include "../scheduler/rb.h"

#include <stdio.h>
#include <stdlib.h>

struct failing_task {
    uint64_t task;
    uint32_t attempts;
    uint32_t workers[FAILURE_LOG_WORKERS_MAX];
    RB_ENTRY(failing_task) entry;
};

static int compare_tasks(const struct failing_task *a, const struct failing_task *b)
{
    return RB_COMPARE(a->task, b->task);
}

RB_HEAD(failing_tree, failing_task);
RB_GENERATE_PRIVATE(failing_tree, failing_task, entry, compare_tasks)

struct failure_log {
    struct failing_tree tasks;
    size_t count;
};

struct failure_log *failure_log_create(void)
{
    struct failure_log *log = memory_allocate_zeroed(1, sizeof *log);
    RB_INIT(&log->tasks);
    return log;
}

static void forget(struct failure_log *log, struct failing_task *task)
{
    RB_REMOVE(failing_tree, &log->tasks, task);
    log->count--;
    free(task);
}

void failure_log_destroy(struct failure_log *log)
{
    if (log == NULL)
        return;
    while (!RB_EMPTY(&log->tasks))
        forget(log, RB_ROOT(&log->tasks));
    free(log);
}

static struct failing_task *find(struct failure_log *log, uint64_t task)
{
    struct failing_task wanted = {.task = task};
    return RB_FIND(failing_tree, &log->tasks, &wanted);
}

void failure_log_add(struct failure_log *log, uint64_t task, uint32_t worker)
{
    struct failing_task *failing = find(log, task);
    if (failing == NULL) {
        if (log->count == FAILURE_LOG_TASKS_MAX)
            return;
        failing = memory_allocate_zeroed(1, sizeof *failing);
        failing->task = task;
        RB_INSERT(failing_tree, &log->tasks, failing);
        log->count++;
    }
    if (failing->attempts < FAILURE_LOG_WORKERS_MAX)
        failing->workers[failing->attempts] = worker;
    failing->attempts++;
}

void failure_log_take(struct failure_log *log, uint64_t task, char *text, size_t text_size)
{
    struct failing_task *failing = find(log, task);
    text[0] = '\0';
    if (failing == NULL)
        return;
    int length = snprintf(text, text_size, "%u attempt%s, on worker%s", failing->attempts,
                          failing->attempts == 1 ? "" : "s", failing->attempts == 1 ? "" : "s");
    for (uint32_t i = 0; i < failing->attempts && i < FAILURE_LOG_WORKERS_MAX; i++)
        if (length >= 0 && (size_t)length < text_size)
            length += snprintf(text + length, text_size - (size_t)length, "%s %u", i > 0 ? "," : "",
                               failing->workers[i]);
    forget(log, failing);
}
