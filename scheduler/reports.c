/* reports.c - what workers say of their assignments: results, returns and failures.
 *
 * A report may come late, twice, or from a worker believed lost. What it says of tasks counts
 * whenever they are not done yet; what it says of an assignment counts as long as that is out. */
#include "scheduler_private.h"

#include "tree.h"

/* Bound of the doubling of the delay before another attempt. */
enum { DELAY_DOUBLINGS_MAX = 16 };

/* The assignment a worker speaks of; NULL when it ended before, or never was this worker's. */
static const struct assignment *find_spoken_of(const struct scheduler *scheduler, uint64_t seq,
                                               uint32_t worker, enum work work)
{
    const struct assignment *assignment = state_find_assignment(scheduler->state, seq);
    if (assignment == NULL || assignment->worker != worker || assignment->work != work)
        return NULL;
    return assignment;
}

/* The bytes must lie in the payload that came with the report. */
static bool is_own_partial(const struct partial *partial)
{
    return partial->payload_seq == 0 && partial->size_bytes <= UINT64_MAX - partial->offset_bytes &&
           (!partial->is_absent || partial->size_bytes == 0);
}

/* An executor cannot say that a task failed for good: its partials are never absent. */
static bool is_possible_partial(const struct fact_job_accepted *job, const struct partial *partial)
{
    struct range range = partial->range;
    if (!is_own_partial(partial) || partial->is_absent || range_is_empty(range) ||
        range.count > job->task_count || range.first > job->task_count - range.count)
        return false;
    return !job->has_merge || tree_is_node(range, job->task_count);
}

static bool is_possible_report(const struct fact_job_accepted *job,
                               const struct input_report *report)
{
    if (job == NULL || report->partial_count > FACT_PARTIALS_MAX)
        return false;
    uint64_t end = 0;
    for (uint32_t i = 0; i < report->partial_count; i++) {
        const struct partial *partial = &report->partials[i];
        if (!is_possible_partial(job, partial) || partial->range.first < end)
            return false;
        end = range_end(partial->range);
    }
    return true;
}

static void emit_result(struct scheduler *scheduler, const struct input_report *report,
                        const struct partial *partials, uint32_t partial_count)
{
    scheduler_emit(scheduler, (struct fact){.kind = FACT_RESULT,
                                            .as.result = {.worker = report->worker,
                                                          .assignment = report->assignment,
                                                          .work = report->work,
                                                          .tasks_run = report->tasks_run,
                                                          .busy_ns = report->busy_ns,
                                                          .partial_count = partial_count,
                                                          .partials = partials}});
}

static void measure(struct scheduler *scheduler, const struct input_report *report)
{
    struct observed_worker *worker = observed_worker_find(&scheduler->observations, report->worker);
    if (worker != NULL)
        pace_measure(&worker->pace, report->tasks_run, report->busy_ns);
    bool was_known = pace_is_known(&scheduler->observations.pace);
    pace_measure(&scheduler->observations.pace, report->tasks_run, report->busy_ns);
    if (!was_known && pace_is_known(&scheduler->observations.pace))
        endgame_pace_known(scheduler);
}

/* How long the way was, and whether the slot ran dry meanwhile. */
static void measure_way(struct scheduler *scheduler, const struct input_report *report)
{
    struct observed_worker *worker = observed_worker_find(&scheduler->observations, report->worker);
    const struct outstanding *outstanding =
        outstanding_find(&scheduler->observations, report->assignment);
    if (worker == NULL || outstanding == NULL || outstanding->worker != report->worker)
        return;
    if (report->held_ns > 0)
        observed_worker_travelled(worker, scheduler->now_ns - outstanding->assigned_ns,
                                  report->held_ns);
    if (report->work == WORK_RUN && !outstanding->is_running && pace_is_known(&worker->pace))
        pace_note_idle(&worker->pace, report->idle_ns);
}

