/* workers.c - who is there: joining, silence, loss and return of workers. */
#include "scheduler_private.h"

/* A worker's HELLO may be under way when another's prepare fails: this part of lost_after_ns is
 * waited for it before the job counts as failed. */
enum { PREPARE_PATIENCE_DIVISOR = 5 };

static uint64_t capacity(const struct scheduler *scheduler, const struct worker *worker)
{
    return (uint64_t)worker->slot_count * ((uint64_t)scheduler->config.prefetch_per_slot + 1);
}

void workers_update_load(struct scheduler *scheduler, uint32_t rank)
{
    const struct worker *worker = state_find_worker(scheduler->state, rank);
    struct observed_worker *observed = observed_worker_find(&scheduler->observations, rank);
    if (worker != NULL && observed != NULL && observed->is_joined)
        observed_worker_load(&scheduler->observations, observed, worker->assignment_count,
                             capacity(scheduler, worker));
}

static void admit(struct scheduler *scheduler, const struct fact_worker_joined *joined)
{
    scheduler_emit(scheduler,
                   (struct fact){.kind = FACT_WORKER_JOINED, .as.worker_joined = *joined});
    observed_worker_join(&scheduler->observations, joined, scheduler->now_ns);
    workers_update_load(scheduler, joined->worker);
    scheduler->is_prepare_failed = false;
    scheduler_add_effect(scheduler, (struct effect){.kind = EFFECT_WELCOME,
                                                    .after_seq = scheduler_admission_seq(scheduler),
                                                    .worker = joined->worker});
}

static void lose(struct scheduler *scheduler, struct observed_worker *worker, enum cause cause)
{
    const struct worker *lost = state_find_worker(scheduler->state, worker->rank);
    const struct observed_node *node = worker->node;
    scheduler_emit(
        scheduler,
        (struct fact){.kind = FACT_WORKER_LOST,
                      .as.worker_lost = {.worker = worker->rank,
                                         .cause = cause,
                                         .order_count = lost != NULL ? lost->assignment_count : 0,
                                         .host_size = node->host_size,
                                         .host = node->host}});
    observed_worker_lose(&scheduler->observations, worker);
    scheduler->is_prepare_failed = false;
}

void workers_hello(struct scheduler *scheduler, const struct input_hello *hello)
{
    struct observed_worker *known = observed_worker_find(&scheduler->observations, hello->worker);
    if (known != NULL && known->is_joined)
        lose(scheduler, known, CAUSE_WORKER_LOST);
    struct observed_node *node = observed_node_get(&scheduler->observations, hello->node);
    observed_node_name(node, hello->host);
    node->has_master = hello->has_master;
    node->heard_ns = scheduler->now_ns;
    range_set_remove(&scheduler->departed, (struct range){hello->worker, 1});
    const struct fact_worker_joined joined = {
        .worker = hello->worker, .slot_count = hello->slot_count, .node = hello->node};
    admit(scheduler, &joined);
}

void workers_heard(struct scheduler *scheduler, uint32_t rank)
{
    struct observed_worker *worker = observed_worker_find(&scheduler->observations, rank);
    if (worker == NULL)
        return;
    worker->node->heard_ns = scheduler->now_ns;
    if (worker->is_joined) {
        observed_worker_heard(&scheduler->observations, worker, scheduler->now_ns);
        return;
    }
    const struct fact_worker_joined joined = {
        .worker = rank, .slot_count = worker->slot_count, .node = worker->node->number};
    admit(scheduler, &joined);
}

void workers_goodbye(struct scheduler *scheduler, const struct input_goodbye *goodbye)
{
    if (goodbye->incarnation != 0 && goodbye->incarnation != state_incarnation(scheduler->state))
        return;
    struct observed_worker *worker =
        observed_worker_find(&scheduler->observations, goodbye->worker);
    if (worker != NULL && worker->is_joined)
        lose(scheduler, worker, goodbye->cause);
    if (worker != NULL)
        observed_worker_forget(&scheduler->observations, worker);
    if (goodbye->returns)
        return;
    range_set_add(&scheduler->departed, (struct range){goodbye->worker, 1});
    if (!goodbye->prepare_failed)
        return;
    scheduler->is_prepare_failed = true;
    scheduler->prepare_failed_ns = scheduler->now_ns;
    scheduler->prepare_failure =
        (struct fact_job_failed){.cause = goodbye->cause, .detail = goodbye->detail};
}

