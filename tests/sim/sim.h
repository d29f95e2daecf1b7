/* sim.h - a discrete-event simulation that drives the real scheduler: its parts and what they
 * share.
 *
 * A world holds one seed's run: virtual time with an event queue, workers that answer like
 * production's, a master with a journal that can lose what was not durable, and a shadow account
 * of every task that is kept apart from the scheduler's state. Everything that happens follows
 * from the seed. */
#ifndef SHEAF_SIM_H
#define SHEAF_SIM_H

#include "../../jobs/merge_tree.h"
#include "../../scheduler/scheduler.h"
#include "random.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TRACE_KEPT = 50,
    SHADOW_TASKS_MAX = 5000,       /* jobs up to this size are accounted for task by task */
    EVENTS_MAX = 20 * 1000 * 1000, /* more than any healthy seed needs */
};

/* ---- what a seed draws: sim_plan.c ---- */

/* What the command line asks for. 0 = as the seed draws it. */
struct options {
    uint64_t seed;
    uint32_t worker_count;
    uint64_t task_count;
    bool has_task_count;
    bool is_verbose;
};

enum cost_shape { COST_UNIFORM, COST_HEAVY_TAIL, COST_RISING };

/* Faults that strike at some moment of the first part of a run. X(name, what a plan calls them) */
#define SIM_FAULTS(X)                                                                              \
    X(DEATH, "deaths of workers")                                                                  \
    X(RESTART, "restarts of workers")                                                              \
    X(SILENCE, "silences")                                                                         \
    X(GOODBYE, "goodbyes")                                                                         \
    X(CUT, "workers cut off")                                                                      \
    X(NODE_CUT, "nodes cut off")                                                                   \
    X(NODE_DEATH, "nodes lost")                                                                    \
    X(MASTER_CRASH, "master crashes")                                                              \
    X(STOP, "stops")                                                                               \
    X(LOSS, "stored results damaged")                                                              \
    X(SLOW_DISK, "stalls of the disk")

enum fault {
#define X(name, text) FAULT_##name,
    SIM_FAULTS(X)
#undef X
        FAULT_COUNT
};

struct plan {
    uint64_t seed;
    uint32_t worker_count;
    uint32_t slot_count_max;
    uint64_t task_count;
    bool has_merge;
    bool has_finish;
    bool has_text_results; /* literal brackets instead of hashes */
    uint32_t level_count;  /* of tasks that come after others; 0: none does */
    enum cost_shape cost_shape;
    uint64_t cost_ns;
    struct scheduler_config config;
    uint32_t node_count;     /* worker r is on node r % node_count */
    uint32_t fault_permille; /* how likely each kind of fault is to be in this seed at all */
    uint32_t faults[FAULT_COUNT];
    uint32_t bad_nodes; /* on the first so many nodes everything fails ... */
    bool bad_nodes_crash;
    bool bad_nodes_heal;       /* ... until faults end, or for good */
    uint32_t failing_prepares; /* the last so many workers fail to prepare */
    uint32_t slow_workers;
    uint32_t slow_percent; /* time taken by a slow worker: 100 = normal */
    uint64_t delay_ns_max;
    uint64_t silence_ns_max;
    uint64_t cut_ns_max;
    bool cuts_lose;        /* what is under way when a link is cut is lost, not late */
    uint64_t stall_ns_max; /* of the disk */
    uint32_t duplicate_permille;
    uint32_t damage_permille;      /* of payloads read */
    uint32_t lost_record_permille; /* of journal records, at recovery */
    uint32_t lost_write_permille;  /* of records that were not durable at a crash */
    uint32_t snapshot_permille;    /* of appends */
    uint32_t failing_tasks;        /* for good */
    uint32_t troubled_tasks;       /* fail at first, then succeed */
    uint32_t unopened;             /* orders whose executor cannot open */
    uint32_t work_failures;        /* of split, merge and finish, each at first */
    bool has_failing_finish;       /* for good */
    bool lingers;                  /* workers of an earlier run go on sending */
    bool keeps_queue_on_welcome;   /* like a worker that did not notice */
    bool restarts_finished_job;    /* the command is repeated after the end */
    uint64_t sync_ns;              /* one fdatasync */
    uint64_t sync_interval_ns;
};

