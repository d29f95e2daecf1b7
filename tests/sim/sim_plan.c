/* sim_plan.c - draws what a seed's run is like: the job, the cluster and the faults. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>

enum { GRAPH_TASKS_MAX = 2000 };

static uint64_t draw_task_count(struct random_source *source)
{
    uint64_t draw = random_below(source, 100);
    if (draw < 3)
        return 0;
    if (draw < 6)
        return 1;
    if (draw < 40)
        return random_between(source, 2, 40);
    if (draw < 98)
        return random_scale(source, 40, SHADOW_TASKS_MAX);
    return random_scale(source, 100 * 1000, 1000 * 1000);
}

static void draw_job(struct plan *plan, const struct options *options, struct random_source *source)
{
    plan->task_count = draw_task_count(source);
    if (options->has_task_count)
        plan->task_count = options->task_count;
    plan->has_merge = random_chance(source, 700);
    plan->has_finish = random_chance(source, 500);
    plan->has_text_results = plan->task_count <= 200 && random_chance(source, 600);
    plan->cost_shape = (enum cost_shape)random_below(source, 3);
    plan->cost_ns = random_scale(source, 1000, 200 * SHEAF_NS_PER_MS);
    plan->config.has_split = random_chance(source, 250);
}

/* From numbers of its own, so that plans without a graph stay what they were. */
static void draw_levels(struct plan *plan)
{
    struct random_source source = random_source_of(~plan->seed);
    if (random_chance(&source, 350) && plan->task_count > 1 && plan->task_count <= GRAPH_TASKS_MAX)
        plan->level_count = (uint32_t)random_between(&source, 2, 8);
}

static void draw_cluster(struct plan *plan, const struct options *options,
                         struct random_source *source)
{
    plan->worker_count = (uint32_t)random_scale(source, 1, 40);
    if (random_chance(source, 30))
        plan->worker_count = 200;
    if (options->worker_count > 0)
        plan->worker_count = options->worker_count;
    plan->slot_count_max = (uint32_t)random_scale(source, 1, plan->worker_count > 40 ? 2 : 16);
    /* Long jobs only cost events: at most some 20 s of virtual time. */
    uint64_t slots = plan->worker_count * (uint64_t)(plan->slot_count_max + 1) / 2;
    uint64_t cost_ns_max = 20 * SHEAF_NS_PER_S * slots / (plan->task_count + 1) + 1;
    if (plan->cost_ns > cost_ns_max)
        plan->cost_ns = cost_ns_max;
    plan->node_count = (uint32_t)random_scale(source, 1, 8);
    plan->delay_ns_max = random_chance(source, 100) ? 0 : random_scale(source, 1000, 10000000);
    plan->sync_ns = random_scale(source, 10 * 1000, 30 * SHEAF_NS_PER_MS);
    plan->sync_interval_ns = random_scale(source, SHEAF_NS_PER_MS, SHEAF_NS_PER_S);
    plan->snapshot_permille = random_chance(source, 600) ? 20 : 0;
}

static void draw_config(struct plan *plan, struct random_source *source)
{
    struct scheduler_config *config = &plan->config;
    if (random_chance(source, 500)) {
        config->attempts_max = (uint32_t)random_between(source, 1, 5);
        config->crashes_max = (uint32_t)random_between(source, 1, 5);
    }
    config->lost_after_ns = random_scale(source, 100 * SHEAF_NS_PER_MS, 5 * SHEAF_NS_PER_S);
    config->no_workers_ns = random_scale(source, SHEAF_NS_PER_S, 20 * SHEAF_NS_PER_S);
    config->retry_delay_ns = random_scale(source, SHEAF_NS_PER_MS, 200 * SHEAF_NS_PER_MS);
    config->range_target_ns = random_scale(source, SHEAF_NS_PER_MS, 200 * SHEAF_NS_PER_MS);
    config->merge_fan_in = (uint32_t)random_scale(source, 2, 64);
    config->keeps_subtrees = plan->seed % 3 == 0; /* draws nothing: other plans stay as they were */
    config->merge_bytes_max = random_scale(source, 64, (uint64_t)16 << 20);
    config->prefetch_per_slot = (uint32_t)random_between(source, 0, 3);
    if (plan->task_count > SHADOW_TASKS_MAX) {
        config->range_count_min = random_scale(source, 10, 1000);
        config->range_count_max = config->range_count_min;
    } else if (random_chance(source, 300)) {
        config->range_count_min = random_scale(source, 1, 64);
        config->range_count_max = config->range_count_min + random_below(source, 10);
    }
}

