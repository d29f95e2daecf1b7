/* scheduler.c - one step: an input becomes facts, and what follows from them. */
#include "scheduler_private.h"

#include "check.h"
#include "memory.h"

#include <stdlib.h>

struct scheduler_config scheduler_config_default(void)
{
    return (struct scheduler_config){
        .attempts_max = 3,
        .crashes_max = 3,
        .range_target_ns = 75 * SHEAF_NS_PER_MS,
        .report_ns = 20 * 1000,
        .range_count_min = 1,
        .range_count_max = (uint64_t)1 << 40,
        .lost_after_ns = 5 * SHEAF_NS_PER_S,
        .no_workers_ns = 30 * SHEAF_NS_PER_S,
        .retry_delay_ns = 100 * SHEAF_NS_PER_MS,
        .merge_bytes_max = (uint64_t)16 << 20,
        .merge_fan_in = 16,
        .end_ns = UINT64_MAX,
        .prefetch_per_slot = 1,
        .bench_tasks = 3,
        .bench_window = 32,
        .probe_delay_ns = 10 * SHEAF_NS_PER_S,
        .troubles_max = 65536,
    };
}

struct scheduler *scheduler_create(const struct scheduler_config *config)
{
    CHECK(config->attempts_max > 0 && config->crashes_max > 0);
    CHECK(config->range_count_min > 0 && config->range_count_min <= config->range_count_max);
    CHECK(config->merge_fan_in >= 2);
    CHECK(config->bench_tasks > 0 && config->bench_window > 0 && config->probe_delay_ns > 0);
    struct scheduler *scheduler = memory_allocate_zeroed(1, sizeof *scheduler);
    scheduler->config = *config;
    scheduler->state = state_create();
    state_set_graph(scheduler->state, config->graph);
    observations_init(&scheduler->observations);
    TAILQ_INIT(&scheduler->endgame.asked);
    SLIST_INIT(&scheduler->step_partials);
    return scheduler;
}

static void free_step_partials(struct scheduler *scheduler)
{
    while (!SLIST_EMPTY(&scheduler->step_partials)) {
        struct step_partials *first = SLIST_FIRST(&scheduler->step_partials);
        SLIST_REMOVE_HEAD(&scheduler->step_partials, next);
        free(first);
    }
}

void scheduler_destroy(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    free_step_partials(scheduler);
    work_queue_close(&scheduler->queue);
    range_set_close(&scheduler->merging);
    range_set_close(&scheduler->departed);
    observations_close(&scheduler->observations);
    state_destroy(scheduler->state);
    free(scheduler);
}

void output_close(struct output *output)
{
    free(output->facts);
    free(output->effects);
    *output = (struct output){0};
}

const struct state *scheduler_state(const struct scheduler *scheduler)
{
    return scheduler->state;
}

void scheduler_recover(struct scheduler *scheduler, const struct fact *fact)
{
    CHECK(!scheduler->is_started);
    state_apply(scheduler->state, fact);
}

void scheduler_add_effect(struct scheduler *scheduler, struct effect effect)
{
    struct output *output = scheduler->output;
    void *effects = output->effects;
    memory_grow(&effects, &output->effect_capacity, output->effect_count + 1, sizeof effect);
    output->effects = effects;
    output->effects[output->effect_count++] = effect;
}

struct partial *scheduler_step_partials(struct scheduler *scheduler, size_t count)
{
    struct step_partials *added =
        memory_allocate(sizeof *added + count * sizeof added->partials[0]);
    SLIST_INSERT_HEAD(&scheduler->step_partials, added, next);
    return added->partials;
}

uint64_t scheduler_admission_seq(const struct scheduler *scheduler)
{
    return scheduler->job_accepted_seq > scheduler->run_started_seq ? scheduler->job_accepted_seq
                                                                    : scheduler->run_started_seq;
}

/* What an ended assignment leaves undone is queued again. Open tasks need no queue, and split and
 * finish are queued by the phase. */
