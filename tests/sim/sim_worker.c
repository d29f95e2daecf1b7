/* sim_worker.c - a simulated worker: slots that run orders in virtual time, a queue, heartbeats. */
#include "sim.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>

#define ORDER_NS               ((uint64_t)10 * 1000) /* to start and end any order */
#define MERGE_NS_MAX           ((uint64_t)1000 * 1000)
#define FINISH_NS              ((uint64_t)1000 * 1000)
#define SLOW_PERCENT_MAX_OTHER 1000 /* slow workers are less so at other work than tasks */

static const struct range no_range;

static void post_heartbeat(struct world *world, const struct sim_worker *worker)
{
    world_post(world, &(struct event){
                          .time_ns = world->now_ns + world->plan.config.lost_after_ns / 5,
                          .kind = EVENT_HEARTBEAT,
                          .target = worker->index,
                          .generation = worker->life,
                      });
}

static struct message *message_of(const struct sim_worker *worker, enum message_kind kind)
{
    struct message *message = message_create(kind);
    message->slot_count = worker->slot_count;
    message->life = worker->life;
    return message;
}

struct sim_worker *worker_create(struct world *world, uint32_t rank)
{
    struct sim_worker *worker = memory_allocate_zeroed(1, sizeof *worker);
    worker->index = (uint32_t)world->worker_count;
    worker->rank = rank;
    worker->run = world->run;
    worker->is_alive = true;
    worker->slow_percent = rank <= world->plan.slow_workers ? world->plan.slow_percent : 100;
    worker->last_ns = UINT64_MAX;
    worker->life = 1;
    worker->slot_count = (uint32_t)random_between(&world->random, 1, world->plan.slot_count_max);
    worker->slots = memory_allocate_zeroed(worker->slot_count, sizeof *worker->slots);
    world_send_to_master(world, worker, message_of(worker, MESSAGE_HELLO));
    post_heartbeat(world, worker);
    return worker;
}

static void clear_slot(struct slot *slot)
{
    message_destroy(slot->order);
    slot->order = NULL;
    slot->kept_count = 0;
    slot->tasks_run = 0;
    slot->is_open = false;
    slot->generation++;
}

static void drop_queue(struct sim_worker *worker)
{
    for (size_t i = 0; i < worker->queue_count; i++)
        message_destroy(worker->queue[i]);
    worker->queue_count = 0;
}

void worker_destroy(struct sim_worker *worker)
{
    drop_queue(worker);
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        clear_slot(&worker->slots[i]);
        free(worker->slots[i].kept);
    }
    free(worker->queue);
    free(worker->slots);
    free(worker);
}

/* What it has sent so far may still arrive, up to a point. */
void worker_die(struct world *world, struct sim_worker *worker)
{
    worker->is_alive = false;
    worker->last_ns =
        world->now_ns + random_below(&world->random, 2 * world->plan.delay_ns_max + 2);
    drop_queue(worker);
    for (uint32_t i = 0; i < worker->slot_count; i++)
        clear_slot(&worker->slots[i]);
}

void worker_revive(struct world *world, struct sim_worker *worker)
{
    if (worker->is_alive || worker->run != world->run)
        return;
    worker->is_alive = true;
    worker->is_welcome = false;
    worker->incarnation = 0;
    worker->silent_until_ns = 0;
    worker->last_ns = UINT64_MAX;
    worker->life++;
    trace(world, "worker is back", worker->rank, worker->life, no_range);
    world_send_to_master(world, worker, message_of(worker, MESSAGE_HELLO));
    post_heartbeat(world, worker);
}

static void post_slot(struct world *world, const struct sim_worker *worker, struct slot *slot)
{
    slot->generation++;
    world_post(world, &(struct event){
                          .time_ns = slot->event_ns,
                          .kind = EVENT_SLOT,
                          .target = worker->index,
                          .detail = (uint32_t)(slot - worker->slots),
                          .generation = slot->generation,
                      });
}

