/* assigning.c - gives work to workers that can take more. */
#include "scheduler_private.h"

/* Queued items looked at when the first ones wait for other workers than those that are free. */
enum { ITEMS_LOOKED_AT = 8 };
/* Likewise workers, when the first ones have not the time for a task. */
enum { WORKERS_LOOKED_AT = 8 };

/* Neighbours that failed as often are tried again together: at most so many. */
enum { RETRIES_MAX = 256 };

uint32_t assigning_failed_node(struct scheduler *scheduler, enum work work, struct range range)
{
    const struct trouble *trouble = state_find_trouble(scheduler->state, work, range);
    const struct observed_node *node =
        trouble != NULL ? observed_node_of(&scheduler->observations, trouble->last_worker) : NULL;
    return node != NULL ? node->number : NODE_NONE;
}

void assigning_queue(struct scheduler *scheduler, enum work work, struct range range)
{
    struct work_item item = {.work = work, .range = range, .avoid = {WORKER_NONE, NODE_NONE}};
    const struct trouble *trouble = state_find_trouble(scheduler->state, work, range);
    if (trouble != NULL) {
        item.ready_ns = trouble->not_before_ns;
        item.avoid.worker = trouble->last_worker;
        item.avoid.node = assigning_failed_node(scheduler, work, range);
    }
    work_queue_put(&scheduler->queue, &item);
}

void assigning_queue_elsewhere(struct scheduler *scheduler, const struct assignment *returned)
{
    struct work_item item = {
        .work = returned->work,
        .range = returned->range,
        .avoid = {returned->worker,
                  assigning_failed_node(scheduler, returned->work, returned->range)}};
    work_queue_put(&scheduler->queue, &item);
}

void assigning_queue_retries(struct scheduler *scheduler, struct range range, uint32_t avoid)
{
    const struct trouble *trouble =
        state_find_trouble_from(scheduler->state, WORK_RUN, range.first);
    while (trouble != NULL && trouble->range.first < range_end(range)) {
        const struct work_item item = {
            .work = WORK_RUN,
            .range = trouble->range,
            .ready_ns = trouble->not_before_ns,
            .avoid = {avoid != WORKER_NONE ? avoid : trouble->last_worker,
                      assigning_failed_node(scheduler, WORK_RUN, trouble->range)}};
        if (trouble->assignment == 0 && !state_has_flight(scheduler->state, trouble->range) &&
            work_queue_find(&scheduler->queue, WORK_RUN, trouble->range) == NULL)
            work_queue_put(&scheduler->queue, &item);
        trouble = state_find_trouble_from(scheduler->state, WORK_RUN, range_end(trouble->range));
    }
}

/* What an order rests on: also on the results of the tasks that its own come after. */
static uint64_t order_seq(const struct scheduler *scheduler, enum work work)
{
    uint64_t admission_seq = scheduler_admission_seq(scheduler);
    uint64_t ready_seq = work == WORK_RUN ? state_ready_seq(scheduler->state) : 0;
    return ready_seq > admission_seq ? ready_seq : admission_seq;
}

uint64_t assigning_assign(struct scheduler *scheduler, const struct fact_assigned *assigned)
{
    uint64_t assignment_count =
        state_find_worker(scheduler->state, assigned->worker)->assignment_count;
    uint64_t seq =
        scheduler_emit(scheduler, (struct fact){.kind = FACT_ASSIGNED, .as.assigned = *assigned});
    struct outstanding *outstanding =
        outstanding_add(&scheduler->observations, state_find_assignment(scheduler->state, seq),
                        assignment_count, scheduler->now_ns);
    endgame_add(scheduler, outstanding);
    workers_update_load(scheduler, assigned->worker);
    observed_worker_served(&scheduler->observations,
                           observed_worker_get(&scheduler->observations, assigned->worker));
    scheduler_add_effect(scheduler,
                         (struct effect){.kind = EFFECT_ASSIGN,
                                         .after_seq = order_seq(scheduler, assigned->work),
                                         .worker = assigned->worker,
                                         .assignment = seq,
                                         .work = assigned->work,
                                         .range = assigned->range,
                                         .attempt = assigned->attempt});
    return seq;
}

/* Things may have changed since an item was queued. */
static bool is_wanted(const struct scheduler *scheduler, const struct work_item *item)
{
    enum phase phase = state_phase(scheduler->state);
    const struct trouble *trouble;
    switch (item->work) {
    case WORK_SPLIT:
        return scheduler_wants_split(scheduler);
    case WORK_RUN:
        trouble = state_find_trouble(scheduler->state, WORK_RUN, item->range);
        return trouble != NULL && trouble->assignment == 0;
    case WORK_MERGE:
        return merging_is_wanted(scheduler, item->range);
    case WORK_FINISH:
        return phase == PHASE_FINISHING;
    }
    return false;
}

static void drop_item(struct scheduler *scheduler, struct work_item *item)
{
    if (item->work == WORK_MERGE)
        range_set_remove(&scheduler->merging, item->range);
    work_queue_remove(&scheduler->queue, item);
}

/* The retry after `item` that can go with it, or NULL. What crashed goes alone: it would cost the
 * others their results. */
