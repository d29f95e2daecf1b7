/* slot_set.h - a rank's slots: each one executor, fed with work, watched, killed and replaced.
 *
 * Usage in a rank: spawner_start before MPI starts; slot_set_create when the WELCOME brought the
 * job; then slot_set_start for each work order and slot_set_poll in the loop. Nothing here blocks.
 */
#ifndef SHEAF_SLOT_SET_H
#define SHEAF_SLOT_SET_H

#include "../jobs/job.h"
#include "../scheduler/fact.h"
#include "executor_log.h"
#include "placement.h"

struct spawner;

/* Forks the spawner: must be called before MPI starts, before any thread, and at most once. The
 * spawner waits for commands on a socket, has every other inherited descriptor closed, and dies
 * with this process. */
int spawner_start(struct spawner **spawner, struct sheaf_error *error);
/* Ends it, and with it all executors and their process groups; waits for that, at most for some
 * seconds. Idle executors of a destroyed set have half a second to close. Destroy the set first. */
void spawner_stop(struct spawner *spawner);
/* A spawner prepares for one job. Another one is kept for the job that follows, or for when this
 * one dies. Before MPI starts, and at most once: forks it. */
int spawner_reserve_successor(struct spawner *spawner, struct sheaf_error *error);
/* Before slot_set_create: has the spawner make it, if there is none, while it is still as it was
 * before MPI started. */
int spawner_order_successor(struct spawner *spawner, struct sheaf_error *error);
/* Ends it as spawner_stop does, and goes on with the successor; where none is left that answers,
 * with one that is made anew. A code when that cannot be: it may be tried again. */
int spawner_renew(struct spawner *spawner, struct sheaf_error *error);

struct slot_set;

struct slot_set_options {
    const struct job *job; /* borrowed for the call */
    bool has_merge;
    uint32_t slot_count;
    const struct slot_place *places; /* one a slot; borrowed for the call. No core = do not bind */
    const char *run_dir; /* task logs go to RUN_DIR/logs; borrowed for the call; NULL = none */
    const char *mpi_environment; /* mpi_environment.h; borrowed for the call; NULL = empty */
    uint64_t world; /* a random number, of the master's start: it tells what runs for it from what
                       an earlier one has left */
    bool has_past;  /* there may be such; it is ended first. Needs a run_dir */
};

/* Tells the spawner to load the plug-in and to prepare, with the job's time and memory limit.
 * Returns at once; slot_set_poll reports when it is ready or has failed. */
int slot_set_create(struct spawner *spawner, const struct slot_set_options *options,
                    struct slot_set **slots, struct sheaf_error *error);
/* Tells idle executors to close and end; busy ones are killed. */
void slot_set_destroy(struct slot_set *slots);

/* An order for one slot. `body`: RUN - for each task u32 size and bytes if has_input, else nothing;
 * MERGE - for each partial u64 first, u64 count, u8 is_absent, u32 size, bytes;
 * FINISH - the result's bytes; SPLIT - nothing. */
struct work_order {
    uint64_t assignment;
    enum work work;
    struct range range;
    uint32_t attempt;
    bool has_input;
    uint64_t task_count;
    const unsigned char *body; /* borrowed for the call */
    size_t body_size;
};

uint32_t slot_set_count(const struct slot_set *slots);
/* Idle: its executor is ready, or will be started, for an order. False until READY. */
bool slot_set_is_idle(const struct slot_set *slots, uint32_t slot);
/* Gives an idle slot an order. A RUN order of more than 2^32 - 2 tasks ends early. */
void slot_set_start(struct slot_set *slots, uint32_t slot, const struct work_order *order);
/* Lowers the end of a running RUN order so that about half of the unstarted tasks stay; the last
 * unstarted one goes, too, once another has started. Returns what was taken off the end; empty when
 * nothing could be. Never waits. */
