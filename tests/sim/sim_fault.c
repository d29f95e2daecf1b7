/* sim_fault.c - faults as they strike, and the time by which the job must be done all the same. */
#include "sim.h"

/* A cut that loses messages lasts longer than the silence that a worker may keep, by this: a link
 * that loses messages and is then whole again, with nobody the wiser, is no fault of a transport.
 */
#define CUT_MARGIN_NS ((uint64_t)1000 * 1000)

static const struct range no_range;

static void fall_silent(struct world *world, struct sim_worker *worker)
{
    trace(world, "fault: worker falls silent", worker->rank, 0, no_range);
    worker_fall_silent(world, worker, 1 + random_below(&world->random, world->plan.silence_ns_max));
}

static void restart(struct world *world, struct sim_worker *worker)
{
    trace(world, "fault: worker restarts", worker->rank, worker->life, no_range);
    worker_die(world, worker);
    uint64_t wait_ns = 1 + random_below(&world->random, world->plan.config.lost_after_ns);
    world_post(world, &(struct event){.time_ns = world->now_ns + wait_ns,
                                      .kind = EVENT_REVIVAL,
                                      .target = worker->index});
}

/* A cut that loses nothing may be of any length. */
static uint64_t draw_cut_ns(struct world *world)
{
    const struct plan *plan = &world->plan;
    uint64_t cut_ns = 1 + random_below(&world->random, plan->cut_ns_max);
    uint64_t unnoticed_ns = plan->config.lost_after_ns + 2 * plan->delay_ns_max + CUT_MARGIN_NS;
    return plan->cuts_lose ? unnoticed_ns + cut_ns : cut_ns;
}

static void cut(struct world *world, struct sim_worker *worker, uint64_t cut_ns)
{
    if (worker->cut_until_ns > world->now_ns)
        return;
    trace(world, "fault: link is cut", worker->rank, cut_ns, no_range);
    worker->cut_from_ns = world->now_ns;
    worker->cut_until_ns = world->now_ns + cut_ns;
}

static void strike_node(struct world *world, enum fault fault)
{
    uint32_t node = (uint32_t)random_below(&world->random, world->plan.node_count);
    uint64_t cut_ns = draw_cut_ns(world);
    trace(world, fault == FAULT_NODE_CUT ? "fault: node is cut off" : "fault: node is lost", 0,
          node, no_range);
    for (uint32_t rank = 1; rank <= world->plan.worker_count; rank++) {
        struct sim_worker *worker = world_find_worker(world, rank);
        if (worker == NULL || world_node_of(world, rank) != node)
            continue;
        if (fault == FAULT_NODE_CUT)
            cut(world, worker, cut_ns);
        else
            worker_die(world, worker);
    }
}

static void strike_worker(struct world *world, enum fault fault)
{
    uint32_t rank = 1 + (uint32_t)random_below(&world->random, world->plan.worker_count);
    struct sim_worker *worker = world_find_worker(world, rank);
    if (worker == NULL)
        return;
    switch ((int)fault) {
    case FAULT_DEATH:
        trace(world, "fault: worker dies", rank, 0, no_range);
        worker_die(world, worker);
        return;
    case FAULT_RESTART:
        restart(world, worker);
        return;
    case FAULT_SILENCE:
        fall_silent(world, worker);
        return;
    case FAULT_GOODBYE:
        trace(world, "fault: worker leaves", rank, 0, no_range);
        worker_say_goodbye(world, worker, false);
        return;
    case FAULT_CUT:
        cut(world, worker, draw_cut_ns(world));
        return;
    }
}

void fault_strike(struct world *world, const struct event *event)
{
    enum fault fault = (enum fault)event->detail;
    switch (fault) {
    case FAULT_DEATH:
    case FAULT_RESTART:
    case FAULT_SILENCE:
    case FAULT_GOODBYE:
    case FAULT_CUT:
        strike_worker(world, fault);
        return;
    case FAULT_NODE_CUT:
    case FAULT_NODE_DEATH:
        strike_node(world, fault);
        return;
    case FAULT_MASTER_CRASH:
        if (world->master.is_up)
            world->master.crash_countdown = 1 + random_below(&world->random, 20);
        return;
    case FAULT_STOP:
    case FAULT_LOSS:
        master_handle(world,
                      &(struct event){.kind = fault == FAULT_STOP ? EVENT_STOP : EVENT_LOSS});
        return;
    case FAULT_SLOW_DISK:
        world->disk_stalls_until_ns =
            world->now_ns + 1 + random_below(&world->random, world->plan.stall_ns_max);
        trace(world, "fault: the disk stalls", 0, world->plan.stall_ns_max, no_range);
        return;
    case FAULT_COUNT:
        return;
    }
}

