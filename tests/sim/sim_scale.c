/* sim_scale.c - how long decisions take with very many workers: the one part that reads a clock. */
#include "sim.h"

#include "../../scheduler/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    WORKERS = 100 * 1000,
    TASKS = 10 * 1000 * 1000,
    TASKS_OF_RANGE = 10,
    RESULT_BYTES = 8,
};

#define TASK_NS ((uint64_t)1000 * 1000)

/* Work that is out, in the order in which it will be reported. */
struct order {
    uint32_t worker;
    uint64_t assignment;
    enum work work;
    struct range range;
};

struct scale {
    struct scheduler *scheduler;
    struct output output;
    struct merge_fold *fold;
    struct partial *partials; /* room for FACT_PARTIALS_MAX */
    struct order *orders;     /* a ring; capacity is a power of two */
    size_t order_capacity;
    size_t order_first;
    size_t order_count;
    uint64_t now_ns;
    uint64_t spent_ns; /* in scheduler_step */
    uint64_t worst_ns;
    uint64_t steps;
    uint64_t orders_made;
    bool is_publishing;
    bool is_over;
};

static uint64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SHEAF_NS_PER_S + (uint64_t)time.tv_nsec;
}

static void step(struct scale *scale, struct input *input)
{
    input->now_ns = scale->now_ns;
    uint64_t began_ns = clock_ns();
    scheduler_step(scale->scheduler, input, &scale->output);
    uint64_t took_ns = clock_ns() - began_ns;
    scale->spent_ns += took_ns;
    scale->worst_ns = took_ns > scale->worst_ns ? took_ns : scale->worst_ns;
    scale->steps++;
    for (size_t i = 0; i < scale->output.effect_count; i++) {
        const struct effect *effect = &scale->output.effects[i];
        if (effect->kind == EFFECT_ASSIGN && scale->order_count < scale->order_capacity) {
            size_t place = (scale->order_first + scale->order_count) & (scale->order_capacity - 1);
            scale->orders[place] =
                (struct order){effect->worker, effect->assignment, effect->work, effect->range};
            scale->order_count++;
            scale->orders_made++;
        }
        scale->is_publishing |= effect->kind == EFFECT_PUBLISH;
        scale->is_over |= effect->kind == EFFECT_END;
    }
}

static int merge_nothing(void *context, const struct merge_item *left,
                         const struct merge_item *right, struct merge_item *result)
{
    (void)context;
    (void)right;
    merge_item_reserve(result, RESULT_BYTES);
    memcpy(result->data, left->data, RESULT_BYTES);
    result->size = RESULT_BYTES;
    return 0;
}

static uint32_t partials_of(struct scale *scale, const struct order *order)
{
    if (order->work != WORK_RUN) {
        scale->partials[0] = (struct partial){.range = order->range, .size_bytes = RESULT_BYTES};
        return 1;
    }
    unsigned char bytes[RESULT_BYTES] = {0};
    merge_fold_clear(scale->fold);
    for (uint64_t task = order->range.first; task < range_end(order->range); task++)
        merge_fold_push(scale->fold, (struct range){task, 1}, bytes, sizeof bytes, false);
    uint32_t count = (uint32_t)merge_fold_count(scale->fold);
    for (uint32_t i = 0; i < count; i++)
        scale->partials[i] = (struct partial){.range = merge_fold_item(scale->fold, i)->range,
                                              .offset_bytes = (uint64_t)i * RESULT_BYTES,
                                              .size_bytes = RESULT_BYTES};
    return count;
}

static void report(struct scale *scale)
{
    struct order order = scale->orders[scale->order_first];
    scale->order_first = (scale->order_first + 1) & (scale->order_capacity - 1);
    scale->order_count--;
    struct input input = {.kind = INPUT_REPORT};
    input.as.report = (struct input_report){
        .worker = order.worker,
        .incarnation = 1,
        .assignment = order.assignment,
        .work = order.work,
        .tasks_run = order.work == WORK_RUN ? order.range.count : 0,
        .busy_ns = order.range.count * TASK_NS,
        .partial_count = partials_of(scale, &order),
        .partials = scale->partials,
    };
    scale->now_ns += TASK_NS * TASKS_OF_RANGE / WORKERS;
    step(scale, &input);
}

static void print_phase(struct scale *scale, const char *what)
{
    printf("%-40s %10" PRIu64 " steps %10" PRIu64 " orders %8" PRIu64 " ns/step, worst %" PRIu64
           " ns\n",
           what, scale->steps, scale->orders_made,
           scale->steps > 0 ? scale->spent_ns / scale->steps : 0, scale->worst_ns);
    fflush(stdout);
    scale->spent_ns = 0;
    scale->worst_ns = 0;
    scale->steps = 0;
    scale->orders_made = 0;
}

static void join_workers(struct scale *scale)
{
    struct input start = {.kind = INPUT_START, .as.start.incarnation = 1};
    step(scale, &start);
    struct input job = {.kind = INPUT_JOB_ACCEPTED};
    job.as.job_accepted = (struct fact_job_accepted){.task_count = TASKS, .has_merge = true};
    step(scale, &job);
    for (uint32_t worker = 1; worker <= WORKERS; worker++) {
        struct input hello = {.kind = INPUT_HELLO};
        hello.as.hello =
            (struct input_hello){.worker = worker, .slot_count = 1, .node = worker / 64};
        step(scale, &hello);
    }
    print_phase(scale, "100,000 workers join");
}

static void hear_workers(struct scale *scale)
{
    for (uint32_t worker = 1; worker <= WORKERS; worker++) {
        struct input heard = {.kind = INPUT_HEARD, .as.heard = {.worker = worker}};
        step(scale, &heard);
    }
    print_phase(scale, "100,000 heartbeats");
}

static void run_tasks(struct scale *scale)
{
    while (!scale->is_over && !scale->is_publishing) {
        if (scale->order_count > 0) {
            report(scale);
            if (scheduler_next_tick_ns(scale->scheduler) > scale->now_ns)
                continue;
        } else {
            scale->now_ns = scheduler_next_tick_ns(scale->scheduler);
        }
        struct input tick = {.kind = INPUT_TICK};
        step(scale, &tick);
    }
    print_phase(scale, "10,000,000 tasks in ranges of 10");
}

int scale_run(void)
{
    struct scale scale = {.order_capacity = (size_t)1 << 20};
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = TASKS_OF_RANGE;
    config.range_count_max = TASKS_OF_RANGE;
    config.lost_after_ns = SHEAF_NS_PER_S * 3600;
    scale.scheduler = scheduler_create(&config);
    scale.fold = merge_fold_create(TASKS, merge_nothing, NULL);
    scale.partials = memory_allocate(FACT_PARTIALS_MAX * sizeof *scale.partials);
    scale.orders = memory_allocate(scale.order_capacity * sizeof *scale.orders);
    join_workers(&scale);
    hear_workers(&scale);
    run_tasks(&scale);
    struct input published = {.kind = INPUT_PUBLISHED};
    step(&scale, &published);
    printf("%s - the job of 10,000,000 tasks ended\n", scale.is_over ? "ok" : "not ok");
    int status = scale.is_over ? 0 : 1;
    scheduler_destroy(scale.scheduler);
    output_close(&scale.output);
    merge_fold_destroy(scale.fold);
    free(scale.partials);
    free(scale.orders);
    return status;
}
