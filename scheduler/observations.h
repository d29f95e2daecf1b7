/* observations.h - what decisions read and recovery need not know: when a worker was last heard,
 * how fast it is, when an assignment should end. Never journalled. */
#ifndef SHEAF_OBSERVATIONS_H
#define SHEAF_OBSERVATIONS_H

#include "fact.h"
#include "id_map.h"
#include "pacing.h"
#include "work_queue.h"

#include <bsd/sys/tree.h>

/* Workers that can take more work wait in two queues, first come first served: idle slots are
 * filled before anything is queued behind running work. Nodes take turns, and on each its workers.
 */
enum hunger { HUNGER_NONE = 0, HUNGER_PREFETCH, HUNGER_IDLE, HUNGER_COUNT };

struct observed_worker {
    uint32_t rank;
    uint32_t slot_count;
    struct observed_node *node;
    bool is_joined;          /* false: believed lost */
    uint64_t last_heard_ns;  /* while joined */
    uint32_t unopened_count; /* its executors in a row that could not open */
    struct pace pace;
    uint64_t travel_ns; /* lately, for an order to come here and its report to come back */
    uint64_t queued_ns; /* expected time of all that is out here */
    uint64_t idle_slots;
    enum hunger hunger;
    TAILQ_ENTRY(observed_worker) by_heard;
    TAILQ_ENTRY(observed_worker) by_hunger;
    TAILQ_ENTRY(observed_worker) of_node; /* while joined */
    TAILQ_ENTRY(observed_worker) of_all;
};

TAILQ_HEAD(observed_worker_list, observed_worker);

/* A host, and what it did lately: see benching.c. There as soon as one of its workers says hello.
 */
struct observed_node {
    uint32_t number;
    uint64_t heard_ns;                   /* last, from any of its workers */
    struct observed_worker_list workers; /* joined */
    struct observed_worker_list hungry[HUNGER_COUNT];
    size_t able_worker_count; /* joined, with slots */
    uint64_t passed;          /* tasks that ended here lately: well ... */
    uint64_t failed;          /* ... or not */
    uint64_t strikes;         /* different tasks that failed here and then passed elsewhere */
    bool is_suspect;          /* in observations.suspects */
    bool is_benched;
    uint64_t probe; /* the assignment that tries a benched node, or 0 */
    bool has_passed_probe;
    uint64_t probe_delay_ns;
    uint64_t probe_ns; /* when the next probe is due */
    TAILQ_ENTRY(observed_node) by_hunger[HUNGER_COUNT];
    TAILQ_ENTRY(observed_node) by_suspicion;
    TAILQ_ENTRY(observed_node) by_bench; /* benched, with able workers */
    RB_ENTRY(observed_node) by_probe;    /* of those, the ones without a probe */
    LIST_ENTRY(observed_node) of_all;
    bool has_master;
    uint32_t host_size;
    char host[FACT_HOST_BYTES_MAX]; /* its name, not NUL-terminated */
};

TAILQ_HEAD(observed_node_list, observed_node);
LIST_HEAD(observed_node_set, observed_node);
RB_HEAD(probe_tree, observed_node);

/* How an assignment that is out may be hurried along at the end. */
enum hurry {
    HURRY_TAKE_BACK = 1, /* its unstarted half can be asked for */
    HURRY_ASKED,         /* that was asked and not yet answered */
    HURRY_COPY,          /* nothing can be taken back; a copy of it can run elsewhere */
    HURRY_NONE,          /* it has a copy, or must not have one */
};

/* An assignment that is out, as the scheduler sees it. */
struct outstanding {
    uint64_t seq;
    uint32_t worker;
    enum work work;
    bool is_running; /* a slot was free for it */
    uint64_t assigned_ns;
    uint64_t expected_ns; /* time for its tasks; 0 = unknown */
    bool is_guess;        /* that became known only later, by other tasks */
    uint64_t end_ns;      /* when its report should be here, what is queued before it included */
    uint64_t arrives_ns;  /* when the rest of its report should be, of which a part is here; or 0 */
    enum hurry hurry;
    uint64_t order_ns;    /* key in the tree or list of its hurry */
    uint32_t failed_node; /* where its last copy came to nothing, or NODE_NONE ... */
    uint64_t failed_ns;   /* ... and when */
    RB_ENTRY(outstanding) by_order;
    TAILQ_ENTRY(outstanding) by_asked;
    LIST_ENTRY(outstanding) of_all;
};

LIST_HEAD(outstanding_list, outstanding);