/* Of what is late the order stays: all of it arrives when the link is whole again, the oldest
 * first, and before what is sent after. */
bool fault_holds_message(struct world *world, const struct event *event)
{
    if (event->kind != EVENT_TO_MASTER && event->kind != EVENT_TO_WORKER)
        return false;
    struct sim_worker *worker = world->workers[event->target];
    if (worker->cut_until_ns <= world->now_ns)
        return false;
    if (world->plan.cuts_lose) {
        trace(world, "message is lost", worker->rank, event->message->assignment, no_range);
        return true;
    }
    struct event later = *event;
    later.time_ns = worker->cut_until_ns;
    later.message = message_copy(event->message);
    world_post(world, &later);
    return true;
}

/* Half of the faults come early: short phases are struck as often as long ones. */
static void post_faults(struct world *world, enum fault fault)
{
    for (uint32_t i = 0; i < world->plan.faults[fault]; i++) {
        uint64_t time_ns = random_chance(&world->random, 500)
                               ? random_below(&world->random, world->fault_end_ns)
                               : random_scale(&world->random, 1000, world->fault_end_ns);
        world_post(world,
                   &(struct event){.time_ns = time_ns, .kind = EVENT_FAULT, .detail = fault});
    }
}

/* How long what struck last may go on after that, and be waited for. */
static uint64_t healing_ns(const struct plan *plan)
{
    uint64_t cut_ns = plan->faults[FAULT_CUT] + plan->faults[FAULT_NODE_CUT] > 0
                          ? plan->cut_ns_max + plan->config.lost_after_ns + 2 * plan->delay_ns_max
                          : 0;
    uint64_t stall_ns = plan->faults[FAULT_SLOW_DISK] > 0 ? plan->stall_ns_max : 0;
    return 6 * plan->config.lost_after_ns + 32 * plan->config.retry_delay_ns +
           2 * plan->silence_ns_max + 2 * cut_ns + 2 * stall_ns + 4 * plan->config.range_target_ns;
}

/* One slot could do all the work some times over, and every patience of the scheduler could be used
 * up often. A slow worker is no excuse, unless it may be the last one. */
void fault_plan_time(struct world *world)
{
    const struct plan *plan = &world->plan;
    uint64_t serial_ns = world->job.cost_before_ns[plan->task_count];
    uint64_t slots = plan->worker_count * (uint64_t)(plan->slot_count_max + 1) / 2;
    world->fault_end_ns =
        serial_ns * 3 / 2 / slots + 8 * plan->delay_ns_max + 4 * plan->sync_ns + SHEAF_NS_PER_MS;
    uint32_t gone = plan_workers_gone(plan);
    uint64_t slow_percent =
        plan->slow_workers > 0 && plan->worker_count <= 1 + gone ? plan->slow_percent : 100;
    world->relaunch_ns_max = world->fault_end_ns / 8;
    if (world->relaunch_ns_max > SHEAF_NS_PER_S)
        world->relaunch_ns_max = SHEAF_NS_PER_S;
    uint64_t patience_ns = healing_ns(plan);
    if (gone >= plan->worker_count || plan->bad_nodes > 0)
        patience_ns += 2 * plan->config.no_workers_ns;
    if (plan->bad_nodes > 0)
        patience_ns += plan->config.retry_delay_ns << plan->config.attempts_max;
    patience_ns += plan->level_count * healing_ns(plan);
    uint32_t runs = 1 + plan->faults[FAULT_MASTER_CRASH] + plan->faults[FAULT_STOP];
    world->deadline_ns = world->fault_end_ns + 4 * serial_ns / 100 * slow_percent +
                         4 * patience_ns + runs * 12 * SHEAF_NS_PER_S;
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        post_faults(world, (enum fault)fault);
}