/* Keeps the partials of which no task is done: each task counts once. */
static const struct partial *pick_new(struct scheduler *scheduler,
                                      const struct input_report *report, uint32_t *count)
{
    const struct range_set *done = state_done(scheduler->state);
    *count = 0;
    for (uint32_t i = 0; i < report->partial_count; i++)
        *count += !range_set_intersects(done, report->partials[i].range);
    if (*count == report->partial_count || *count == 0)
        return report->partials;
    struct partial *picked = scheduler_step_partials(scheduler, *count);
    uint32_t picked_count = 0;
    for (uint32_t i = 0; i < report->partial_count; i++)
        if (!range_set_intersects(done, report->partials[i].range))
            picked[picked_count++] = report->partials[i];
    return picked;
}

static void emit_returned(struct scheduler *scheduler, const struct assignment *assignment,
                          struct range range, bool is_whole)
{
    scheduler_emit(scheduler, (struct fact){.kind = FACT_RETURNED,
                                            .as.returned = {.worker = assignment->worker,
                                                            .assignment = assignment->seq,
                                                            .range = range,
                                                            .is_whole = is_whole}});
}

void reports_give_up(struct scheduler *scheduler, const struct assignment *assignment)
{
    emit_returned(scheduler, assignment, assignment->range, true);
}

/* A copy came to nothing, because of a task in it that is done or in trouble: so would every other
 * copy. What else is still out is given up, and its tasks are open again without that one. */
static void give_up_twin(struct scheduler *scheduler, uint64_t seq)
{
    const struct assignment *twin = state_find_assignment(scheduler->state, seq);
    if (twin != NULL && !twin->is_retry)
        reports_give_up(scheduler, twin);
}

/* Before the result is applied: after it there are no troubles left to tell who failed. */
static void note_passed(struct scheduler *scheduler, const struct input_report *report,
                        const struct assignment *assignment, const struct partial *partials,
                        uint32_t count)
{
    uint64_t task_count = 0;
    for (uint32_t i = 0; i < report->partial_count; i++)
        task_count += report->partials[i].range.count;
    if (assignment != NULL)
        benching_passed(scheduler, assignment, task_count);
    for (uint32_t i = 0; i < count; i++)
        benching_settled(scheduler, report->worker, report->work, partials[i].range);
}

static void take_run(struct scheduler *scheduler, const struct input_report *report,
                     const struct assignment *assignment)
{
    if (!is_possible_report(state_job(scheduler->state), report))
        return;
    /* Where all tasks failed for good the assignment has ended before; it took its time all the
     * same. */
    measure(scheduler, report);
    uint32_t count;
    const struct partial *partials = pick_new(scheduler, report, &count);
    if (assignment == NULL && count == 0)
        return;
    uint64_t twin = assignment != NULL ? assignment->twin : 0;
    note_passed(scheduler, report, assignment, partials, count);
    emit_result(scheduler, report, partials, count);
    if (count < report->partial_count)
        give_up_twin(scheduler, twin);
    for (uint32_t i = 0; i < count; i++)
        merging_climb(scheduler, partials[i].range.first);
}

/* While the assignment is out, the partials under it are those that the worker was given. */
static void take_merge(struct scheduler *scheduler, const struct input_report *report,
                       const struct assignment *assignment)
{
    if (assignment == NULL || report->partial_count != 1 || !is_own_partial(report->partials) ||
        report->partials->range.first != assignment->range.first ||
        report->partials->range.count != assignment->range.count)
        return;
    note_passed(scheduler, report, assignment, report->partials, 1);
    emit_result(scheduler, report, report->partials, 1);
    merging_climb(scheduler, report->partials->range.first);
}

/* The output depends on the tasks alone: whoever finishes first is right. */
static void take_finish(struct scheduler *scheduler, const struct input_report *report)
{
    if (state_phase(scheduler->state) != PHASE_FINISHING || report->partial_count != 1 ||
        !is_own_partial(report->partials) || report->partials->range.first != 0 ||
        report->partials->range.count != state_job(scheduler->state)->task_count)
        return;
    emit_result(scheduler, report, report->partials, 1);
}

/* The tasks themselves come as INPUT_JOB_ACCEPTED. */
static void take_split(struct scheduler *scheduler, const struct input_report *report,
                       const struct assignment *assignment)
{
    if (assignment == NULL || report->partial_count != 0)
        return;
    scheduler->is_split_reported = true;
    emit_result(scheduler, report, NULL, 0);
}

