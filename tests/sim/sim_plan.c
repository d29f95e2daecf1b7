/* sim_plan.c - draws what a seed's run is like: the job, the cluster and the faults. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>

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
    plan->slow_workers = random_chance(source, 400) ? 1 : 0;
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

static uint32_t draw_count(struct random_source *source, uint32_t permille, uint32_t most)
{
    return random_chance(source, permille) ? (uint32_t)random_between(source, 1, most) : 0;
}

static void draw_faults(struct plan *plan, struct random_source *source)
{
    if (random_chance(source, 100))
        return;
    plan->faults.deaths = draw_count(source, 500, plan->worker_count);
    plan->faults.silences = draw_count(source, 500, 8);
    plan->faults.goodbyes = draw_count(source, 250, 3);
    plan->faults.master_crashes = draw_count(source, 500, 6);
    plan->faults.stops = draw_count(source, 150, 2);
    plan->faults.losses = draw_count(source, 300, 20);
    plan->failing_prepares = draw_count(source, 150, plan->worker_count);
    plan->silence_ns_max = random_scale(source, 10 * SHEAF_NS_PER_MS, 20 * SHEAF_NS_PER_S);
    plan->duplicate_permille = draw_count(source, 450, 300);
    plan->damage_permille = draw_count(source, 250, 50);
    plan->lost_record_permille = draw_count(source, 150, 100);
    plan->work_failures = plan->config.attempts_max > 1 && plan->config.crashes_max > 1
                              ? draw_count(source, 300, 1)
                              : 0;
    plan->has_failing_finish = plan->has_finish && random_chance(source, 30);
    plan->lingers = random_chance(source, 500);
    plan->keeps_queue_on_welcome = random_chance(source, 300);
    uint32_t most = plan->task_count < 24 ? (uint32_t)plan->task_count : 24;
    if (most > 0) {
        plan->failing_tasks = draw_count(source, 500, most);
        plan->troubled_tasks = draw_count(source, 500, most);
    }
    if (most > 0 && plan->task_count <= 500 && random_chance(source, 30))
        plan->failing_tasks = (uint32_t)plan->task_count;
}

void plan_draw(struct plan *plan, const struct options *options, struct random_source *source)
{
    *plan = (struct plan){.seed = options->seed, .config = scheduler_config_default()};
    draw_job(plan, options, source);
    draw_cluster(plan, options, source);
    draw_config(plan, source);
    draw_faults(plan, source);
    /* A worker that hangs must not hold the job, unless it may be the last one. */
    uint32_t gone = plan->faults.deaths + plan->faults.goodbyes + plan->failing_prepares;
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
    printf("plan: %" PRIu32 " deaths, %" PRIu32 " silences of at most %" PRIu64 " ns, %" PRIu32
           " goodbyes, %" PRIu32 " master crashes, %" PRIu32 " stops, %" PRIu32 " losses, %" PRIu32
           " failing prepares, %" PRIu32 " slow workers (%" PRIu32 " %%)\n",
           plan->faults.deaths, plan->faults.silences, plan->silence_ns_max, plan->faults.goodbyes,
           plan->faults.master_crashes, plan->faults.stops, plan->faults.losses,
           plan->failing_prepares, plan->slow_workers, plan->slow_percent);
    printf("plan: permille: %" PRIu32 " duplicates, %" PRIu32 " damaged payloads, %" PRIu32
           " lost records, %" PRIu32 " snapshots; %" PRIu32 " tasks fail for good, %" PRIu32
           " at first, %" PRIu32 " failures of other work%s%s%s%s\n",
           plan->duplicate_permille, plan->damage_permille, plan->lost_record_permille,
           plan->snapshot_permille, plan->failing_tasks, plan->troubled_tasks, plan->work_failures,
           plan->has_failing_finish ? ", finish fails for good" : "",
           plan->lingers ? ", old workers linger" : "",
           plan->keeps_queue_on_welcome ? ", queues kept on welcome" : "",
           plan->restarts_finished_job ? ", finished job restarted" : "");
}