void plan_draw(struct plan *plan, const struct options *options, struct random_source *source);
void plan_print(const struct plan *plan);
uint32_t plan_workers_gone(const struct plan *plan);

/* ---- tasks, their cost and the serial reference: sim_job.c ---- */

enum bad_kind { BAD_FAILS, BAD_CRASHES, BAD_HANGS };

/* A task that fails. */
struct bad_task {
    uint64_t task;
    enum bad_kind kind;
    uint32_t failures; /* executions that fail; UINT32_MAX = all */
    uint32_t executions;
};

struct sim_job {
    const struct plan *plan;
    uint64_t *cost_before_ns; /* of the tasks before task i; task_count + 1 entries */
    struct bad_task *bad;     /* ascending */
    size_t bad_count;
    uint32_t work_failures_left[WORK_FINISH + 1];
    uint32_t unopened_left;
    uint32_t unopened_count; /* so far */
    struct merge_fold *fold;
    struct task_graph *graph;  /* NULL: no task comes after another */
    struct task_graph *before; /* the same with its edges turned round */
    bool *fails;               /* each task, for good, itself or by one before it; NULL likewise */
};

void sim_job_init(struct sim_job *job, const struct plan *plan, struct random_source *source);
void sim_job_close(struct sim_job *job);
/* The first bad task at `task` or after it, or NULL. */
struct bad_task *sim_job_find_bad(struct sim_job *job, uint64_t task);
uint64_t sim_job_failed_task_count(const struct sim_job *job);
/* In every attempt, whatever becomes of others. */
bool sim_job_fails_by_itself(struct sim_job *job, uint64_t task);
/* Appends the output that a serial run gives, straight from the definition. */
void sim_job_reference(struct sim_job *job, struct byte_writer *output);
/* The same for the tasks of `range` (with merge: a node), before finish. */
void sim_job_reference_part(struct sim_job *job, struct range range, struct byte_writer *output);

/* What executors compute. */
struct message;
/* Appends the partials of the executed `runs` (ascending) and their bytes. */
void sim_job_run(struct sim_job *job, const struct range *runs, size_t run_count,
                 struct message *report);
/* Joins the partials that came with `order` (a MERGE). False when they do not make one node. */
bool sim_job_merge(struct sim_job *job, const struct message *order, struct message *report);
void sim_job_finish(struct sim_job *job, const struct byte_writer *input,
                    struct byte_writer *output);

/* ---- messages and events: sim_world.c ---- */

enum message_kind {
    MESSAGE_HELLO = 1,
    MESSAGE_HEARTBEAT,
    MESSAGE_REPORT,
    MESSAGE_RETURNED,
    MESSAGE_FAILED,
    MESSAGE_GOODBYE,
    MESSAGE_WELCOME,
    MESSAGE_ASSIGN,
    MESSAGE_TAKE_BACK,
    MESSAGE_CANCEL,
};

struct message {
    enum message_kind kind;
    uint32_t run;    /* the mpirun that it belongs to */
    uint32_t worker; /* rank */
    uint32_t slot_count;
    uint64_t life;
    uint64_t incarnation;
    uint64_t assignment;
    enum work work;
    struct range range;
    uint32_t attempt;
    bool is_whole;
    bool is_crash;
    bool is_for_good;
    bool is_open;
    bool is_prepare_failed;
    enum cause cause;
    uint64_t tasks_run;
    uint64_t busy_ns;
    uint64_t idle_ns;
    uint64_t held_ns;
    struct partial *partials; /* owned */
    size_t partial_count;
    size_t partial_capacity;
    struct byte_writer payload;
};