/* Each seed has a subset of all kinds of fault: some have few, so that these show by themselves,
 * and some have all. `permille` is how likely a kind is at the most. */
static bool draw_kind(const struct plan *plan, uint32_t permille, struct random_source *source)
{
    return random_chance(source, permille) && random_chance(source, plan->fault_permille);
}

static uint32_t draw_count(const struct plan *plan, uint32_t permille, uint32_t most,
                           struct random_source *source)
{
    return draw_kind(plan, permille, source) ? (uint32_t)random_between(source, 1, most) : 0;
}

static void draw_strikes(struct plan *plan, struct random_source *source)
{
    const struct {
        uint32_t permille;
        uint32_t most;
    } strikes[FAULT_COUNT] = {
        [FAULT_DEATH] = {800, plan->worker_count},
        [FAULT_RESTART] = {600, 8},
        [FAULT_SILENCE] = {800, 8},
        [FAULT_GOODBYE] = {400, 3},
        [FAULT_CUT] = {600, 6},
        [FAULT_NODE_CUT] = {600, 3},
        [FAULT_NODE_DEATH] = {300, 2},
        [FAULT_MASTER_CRASH] = {800, 6},
        [FAULT_STOP] = {300, 2},
        [FAULT_LOSS] = {600, 20},
        [FAULT_SLOW_DISK] = {600, 4},
    };
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        plan->faults[fault] =
            draw_count(plan, strikes[fault].permille, strikes[fault].most, source);
    uint64_t lost_after_ns = plan->config.lost_after_ns;
    plan->silence_ns_max = random_scale(source, 10 * SHEAF_NS_PER_MS, 20 * SHEAF_NS_PER_S);
    plan->cut_ns_max = random_scale(source, SHEAF_NS_PER_MS, 4 * lost_after_ns);
    plan->cuts_lose = random_chance(source, 500);
    plan->stall_ns_max = random_scale(source, 100 * SHEAF_NS_PER_MS, 10 * SHEAF_NS_PER_S);
}

/* Nodes where all fails, and others where all can pass: for a task to fail for good is then a fault
 * of the scheduler. So the others stay, and a master that dies, and forgets who failed where,
 * leaves a task enough attempts. */
static void draw_bad_nodes(struct plan *plan, struct random_source *source)
{
    static const enum fault excluded[] = {FAULT_DEATH,     FAULT_RESTART, FAULT_SILENCE,
                                          FAULT_GOODBYE,   FAULT_CUT,     FAULT_NODE_CUT,
                                          FAULT_NODE_DEATH};
    struct scheduler_config *config = &plan->config;
    if (plan->node_count < 2 || plan->worker_count < plan->node_count ||
        plan->task_count > SHADOW_TASKS_MAX || !draw_kind(plan, 600, source))
        return;
    for (size_t i = 0; i < sizeof excluded / sizeof *excluded; i++)
        plan->faults[excluded[i]] = 0;
    /* One more than may be benched, where there are others left. */
    uint32_t most = plan->node_count / 2 + (plan->node_count > 2 ? plan->node_count % 2 : 0);
    plan->bad_nodes = (uint32_t)random_between(source, 1, most);
    plan->bad_nodes_crash = random_chance(source, 500);
    plan->bad_nodes_heal = random_chance(source, 300);
    plan->failing_prepares = 0;
    plan->slow_workers = 0;
    plan->troubled_tasks = 0;
    plan->failing_tasks = 0;
    plan->work_failures = 0;
    for (int i = FAULT_MASTER_CRASH; i <= FAULT_STOP; i++)
        plan->faults[i] = plan->faults[i] > 0;
    uint32_t runs = 1 + plan->faults[FAULT_MASTER_CRASH] + plan->faults[FAULT_STOP];
    config->attempts_max = 2 * runs + (plan->bad_nodes > 1 ? 8 : 1);
    config->crashes_max = config->attempts_max;
    config->retry_delay_ns = 20 * SHEAF_NS_PER_MS; /* for the other nodes to join */
    config->probe_delay_ns = random_scale(source, 10 * SHEAF_NS_PER_MS, 2 * SHEAF_NS_PER_S);
}

