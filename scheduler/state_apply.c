/* state_apply.c - the fold: what each fact changes. */
#include "state_private.h"

#include "tree.h"

/* Where the job is, as far as its tasks tell. */
enum phase state_phase_of_tasks(const struct state *state)
{
    bool is_merged = !state->job.has_merge || state->partial_count <= 1;
    if (state->done.task_count < state->job.task_count || !is_merged)
        return PHASE_RUNNING;
    return state->job.has_finish && !state->has_output ? PHASE_FINISHING : PHASE_PUBLISHING;
}

/* A run begins: nobody works yet, and times of an earlier clock mean nothing. */
static void apply_run_started(struct state *state, const struct fact_run_started *started)
{
    state->incarnation = started->incarnation;
    while (!TAILQ_EMPTY(&state->workers))
        state_remove_worker(state, TAILQ_FIRST(&state->workers));
    range_set_close(&state->benched_nodes);
    struct trouble *trouble;
    RB_FOREACH (trouble, trouble_tree, &state->troubles) {
        trouble->not_before_ns = 0;
        trouble->last_worker = WORKER_NONE;
    }
}

static bool is_same_job(const struct fact_job_accepted *a, const struct fact_job_accepted *b)
{
    return a->task_count == b->task_count && a->input_bytes == b->input_bytes &&
           a->input_crc == b->input_crc && a->has_merge == b->has_merge &&
           a->has_finish == b->has_finish && a->graph_fingerprint == b->graph_fingerprint;
}

/* Results belong to one set of tasks: with other tasks, all begins anew. */
static void apply_job_accepted(struct state *state, const struct fact_job_accepted *job)
{
    const struct range all = {0, 0};
    if (state->has_job && is_same_job(&state->job, job))
        return;
    state_end_work(state, WORK_RUN, all);
    state_end_work(state, WORK_MERGE, all);
    state_end_work(state, WORK_FINISH, all);
    state_clear_tasks(state);
    if (state->has_job) /* what failed before the first split still counts */
        failure_table_close(&state->failures);
    state->has_job = true;
    state->job = *job;
    range_set_add(&state->open, (struct range){0, job->task_count});
    state_begin_graph(state);
    if (state->phase == PHASE_NEW)
        state->phase = PHASE_RUNNING;
}

static void apply_worker_lost(struct state *state, const struct fact_worker_lost *lost)
{
    state_count_loss(state, lost);
    struct worker *worker = (struct worker *)state_find_worker(state, lost->worker);
    if (worker != NULL)
        state_remove_worker(state, worker);
}

static void end_assignment(struct state *state, uint64_t seq)
{
    struct assignment *assignment = (struct assignment *)state_find_assignment(state, seq);
    if (assignment != NULL)
        state_end_assignment(state, assignment);
}

static bool is_possible_partial(const struct state *state, const struct partial *partial)
{
    return state_has_range(state, partial->range) &&
           (!state->job.has_merge || tree_is_node(partial->range, state->job.task_count));
}

/* The first result of a task counts; a later one of any of its tasks is dropped whole. */
static void apply_run_result(struct state *state, const struct fact_result *result)
{
    for (uint32_t i = 0; i < result->partial_count; i++) {
        const struct partial *partial = &result->partials[i];
        if (is_possible_partial(state, partial) &&
            !range_set_intersects(&state->done, partial->range)) {
            state_add_partial(state, partial);
            /* Of an absent one, a snapshot says afterwards that it failed. */
            if (!partial->is_absent)
                state_settle_graph(state, partial->range);
        }
    }
}

/* A subtree of which a task is not done can only be met when a fact was lost. Which of its tasks
 * failed for good may have been lost with it: it is merged again, after those that are missing. */
static void apply_merge_result(struct state *state, const struct fact_result *result)
{
    if (result->partial_count == 0 || !is_possible_partial(state, result->partials) ||
        !state->job.has_merge)
        return;
    struct range range = result->partials->range;
    if (!range_set_contains(&state->done, range))
        return;
    const struct partial *present = state_find_partial(state, range.first);
    if (present != NULL && range_contains(present->range, range) &&
        present->range.count > range.count)
        return;
    state_replace_partials(state, result->partials);
    state_clear_troubles(state, WORK_MERGE, range);
    const struct assignment *ended = state_find_assignment(state, result->assignment);
    if (ended != NULL && ended->twin != 0)
        end_assignment(state, ended->twin);
}