static struct work_item *find_companion(struct scheduler *scheduler, const struct work_item *item,
                                        uint64_t task)
{
    const struct range next = {task, 1};
    const struct trouble *first = state_find_trouble(scheduler->state, WORK_RUN, item->range);
    const struct trouble *trouble = state_find_trouble(scheduler->state, WORK_RUN, next);
    struct work_item *companion = work_queue_find(&scheduler->queue, WORK_RUN, next);
    if (first == NULL || trouble == NULL || companion == NULL || !companion->is_ready ||
        companion->avoid.worker != item->avoid.worker ||
        companion->avoid.node != item->avoid.node || trouble->attempts != first->attempts ||
        trouble->assignment != 0 || trouble->crashes > 0 || first->crashes > 0 ||
        state_has_waiting(scheduler->state, next))
        return NULL;
    return companion;
}

/* Takes the retries that go with `item` out of the queue. An assignment that still holds one of
 * these tasks would end by theirs. */
static struct range take_companions(struct scheduler *scheduler,
                                    const struct observed_worker *worker,
                                    const struct work_item *item)
{
    struct range range = item->range;
    const struct range widest = {range.first, RETRIES_MAX};
    const struct range chosen = pacing_choose(
        &scheduler->config, observed_worker_pace(&scheduler->observations, worker), widest,
        state_trouble_count(scheduler->state), state_slot_count(scheduler->state));
    uint64_t limit = walltime_fit(scheduler, worker, chosen.count);
    if (limit < 2 || state_has_flight(scheduler->state, (struct range){range.first, limit}))
        return range;
    while (range.count < limit) {
        struct work_item *companion = find_companion(scheduler, item, range_end(range));
        if (companion == NULL)
            break;
        work_queue_remove(&scheduler->queue, companion);
        range.count++;
    }
    return range;
}

static void assign_item(struct scheduler *scheduler, const struct observed_worker *worker,
                        struct work_item *item)
{
    const struct trouble *trouble = state_find_trouble(scheduler->state, item->work, item->range);
    struct fact_assigned assigned = {.worker = worker->rank,
                                     .work = item->work,
                                     .range = item->range,
                                     .attempt = trouble != NULL ? trouble->attempts + 1 : 1};
    if (item->work == WORK_RUN)
        assigned.range = take_companions(scheduler, worker, item);
    work_queue_remove(&scheduler->queue, item);
    assigning_assign(scheduler, &assigned);
}

/* The result of a task that it comes after was lost, and is to come first. That is rare, and so the
 * item just looks again some time later. */
static void put_off(struct scheduler *scheduler, struct work_item *item)
{
    struct work_item later = *item;
    later.ready_ns = scheduler->now_ns + scheduler->config.retry_delay_ns + 1;
    work_queue_remove(&scheduler->queue, item);
    work_queue_put(&scheduler->queue, &later);
}

static bool place_item(struct scheduler *scheduler)
{
    struct work_item *item = work_queue_first(&scheduler->queue);
    for (int looked_at = 0; item != NULL && looked_at < ITEMS_LOOKED_AT; looked_at++) {
        struct work_item *next = work_queue_next(item);
        if (!is_wanted(scheduler, item)) {
            drop_item(scheduler, item);
            return true;
        }
        if (item->work == WORK_RUN && scheduler->is_split_again) /* likewise all behind it */
            return false;
        if (item->work == WORK_RUN && state_has_waiting(scheduler->state, item->range)) {
            put_off(scheduler, item);
            return true;
        }
        const struct observed_worker *worker =
            observations_find_hungry(&scheduler->observations, HUNGER_PREFETCH, item->avoid);
        if (worker != NULL && walltime_allows(scheduler, worker, item->work)) {
            assign_item(scheduler, worker, item);
            return true;
        }
        if (worker != NULL)
            walltime_refuse(scheduler, worker->rank);
        item = next;
    }
    return false;
}

/* The range that the worker is to have next; empty when it would not end in time. */
static struct range choose_range(struct scheduler *scheduler, const struct observed_worker *worker,
                                 struct range first_open)
{
    struct range range = pacing_choose(
        &scheduler->config, observed_worker_pace(&scheduler->observations, worker), first_open,
        state_open(scheduler->state)->task_count, state_slot_count(scheduler->state));
    uint64_t fit = walltime_fit(scheduler, worker, range.count);
    if (fit < range.count)
        range.count = fit >= scheduler->config.range_count_min ? fit : 0;
    return range;
}

static bool place_open_range(struct scheduler *scheduler)
{
    const struct avoidance nowhere = {WORKER_NONE, NODE_NONE};
    struct range first_open;
    if (scheduler->is_split_again ||
        state_trouble_count(scheduler->state) >= scheduler->config.troubles_max ||
        !selection_find_open(scheduler, &first_open))
        return false;
    for (int looked_at = 0; looked_at < WORKERS_LOOKED_AT; looked_at++) {
        const struct observed_worker *worker =
            observations_find_hungry(&scheduler->observations, HUNGER_PREFETCH, nowhere);
        if (worker == NULL)
            return false;
        const struct fact_assigned assigned = {
            .worker = worker->rank,
            .work = WORK_RUN,
            .range = choose_range(scheduler, worker, first_open),
            .attempt = 1,
        };
        if (!range_is_empty(assigned.range)) {
            assigning_assign(scheduler, &assigned);
            return true;
        }
        walltime_refuse(scheduler, worker->rank);
    }
    return false;
}

void assigning_fill(struct scheduler *scheduler)
{
    work_queue_wake(&scheduler->queue, scheduler->now_ns);
    while (observations_has_hungry(&scheduler->observations) &&
           (place_item(scheduler) || place_open_range(scheduler)))
        continue;
}
