/* scheduler_private.h - what the files of the scheduler share; nobody else includes it.
 *
 * scheduler.c takes a step; workers.c and reports.c turn inputs into facts; dependencies.c,
 * benching.c, assigning.c, merging.c and endgame.c then decide what follows from the state, within
 * the time limit of walltime.c and the tasks of selection.c, until surrender.c says that it makes
 * no sense to go on. */
#ifndef SHEAF_SCHEDULER_PRIVATE_H
#define SHEAF_SCHEDULER_PRIVATE_H

#include "observations.h"

RB_HEAD(take_back_tree, outstanding);
RB_HEAD(copy_tree, outstanding);
TAILQ_HEAD(asked_list, outstanding);

/* What is out and can be hurried along. All zero but the list is valid and empty. */
struct endgame {
    struct take_back_tree take_backs; /* by expected end */
    struct copy_tree copies;          /* by the time from which a copy makes sense */
    struct asked_list asked;          /* the longest unanswered first */
    size_t asked_count;
};

/* Partials made up or picked within a step; facts borrow them until the next. */
struct step_partials {
    SLIST_ENTRY(step_partials) next;
    struct partial partials[];
};

struct scheduler {
    struct scheduler_config config;
    struct state *state;
    struct observations observations;
    struct work_queue queue;
    struct range_set merging; /* subtrees whose merge is queued or out */
    struct endgame endgame;

    bool is_started;
    bool is_over; /* EFFECT_END was given out */
    bool is_stopping;
    bool is_short_of_time;  /* in this step something was not assigned, for want of time */
    bool is_split_reported; /* JOB_ACCEPTED is to follow */
    bool is_split_again;    /* its tasks are known, not their inputs */
    bool is_publish_asked;
    bool is_unchecked; /* RESULTS_CHECKED is still to come */
    uint64_t run_started_seq;
    uint64_t job_accepted_seq;  /* 0 when it was so before this run */
    bool is_workless;           /* work is to be done and no worker has a slot for it ... */
    uint64_t workless_ns;       /* ... since then */
    struct range_set departed;  /* ranks of workers that have left */
    bool is_prepare_failed;     /* of the worker that left last ... */
    uint64_t prepare_failed_ns; /* ... then */
    struct fact_job_failed prepare_failure;
    uint64_t failed_task_count; /* for good, in this run */
    uint64_t unopened_count;    /* executors in a row that could not open ... */
    uint64_t unopened_ns;       /* ... the first of them then */
    bool is_unopened;           /* that goes for every worker */

    /* The step under way. */
    uint64_t now_ns;
    struct output *output;
    uint64_t reported_assignment; /* named by the input: its worker knows that it ended */
    uint64_t returned_assignment; /* likewise, and none of its tasks was started */
    SLIST_HEAD(, step_partials) step_partials;
};

/* scheduler.c */
/* Numbers the fact, applies it, hands it out, and settles what it ended. Returns its seq. */
uint64_t scheduler_emit(struct scheduler *scheduler, struct fact fact);
void scheduler_add_effect(struct scheduler *scheduler, struct effect effect);
/* Room for partials of a fact of this step. */
struct partial *scheduler_step_partials(struct scheduler *scheduler, size_t count);
/* What messages to workers rest on: this run, and its job if there is one. */
uint64_t scheduler_admission_seq(const struct scheduler *scheduler);
/* The plug-in's split is to be called. */
bool scheduler_wants_split(const struct scheduler *scheduler);
/* The run is over once everything so far is durable. */
void scheduler_end(struct scheduler *scheduler, enum run_end end);
void scheduler_fail_job(struct scheduler *scheduler, const struct fact_job_failed *failure);

/* workers.c */
void workers_hello(struct scheduler *scheduler, const struct input_hello *hello);
/* A sign of life: refreshes a worker's deadline, or takes a lost one back. */
void workers_heard(struct scheduler *scheduler, uint32_t rank);
void workers_goodbye(struct scheduler *scheduler, const struct input_goodbye *goodbye);
/* Loses those that were silent too long. */
void workers_check_deadlines(struct scheduler *scheduler);
/* Ends the run when nobody is left to work. */
void workers_check_presence(struct scheduler *scheduler);
/* The run ends while work is out: what each worker was at is filed as stopped. */
void workers_stop(struct scheduler *scheduler);
uint64_t workers_next_ns(const struct scheduler *scheduler);
/* Takes note of how much is out at a worker, after that changed. */
void workers_update_load(struct scheduler *scheduler, uint32_t rank);

/* reports.c */
void reports_take(struct scheduler *scheduler, const struct input_report *report);
void reports_take_returned(struct scheduler *scheduler, const struct input_returned *returned);
/* Takes an assignment from its worker; its tasks are open again. */
void reports_give_up(struct scheduler *scheduler, const struct assignment *assignment);
void reports_take_failure(struct scheduler *scheduler, const struct input_attempt_failed *failed);

