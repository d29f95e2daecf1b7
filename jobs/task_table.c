/* task_table.c - owns the tasks that a job file lists. */
#include "task_table.h"

#include "../scheduler/memory.h"

#include <stdlib.h>

struct task_table *task_table_create(uint32_t count, char *texts)
{
    struct task_table *table = memory_allocate_zeroed(1, sizeof *table);
    table->count = count;
    table->names = memory_allocate_zeroed(count, sizeof *table->names);
    table->commands = memory_allocate_zeroed(count, sizeof *table->commands);
    table->texts = texts;
    return table;
}

uint64_t task_table_fingerprint(const struct task_table *table)
{
    return table->graph != NULL ? table->graph->fingerprint : 0;
}

void task_table_destroy(struct task_table *table)
{
    if (table == NULL)
        return;
    task_graph_destroy(table->graph);
    free(table->names);
    free(table->commands);
    free(table->texts);
    free(table);
}