static uint64_t deadline(const struct scheduler *scheduler, const struct observed_worker *worker)
{
    return worker->last_heard_ns + scheduler->config.lost_after_ns;
}

/* All workers of the node are silent: for about as long as this one, since each is heard several
 * times in half of that span. The master's own node lives. */
static bool is_node_silent(struct scheduler *scheduler, const struct observed_worker *worker)
{
    const struct observed_node *node = worker->node;
    return !node->has_master &&
           scheduler->now_ns - node->heard_ns >= scheduler->config.lost_after_ns / 2;
}

void workers_check_deadlines(struct scheduler *scheduler)
{
    struct observed_worker *worker = TAILQ_FIRST(&scheduler->observations.heard);
    while (worker != NULL && deadline(scheduler, worker) <= scheduler->now_ns) {
        lose(scheduler, worker,
             is_node_silent(scheduler, worker) ? CAUSE_NODE_LOST : CAUSE_WORKER_LOST);
        worker = TAILQ_FIRST(&scheduler->observations.heard);
    }
}

void workers_stop(struct scheduler *scheduler)
{
    struct observed_worker *worker;
    TAILQ_FOREACH (worker, &scheduler->observations.workers, of_all) {
        const struct worker *joined = state_find_worker(scheduler->state, worker->rank);
        if (worker->is_joined && joined != NULL && joined->assignment_count > 0)
            lose(scheduler, worker, CAUSE_STOPPED);
    }
}

static bool needs_workers(const struct scheduler *scheduler)
{
    switch (state_phase(scheduler->state)) {
    case PHASE_NEW:
        return scheduler->config.has_split && !scheduler->is_split_reported;
    case PHASE_RUNNING:
    case PHASE_FINISHING:
        return true;
    case PHASE_PUBLISHING:
    case PHASE_FINISHED:
    case PHASE_FAILED:
        return false;
    }
    return false;
}

/* All that there can be have left: those that are silent may be heard again. */
static bool have_all_left(const struct scheduler *scheduler)
{
    uint32_t worker_count = scheduler->config.worker_count;
    return worker_count > 0 && scheduler->departed.task_count >= worker_count;
}

static uint64_t presence_deadline(const struct scheduler *scheduler)
{
    uint64_t patience_ns = have_all_left(scheduler) ? 0 : scheduler->config.no_workers_ns;
    return scheduler->workless_ns + patience_ns;
}

/* Nobody can work because prepare failed. */
static bool is_unprepared(const struct scheduler *scheduler)
{
    return scheduler->is_prepare_failed && state_worker_count(scheduler->state) == 0 &&
           state_phase(scheduler->state) < PHASE_PUBLISHING;
}

static uint64_t prepare_deadline(const struct scheduler *scheduler)
{
    uint64_t patience_ns = scheduler->config.lost_after_ns / PREPARE_PATIENCE_DIVISOR;
    return scheduler->prepare_failed_ns + (have_all_left(scheduler) ? 0 : patience_ns);
}

void workers_check_presence(struct scheduler *scheduler)
{
    bool is_workless = needs_workers(scheduler) && state_slot_count(scheduler->state) == 0;
    if (is_workless && !scheduler->is_workless)
        scheduler->workless_ns = scheduler->now_ns;
    scheduler->is_workless = is_workless;
    if (is_unprepared(scheduler) && prepare_deadline(scheduler) <= scheduler->now_ns)
        scheduler_fail_job(scheduler, &scheduler->prepare_failure);
    else if (is_workless && presence_deadline(scheduler) <= scheduler->now_ns)
        scheduler_end(scheduler, RUN_END_NO_WORKERS);
}

uint64_t workers_next_ns(const struct scheduler *scheduler)
{
    uint64_t next_ns = UINT64_MAX;
    const struct observed_worker *silent = TAILQ_FIRST(&scheduler->observations.heard);
    if (silent != NULL)
        next_ns = deadline(scheduler, silent);
    if (scheduler->is_workless && presence_deadline(scheduler) < next_ns)
        next_ns = presence_deadline(scheduler);
    if (is_unprepared(scheduler) && prepare_deadline(scheduler) < next_ns)
        next_ns = prepare_deadline(scheduler);
    return next_ns;
}