void reports_take(struct scheduler *scheduler, const struct input_report *report)
{
    if (report->incarnation != state_incarnation(scheduler->state))
        return;
    workers_heard(scheduler, report->worker);
    scheduler->reported_assignment = report->assignment;
    if (report->tasks_run > 0 || report->partial_count > 0)
        surrender_note_opened(scheduler, report->worker);
    measure_way(scheduler, report);
    const struct assignment *assignment =
        find_spoken_of(scheduler, report->assignment, report->worker, report->work);
    switch (report->work) {
    case WORK_SPLIT:
        take_split(scheduler, report, assignment);
        break;
    case WORK_RUN:
        take_run(scheduler, report, assignment);
        break;
    case WORK_MERGE:
        take_merge(scheduler, report, assignment);
        break;
    case WORK_FINISH:
        take_finish(scheduler, report);
        break;
    }
}

static void take_returned_end(struct scheduler *scheduler, const struct assignment *assignment,
                              struct range range)
{
    uint64_t seq = assignment->seq;
    bool is_end = assignment->work == WORK_RUN && range_contains(assignment->range, range) &&
                  range_end(range) == range_end(assignment->range);
    if (!range_is_empty(range) && !is_end)
        return;
    struct outstanding *outstanding = outstanding_find(&scheduler->observations, seq);
    if (range_is_empty(range)) {
        endgame_answered(scheduler, outstanding, false);
        return;
    }
    uint32_t worker = assignment->worker;
    emit_returned(scheduler, assignment, range, false);
    assigning_queue_retries(scheduler, range, worker);
    assignment = state_find_assignment(scheduler->state, seq);
    if (assignment == NULL)
        return;
    outstanding_cut(&scheduler->observations, outstanding, assignment->range.count,
                    scheduler->now_ns);
    endgame_answered(scheduler, outstanding, true);
}

void reports_take_returned(struct scheduler *scheduler, const struct input_returned *returned)
{
    if (returned->incarnation != state_incarnation(scheduler->state))
        return;
    workers_heard(scheduler, returned->worker);
    scheduler->reported_assignment = returned->assignment;
    const struct assignment *assignment =
        state_find_assignment(scheduler->state, returned->assignment);
    if (assignment == NULL || assignment->worker != returned->worker)
        return;
    if (returned->is_whole)
        scheduler->returned_assignment = returned->assignment;
    if (returned->is_whole)
        reports_give_up(scheduler, assignment);
    else
        take_returned_end(scheduler, assignment, returned->range);
}

static uint64_t next_attempt_ns(const struct scheduler *scheduler, uint32_t attempts)
{
    uint64_t delay_ns = scheduler->config.retry_delay_ns;
    uint32_t doublings = attempts < DELAY_DOUBLINGS_MAX ? attempts : DELAY_DOUBLINGS_MAX;
    for (uint32_t i = 0; i < doublings && delay_ns < UINT64_MAX / 4; i++)
        delay_ns *= 2;
    return scheduler->now_ns + delay_ns;
}

static struct fact_attempt_failed judge(struct scheduler *scheduler,
                                        const struct input_attempt_failed *failed,
                                        struct range range)
{
    const struct scheduler_config *config = &scheduler->config;
    const struct trouble *trouble = state_find_trouble(scheduler->state, failed->work, range);
    const struct observed_worker *worker =
        observed_worker_find(&scheduler->observations, failed->worker);
    uint32_t attempts = trouble != NULL ? trouble->attempts : 0;
    uint32_t delays = failed->is_open && worker != NULL ? worker->unopened_count : attempts;
    uint32_t crashes = trouble != NULL ? trouble->crashes : 0;
    const struct observed_node *node = observed_node_of(&scheduler->observations, failed->worker);
    bool is_last = failed->is_for_good || attempts + 1 >= config->attempts_max ||
                   (failed->is_crash && crashes + 1 >= config->crashes_max);
    /* It never had a chance: no attempt is used up, and surrender.c sees that there is an end. */
    enum cause cause = failed->is_open && cause_counts(failed->cause) ? CAUSE_OPEN : failed->cause;
    return (struct fact_attempt_failed){
        .worker = failed->worker,
        .assignment = failed->assignment,
        .work = failed->work,
        .range = range,
        .cause = cause,
        .detail = cause == CAUSE_OPEN ? 0 : failed->detail,
        .is_crash = failed->is_crash,
        .is_final = is_last && cause_counts(cause),
        .not_before_ns = next_attempt_ns(scheduler, delays),
        .text_size =
            failed->text_size < FACT_TEXT_BYTES_MAX ? failed->text_size : FACT_TEXT_BYTES_MAX,
        .text = failed->text,
        .host_size = node != NULL ? node->host_size : 0,
        .host = node != NULL ? node->host : NULL,
        .log_size = failed->log_size < FACT_LOG_BYTES_MAX ? failed->log_size : FACT_LOG_BYTES_MAX,
        .log = failed->log};
}

