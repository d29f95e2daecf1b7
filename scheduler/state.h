/* state.h - the job as a fold over facts: apply is the only function that changes it.
 *
 * apply does no I/O, reads no clock, and cannot fail on a fact that fact_decode accepts, not even
 * when earlier facts were lost: it is the same live and in recovery. */
#ifndef SHEAF_STATE_H
#define SHEAF_STATE_H

#include "failure_table.h"
#include "range_set.h"
#include "task_graph.h"

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>

enum phase {
    PHASE_NEW = 0,    /* the tasks are not known yet */
    PHASE_RUNNING,    /* tasks run, partial results are merged */
    PHASE_FINISHING,  /* everything is merged; finish is to run */
    PHASE_PUBLISHING, /* the output is journalled; it is to be written */
    PHASE_FINISHED,
    PHASE_FAILED, /* the job cannot be completed */
};

/* A range of work out at a worker. Named by the seq of its ASSIGNED fact. */
struct assignment {
    uint64_t seq;
    uint32_t worker;
    enum work work;
    struct range range; /* shrinks when its end is returned */
    uint32_t attempt;
    bool is_retry; /* of one task in trouble */
    uint64_t twin; /* the assignment that does the same work, or 0 */
    TAILQ_ENTRY(assignment) of_state;
    TAILQ_ENTRY(assignment) of_worker;
    RB_ENTRY(assignment) by_first; /* RUN that is no retry */
};

struct worker {
    uint32_t rank;
    uint32_t slot_count;
    uint32_t node;
    uint32_t assignment_count;
    TAILQ_HEAD(, assignment) assignments; /* oldest first */
    TAILQ_ENTRY(worker) of_state;
};

#define NODE_NONE UINT32_MAX
#define TASK_NONE UINT32_MAX

/* Work with a failed attempt that has not succeeded since: a single task (RUN), a subtree (MERGE),
 * the split or the finish. A task in trouble is not open: it is started again by itself. */
struct trouble {
    enum work work;
    struct range range;
    uint32_t attempts; /* failed ones that count: no lost, stopped or unopened ones */
    uint32_t crashes;
    bool is_unopened;           /* the last attempt failed before it began */
    uint32_t last_worker;       /* WORKER_NONE when it was in an earlier run */
    uint64_t not_before_ns;     /* earliest next attempt, on the clock of this run */
    uint64_t assignment;        /* RUN: the retry that is out, or 0 */
    uint64_t failed_assignment; /* the one in which it failed last */
    RB_ENTRY(trouble) by_work;
};

/* Where the tasks of a job stand. Each is in exactly one of these, and `total` is their sum. All
 * zero while the tasks are not known. */
struct task_counts {
    uint64_t total;
    uint64_t done;    /* with a result */
    uint64_t failed;  /* for good; each was tried */
    uint64_t not_run; /* and never will be, since one that they come after failed for good */
    uint64_t running; /* handed out to workers */
    uint64_t waiting; /* for another attempt, or for tasks that they come after */
    uint64_t open;    /* not started */
};

/* Tasks that have ended, well or badly. */
static inline uint64_t task_counts_ended(const struct task_counts *counts)
{
    return counts->done + counts->failed + counts->not_run;
}

/* Nobody works on the job any more: what was running starts again some time. */
static inline void task_counts_abandon(struct task_counts *counts)
{
    counts->open += counts->running;
    counts->running = 0;
}

struct state;

struct state *state_create(void);
void state_destroy(struct state *state);

/* Which tasks come after others, when that is known; before the job is. It is used when the job
 * that is accepted has its fingerprint. Keeps the graph, which must outlive the state. */
void state_set_graph(struct state *state, const struct task_graph *graph);

/* Law 1. Facts come in ascending seq; one that does not is ignored: it was applied before. */
void state_apply(struct state *state, const struct fact *fact);

