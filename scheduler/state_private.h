/* state_private.h - what the files of struct state share; nobody else includes it. */
#ifndef SHEAF_STATE_PRIVATE_H
#define SHEAF_STATE_PRIVATE_H

#include "id_map.h"
#include "rb.h"
#include "state.h"

struct partial_node {
    struct partial partial; /* first: a view of it leads back to the node */
    RB_ENTRY(partial_node) by_first;
};

TAILQ_HEAD(assignment_list, assignment);
TAILQ_HEAD(worker_list, worker);
RB_HEAD(flight_tree, assignment);
RB_HEAD(partial_tree, partial_node);
RB_HEAD(trouble_tree, trouble);
RB_PROTOTYPE(flight_tree, assignment, by_first, )
RB_PROTOTYPE(partial_tree, partial_node, by_first, )
RB_PROTOTYPE(trouble_tree, trouble, by_work, )

/* What follows from the graph: kept so that each edge costs O(1), and no job without a graph
 * anything. */
struct state_graph {
    const struct task_graph *offered; /* before it is known whether it is the job's */
    const struct task_graph *used;    /* NULL: the rest is empty */
    uint32_t *missing_counts;         /* of each task: edges from tasks that hold it back */
    uint32_t *culprits;               /* of tasks that are doomed or not run */
    bool *has_succeeded;              /* each task */
    bool *has_ended;                  /* each task: it succeeded, or failed for good */
    struct range_set doomed;
    uint64_t ready_seq;
};

struct state {
    uint64_t last_seq;
    bool is_snapshot_over; /* from here on every seq is new */
    uint64_t incarnation;

    enum phase phase;
    bool has_job;
    struct fact_job_accepted job;
    struct fact_job_failed job_failure;

    /* Every task is in exactly one of: open, done, `troubles` (RUN), in flight, which is what the
     * ranges in `flights` hold besides, and waiting for others, which is the rest. */
    struct range_set open;
    struct range_set done;
    struct range_set failed;  /* subset of done */
    struct range_set not_run; /* subset of failed */
    struct state_graph graph;
    uint64_t published_failed_count;

    struct partial_tree partials;
    size_t partial_count;
    bool has_output;
    struct partial output;
    struct trouble_tree troubles;
    size_t trouble_count;
    struct failure_table failures;

    struct worker_list workers; /* in order of joining */
    struct id_map workers_by_rank;
    struct range_set benched_nodes;
    size_t worker_count;
    uint64_t slot_count;
    struct assignment_list assignments; /* oldest first */
    struct id_map assignments_by_seq;
    /* RUN that is no retry. Disjoint, but for twins, which start at the same task. */
    struct flight_tree flights;

    struct assignment *ended; /* by the last apply */
    size_t ended_count;
    size_t ended_capacity;
};

/* state_tasks.c */
uint64_t state_task_count(const struct state *state);
/* True when tasks of this range can be in the job. */
bool state_has_range(const struct state *state, struct range range);
/* Opens what is neither done, in trouble, in flight, nor waiting. */
void state_reopen(struct state *state, struct range range);
/* Adds a partial and makes its tasks done; those that were not open are taken from wherever they
 * were, and assignments that have nothing left to do end. */
void state_add_partial(struct state *state, const struct partial *partial);
/* Takes out the partials that intersect `range`; their tasks are open again, or in flight. */
bool state_remove_partials(struct state *state, struct range range);
/* The same without a trace: for a merge that replaces them. */
void state_replace_partials(struct state *state, const struct partial *partial);
void state_remove_partial(struct state *state, struct partial_node *node);
struct partial_node *state_find_partial_node(const struct state *state, uint64_t task);
struct trouble *state_get_trouble(struct state *state, enum work work, struct range range);
void state_remove_trouble(struct state *state, struct trouble *trouble);
/* Removes the troubles of `work` inside `range`. */
void state_clear_troubles(struct state *state, enum work work, struct range range);
/* Forgets all tasks, partials and troubles; assignments must be gone. */
void state_clear_tasks(struct state *state);

/* state_graph.c */
/* The job is new, and all its tasks are open: those that wait are so no more. */
void state_begin_graph(struct state *state);
void state_end_graph(struct state *state);
/* Takes what waits out of the open tasks. */
void state_hold_back(struct state *state, struct range range);
/* Which of these tasks are done, or failed, has changed. */
void state_settle_graph(struct state *state, struct range range);
/* These tasks failed for good, and those after them are doomed. */
void state_doom_successors(struct state *state, struct range failed);
/* The same from the beginning: tasks that had failed are to run again. */
void state_doom_anew(struct state *state);

/* state_assignments.c */
/* The first RUN in flight that can hold a task of `range`; the next ones follow in the tree. */
struct assignment *state_find_flight(const struct state *state, struct range range);
void state_add_assignment(struct state *state, uint64_t seq, const struct fact_assigned *assigned);
/* Ends it; what it leaves undone is open again, unless its twin holds it. */
void state_end_assignment(struct state *state, struct assignment *assignment);
/* Ends those of `work` that intersect `range`; an empty range means all. Costs O(assignments). */
void state_end_work(struct state *state, enum work work, struct range range);
/* Ends RUNs that intersect `range` and have nothing left to do. */
void state_end_idle_flights(struct state *state, struct range range);
/* Ends the retry of a task in trouble, and its twin. */
void state_end_retry(struct state *state, uint64_t task_assignment);
void state_cut_assignment(struct state *state, struct assignment *assignment, uint64_t end);
void state_add_worker(struct state *state, const struct fact_worker_joined *joined);
void state_remove_worker(struct state *state, struct worker *worker);

/* state_failures.c */
void state_count_failure(struct state *state, const struct fact_attempt_failed *failed);
void state_count_loss(struct state *state, const struct fact_worker_lost *lost);
/* The absent partial of `task` is new: joins it with absent ones beside it, so that a million tasks
 * that fail take no more room than one. */
void state_join_absent(struct state *state, uint64_t task);

/* state_apply.c */
enum phase state_phase_of_tasks(const struct state *state);

#endif