/* An assignment runs a task once: what it says of a failure again is a repetition. */
static bool is_repeated(const struct scheduler *scheduler, const struct assignment *assignment,
                        struct range task)
{
    const struct trouble *trouble = state_find_trouble(scheduler->state, WORK_RUN, task);
    return trouble != NULL && trouble->failed_assignment == assignment->seq;
}

static void take_task_failure(struct scheduler *scheduler,
                              const struct input_attempt_failed *failed,
                              const struct assignment *assignment)
{
    struct range task = failed->range;
    if (task.count != 1 || !range_contains(assignment->range, task) ||
        is_repeated(scheduler, assignment, task))
        return;
    if (failed->is_crash && (range_set_contains(state_done(scheduler->state), task) ||
                             state_find_trouble(scheduler->state, WORK_RUN, task) != NULL))
        give_up_twin(scheduler, assignment->twin);
    if (range_set_contains(state_done(scheduler->state), task)) {
        if (failed->is_crash)
            reports_give_up(scheduler, assignment);
        return;
    }
    if (cause_counts(failed->cause))
        benching_failed(scheduler, assignment);
    const struct fact_attempt_failed judged = judge(scheduler, failed, task);
    scheduler->failed_task_count += judged.is_final;
    scheduler_emit(scheduler,
                   (struct fact){.kind = FACT_ATTEMPT_FAILED, .as.attempt_failed = judged});
    const struct trouble *trouble = state_find_trouble(scheduler->state, WORK_RUN, task);
    if (trouble == NULL)
        merging_climb(scheduler, task.first);
    else if (trouble->assignment == 0)
        assigning_queue(scheduler, WORK_RUN, task);
}

static void take_other_failure(struct scheduler *scheduler,
                               const struct input_attempt_failed *failed,
                               const struct assignment *assignment)
{
    const struct fact_attempt_failed judged = judge(scheduler, failed, assignment->range);
    if (failed->work == WORK_MERGE && cause_counts(failed->cause))
        benching_failed(scheduler, assignment);
    scheduler_emit(scheduler,
                   (struct fact){.kind = FACT_ATTEMPT_FAILED, .as.attempt_failed = judged});
    const struct fact_job_failed failure = {
        .work = judged.work, .range = judged.range, .cause = judged.cause, .detail = judged.detail};
    if (judged.is_final)
        scheduler_fail_job(scheduler, &failure);
}

void reports_take_failure(struct scheduler *scheduler, const struct input_attempt_failed *failed)
{
    if (failed->incarnation != state_incarnation(scheduler->state))
        return;
    workers_heard(scheduler, failed->worker);
    scheduler->reported_assignment = failed->assignment;
    const struct assignment *assignment =
        find_spoken_of(scheduler, failed->assignment, failed->worker, failed->work);
    if (!failed->is_open)
        surrender_note_opened(scheduler, failed->worker);
    if (assignment == NULL)
        return;
    if (failed->is_open && !is_repeated(scheduler, assignment, failed->range))
        surrender_note_unopened(scheduler, failed->worker);
    if (failed->work == WORK_RUN)
        take_task_failure(scheduler, failed, assignment);
    else
        take_other_failure(scheduler, failed, assignment);
}
