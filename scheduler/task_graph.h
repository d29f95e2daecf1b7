/* task_graph.h - which tasks come after which others: a static input of a job, beside its facts.
 *
 * Edges that are given twice count twice, on both sides. */
#ifndef SHEAF_TASK_GRAPH_H
#define SHEAF_TASK_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Task `after` starts when task `before` has succeeded, or when it has ended, whatever became of
 * it. */
struct task_edge {
    uint32_t before;
    uint32_t after;
    bool is_for_end;
};

struct task_graph {
    uint32_t task_count;
    uint32_t edge_count;
    uint64_t fingerprint;         /* of the edges, whatever their order was; never 0 */
    uint32_t *successor_starts;   /* task_count + 1 places in `successors` */
    uint32_t *successors;         /* of task 0, of task 1, ..., each ascending */
    bool *is_for_end;             /* the edge to each of these */
    uint32_t *predecessor_counts; /* of each task: edges that end there */
    const char *const *names;     /* borrowed; of the tasks, for people; NULL: they have none */
};

/* Tasks that come after each other in a circle: each after the next one, the last after the first.
 */
struct task_cycle {
    uint32_t *tasks;
    uint32_t count;
};

/* Returns a graph that the caller owns; NULL, and what the caller then owns in *cycle, when edges
 * make a circle. Borrows the edges, whose tasks must be below task_count. */
struct task_graph *task_graph_create(uint32_t task_count, const struct task_edge *edges,
                                     uint32_t edge_count, struct task_cycle *cycle);
/* NULL is fine. */
void task_graph_destroy(struct task_graph *graph);

#endif