/* From numbers of its own: seeds mean what they did before. */
static void draw_unopened(struct plan *plan)
{
    struct random_source source = random_source_of(random_mix(plan->seed ^ 0x6f70656e));
    bool is_drawn = plan->bad_nodes == 0 && draw_kind(plan, 400, &source);
    plan->unopened = is_drawn ? (uint32_t)random_between(&source, 1, 30) : 0;
}

static void draw_faults(struct plan *plan, struct random_source *source)
{
    static const uint32_t densities[] = {0, 150, 300, 500, 700, 700, 850, 1000};
    plan->fault_permille = densities[random_below(source, sizeof densities / sizeof *densities)];
    draw_strikes(plan, source);
    plan->failing_prepares = draw_count(plan, 200, plan->worker_count, source);
    plan->slow_workers = draw_kind(plan, 600, source) ? 1 : 0;
    plan->duplicate_permille = draw_count(plan, 900, 600, source);
    plan->damage_permille = draw_count(plan, 400, 50, source);
    plan->lost_record_permille = draw_count(plan, 250, 100, source);
    plan->lost_write_permille = draw_count(plan, 250, 500, source);
    plan->work_failures = plan->config.attempts_max > 1 && plan->config.crashes_max > 1
                              ? draw_count(plan, 400, 1, source)
                              : 0;
    plan->has_failing_finish = plan->has_finish && draw_kind(plan, 40, source);
    plan->lingers = draw_kind(plan, 700, source);
    plan->keeps_queue_on_welcome = draw_kind(plan, 400, source);
    uint32_t most = plan->task_count < 24 ? (uint32_t)plan->task_count : 24;
    if (most > 0) {
        plan->failing_tasks = draw_count(plan, 700, most, source);
        plan->troubled_tasks = draw_count(plan, 700, most, source);
    }
    if (most > 0 && plan->task_count <= 500 && draw_kind(plan, 40, source))
        plan->failing_tasks = (uint32_t)plan->task_count;
    draw_bad_nodes(plan, source);
    draw_unopened(plan);
}

/* How many workers may be missing at the end, for good. */
uint32_t plan_workers_gone(const struct plan *plan)
{
    uint32_t of_node = plan->worker_count / plan->node_count + 1;
    return plan->faults[FAULT_DEATH] + plan->faults[FAULT_GOODBYE] + plan->failing_prepares +
           plan->faults[FAULT_NODE_DEATH] * of_node;
}

void plan_draw(struct plan *plan, const struct options *options, struct random_source *source)
{
    *plan = (struct plan){.seed = options->seed, .config = scheduler_config_default()};
    draw_job(plan, options, source);
    draw_levels(plan);
    draw_cluster(plan, options, source);
    plan->config.worker_count = plan->worker_count;
    draw_config(plan, source);
    draw_faults(plan, source);
    /* A worker that hangs must not hold the job, unless it may be the last one. */
    uint32_t gone = plan_workers_gone(plan);
    plan->slow_percent =
        (uint32_t)random_scale(source, 150, plan->worker_count > 1 + gone ? 1000 * 1000 : 2000);
    plan->restarts_finished_job = random_chance(source, 200);
}