static void queue_again(struct scheduler *scheduler, const struct assignment *ended)
{
    if (ended->work == WORK_MERGE) {
        if (state_find_assignment(scheduler->state, ended->twin) == NULL)
            merging_ended(scheduler, ended->range);
    } else if (ended->is_retry) {
        const struct trouble *trouble =
            state_find_trouble(scheduler->state, WORK_RUN, ended->range);
        if (trouble == NULL || trouble->assignment != 0)
            return;
        if (ended->seq == scheduler->returned_assignment)
            assigning_queue_elsewhere(scheduler, ended);
        else
            assigning_queue(scheduler, WORK_RUN, ended->range);
    } else if (ended->work == WORK_RUN) {
        assigning_queue_retries(scheduler, ended->range,
                                ended->seq == scheduler->returned_assignment ? ended->worker
                                                                             : WORKER_NONE);
    }
}

static void settle_ended(struct scheduler *scheduler)
{
    size_t count;
    const struct assignment *ended = state_ended(scheduler->state, &count);
    for (size_t i = 0; i < count; i++) {
        struct outstanding *outstanding = outstanding_find(&scheduler->observations, ended[i].seq);
        if (outstanding == NULL) /* of an earlier run */
            continue;
        endgame_remove(scheduler, outstanding);
        outstanding_remove(&scheduler->observations, outstanding);
        endgame_twin_ended(scheduler, &ended[i]);
        benching_ended(scheduler, &ended[i]);
        queue_again(scheduler, &ended[i]);
        if (state_find_worker(scheduler->state, ended[i].worker) == NULL)
            continue;
        workers_update_load(scheduler, ended[i].worker);
        if (ended[i].seq != scheduler->reported_assignment)
            scheduler_add_effect(scheduler, (struct effect){.kind = EFFECT_CANCEL,
                                                            .worker = ended[i].worker,
                                                            .assignment = ended[i].seq});
    }
}

uint64_t scheduler_emit(struct scheduler *scheduler, struct fact fact)
{
    struct output *output = scheduler->output;
    fact.seq = state_last_seq(scheduler->state) + 1;
    state_apply(scheduler->state, &fact);
    void *facts = output->facts;
    memory_grow(&facts, &output->fact_capacity, output->fact_count + 1, sizeof fact);
    output->facts = facts;
    output->facts[output->fact_count++] = fact;
    settle_ended(scheduler);
    return fact.seq;
}

void scheduler_end(struct scheduler *scheduler, enum run_end end)
{
    scheduler_add_effect(scheduler, (struct effect){.kind = EFFECT_END,
                                                    .after_seq = state_last_seq(scheduler->state),
                                                    .end = end});
    scheduler->is_over = true;
}

void scheduler_fail_job(struct scheduler *scheduler, const struct fact_job_failed *failure)
{
    scheduler_emit(scheduler, (struct fact){.kind = FACT_JOB_FAILED, .as.job_failed = *failure});
    scheduler_end(scheduler, RUN_END_JOB_FAILED);
}

static void end_finished(struct scheduler *scheduler)
{
    bool has_failed_tasks = state_failed_task_count(scheduler->state) > 0;
    scheduler_end(scheduler, has_failed_tasks ? RUN_END_TASKS_FAILED : RUN_END_DONE);
}

/* What recovery found is to be gone on with. */
static void resume(struct scheduler *scheduler)
{
    const struct trouble *trouble = state_find_trouble_from(scheduler->state, WORK_RUN, 0);
    while (trouble != NULL) {
        if (selection_holds(scheduler, trouble->range))
            assigning_queue(scheduler, WORK_RUN, trouble->range);
        trouble = state_find_trouble_from(scheduler->state, WORK_RUN, range_end(trouble->range));
    }
    merging_climb_all(scheduler);
}

/* What was published may have gone, or another place may be meant now, and results may have been
 * lost since: a job that has finished goes on with whatever it lacks. */
static void publish_again(struct scheduler *scheduler)
{
    if (state_phase(scheduler->state) == PHASE_FINISHED)
        scheduler->run_started_seq =
            scheduler_emit(scheduler, (struct fact){.kind = FACT_FAILED_REOPENED});
}

