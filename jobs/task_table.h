/* task_table.h - tasks that a job file lists one by one: names, commands, and which come after
 * which.
 *
 * It stays with the master: workers get the commands of their tasks as input bytes. */
#ifndef SHEAF_TASK_TABLE_H
#define SHEAF_TASK_TABLE_H

#include "../scheduler/task_graph.h"

struct task_table {
    uint32_t count;
    const char **names;       /* each; empty for a task without one */
    const char **commands;    /* each */
    char *texts;              /* what these point into */
    struct task_graph *graph; /* NULL: no task comes after another */
};

/* Takes ownership of `texts`, from malloc. Returns a table that the caller owns; names and commands
 * are to be set, and there is no graph. */
struct task_table *task_table_create(uint32_t count, char *texts);
/* Of its graph; 0 without one. */
uint64_t task_table_fingerprint(const struct task_table *table);
/* NULL is fine. */
void task_table_destroy(struct task_table *table);

#endif