void worker_fall_silent(struct world *world, struct sim_worker *worker, uint64_t duration_ns)
{
    if (worker->silent_until_ns > world->now_ns)
        return;
    worker->silent_until_ns = world->now_ns + duration_ns;
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        struct slot *slot = &worker->slots[i];
        if (slot->order == NULL)
            continue;
        slot->since_ns += duration_ns;
        slot->event_ns += duration_ns;
        post_slot(world, worker, slot);
    }
}

void worker_say_goodbye(struct world *world, struct sim_worker *worker, bool is_prepare_failed)
{
    struct message *goodbye = message_of(worker, MESSAGE_GOODBYE);
    goodbye->is_prepare_failed = is_prepare_failed;
    world_send_to_master(world, worker, goodbye);
    worker_die(world, worker);
    worker->last_ns = UINT64_MAX;
}

static uint64_t tasks_ns(const struct world *world, const struct sim_worker *worker, uint64_t first,
                         uint64_t end)
{
    const uint64_t *before_ns = world->job.cost_before_ns;
    return (before_ns[end] - before_ns[first]) * worker->slow_percent / 100;
}

/* Lets a slot run from slot->next to the next task in bad, or to the end of its range. */
static void run_on(struct world *world, struct sim_worker *worker, struct slot *slot)
{
    uint64_t end = range_end(slot->order->range);
    const struct bad_task *bad = sim_job_find_bad(&world->job, slot->next);
    slot->stop = bad != NULL && bad->task < end ? bad->task + 1 : end;
    if (world_is_bad_node(world, worker->rank))
        slot->stop = slot->next + 1;
    slot->event_ns = slot->since_ns + ORDER_NS + tasks_ns(world, worker, slot->next, slot->stop);
    if (slot->event_ns < world->now_ns)
        slot->event_ns = world->now_ns;
    post_slot(world, worker, slot);
}

static uint64_t other_work_ns(const struct world *world, const struct sim_worker *worker,
                              const struct message *order)
{
    uint64_t merge_ns = world->plan.cost_ns / 8;
    if (merge_ns > MERGE_NS_MAX)
        merge_ns = MERGE_NS_MAX;
    uint64_t work_ns = order->work == WORK_MERGE ? merge_ns * order->partial_count : FINISH_NS;
    uint64_t percent = worker->slow_percent < SLOW_PERCENT_MAX_OTHER ? worker->slow_percent
                                                                     : SLOW_PERCENT_MAX_OTHER;
    return ORDER_NS + work_ns * percent / 100;
}

static void start_order(struct world *world, struct sim_worker *worker, struct slot *slot)
{
    struct message *order = worker->queue[0];
    worker->queue_count--;
    for (size_t i = 0; i < worker->queue_count; i++)
        worker->queue[i] = worker->queue[i + 1];
    slot->order = order;
    slot->next = order->range.first;
    slot->since_ns = world->now_ns;
    slot->began_ns = world->now_ns;
    slot->idle_ns = slot->free_ns > 0 ? world->now_ns - slot->free_ns : 0;
    if (order->work == WORK_RUN) {
        run_on(world, worker, slot);
        return;
    }
    slot->event_ns = world->now_ns + other_work_ns(world, worker, order);
    post_slot(world, worker, slot);
}

static void start_orders(struct world *world, struct sim_worker *worker)
{
    for (uint32_t i = 0; i < worker->slot_count && worker->queue_count > 0; i++)
        if (worker->slots[i].order == NULL)
            start_order(world, worker, &worker->slots[i]);
}

static void keep_results(struct slot *slot, struct range range)
{
    if (range_is_empty(range))
        return;
    slot->tasks_run += range.count;
    if (slot->kept_count > 0 && range_end(slot->kept[slot->kept_count - 1]) == range.first) {
        slot->kept[slot->kept_count - 1].count += range.count;
        return;
    }
    void *kept = slot->kept;
    memory_grow(&kept, &slot->kept_capacity, slot->kept_count + 1, sizeof range);
    slot->kept = kept;
    slot->kept[slot->kept_count++] = range;
}