static void take_start(struct scheduler *scheduler, const struct input_start *start)
{
    CHECK(!scheduler->is_started);
    scheduler->is_started = true;
    scheduler->is_unchecked = start->is_unchecked;
    scheduler->run_started_seq = scheduler_emit(
        scheduler, (struct fact){.kind = FACT_RUN_STARTED,
                                 .as.run_started = {.incarnation = start->incarnation}});
    if (start->retries_failed)
        selection_reopen_failed(scheduler);
    else
        selection_reopen_unprepared(scheduler);
    publish_again(scheduler);
    if (state_phase(scheduler->state) == PHASE_FAILED)
        scheduler_end(scheduler, RUN_END_JOB_FAILED);
    else
        resume(scheduler);
}

static void take_job_accepted(struct scheduler *scheduler, const struct fact_job_accepted *job)
{
    if (state_phase(scheduler->state) != PHASE_NEW)
        return;
    CHECK(job->task_count <= SHEAF_TASKS_MAX);
    scheduler->is_workless = false;
    scheduler->job_accepted_seq = scheduler_emit(
        scheduler, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = *job});
}

static void take_result_lost(struct scheduler *scheduler, const struct input_result_lost *lost)
{
    const struct fact_job_accepted *job = state_job(scheduler->state);
    struct range range = lost->range;
    if (job == NULL || range.count > job->task_count || range.first > job->task_count - range.count)
        return;
    scheduler->is_publish_asked = false;
    scheduler_emit(scheduler, (struct fact){.kind = FACT_RESULT_LOST, .as.result_lost = {range}});
    if (lost->kept_count > 0)
        scheduler_emit(scheduler, (struct fact){.kind = FACT_RESULT,
                                                .as.result = {.worker = WORKER_NONE,
                                                              .work = WORK_RUN,
                                                              .partial_count = lost->kept_count,
                                                              .partials = lost->kept}});
}

static void take_published(struct scheduler *scheduler)
{
    if (state_phase(scheduler->state) != PHASE_PUBLISHING)
        return;
    uint64_t failed_task_count = state_failed_task_count(scheduler->state);
    scheduler_emit(scheduler, (struct fact){.kind = FACT_JOB_FINISHED,
                                            .as.job_finished = {failed_task_count}});
    end_finished(scheduler);
}

static void take_stop(struct scheduler *scheduler)
{
    if (scheduler->is_stopping) {
        workers_stop(scheduler);
        scheduler_end(scheduler, RUN_END_STOPPED);
    }
    scheduler->is_stopping = true;
}

static void take_input(struct scheduler *scheduler, const struct input *input)
{
    switch (input->kind) {
    case INPUT_START:
        take_start(scheduler, &input->as.start);
        break;
    case INPUT_JOB_ACCEPTED:
        take_job_accepted(scheduler, &input->as.job_accepted);
        break;
    case INPUT_HELLO:
        workers_hello(scheduler, &input->as.hello);
        break;
    case INPUT_HEARD:
        workers_heard(scheduler, input->as.heard.worker);
        endgame_note_arriving(scheduler, &input->as.heard);
        break;
    case INPUT_REPORT:
        reports_take(scheduler, &input->as.report);
        break;
    case INPUT_RETURNED:
        reports_take_returned(scheduler, &input->as.returned);
        break;
    case INPUT_ATTEMPT_FAILED:
        reports_take_failure(scheduler, &input->as.attempt_failed);
        break;
    case INPUT_GOODBYE:
        workers_goodbye(scheduler, &input->as.goodbye);
        break;
    case INPUT_RESULT_LOST:
        take_result_lost(scheduler, &input->as.result_lost);
        break;
    case INPUT_RESULTS_CHECKED:
        scheduler->is_unchecked = false;
        break;
    case INPUT_INPUTS_LOST:
        scheduler->is_split_again = true;
        scheduler->is_split_reported = false;
        break;
    case INPUT_INPUTS_MADE:
        scheduler->is_split_again = false;
        break;
    case INPUT_PUBLISHED:
        take_published(scheduler);
        break;
    case INPUT_STOP:
        take_stop(scheduler);
        break;
    case INPUT_TICK:
        workers_check_deadlines(scheduler);
        break;
    }
}