struct observations {
    struct observed_worker_list workers;
    struct id_map workers_by_rank;
    struct observed_worker_list heard; /* joined; the longest silent first */
    struct observed_node_list hungry[HUNGER_COUNT];
    uint64_t idle_slot_count;
    size_t able_worker_count; /* joined, with slots, on nodes that are not benched */
    struct observed_node_set nodes;
    struct id_map nodes_by_number;
    size_t able_node_count;            /* with able workers */
    struct observed_node_list benched; /* of those; the longest benched first */
    size_t benched_node_count;
    struct probe_tree probes;
    struct observed_node_list suspects; /* to be judged at the end of the step */
    struct pace pace;                   /* of all workers together */
    struct outstanding_list outstanding;
    struct id_map outstanding_by_seq;
    size_t outstanding_count;
    size_t outstanding_of[WORK_FINISH + 1];
};

void observations_init(struct observations *observations);
void observations_close(struct observations *observations);

/* NULL for a worker that never joined in this run. */
struct observed_worker *observed_worker_find(struct observations *observations, uint32_t rank);
struct observed_worker *observed_worker_get(struct observations *observations, uint32_t rank);
/* It joined, for the first time or again. */
struct observed_worker *observed_worker_join(struct observations *observations,
                                             const struct fact_worker_joined *joined,
                                             uint64_t now_ns);
/* It is believed lost. It is remembered: it may be heard again. */
void observed_worker_lose(struct observations *observations, struct observed_worker *worker);
/* It left for good. */
void observed_worker_forget(struct observations *observations, struct observed_worker *worker);
void observed_worker_heard(struct observations *observations, struct observed_worker *worker,
                           uint64_t now_ns);
/* It has so many assignments now, of at most `capacity`. */
void observed_worker_load(struct observations *observations, struct observed_worker *worker,
                          uint64_t assignment_count, uint64_t capacity);
/* It was given work: others that are as hungry come before it now. */
void observed_worker_served(struct observations *observations, struct observed_worker *worker);
bool observations_has_hungry(const struct observations *observations);
/* The first in turn of those at least so hungry, other than where `avoid` says as long as anybody
 * else could ever be given work; or NULL. */
struct observed_worker *observations_find_hungry(struct observations *observations,
                                                 enum hunger hunger_min, struct avoidance avoid);
/* The idle worker that should have a result of `task_count` tasks soonest; likewise. Only the first
 * few nodes in turn are looked at. */
struct observed_worker *observations_find_nearest(struct observations *observations,
                                                  uint64_t task_count, struct avoidance avoid);
/* An order of so many tasks given to it while it is idle should be reported within that; unknown
 * time of tasks counts as none. */
uint64_t observed_worker_answer_ns(const struct observations *observations,
                                   const struct observed_worker *worker, uint64_t task_count);
/* A report has come from it, for an order that it held for so long. */
void observed_worker_travelled(struct observed_worker *worker, uint64_t elapsed_ns,
                               uint64_t held_ns);
/* Its own pace, or that of all as long as it has none. */
const struct pace *observed_worker_pace(const struct observations *observations,
                                        const struct observed_worker *worker);

/* Returns the node of this number, made if it is not there; borrowed, and valid until close. */
struct observed_node *observed_node_get(struct observations *observations, uint32_t number);
/* Sets its name, cut to FACT_HOST_BYTES_MAX. `host` may be NULL: unknown. */
void observed_node_name(struct observed_node *node, const char *host);

/* A worker joins a node, or is lost to it: for observations.c. */
void observed_node_join(struct observations *observations, uint32_t number,
                        struct observed_worker *worker);
void observed_node_leave(struct observations *observations, struct observed_worker *worker);
void observed_nodes_close(struct observations *observations);

/* The node of a worker that was ever heard of in this run, or NULL. */
struct observed_node *observed_node_of(struct observations *observations, uint32_t rank);
/* Takes note that a node is benched, or is so no more; its workers are to be loaded anew. */
void observed_node_bench(struct observations *observations, struct observed_node *node);
void observed_node_readmit(struct observations *observations, struct observed_node *node);
/* Its next probe is due then. */
void observed_node_set_probe(struct observations *observations, struct observed_node *node,
                             uint64_t probe_ns);
/* A probe went out: none is due until it has ended. */
void observed_node_probed(struct observations *observations, struct observed_node *node,
                          uint64_t assignment);
/* The benched node whose probe is due first, or NULL. */
struct observed_node *observed_node_first_probe(const struct observations *observations);

/* Records what was just assigned to a worker that had assignment_count assignments before. */
struct outstanding *outstanding_add(struct observations *observations,
                                    const struct assignment *assignment, uint64_t assignment_count,
                                    uint64_t now_ns);
struct outstanding *outstanding_find(struct observations *observations, uint64_t seq);
/* Expects it, of so many tasks, by a pace that was not known when it was added. */
void outstanding_expect(struct observations *observations, struct outstanding *outstanding,
                        uint64_t task_count, uint64_t now_ns);
/* It was cut to so many tasks. */
void outstanding_cut(struct observations *observations, struct outstanding *outstanding,
                     uint64_t task_count, uint64_t now_ns);
void outstanding_remove(struct observations *observations, struct outstanding *outstanding);

#endif