static struct message *answer_to(const struct message *order, enum message_kind kind)
{
    struct message *answer = message_create(kind);
    answer->assignment = order->assignment;
    answer->work = order->work;
    answer->range = order->range;
    answer->attempt = order->attempt;
    return answer;
}

static void send_returned(struct world *world, struct sim_worker *worker, uint64_t assignment,
                          struct range range)
{
    struct message *returned = message_create(MESSAGE_RETURNED);
    returned->assignment = assignment;
    returned->range = range;
    trace(world, "returned", worker->rank, assignment, range);
    world_send_to_master(world, worker, returned);
}

static void send_failed(struct world *world, struct sim_worker *worker, const struct slot *slot,
                        enum bad_kind kind)
{
    static const enum cause causes[] = {
        [BAD_FAILS] = CAUSE_PLUGIN,
        [BAD_CRASHES] = CAUSE_SIGNAL,
        [BAD_HANGS] = CAUSE_TIMEOUT,
    };
    struct message *failed = answer_to(slot->order, MESSAGE_FAILED);
    if (slot->order->work == WORK_RUN)
        failed->range = (struct range){slot->stop - 1, 1};
    failed->cause = causes[kind];
    failed->is_crash = kind != BAD_FAILS;
    /* A task that always fails may say so. */
    failed->is_for_good = slot->order->work == WORK_RUN && kind == BAD_FAILS &&
                          sim_job_fails_by_itself(&world->job, slot->stop - 1) &&
                          (random_mix(slot->stop) & 1) != 0;
    trace(world, failed->is_crash ? "executor crashes" : "attempt fails", worker->rank,
          failed->assignment, failed->range);
    world_send_to_master(world, worker, failed);
}

static void send_report(struct world *world, struct sim_worker *worker, struct slot *slot)
{
    struct message *order = slot->order;
    struct message *report = answer_to(order, MESSAGE_REPORT);
    report->tasks_run = slot->tasks_run;
    report->busy_ns = report->held_ns = world->now_ns - slot->began_ns;
    report->idle_ns = slot->idle_ns;
    slot->free_ns = world->now_ns;
    if (order->work == WORK_RUN) {
        sim_job_run(&world->job, slot->kept, slot->kept_count, report);
    } else if (order->work == WORK_MERGE) {
        if (!sim_job_merge(&world->job, order, report))
            violate(world, "the partials given to merge [%llu, %llu) do not make one node",
                    (unsigned long long)order->range.first,
                    (unsigned long long)range_end(order->range));
    } else if (order->work == WORK_FINISH) {
        struct partial partial = {.range = {0, world->plan.task_count}};
        sim_job_finish(&world->job, &order->payload, &report->payload);
        partial.size_bytes = report->payload.size;
        message_add_partial(report, &partial);
    }
    trace(world, "report sent", worker->rank, order->assignment, order->range);
    world_send_to_master(world, worker, report);
}

/* The tasks before slot->stop have run. True when the order is over. */
static bool end_tasks(struct world *world, struct sim_worker *worker, struct slot *slot)
{
    struct bad_task *bad = sim_job_find_bad(&world->job, slot->stop - 1);
    bool fails = world_is_bad_node(world, worker->rank);
    enum bad_kind kind = world->plan.bad_nodes_crash ? BAD_CRASHES : BAD_FAILS;
    if (!fails && bad != NULL && bad->task == slot->stop - 1) {
        bad->executions++;
        fails = bad->executions <= bad->failures;
        kind = bad->kind;
    }
    keep_results(slot, range_between(slot->next, slot->stop - (fails ? 1 : 0)));
    slot->next = slot->stop;
    slot->since_ns = world->now_ns;
    if (fails) {
        send_failed(world, worker, slot, kind);
        if (kind != BAD_FAILS)
            return true;
    }
    if (slot->next < range_end(slot->order->range)) {
        run_on(world, worker, slot);
        return false;
    }
    send_report(world, worker, slot);
    return true;
}

