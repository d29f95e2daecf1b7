/* scheduler.h - decides who does what next: a pure step function from one input to facts and
 * effects.
 *
 * The scheduler holds the state (a fold over facts) and observations: what decisions read but
 * recovery need not know (when a worker was last heard, when a range should end). It reads no
 * clock, does no I/O, starts no thread and uses no floating point: given the same inputs it decides
 * the same. */
#ifndef SHEAF_SCHEDULER_H
#define SHEAF_SCHEDULER_H

#include "fact.h"
#include "state.h"

#define SHEAF_NS_PER_MS ((uint64_t)1000000)
#define SHEAF_NS_PER_S  ((uint64_t)1000000000)

struct scheduler_config {
    uint32_t attempts_max;    /* a task that failed this often failed for good; default 3 */
    uint32_t crashes_max;     /* likewise for attempts that killed the executor; default 3 */
    uint32_t failures_max;    /* tasks failed for good in this run after which nothing more is
                                 started; default 0: no limit */
    uint64_t range_target_ns; /* work in one range; default 75 ms ... */
    uint64_t report_ns;       /* ... or as much for each slot: what the master has for a report;
                                 default 20 us */
    uint64_t range_count_min; /* forced bounds of a range's tasks; default 1 .. 2^40 */
    uint64_t range_count_max;
    uint64_t lost_after_ns;     /* silence after which a worker counts as lost; default 5 s */
    uint64_t no_workers_ns;     /* patience without any worker; default 30 s */
    uint32_t worker_count;      /* that there can be: when all have left, none is waited for;
                                   default 0: any number may come */
    uint64_t retry_delay_ns;    /* before a second attempt; doubles with each; default 100 ms */
    uint64_t merge_bytes_max;   /* input of one MERGE with more than two partials; default 16 MiB */
    uint32_t merge_fan_in;      /* partials that make a MERGE worth while; default 16 */
    bool keeps_subtrees;        /* the job may grow: no subtree is merged with one that the last
                                   task cuts short before it has been merged by itself */
    uint64_t end_ns;            /* what cannot end by then is not started; default: never */
    uint32_t prefetch_per_slot; /* ranges queued behind the running one; default 1 */
    uint32_t bench_tasks;       /* that fail on a node and pass elsewhere bench it; default 3 */
    uint32_t bench_window;      /* a node's last so many tasks are judged; default 32 */
    uint64_t probe_delay_ns;    /* from benching to the first probe; default 10 s */
    size_t troubles_max;        /* tasks in trouble from which on no open ones are started: memory
                                   stays bounded when all fail; default 65536 */
    const struct range_set *only;   /* kept: no other tasks are started; NULL: all may be */
    bool has_split;                 /* tasks come from the plug-in: PHASE_NEW assigns WORK_SPLIT */
    const struct task_graph *graph; /* which tasks come after others; NULL: none does */
};

struct scheduler_config scheduler_config_default(void);

enum input_kind {
    INPUT_START = 1,
    INPUT_JOB_ACCEPTED,
    INPUT_HELLO,
    INPUT_HEARD,
    INPUT_REPORT,
    INPUT_RETURNED,
    INPUT_ATTEMPT_FAILED,
    INPUT_GOODBYE,
    INPUT_RESULT_LOST,
    INPUT_RESULTS_CHECKED,
    INPUT_INPUTS_LOST, /* the plug-in's split is to name the tasks again; none is started ... */
    INPUT_INPUTS_MADE, /* ... until their inputs are there */
    INPUT_PUBLISHED,
    INPUT_STOP,
    INPUT_TICK,
};

/* A master has recovered what there was and starts: RUN_STARTED follows. */
struct input_start {
    uint64_t incarnation;
    bool retries_failed; /* what failed for good, as far as it may be started, is tried again */
    bool is_unchecked;   /* results may turn out to be lost: nothing is published, and no selection
                            ends, before RESULTS_CHECKED */
};

/* Results of these tasks are of no use any more. Those of others that shared a partial with them
 * may be given anew: they are stored again in the same step. */
struct input_result_lost {
    struct range range;
    uint32_t kept_count;
    const struct partial *kept; /* borrowed for the step; payload_seq 0 */
};

/* A worker reports for work, for the first time or again after it was believed lost. */
struct input_hello {
    uint32_t worker;
    uint32_t slot_count;
    uint32_t node;
    const char *host; /* borrowed; name of the node; NULL: unknown */
    bool has_master;  /* the master runs on this node: it is not lost while there is somebody to say
                         so */
};

/* A sign of life, and what it says of a report that is on its way. */
struct input_heard {
    uint32_t worker;
    uint64_t assignment; /* that is reported; 0: no part of a report has come */
    uint64_t left_ns;    /* the rest of the report should come within that */
};

/* The end of an assignment with its results; may come late, twice, or from a lost worker.
 * For RUN `tasks_run` may be less than assigned (failures were reported one by one before). */
