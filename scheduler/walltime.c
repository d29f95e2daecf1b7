/* walltime.c - starts nothing that cannot end in the time that is left: the policy of the time
 * limit.
 *
 * Tasks count by their measured time. Work without a measure, the first tasks and what comes after
 * the last, is started as long as there is any time. Whatever is left belongs to the next run. */
#include "scheduler_private.h"

/* When a slot of the worker should be free, rather too late than too early: what is out there may
 * have run for a while, or it was handed out before anything was measured. */
static uint64_t start_ns(const struct scheduler *scheduler, const struct observed_worker *worker)
{
    if (worker->idle_slots > 0)
        return scheduler->now_ns;
    uint64_t queued_ns = worker->queued_ns / worker->slot_count;
    uint64_t task_ns = pace_expect_ns(observed_worker_pace(&scheduler->observations, worker), 1);
    return scheduler->now_ns + (queued_ns > task_ns ? queued_ns : task_ns);
}

bool walltime_allows(const struct scheduler *scheduler, const struct observed_worker *worker,
                     enum work work)
{
    if (work == WORK_RUN)
        return walltime_fit(scheduler, worker, 1) > 0;
    return start_ns(scheduler, worker) < scheduler->config.end_ns;
}

uint64_t walltime_fit(const struct scheduler *scheduler, const struct observed_worker *worker,
                      uint64_t count)
{
    uint64_t start = start_ns(scheduler, worker);
    if (start >= scheduler->config.end_ns)
        return 0;
    uint64_t fit = pace_fit_count(observed_worker_pace(&scheduler->observations, worker),
                                  scheduler->config.end_ns - start);
    return fit < count ? fit : count;
}

bool walltime_helps_to_hurry(struct scheduler *scheduler)
{
    const struct observed_worker *idle = observations_find_hungry(
        &scheduler->observations, HUNGER_IDLE, (struct avoidance){WORKER_NONE, NODE_NONE});
    return idle != NULL && walltime_allows(scheduler, idle, WORK_RUN);
}

void walltime_refuse(struct scheduler *scheduler, uint32_t worker)
{
    scheduler->is_short_of_time = true;
    observed_worker_served(&scheduler->observations,
                           observed_worker_get(&scheduler->observations, worker));
}