static void end_other_work(struct world *world, struct sim_worker *worker, struct slot *slot)
{
    uint32_t *failures_left = &world->job.work_failures_left[slot->order->work];
    if (world_is_bad_node(world, worker->rank)) {
        send_failed(world, worker, slot, BAD_FAILS);
        return;
    }
    if (*failures_left == 0) {
        send_report(world, worker, slot);
        return;
    }
    if (*failures_left != UINT32_MAX)
        --*failures_left;
    send_failed(world, worker, slot, BAD_FAILS);
}

/* Every other order may be one. */
static bool is_unopened(struct world *world, const struct slot *slot)
{
    uint64_t drawn = random_mix(world->plan.seed ^ slot->order->assignment);
    if (world->job.unopened_left == 0 || (drawn & 1) != 0)
        return false;
    world->job.unopened_left--;
    world->job.unopened_count++;
    return true;
}

/* Costs the first task of a range; the rest is given back, unless the executor dies of it. */
static void fail_to_open(struct world *world, struct sim_worker *worker, struct slot *slot)
{
    struct message *failed = answer_to(slot->order, MESSAGE_FAILED);
    struct range *range = &slot->order->range;
    bool is_run = slot->order->work == WORK_RUN;
    if (is_run)
        failed->range = (struct range){range->first, 1};
    failed->is_open = true;
    failed->is_crash = (random_mix(slot->order->assignment) & 2) != 0;
    failed->cause = failed->is_crash ? CAUSE_SIGNAL : CAUSE_PLUGIN;
    bool goes_on = is_run && !failed->is_crash;
    trace(world, "executor does not open", worker->rank, failed->assignment, failed->range);
    world_send_to_master(world, worker, failed);
    if (!goes_on)
        return;
    if (range->count > 1)
        send_returned(world, worker, slot->order->assignment,
                      (struct range){range->first + 1, range->count - 1});
    range->count = 1;
    slot->kept_count = 0;
    send_report(world, worker, slot);
}

static void slot_handle(struct world *world, struct sim_worker *worker, const struct event *event)
{
    struct slot *slot = &worker->slots[event->detail];
    if (slot->generation != event->generation || slot->order == NULL)
        return;
    if (!slot->is_open && is_unopened(world, slot)) {
        fail_to_open(world, worker, slot);
    } else if (slot->order->work == WORK_RUN) {
        slot->is_open = true;
        if (!end_tasks(world, worker, slot))
            return;
    } else {
        end_other_work(world, worker, slot);
    }
    clear_slot(slot);
    start_orders(world, worker);
}

static void on_assign(struct world *world, struct sim_worker *worker, const struct message *message)
{
    struct message *order = message_copy(message);
    void *queue = worker->queue;
    memory_grow(&queue, &worker->queue_capacity, worker->queue_count + 1, sizeof order);
    worker->queue = queue;
    /* Like production: whatever is not RUN is waited for by more than one slot. */
    size_t place = order->work == WORK_RUN ? worker->queue_count : 0;
    for (size_t i = worker->queue_count; i > place; i--)
        worker->queue[i] = worker->queue[i - 1];
    worker->queue[place] = order;
    worker->queue_count++;
    start_orders(world, worker);
}

static void remove_queued(struct sim_worker *worker, size_t place)
{
    message_destroy(worker->queue[place]);
    worker->queue_count--;
    for (size_t i = place; i < worker->queue_count; i++)
        worker->queue[i] = worker->queue[i + 1];
}

static void take_back_queued(struct world *world, struct sim_worker *worker, size_t place)
{
    struct message *order = worker->queue[place];
    struct message *returned = message_create(MESSAGE_RETURNED);
    uint64_t kept = order->work == WORK_RUN ? order->range.count / 2 : 0;
    returned->assignment = order->assignment;
    returned->range = range_between(order->range.first + kept, range_end(order->range));
    returned->is_whole = kept == 0;
    trace(world, "returned from queue", worker->rank, order->assignment, returned->range);
    world_send_to_master(world, worker, returned);
    order->range.count = kept;
    if (kept == 0)
        remove_queued(worker, place);
}

