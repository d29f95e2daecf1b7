/* state_snapshot.c - says a state in as few facts as it needs. */
#include "state_private.h"

#include "memory.h"

#include <stdlib.h>

struct snapshot {
    const struct state *state;
    void (*emit)(void *context, const struct fact *fact);
    void *context;
};

static void emit(const struct snapshot *snapshot, struct fact fact)
{
    fact.seq = snapshot->state->last_seq;
    snapshot->emit(snapshot->context, &fact);
}

static void emit_result(const struct snapshot *snapshot, enum work work,
                        const struct partial *partials, uint32_t count)
{
    emit(snapshot, (struct fact){.kind = FACT_RESULT,
                                 .as.result = {.worker = WORKER_NONE,
                                               .work = work,
                                               .partial_count = count,
                                               .partials = partials}});
}

static void emit_partials(const struct snapshot *snapshot)
{
    size_t batch_size = snapshot->state->partial_count < FACT_PARTIALS_MAX
                            ? snapshot->state->partial_count
                            : FACT_PARTIALS_MAX;
    struct partial *batch = memory_allocate_zeroed(batch_size, sizeof *batch);
    uint32_t count = 0;
    struct partial_node *node;
    RB_FOREACH (node, partial_tree, (struct partial_tree *)&snapshot->state->partials) {
        batch[count++] = node->partial;
        if (count == batch_size) {
            emit_result(snapshot, WORK_RUN, batch, count);
            count = 0;
        }
    }
    if (count > 0)
        emit_result(snapshot, WORK_RUN, batch, count);
    free(batch);
}

static void emit_failed_tasks(const struct snapshot *snapshot)
{
    const struct state *state = snapshot->state;
    struct range failed = {0, 0};
    while (range_set_find_from(&state->failed, range_end(failed), &failed)) {
        struct range not_run;
        uint64_t end = range_end(failed);
        if (!range_set_find_from(&state->not_run, failed.first, &not_run) || not_run.first >= end)
            not_run = (struct range){end, 0};
        bool is_run = not_run.first > failed.first;
        failed = is_run ? range_between(failed.first, not_run.first) : not_run;
        emit(snapshot,
             (struct fact){.kind = FACT_ATTEMPT_FAILED,
                           .as.attempt_failed = {.worker = WORKER_NONE,
                                                 .work = WORK_RUN,
                                                 .range = failed,
                                                 .cause = is_run ? CAUSE_NONE : CAUSE_NOT_RUN,
                                                 .is_final = true}});
    }
}

/* One fact an attempt, crashes first; one of no account where none counted. */
static void emit_trouble(const struct snapshot *snapshot, const struct trouble *trouble)
{
    uint32_t fact_count = trouble->attempts > 0 ? trouble->attempts : 1;
    enum cause cause = trouble->is_unopened ? CAUSE_OPEN : CAUSE_STOPPED;
    for (uint32_t i = 0; i < fact_count; i++)
        emit(snapshot, (struct fact){.kind = FACT_ATTEMPT_FAILED,
                                     .as.attempt_failed = {
                                         .worker = trouble->last_worker,
                                         .work = trouble->work,
                                         .range = trouble->range,
                                         .cause = trouble->attempts > 0 ? CAUSE_NONE : cause,
                                         .is_crash = i < trouble->crashes,
                                         .not_before_ns = trouble->not_before_ns}});
}

static void emit_failures(const struct snapshot *snapshot)
{
    const struct failure_table *table = &snapshot->state->failures;
    struct fact fact = {.kind = FACT_FAILURES};
    for (size_t i = 0; i < table->count; i++)
        for (uint32_t part = 0; failure_group_part(table->groups[i], part, &fact.as.failures);
             part++)
            emit(snapshot, fact);
}

static void emit_job(const struct snapshot *snapshot)
{
    const struct state *state = snapshot->state;
    emit(snapshot, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = state->job});
    emit_partials(snapshot);
    emit_failed_tasks(snapshot);
    if (state->has_output)
        emit_result(snapshot, WORK_FINISH, &state->output, 1);
}

static void emit_end(const struct snapshot *snapshot)
{
    const struct state *state = snapshot->state;
    if (state->phase == PHASE_FAILED)
        emit(snapshot, (struct fact){.kind = FACT_JOB_FAILED, .as.job_failed = state->job_failure});
    if (state->phase == PHASE_FINISHED)
        emit(snapshot, (struct fact){.kind = FACT_JOB_FINISHED,
                                     .as.job_finished = {.failed_task_count =
                                                             state->published_failed_count}});
    emit(snapshot, (struct fact){.kind = FACT_SNAPSHOT_END});
}

void state_snapshot(const struct state *state, void (*emit_fact)(void *, const struct fact *),
                    void *context)
{
    const struct snapshot snapshot = {state, emit_fact, context};
    emit(&snapshot, (struct fact){.kind = FACT_RUN_STARTED,
                                  .as.run_started = {.incarnation = state->incarnation}});
    if (state->has_job)
        emit_job(&snapshot);
    emit_failures(&snapshot);
    struct trouble *trouble;
    RB_FOREACH (trouble, trouble_tree, (struct trouble_tree *)&state->troubles) {
        emit_trouble(&snapshot, trouble);
    }
    emit_end(&snapshot);
}
