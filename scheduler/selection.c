/* selection.c - keeps a run to the tasks that its user named, where there are such. */
#include "scheduler_private.h"

bool selection_holds(const struct scheduler *scheduler, struct range range)
{
    const struct range_set *only = scheduler->config.only;
    return only == NULL || range_set_contains(only, range);
}

bool selection_find_open(const struct scheduler *scheduler, struct range *found)
{
    const struct range_set *open = state_open(scheduler->state);
    const struct range_set *only = scheduler->config.only;
    if (only == NULL)
        return range_set_find_from(open, 0, found);
    struct range named = {0, 0};
    struct range tasks;
    while (range_set_find_from(only, range_end(named), &named)) {
        if (!range_set_find_from(open, named.first, &tasks))
            return false;
        tasks = range_overlap(tasks, named);
        if (!range_is_empty(tasks)) {
            *found = tasks;
            return true;
        }
    }
    return false;
}

bool selection_is_done(const struct scheduler *scheduler)
{
    const struct state *state = scheduler->state;
    struct range open;
    return scheduler->config.only != NULL && state_phase(state) == PHASE_RUNNING &&
           state_done(state)->task_count < state_job(state)->task_count &&
           RB_EMPTY(&scheduler->queue.items) && !selection_find_open(scheduler, &open);
}

static void reopen(struct scheduler *scheduler, struct range range)
{
    scheduler->run_started_seq =
        scheduler_emit(scheduler, (struct fact){.kind = FACT_FAILED_REOPENED,
                                                .as.failed_reopened = {.range = range}});
}

/* A job that failed as a whole goes on as well. Nothing is sent to workers before it is durable
 * that this was done: a restart does not do it again. */
void selection_reopen_failed(struct scheduler *scheduler)
{
    const struct state *state = scheduler->state;
    const struct range_set *only = scheduler->config.only;
    const struct fact_job_accepted *job = state_job(state);
    const struct range all = {0, job != NULL ? job->task_count : 0};
    if (state_phase(state) == PHASE_FAILED || (only == NULL && state_failed(state)->task_count > 0))
        reopen(scheduler, all);
    struct range named = {0, 0};
    struct range failed;
    while (only != NULL && range_set_find_from(only, range_end(named), &named))
        if (range_set_find_from(state_failed(state), named.first, &failed) &&
            failed.first < range_end(named) && range_contains(all, named))
            reopen(scheduler, named);
}

void selection_reopen_unprepared(struct scheduler *scheduler)
{
    const struct fact_job_failed *failure = state_job_failure(scheduler->state);
    if (failure != NULL && failure->work == 0)
        reopen(scheduler, (struct range){0, 0});
}