static void apply_finish_result(struct state *state, const struct fact_result *result)
{
    if (result->partial_count == 0 || state->phase != PHASE_FINISHING ||
        result->partials->range.first != 0 ||
        result->partials->range.count != state->job.task_count)
        return;
    state->has_output = true;
    state->output = *result->partials;
    if (state->output.payload_seq == 0)
        state->output.payload_seq = state->last_seq;
    state_clear_troubles(state, WORK_FINISH, result->partials->range);
    state_end_work(state, WORK_FINISH, (struct range){0, 0});
}

static void apply_result(struct state *state, const struct fact_result *result)
{
    switch (result->work) {
    case WORK_SPLIT:
        state_clear_troubles(state, WORK_SPLIT, (struct range){0, 0});
        break;
    case WORK_RUN:
        apply_run_result(state, result);
        break;
    case WORK_MERGE:
        apply_merge_result(state, result);
        break;
    case WORK_FINISH:
        apply_finish_result(state, result);
        break;
    }
    end_assignment(state, result->assignment);
}

static void apply_returned(struct state *state, const struct fact_returned *returned)
{
    struct assignment *assignment =
        (struct assignment *)state_find_assignment(state, returned->assignment);
    if (assignment == NULL)
        return;
    struct range kept = range_between(assignment->range.first, returned->range.first);
    bool is_end = range_end(returned->range) == range_end(assignment->range);
    if (returned->is_whole || (is_end && range_is_empty(kept)))
        state_end_assignment(state, assignment);
    else if (is_end && !range_is_empty(returned->range))
        state_cut_assignment(state, assignment, returned->range.first);
}

static void count_failure(struct trouble *trouble, const struct fact_attempt_failed *failed)
{
    trouble->is_unopened = failed->cause == CAUSE_OPEN;
    trouble->last_worker = failed->worker;
    trouble->failed_assignment = failed->assignment;
    trouble->not_before_ns = failed->not_before_ns;
    if (!cause_counts(failed->cause))
        return;
    trouble->attempts++;
    if (failed->is_crash)
        trouble->crashes++;
}

/* Marks what is done as failed for good. */
static void mark_failed(struct state *state, struct range range)
{
    uint64_t end = range_end(range);
    struct range done = {range.first, 0};
    while (range_set_find_from(&state->done, range_end(done), &done) && done.first < end)
        range_set_add(&state->failed,
                      range_between(done.first, range_end(done) < end ? range_end(done) : end));
}

static void add_absent(struct state *state, struct range range)
{
    const struct partial absent = {.range = range, .is_absent = true};
    if (range_set_contains(&state->done, range))
        return;
    state_add_partial(state, &absent);
    state_join_absent(state, range.first);
}

/* A task that was done before keeps its partial: a snapshot gives those first. */
static void fail_tasks(struct state *state, const struct fact_attempt_failed *failed)
{
    struct range range = failed->range;
    bool is_not_run = failed->cause == CAUSE_NOT_RUN;
    if (range.count == 1)
        add_absent(state, range);
    for (uint64_t task = range.first; is_not_run && task < range_end(range); task++)
        add_absent(state, (struct range){task, 1});
    mark_failed(state, range);
    if (is_not_run)
        range_set_add(&state->not_run, range);
    state_settle_graph(state, range);
    state_doom_successors(state, range);
}

static void apply_task_failed(struct state *state, const struct fact_attempt_failed *failed)
{
    if (!state_has_range(state, failed->range))
        return;
    if (failed->is_final) {
        fail_tasks(state, failed);
    } else if (!range_set_intersects(&state->done, failed->range)) {
        count_failure(state_get_trouble(state, WORK_RUN, failed->range), failed);
        range_set_remove(&state->open, failed->range);
    }
    if (failed->is_crash)
        end_assignment(state, failed->assignment);
}

static void apply_attempt_failed(struct state *state, const struct fact_attempt_failed *failed)
{
    state_count_failure(state, failed);
    if (failed->work == WORK_RUN) {
        apply_task_failed(state, failed);
        return;
    }
    count_failure(state_get_trouble(state, failed->work, failed->range), failed);
    end_assignment(state, failed->assignment);
}