/* Split and finish are one call each. */
static void queue_once(struct scheduler *scheduler, enum work work, struct range range)
{
    if (scheduler->observations.outstanding_of[work] == 0 &&
        work_queue_find(&scheduler->queue, work, range) == NULL)
        assigning_queue(scheduler, work, range);
}

bool scheduler_wants_split(const struct scheduler *scheduler)
{
    enum phase phase = state_phase(scheduler->state);
    return scheduler->config.has_split && !scheduler->is_split_reported &&
           (phase == PHASE_NEW || (phase == PHASE_RUNNING && scheduler->is_split_again));
}

static void follow_phase(struct scheduler *scheduler)
{
    enum phase phase = state_phase(scheduler->state);
    if (scheduler_wants_split(scheduler))
        queue_once(scheduler, WORK_SPLIT, (struct range){0, 0});
    if (phase == PHASE_FINISHING)
        queue_once(scheduler, WORK_FINISH,
                   (struct range){0, state_job(scheduler->state)->task_count});
    bool is_to_be_published = phase == PHASE_PUBLISHING && !scheduler->is_unchecked;
    if (is_to_be_published && !scheduler->is_publish_asked)
        scheduler_add_effect(
            scheduler,
            (struct effect){.kind = EFFECT_PUBLISH, .after_seq = state_last_seq(scheduler->state)});
    scheduler->is_publish_asked = is_to_be_published;
}

/* What follows from the state and the time, whatever the input was. */
static void decide(struct scheduler *scheduler)
{
    dependencies_fail_doomed(scheduler);
    follow_phase(scheduler);
    benching_judge(scheduler);
    scheduler->is_short_of_time = false;
    if (!surrender_holds(scheduler)) {
        if (!scheduler->is_split_again)
            benching_probe(scheduler);
        assigning_fill(scheduler);
    }
    if (!scheduler->is_split_again)
        endgame_hurry(scheduler);
    workers_check_presence(scheduler);
    dependencies_check(scheduler);
    if (scheduler->is_over || scheduler->is_publish_asked ||
        scheduler->observations.outstanding_count > 0)
        return;
    if (scheduler->is_stopping)
        scheduler_end(scheduler, RUN_END_STOPPED);
    else if (scheduler->is_short_of_time)
        scheduler_end(scheduler, RUN_END_WALLTIME);
    else if (!scheduler->is_unchecked && selection_is_done(scheduler))
        scheduler_end(scheduler, RUN_END_SELECTED);
    else if (surrender_reason(scheduler) != 0)
        scheduler_end(scheduler, surrender_reason(scheduler));
}

void scheduler_step(struct scheduler *scheduler, const struct input *input, struct output *output)
{
    output->fact_count = 0;
    output->effect_count = 0;
    free_step_partials(scheduler);
    if (scheduler->is_over)
        return;
    CHECK(scheduler->is_started || input->kind == INPUT_START);
    CHECK(input->now_ns >= scheduler->now_ns);
    scheduler->now_ns = input->now_ns;
    scheduler->output = output;
    scheduler->reported_assignment = 0;
    scheduler->returned_assignment = 0;
    take_input(scheduler, input);
    if (!scheduler->is_over)
        decide(scheduler);
    scheduler->output = NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool scheduler_has_idle_slot(const struct scheduler *scheduler)
{
    return scheduler->observations.idle_slot_count > 0;
}

uint64_t scheduler_next_tick_ns(const struct scheduler *scheduler)
{
    if (!scheduler->is_started || scheduler->is_over)
        return UINT64_MAX;
    if (state_doomed(scheduler->state)->task_count > 0)
        return scheduler->now_ns;
    uint64_t next_ns = workers_next_ns(scheduler);
    if (!surrender_holds(scheduler)) {
        next_ns = earlier(next_ns, work_queue_next_ns(&scheduler->queue));
    }
    if (!surrender_holds(scheduler) && !scheduler->is_split_again) {
        next_ns = earlier(next_ns, endgame_next_ns(scheduler));
        next_ns = earlier(next_ns, benching_next_ns(scheduler));
    }
    return next_ns;
}