/* surrender.c */
/* An executor could not open, or one of the worker's has worked. */
void surrender_note_unopened(struct scheduler *scheduler, uint32_t worker);
void surrender_note_opened(struct scheduler *scheduler, uint32_t worker);
/* Why this run starts nothing more although tasks are left, or 0. */
enum run_end surrender_reason(const struct scheduler *scheduler);
/* The run starts nothing more: for that, or because it is to stop. */
bool surrender_holds(const struct scheduler *scheduler);

/* assigning.c */
/* Queues work, to be started when the delay after its last failure is over. */
void assigning_queue(struct scheduler *scheduler, enum work work, struct range range);
/* The retry of a task was taken back before it started: it goes to whoever is idle, but not to the
 * same queue again and again. */
void assigning_queue_elsewhere(struct scheduler *scheduler, const struct assignment *returned);
/* An assignment of `range` leaves these tasks: those in trouble are queued, unless they are, or are
 * out by themselves or in another range. `avoid` may be WORKER_NONE: then each avoids where it
 * failed last. */
void assigning_queue_retries(struct scheduler *scheduler, struct range range, uint32_t avoid);
/* Gives work to every worker that can take more. */
void assigning_fill(struct scheduler *scheduler);
/* Returns the number of the assignment. */
uint64_t assigning_assign(struct scheduler *scheduler, const struct fact_assigned *assigned);
/* The node where the work failed last, or NODE_NONE. */
uint32_t assigning_failed_node(struct scheduler *scheduler, enum work work, struct range range);

/* benching.c */
/* An assignment is reported: so many of its tasks passed. */
void benching_passed(struct scheduler *scheduler, const struct assignment *assignment,
                     uint64_t task_count);
/* A task, or a merge, of it failed for a cause that counts. */
void benching_failed(struct scheduler *scheduler, const struct assignment *assignment);
/* A worker has done work that may have failed elsewhere before; that is not yet applied. */
void benching_settled(struct scheduler *scheduler, uint32_t worker, enum work work,
                      struct range range);
void benching_ended(struct scheduler *scheduler, const struct assignment *ended);
/* Benches and readmits, by what the step has shown. */
void benching_judge(struct scheduler *scheduler);
/* Tries the benched nodes whose time has come. */
void benching_probe(struct scheduler *scheduler);
uint64_t benching_next_ns(const struct scheduler *scheduler);

/* dependencies.c */
/* Says of what comes after a task that failed for good that it is not run; of very many in several
 * steps. */
void dependencies_fail_doomed(struct scheduler *scheduler);
/* Tasks that wait do so for others that are open, out or in trouble. */
void dependencies_check(const struct scheduler *scheduler);

/* merging.c */
/* The partial that holds `task` is new: queues what can be merged now. */
void merging_climb(struct scheduler *scheduler, uint64_t task);
/* The same for all partials, after recovery. */
void merging_climb_all(struct scheduler *scheduler);
/* A merge ended, done or not. */
void merging_ended(struct scheduler *scheduler, struct range range);
/* True when the subtree still consists of several partials. */
bool merging_is_wanted(const struct scheduler *scheduler, struct range range);

/* walltime.c */
/* Whether such work, a range of one task for RUN, should end at the worker in time. */
bool walltime_allows(const struct scheduler *scheduler, const struct observed_worker *worker,
                     enum work work);
/* How many of `count` tasks in one range should end at the worker in time. */
uint64_t walltime_fit(const struct scheduler *scheduler, const struct observed_worker *worker,
                      uint64_t count);
/* Whether an idle slot has the time for a task that another gives back. */
bool walltime_helps_to_hurry(struct scheduler *scheduler);
/* The worker gets nothing in this step; in the next, others are looked at before it. */
void walltime_refuse(struct scheduler *scheduler, uint32_t worker);

/* selection.c */
/* Whether this run may start the tasks. */
bool selection_holds(const struct scheduler *scheduler, struct range range);
/* The first open tasks that this run may start. Costs O(log n) for each range that was named. */
bool selection_find_open(const struct scheduler *scheduler, struct range *found);
/* All that this run may start is done, and something else is not. */
bool selection_is_done(const struct scheduler *scheduler);
/* Opens what failed for good, as far as this run may start it. */
void selection_reopen_failed(struct scheduler *scheduler);
/* A job that failed because nobody could prepare has lost nothing: it is tried again. */
void selection_reopen_unprepared(struct scheduler *scheduler);

/* endgame.c */
void endgame_add(struct scheduler *scheduler, struct outstanding *outstanding);
void endgame_remove(struct scheduler *scheduler, struct outstanding *outstanding);
/* The answer to a take-back: so much is left of the assignment. */
void endgame_answered(struct scheduler *scheduler, struct outstanding *outstanding, bool gave);
/* Its report is on its way, perhaps. */
void endgame_note_arriving(struct scheduler *scheduler, const struct input_heard *heard);
/* For the first time it is known how long tasks take: what was handed out before is expected then,
 * too. Costs O(outstanding), once. */
void endgame_pace_known(struct scheduler *scheduler);
/* Its twin may have another. */
void endgame_twin_ended(struct scheduler *scheduler, const struct assignment *ended);
/* Keeps idle slots busy when nothing is open. */
void endgame_hurry(struct scheduler *scheduler);
uint64_t endgame_next_ns(const struct scheduler *scheduler);

#endif