/* The task that a slot is at, by its clock. */
static uint64_t task_now(const struct world *world, const struct sim_worker *worker,
                         const struct slot *slot)
{
    uint64_t low = slot->next;
    uint64_t high = slot->stop - 1;
    uint64_t ran_ns = world->now_ns > slot->since_ns ? world->now_ns - slot->since_ns : 0;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (tasks_ns(world, worker, slot->next, middle) <= ran_ns)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void on_take_back(struct world *world, struct sim_worker *worker, uint64_t assignment)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        if (worker->queue[i]->assignment == assignment) {
            take_back_queued(world, worker, i);
            return;
        }
    }
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        struct slot *slot = &worker->slots[i];
        if (slot->order == NULL || slot->order->assignment != assignment ||
            slot->order->work != WORK_RUN)
            continue;
        uint64_t end = range_end(slot->order->range);
        uint64_t unstarted = end - task_now(world, worker, slot) - 1;
        uint64_t new_end = end - (unstarted + 1) / 2;
        send_returned(world, worker, assignment, range_between(new_end, end));
        slot->order->range.count = new_end - slot->order->range.first;
        run_on(world, worker, slot);
        return;
    }
    send_returned(world, worker, assignment, no_range);
}

static void on_cancel(struct world *world, struct sim_worker *worker, uint64_t assignment)
{
    for (size_t i = 0; i < worker->queue_count; i++) {
        if (worker->queue[i]->assignment == assignment) {
            remove_queued(worker, i);
            return;
        }
    }
    for (uint32_t i = 0; i < worker->slot_count; i++) {
        struct slot *slot = &worker->slots[i];
        if (slot->order != NULL && slot->order->assignment == assignment)
            clear_slot(slot);
    }
    start_orders(world, worker);
}

/* The work is meant for the process that was there before, or the welcome was lost on its way. */
static bool may_miss_welcome(const struct world *world, const struct sim_worker *worker)
{
    return worker->life > 1 || (world->plan.cuts_lose && worker->cut_until_ns > 0);
}

static void on_message(struct world *world, struct sim_worker *worker,
                       const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_WELCOME:
        if (worker->is_welcome && !world->plan.keeps_queue_on_welcome)
            drop_queue(worker);
        worker->is_welcome = true;
        worker->incarnation = message->incarnation;
        if (worker->rank > world->plan.worker_count - world->plan.failing_prepares)
            worker_say_goodbye(world, worker, true);
        return;
    case MESSAGE_ASSIGN:
        if (worker->is_welcome)
            on_assign(world, worker, message);
        else if (!may_miss_welcome(world, worker))
            violate(world, "worker %u was given work before its welcome", worker->rank);
        return;
    case MESSAGE_TAKE_BACK:
        on_take_back(world, worker, message->assignment);
        return;
    case MESSAGE_CANCEL:
        on_cancel(world, worker, message->assignment);
        return;
    case MESSAGE_HELLO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_REPORT:
    case MESSAGE_RETURNED:
    case MESSAGE_FAILED:
    case MESSAGE_GOODBYE:
        CHECK(false);
    }
}

static void on_heartbeat(struct world *world, struct sim_worker *worker)
{
    if (worker->run != world->run && !world_has_faults(world)) {
        worker_die(world, worker);
        return;
    }
    enum message_kind kind = worker->is_welcome ? MESSAGE_HEARTBEAT : MESSAGE_HELLO;
    world_send_to_master(world, worker, message_of(worker, kind));
    post_heartbeat(world, worker);
}

void worker_handle(struct world *world, struct sim_worker *worker, const struct event *event)
{
    if (!worker->is_alive)
        return;
    if (event->kind == EVENT_SLOT) {
        slot_handle(world, worker, event);
        return;
    }
    if (worker->silent_until_ns > world->now_ns) {
        struct event later = *event;
        later.time_ns = worker->silent_until_ns;
        later.message = event->message != NULL ? message_copy(event->message) : NULL;
        world_post(world, &later);
        return;
    }
    if (event->kind == EVENT_HEARTBEAT && event->generation == worker->life)
        on_heartbeat(world, worker);
    else if (event->kind == EVENT_TO_WORKER)
        on_message(world, worker, event->message);
}