/* Calls emit for facts that, applied in order to an empty state, give this state less its workers,
 * nodes and assignments: run started, job accepted, results (payload_seq set; nothing inline), what
 * failed, tasks in trouble.
 * All carry seq = the state's last seq: a snapshot is *at* an index, so state_apply allows equal
 * seqs until FACT_SNAPSHOT_END, which is emitted last. */
void state_snapshot(const struct state *state, void (*emit)(void *context, const struct fact *fact),
                    void *context);

/* Views. Pointers are borrowed until the next apply. */
uint64_t state_last_seq(const struct state *state);
uint64_t state_incarnation(const struct state *state);
enum phase state_phase(const struct state *state);
/* NULL until the tasks are known. */
const struct fact_job_accepted *state_job(const struct state *state);
/* NULL unless PHASE_FAILED. */
const struct fact_job_failed *state_job_failure(const struct state *state);
const struct range_set *state_open(const struct state *state);
const struct range_set *state_done(const struct state *state);
uint64_t state_failed_task_count(const struct state *state);
/* Costs O(troubles), and O(tasks) where there is a graph. */
struct task_counts state_count_tasks(const struct state *state);
/* The tasks that failed for good. */
const struct range_set *state_failed(const struct state *state);
/* Those of them that were not run, since one that they come after failed. */
const struct range_set *state_not_run(const struct state *state);
/* NULL while no task comes after another, as far as is known. */
const struct task_graph *state_graph(const struct state *state);
/* The tasks that can never run and are not failed yet. */
const struct range_set *state_doomed(const struct state *state);
/* The task whose failure dooms this one; TASK_NONE when that is forgotten. */
uint32_t state_culprit(const struct state *state, uint64_t task);
/* So many tasks wait for others. Costs O(tasks) where there is a graph. */
uint64_t state_waiting_count(const struct state *state);
/* A task of the range waits for another. */
bool state_has_waiting(const struct state *state, struct range range);
/* The fact that was the last to open a task that had waited, or 0: what starts a task rests on it.
 */
uint64_t state_ready_seq(const struct state *state);
/* What failed so far, in all runs of the job. */
const struct failure_table *state_failures(const struct state *state);
size_t state_partial_count(const struct state *state);
/* The first partial whose range ends after `task`, or NULL: one may iterate by passing range_end of
 * the one before. */
const struct partial *state_find_partial(const struct state *state, uint64_t task);
/* The one after it, or NULL: the faster way to iterate. */
const struct partial *state_next_partial(const struct partial *partial);
/* The output of finish; NULL unless FINISH had a result. */
const struct partial *state_output(const struct state *state);
/* May be NULL. */
const struct worker *state_find_worker(const struct state *state, uint32_t rank);
const struct assignment *state_find_assignment(const struct state *state, uint64_t seq);
/* The numbers of nodes that get no work but probes. */
const struct range_set *state_benched_nodes(const struct state *state);
/* A range of tasks that is no retry of a single one is out, and holds tasks of `range`. */
bool state_has_flight(const struct state *state, struct range range);
size_t state_worker_count(const struct state *state);
uint64_t state_slot_count(const struct state *state);
/* How many troubles there are. */
size_t state_trouble_count(const struct state *state);
/* The trouble of exactly this work, or NULL. */
const struct trouble *state_find_trouble(const struct state *state, enum work work,
                                         struct range range);
/* The first trouble of `work` whose range starts at `task` or later, or NULL. */
const struct trouble *state_find_trouble_from(const struct state *state, enum work work,
                                              uint64_t task);
/* What the last apply ended, for whatever reason, in order of ending. *count of them. */
const struct assignment *state_ended(const struct state *state, size_t *count);

/* The invariants: every task is exactly one of open, done, in trouble, in flight, waiting; the
 * partials tile what is done; twins, counts and phase agree. Returns NULL, or what is wrong
 * (borrowed). Costs O(everything): for tests. */
const char *state_check(const struct state *state);

#endif