struct input_report {
    uint32_t worker;
    uint64_t incarnation;
    uint64_t assignment;
    enum work work;
    uint64_t tasks_run;
    uint64_t busy_ns;
    uint64_t idle_ns; /* the slot had nothing to do for so long before it */
    uint64_t held_ns; /* from the order's arrival at the worker to this report; 0: unknown */
    uint32_t partial_count;
    const struct partial *partials; /* borrowed for the step; payload_seq 0 */
};

struct input_returned {
    uint32_t worker;
    uint64_t incarnation;
    uint64_t assignment;
    struct range range;
    bool is_whole;
};

struct input_attempt_failed {
    uint32_t worker;
    uint64_t incarnation;
    uint64_t assignment;
    enum work work;
    struct range range;
    enum cause cause;
    int32_t detail;
    bool is_crash;
    bool is_for_good; /* another attempt would fail, too */
    bool is_open;     /* no task is to blame: the executor could not open */
    uint32_t text_size;
    const char *text; /* borrowed for the step */
    uint32_t log_size;
    const char *log; /* likewise: the last lines that the executor wrote */
};

/* A worker leaves: asked to, or because its prepare failed for `cause`. When prepare failed, no
 * worker is left, and none joins within a fifth of lost_after_ns, the job fails, until the next
 * start. */
struct input_goodbye {
    uint32_t worker;
    uint64_t incarnation; /* 0: it was never welcomed */
    bool prepare_failed;
    bool returns; /* its HELLO follows: it has lost all that it ran, and begins anew */
    enum cause cause;
    int32_t detail;
};

struct input {
    enum input_kind kind;
    uint64_t now_ns; /* monotonic; never decreases from step to step */
    union {
        struct input_start start;
        struct fact_job_accepted job_accepted;
        struct input_hello hello;
        struct input_heard heard;
        struct input_report report;
        struct input_returned returned;
        struct input_attempt_failed attempt_failed;
        struct input_goodbye goodbye;
        struct input_result_lost result_lost;
    } as;
};

enum effect_kind {
    EFFECT_WELCOME = 1, /* tell a worker that it is admitted, and the job */
    EFFECT_ASSIGN,      /* send an assignment */
    EFFECT_TAKE_BACK,   /* ask for half of the unstarted part of an assignment */
    EFFECT_CANCEL,      /* an assignment is no longer wanted; its report will be ignored */
    EFFECT_PUBLISH,     /* write the output, then feed INPUT_PUBLISHED */
    EFFECT_END,         /* the run is over */
};

/* Why a run ends. */
enum run_end {
    RUN_END_DONE = 1,     /* everything done and published */
    RUN_END_TASKS_FAILED, /* published, but tasks failed */
    RUN_END_JOB_FAILED,   /* a split, merge, finish or prepare failed for good */
    RUN_END_STOPPED,      /* on request */
    RUN_END_WALLTIME,     /* what is left cannot end by config.end_ns */
    RUN_END_NO_WORKERS,
    RUN_END_SELECTED,    /* the tasks of config.only are done; others are left */
    RUN_END_MANY_FAILED, /* as many tasks failed for good as config.failures_max allows */
    RUN_END_UNOPENED,    /* no worker has an executor that opens */
};

struct effect {
    enum effect_kind kind;
    uint64_t after_seq;  /* perform when the journal is durable up to here; 0 = at once */
    uint32_t worker;     /* WELCOME, ASSIGN, TAKE_BACK, CANCEL */
    uint64_t assignment; /* ASSIGN, TAKE_BACK, CANCEL */
    enum work work;      /* ASSIGN */
    struct range range;  /* ASSIGN: the tasks, or the subtree whose partials to merge */
    uint32_t attempt;    /* ASSIGN */
    enum run_end end;    /* END */
};

/* What one step gives out: facts to journal in order, effects to perform in order. Cleared at the
 * start of each step. A RESULT fact whose partials have payload_seq 0 takes the payload that came
 * with the report. */
struct output {
    struct fact *facts;
    size_t fact_count;
    size_t fact_capacity;
    struct effect *effects;
    size_t effect_count;
    size_t effect_capacity;
};

void output_close(struct output *output);

struct scheduler;

/* Returns a scheduler with an empty state, owned by the caller. Keeps config->graph. */
struct scheduler *scheduler_create(const struct scheduler_config *config);
void scheduler_destroy(struct scheduler *scheduler);

/* Recovery: applies a journalled fact and decides nothing. Only before INPUT_START. When the last
 * facts are lost but their numbers must not be used again, a SNAPSHOT_END with the last seq says
 * so. */
void scheduler_recover(struct scheduler *scheduler, const struct fact *fact);

/* One step. Facts in `output` are already applied. Pointers in them are borrowed from `input` and
 * from the scheduler until the next step. */
void scheduler_step(struct scheduler *scheduler, const struct input *input, struct output *output);

const struct state *scheduler_state(const struct scheduler *scheduler);

/* The next time at which a TICK may decide something, or UINT64_MAX: the caller need not tick
 * before. Messages that have arrived are to be fed before a TICK, lest a heartbeat that waits to be
 * read count as silence. */
uint64_t scheduler_next_tick_ns(const struct scheduler *scheduler);
/* A worker that is there has fewer assignments than slots. */
bool scheduler_has_idle_slot(const struct scheduler *scheduler);

#endif