struct message *message_create(enum message_kind kind);
struct message *message_copy(const struct message *message);
void message_destroy(struct message *message);
void message_add_partial(struct message *message, const struct partial *partial);

enum event_kind {
    EVENT_TO_WORKER = 1, /* message, target = worker's place in world.workers */
    EVENT_TO_MASTER,     /* message */
    EVENT_SLOT,          /* target = worker, detail = slot */
    EVENT_HEARTBEAT,     /* target = worker */
    EVENT_FAULT,         /* detail = enum fault */
    EVENT_REVIVAL,       /* target = worker */
    EVENT_STOP,
    EVENT_LOSS,
    EVENT_STOP_AGAIN,
    EVENT_TICK,
    EVENT_SYNCED,
    EVENT_ACCEPT_JOB,
    EVENT_PUBLISHED,
    EVENT_RESULT_LOST,
    EVENT_RELAUNCH,
};

struct event {
    uint64_t time_ns;
    uint64_t number; /* ties go by age */
    enum event_kind kind;
    uint32_t target;
    uint32_t detail;
    uint64_t generation; /* stale when it is no longer the target's */
    struct range range;
    struct message *message; /* owned */
};

/* One line of what happened. `what` is a literal. */
struct trace_entry {
    uint64_t time_ns;
    const char *what;
    uint32_t worker;
    uint64_t number;
    struct range range;
};

/* ---- workers: sim_worker.c ---- */

struct slot {
    struct message *order; /* NULL when idle; owned. Its range shrinks when its end is returned */
    uint64_t next;         /* the task that began at since_ns */
    uint64_t since_ns;
    uint64_t stop; /* the event comes when the tasks before it have run */
    uint64_t event_ns;
    uint64_t began_ns;
    uint64_t idle_ns; /* before it began */
    uint64_t free_ns; /* 0: nothing has ended here */
    uint64_t generation;
    uint64_t tasks_run;
    struct range *kept; /* tasks whose results the executor holds */
    size_t kept_count;
    size_t kept_capacity;
    bool is_open; /* the executor could open */
};

struct sim_worker {
    uint32_t index; /* in world.workers */
    uint32_t rank;
    uint32_t run;
    bool is_alive;
    bool is_welcome;
    uint32_t slow_percent;
    uint64_t incarnation;
    uint64_t silent_until_ns;
    uint64_t to_master_ns; /* arrival of the last message each way: pairs are FIFO */
    uint64_t to_worker_ns;
    uint64_t last_ns;     /* after death: messages that would arrive later are lost */
    uint64_t cut_from_ns; /* its link is cut from then ... */
    uint64_t cut_until_ns;
    uint64_t life;          /* counts restarts of its process */
    uint64_t admitted_life; /* the one whose hello the master took last */
    uint32_t slot_count;
    struct slot *slots;
    struct message **queue; /* orders that wait, in order; owned */
    size_t queue_count;
    size_t queue_capacity;
};

struct world;

struct sim_worker *worker_create(struct world *world, uint32_t rank);
void worker_destroy(struct sim_worker *worker);
void worker_handle(struct world *world, struct sim_worker *worker, const struct event *event);
void worker_die(struct world *world, struct sim_worker *worker);
/* Its process starts again, and knows nothing. */
void worker_revive(struct world *world, struct sim_worker *worker);
void worker_fall_silent(struct world *world, struct sim_worker *worker, uint64_t duration_ns);
void worker_say_goodbye(struct world *world, struct sim_worker *worker, bool is_prepare_failed);

/* ---- the master and its journal: sim_master.c, sim_journal.c ---- */

struct record {
    uint8_t kind;
    uint64_t seq;
    bool is_lost; /* its block was damaged */
    struct byte_writer fact;
    struct byte_writer payload;
};

struct snapshot {
    uint64_t seq;
    struct record *records;
    size_t count;
    size_t capacity;
};