void plan_print(const struct plan *plan)
{
    const struct scheduler_config *config = &plan->config;
    printf("plan: %" PRIu32 " workers of at most %" PRIu32 " slots, %" PRIu64
           " tasks of about %" PRIu64 " ns (shape %d)%s%s%s\n",
           plan->worker_count, plan->slot_count_max, plan->task_count, plan->cost_ns,
           (int)plan->cost_shape, plan->has_merge ? ", merge" : ", collect",
           plan->has_finish ? ", finish" : "", config->has_split ? ", split" : "");
    if (plan->level_count > 0)
        printf("plan: tasks come after others, in %" PRIu32 " levels\n", plan->level_count);
    printf("plan: attempts %" PRIu32 ", crashes %" PRIu32 ", ranges %" PRIu64 "..%" PRIu64
           " tasks or %" PRIu64 " ns, fan-in %" PRIu32 ", merge bytes %" PRIu64
           ", prefetch %" PRIu32 "\n",
           config->attempts_max, config->crashes_max, config->range_count_min,
           config->range_count_max, config->range_target_ns, config->merge_fan_in,
           config->merge_bytes_max, config->prefetch_per_slot);
    printf("plan: lost after %" PRIu64 " ns, no workers %" PRIu64 " ns, retry %" PRIu64
           " ns, delay %" PRIu64 " ns, sync %" PRIu64 " ns every %" PRIu64 " ns\n",
           config->lost_after_ns, config->no_workers_ns, config->retry_delay_ns, plan->delay_ns_max,
           plan->sync_ns, plan->sync_interval_ns);
    static const char *const fault_names[FAULT_COUNT] = {
#define X(name, text) text,
        SIM_FAULTS(X)
#undef X
    };
    printf("plan:");
    for (int fault = 0; fault < FAULT_COUNT; fault++)
        if (plan->faults[fault] > 0)
            printf(" %" PRIu32 " %s,", plan->faults[fault], fault_names[fault]);
    printf(" %" PRIu32 " failing prepares, %" PRIu32 " slow workers (%" PRIu32 " %%), %" PRIu32
           " nodes\n",
           plan->failing_prepares, plan->slow_workers, plan->slow_percent, plan->node_count);
    if (plan->bad_nodes > 0)
        printf("plan: everything fails on %" PRIu32 " nodes%s%s\n", plan->bad_nodes,
               plan->bad_nodes_crash ? ", by a crash" : "",
               plan->bad_nodes_heal ? ", for a while" : "");
    printf("plan: silences of at most %" PRIu64 " ns, cuts %" PRIu64 " ns (%s), stalls %" PRIu64
           " ns\n",
           plan->silence_ns_max, plan->cut_ns_max, plan->cuts_lose ? "lossy" : "late",
           plan->stall_ns_max);
    printf("plan: permille: %" PRIu32 " duplicates, %" PRIu32 " damaged payloads, %" PRIu32
           " lost records, %" PRIu32 " lost writes, %" PRIu32 " snapshots; %" PRIu32
           " tasks fail for good, %" PRIu32 " at first, %" PRIu32
           " failures of other work, %" PRIu32 " unopened orders%s%s%s%s\n",
           plan->duplicate_permille, plan->damage_permille, plan->lost_record_permille,
           plan->lost_write_permille, plan->snapshot_permille, plan->failing_tasks,
           plan->troubled_tasks, plan->work_failures, plan->unopened,
           plan->has_failing_finish ? ", finish fails for good" : "",
           plan->lingers ? ", old workers linger" : "",
           plan->keeps_queue_on_welcome ? ", queues kept on welcome" : "",
           plan->restarts_finished_job ? ", finished job restarted" : "");
}
