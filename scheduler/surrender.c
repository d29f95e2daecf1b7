/* surrender.c - when a run starts nothing more although tasks are left: going on would only cost
 * more of them. What runs may end, and what is open stays so: the next run goes on with it. */
#include "scheduler_private.h"

/* A worker that does better may still be on its way. */
static bool is_anybody_awaited(const struct scheduler *scheduler)
{
    uint64_t known = state_worker_count(scheduler->state) + scheduler->departed.task_count;
    return known < scheduler->config.worker_count &&
           scheduler->now_ns < scheduler->unopened_ns + scheduler->config.lost_after_ns;
}

/* In a row at each worker that is there: when one works, the trouble of the others is theirs. */
static bool is_unopened_everywhere(struct scheduler *scheduler)
{
    if (scheduler->unopened_count < scheduler->config.attempts_max || is_anybody_awaited(scheduler))
        return false;
    const struct observed_worker *worker;
    TAILQ_FOREACH (worker, &scheduler->observations.workers, of_all)
        if (worker->is_joined && worker->slot_count > 0 &&
            worker->unopened_count < scheduler->config.attempts_max)
            return false;
    return true;
}

void surrender_note_unopened(struct scheduler *scheduler, uint32_t rank)
{
    struct observed_worker *worker = observed_worker_find(&scheduler->observations, rank);
    if (worker == NULL || !worker->is_joined)
        return;
    worker->unopened_count++;
    if (scheduler->unopened_count++ == 0)
        scheduler->unopened_ns = scheduler->now_ns;
    if (is_unopened_everywhere(scheduler))
        scheduler->is_unopened = true;
}

void surrender_note_opened(struct scheduler *scheduler, uint32_t rank)
{
    struct observed_worker *worker = observed_worker_find(&scheduler->observations, rank);
    if (worker != NULL)
        worker->unopened_count = 0;
    scheduler->unopened_count = 0;
}

/* Once the last task has ended there is nothing to be saved by not merging the rest. */
static bool is_full(const struct scheduler *scheduler)
{
    const struct fact_job_accepted *job = state_job(scheduler->state);
    uint32_t failures_max = scheduler->config.failures_max;
    return failures_max > 0 && scheduler->failed_task_count >= failures_max && job != NULL &&
           state_done(scheduler->state)->task_count < job->task_count;
}

enum run_end surrender_reason(const struct scheduler *scheduler)
{
    if (scheduler->is_unopened)
        return RUN_END_UNOPENED;
    return is_full(scheduler) ? RUN_END_MANY_FAILED : 0;
}

bool surrender_holds(const struct scheduler *scheduler)
{
    return scheduler->is_stopping || surrender_reason(scheduler) != 0;
}
