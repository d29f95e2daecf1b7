/* graph_file.h - the file DIR/graph: which tasks of a run come after which others, for commands
 * that have the run directory and not the job file. */
#ifndef SHEAF_GRAPH_FILE_H
#define SHEAF_GRAPH_FILE_H

#include "../scheduler/error.h"
#include "../scheduler/task_graph.h"

/* All zero is valid: no task comes after another. Owns everything. */
struct graph_file {
    struct task_graph *graph; /* its names are those below */
    char **names;             /* each; empty for a task without one */
};

/* Writes the graph, unless it is there already. */
int graph_file_write(const char *dir, const struct task_graph *graph, struct sheaf_error *error);
/* NOT_FOUND when there is none; DAMAGED when it cannot be understood. */
int graph_file_read(const char *dir, struct graph_file *file, struct sheaf_error *error);
void graph_file_close(struct graph_file *file);

#endif