struct journal {
    struct record *records; /* records[i] has seq i + 1 */
    size_t count;
    size_t capacity;
    uint64_t durable_seq;
    uint64_t syncing_seq; /* a sync that began covers up to here; 0 = none */
    uint64_t sync_generation;
    bool is_sync_waiting; /* for the interval to pass; then it begins */
    bool has_lost_records;
    bool is_from_snapshot;    /* the state was recovered from it */
    struct snapshot snapshot; /* the newest; count 0 = none */
    struct partial *decoded;  /* room for FACT_PARTIALS_MAX */
    struct partial *damaged;  /* slices of payloads that cannot be read */
    size_t damaged_count;
    size_t damaged_capacity;
    uint32_t damage_count; /* over all runs */
};

void journal_init(struct journal *journal);
void journal_close(struct journal *journal);
void journal_append(struct journal *journal, const struct fact *fact, const void *payload,
                    size_t payload_size);
void journal_take_snapshot(struct journal *journal, const struct state *state);
/* Decodes a record; the fact borrows from the journal until the next call. */
void journal_decode(struct world *world, const struct record *record, struct fact *fact);
/* Only records up to `kept_seq` survive. */
void journal_cut(struct journal *journal, uint64_t kept_seq);
/* The master dies: what was not durable is kept up to somewhere, torn off there, and may have holes
 * where a write was lost. */
void journal_crash(struct world *world);
/* Damage to the disk that recovery meets. */
void journal_rot(struct world *world);
/* Feeds what is left to `apply`, from the snapshot on when asked to. */
void journal_replay(struct world *world, bool from_snapshot,
                    void (*apply)(void *context, const struct fact *fact), void *context);
void journal_damage(struct journal *journal, const struct partial *partial);
/* False when the bytes are damaged. */
bool journal_read(struct world *world, const struct partial *partial, struct byte_writer *bytes);

struct master {
    bool is_up;
    struct scheduler *scheduler;
    struct output output;
    struct effect *effects; /* wait for the journal; a queue */
    size_t effect_first;
    size_t effect_count;
    size_t effect_capacity;
    uint64_t run_started_seq;
    uint64_t job_accepted_seq;
    uint64_t result_seq;   /* the last RESULT */
    uint64_t finished_seq; /* JOB_FINISHED */
    uint64_t tick_ns;      /* the tick that is under way, or UINT64_MAX */
    uint64_t tick_generation;
    uint64_t crash_countdown; /* places between two writes until it dies; 0 = it does not */
    uint32_t ticks_at_once;   /* in a row, without time passing */
    uint64_t ticked_ns;
};

void master_start(struct world *world);
void master_close(struct master *master);
void master_feed(struct world *world, const struct input *input, const struct message *message);
void master_handle(struct world *world, const struct event *event);

/* ---- checks: sim_check.c, sim_shadow.c ---- */

struct shadow_result {
    struct range range;
    uint64_t payload_seq;
    uint64_t offset_bytes;
    bool is_absent;
};

struct shadow_assignment {
    uint64_t seq;
    uint32_t worker;
    enum work work;
    struct range range;
};

/* What the facts so far say about each task, kept apart from the state. */
struct shadow {
    bool is_exact; /* all below is kept */
    bool has_output;
    bool has_lost; /* results, since the last check */
    uint64_t task_count;
    uint32_t *live;      /* 1 + place in `results` of the one that covers the task; 0 = none */
    uint8_t *in_flight;  /* scratch: assignments that run the task */
    uint64_t *done_seq;  /* the RESULT in which the task succeeded; 0 = it did not */
    uint64_t *ended_seq; /* the same, or the fact by which it failed for good */
    uint64_t *failed_in; /* 1 + the assignment in which the task failed last; 0 = it never did */
    struct shadow_result *results; /* all that ever were accepted */
    size_t result_count;
    size_t result_capacity;
    struct shadow_assignment *assignments;
    size_t assignment_count;
    size_t assignment_capacity;
};