static void remove_results(struct state *state, struct range range)
{
    if (!state_remove_partials(state, range))
        return;
    state->has_output = false;
    state_end_work(state, WORK_MERGE, range);
    state_end_work(state, WORK_FINISH, (struct range){0, 0});
}

/* The output of finish can be made again from the merged result; anything else from its tasks. */
static void apply_result_lost(struct state *state, struct range range)
{
    if (state->phase == PHASE_FINISHED)
        return;
    bool is_output = state->phase == PHASE_PUBLISHING && state->has_output && range.first == 0 &&
                     range.count == state->job.task_count;
    if (is_output)
        state->has_output = false;
    else
        remove_results(state, range);
}

static void apply_failed_reopened(struct state *state, struct range range)
{
    const struct range all = {0, state_task_count(state)};
    if (state->phase >= PHASE_FINISHED)
        state->phase = state->has_job ? PHASE_RUNNING : PHASE_NEW;
    state_clear_troubles(state, WORK_SPLIT, (struct range){0, 0});
    state_clear_troubles(state, WORK_MERGE, all);
    state_clear_troubles(state, WORK_FINISH, all);
    struct range failed = {range.first, 0};
    while (range_set_find_from(&state->failed, range_end(failed), &failed) &&
           failed.first < range_end(range))
        remove_results(state, range_overlap(failed, range));
    if (state->failed.task_count == 0)
        failure_table_reopen(&state->failures);
}

static void apply_kind(struct state *state, const struct fact *fact)
{
    switch (fact->kind) {
    case FACT_RUN_STARTED:
        apply_run_started(state, &fact->as.run_started);
        break;
    case FACT_JOB_ACCEPTED:
        apply_job_accepted(state, &fact->as.job_accepted);
        break;
    case FACT_WORKER_JOINED:
        state_add_worker(state, &fact->as.worker_joined);
        break;
    case FACT_WORKER_LOST:
        apply_worker_lost(state, &fact->as.worker_lost);
        break;
    case FACT_ASSIGNED:
        state_add_assignment(state, fact->seq, &fact->as.assigned);
        break;
    case FACT_RESULT:
        apply_result(state, &fact->as.result);
        break;
    case FACT_RETURNED:
        apply_returned(state, &fact->as.returned);
        break;
    case FACT_ATTEMPT_FAILED:
        apply_attempt_failed(state, &fact->as.attempt_failed);
        break;
    case FACT_RESULT_LOST:
        apply_result_lost(state, fact->as.result_lost.range);
        break;
    case FACT_JOB_FAILED:
        state->phase = PHASE_FAILED;
        state->job_failure = fact->as.job_failed;
        break;
    case FACT_JOB_FINISHED:
        state->phase = PHASE_FINISHED;
        state->published_failed_count = fact->as.job_finished.failed_task_count;
        break;
    case FACT_SNAPSHOT_END:
        state->is_snapshot_over = true;
        break;
    case FACT_NODE_BENCHED:
        range_set_add(&state->benched_nodes, (struct range){fact->as.node_benched.node, 1});
        break;
    case FACT_NODE_READMITTED:
        range_set_remove(&state->benched_nodes, (struct range){fact->as.node_readmitted.node, 1});
        break;
    case FACT_FAILURES:
        failure_table_add(&state->failures, &fact->as.failures);
        break;
    case FACT_FAILED_REOPENED:
        apply_failed_reopened(state, fact->as.failed_reopened.range);
        break;
    }
}

/* Facts of a snapshot share one seq: they come first, up to their end mark. */
static bool is_new(const struct state *state, const struct fact *fact)
{
    return fact->seq > state->last_seq ||
           (fact->seq == state->last_seq && !state->is_snapshot_over);
}

void state_apply(struct state *state, const struct fact *fact)
{
    state->ended_count = 0;
    if (!is_new(state, fact))
        return;
    if (state->last_seq != 0 && fact->seq > state->last_seq)
        state->is_snapshot_over = true;
    state->last_seq = fact->seq;
    apply_kind(state, fact);
    if (state->phase >= PHASE_RUNNING && state->phase <= PHASE_PUBLISHING)
        state->phase = state_phase_of_tasks(state);
}