struct range slot_set_take_back(struct slot_set *slots, uint32_t slot);
/* Kills what the slot runs; no event follows for that order. */
void slot_set_cancel(struct slot_set *slots, uint32_t slot);
/* What runs is asked to end: commands get SIGTERM, plug-ins find it by sheaf_is_stopping. A task
 * that fails from now on is not reported as failed, but left undone. */
void slot_set_stop(struct slot_set *slots);

enum slot_event_kind {
    SLOT_EVENT_NONE = 0,
    SLOT_EVENT_READY,          /* prepare succeeded: orders can be started */
    SLOT_EVENT_PREPARE_FAILED, /* cause, detail, text; the set is of no more use. After READY: the
                                  spawner died, or can fork no more; its orders are void */
    SLOT_EVENT_FAILED,         /* one task (or the split/merge/finish) failed; more events follow
                                  for the order unless `is_crash` or the work is not RUN */
    SLOT_EVENT_TASKS,          /* SPLIT: a batch of tasks: `body` = u64 count, u8 has_input, then
                                  u32 size and bytes each if has_input */
    SLOT_EVENT_DONE,           /* the order ended; `partials` and `body` = payload */
};

/* Borrowed until the next poll. Limits: time and memory are those of the job; an executor that ends
 * by any exit, even exit(0), has crashed. An `open` that fails costs the order's first task (text
 * "open: ..."). A merge that fails inside a RUN order leaves the two results as partials of their
 * own; one that crashes there costs the task after which it was called, and further RUN orders of
 * this set do not merge. Both show in a MERGE order then. After a crash (or timeout, memory limit)
 * in task i of RUN order [a, b): one FAILED event for range [i, 1) with is_crash, and the order is
 * over: the tasks of [a, b) other than i did not count (their results died with the executor).
 * After DONE of a RUN order every task of the (possibly shortened) range is in a partial or had a
 * FAILED event, or lies beyond `range`, when the executor ended early because its report was full
 * or SLOT_REPORT_FAILURES_MAX of its tasks had failed.
 */
struct slot_event {
    enum slot_event_kind kind;
    uint32_t slot;
    uint64_t assignment;
    enum work work;
    struct range range; /* DONE: what was run; FAILED: the task or subtree */
    enum cause cause;
    int32_t detail;
    bool is_crash;
    bool is_for_good; /* FAILED: another attempt would fail, too */
    bool is_open;     /* FAILED: it was the executor's open */
    bool is_foreign;  /* PREPARE_FAILED: by a signal as somebody else sends it, and no bug raises */
    char text[FACT_TEXT_BYTES_MAX];
    struct executor_log_span log_span; /* FAILED: what the executor wrote meanwhile ... */
    uint32_t log_size;                 /* ... and the last lines of it, where they were read */
    char log[FACT_LOG_BYTES_MAX];
    uint64_t tasks_run;
    uint64_t busy_ns;
    const struct partial *partials;
    uint32_t partial_count;
    const unsigned char *body;
    size_t body_size;
};

/* Makes progress: drains rings, reaps, enforces limits. 1 with the next event, 0 when there is
 * none. `now_ns` is monotonic. */
int slot_set_poll(struct slot_set *slots, uint64_t now_ns, struct slot_event *event);
/* The memory in which the body of the slot's last event lies, for as long as one likes: owned by
 * the caller from now on. */
unsigned char *slot_set_take_body(struct slot_set *slots, uint32_t slot);
/* A descriptor that becomes readable when an executor or the spawner has something to say, and
 * the calls around a sleep: prepare returns false when there is something already. */
int slot_set_wake_descriptor(const struct slot_set *slots);
bool slot_set_prepare_sleep(struct slot_set *slots);
void slot_set_end_sleep(struct slot_set *slots);
/* The next time slot_set_poll must be called for a limit to be enforced; UINT64_MAX if none. */
uint64_t slot_set_next_poll_ns(const struct slot_set *slots);

#endif