void shadow_reset(struct shadow *shadow);
void shadow_apply(struct world *world, const struct fact *fact);
/* Takes over what a state recovered from a damaged journal says is done. */
void shadow_adopt(struct world *world, const struct state *state);
/* A task of the range comes after one that has not succeeded, or not durably by fact `seq`. */
bool shadow_is_early(const struct world *world, struct range range, uint64_t seq);
/* Compares with the state. */
void shadow_check(struct world *world, const struct state *state);

/* After a step: its facts and effects. */
void check_step(struct world *world, const struct output *output);
/* `message` comes from an earlier run: all that may count of it are results. */
void check_stale(struct world *world, const struct message *message, const struct output *output);
/* An effect about to be performed. */
void check_effect(struct world *world, const struct effect *effect);
/* The bytes that came with a RESULT, in the payload of its record, are those of a serial run. */
void check_bytes(struct world *world, const struct fact *fact);
/* States built from the journal are the one that the master has. */
void check_replay(struct world *world);
void check_end(struct world *world, enum run_end end);

/* Ends the run of this seed: prints the seed, the time, the property and the last events. */
_Noreturn void violate(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- faults as they strike: sim_fault.c ---- */

/* Spreads the plan's faults over the first part of the run, and says when at the latest the job
 * must be done. */
void fault_plan_time(struct world *world);
void fault_strike(struct world *world, const struct event *event);
/* True for a message that a cut link keeps from arriving now: it is late then, or lost. */
bool fault_holds_message(struct world *world, const struct event *event);

/* ---- the world: sim_world.c ---- */

struct world {
    struct options options;
    struct plan plan;
    struct random_source random;
    struct sim_job job;
    uint64_t now_ns;
    struct event *events; /* a binary heap */
    size_t event_count;
    size_t event_capacity;
    uint64_t events_made;
    uint64_t events_handled;
    struct sim_worker **workers; /* of all runs */
    size_t worker_count;
    size_t worker_capacity;
    uint32_t run; /* number of the mpirun */
    uint32_t lost_workers;
    struct master master;
    struct journal journal;
    struct shadow shadow;
    uint64_t incarnation_max; /* seen by any worker */
    uint64_t fault_end_ns;
    uint64_t relaunch_ns_max; /* until the launcher has started another run */
    uint64_t deadline_ns;
    uint64_t disk_stalls_until_ns;
    bool is_finished; /* the output was published and the run ended */
    bool is_over;
    struct byte_writer reference;
    struct byte_writer published;
    struct trace_entry trace[TRACE_KEPT];
    uint64_t trace_count;
    uint64_t trace_hash;
    uint64_t assigned_count;
    uint64_t step_count;
    uint64_t next_replay_step;
    uint64_t returns_in_a_row;
    uint64_t stop_count;
    jmp_buf on_violation;
};

/* Runs one seed. False when a property was violated, which is then printed. */
bool world_run(const struct options *options, struct world *world);
void world_close(struct world *world);

/* Takes ownership of event->message. A number of 0 is replaced by the next. */
void world_post(struct world *world, const struct event *event);
/* Sends along the pair's FIFO, with a random delay; now and then a second time, later. */
void world_send_to_master(struct world *world, struct sim_worker *worker, struct message *message);
void world_send_to_worker(struct world *world, struct sim_worker *worker, struct message *message);
/* The worker of this run with that rank, or NULL when it died. */
struct sim_worker *world_find_worker(struct world *world, uint32_t rank);
struct sim_worker *world_get_worker(struct world *world, uint32_t rank);
uint32_t world_node_of(const struct world *world, uint32_t rank);
/* Everything that runs there now fails. */
bool world_is_bad_node(const struct world *world, uint32_t rank);
/* Everything of this run dies but the journal; the launcher starts another run. */
void world_relaunch(struct world *world, const char *why);
bool world_has_faults(const struct world *world);
void trace(struct world *world, const char *what, uint32_t worker, uint64_t number,
           struct range range);

/* The 100,000 worker figure: sim_scale.c. */
int scale_run(void);

#endif
