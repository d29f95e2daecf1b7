/* sim_job.c - the simulated job: what its tasks cost and compute, and what a serial run gives.
 *
 * `merge` is neither associative nor commutative, so that any order but the canonical one shows in
 * the output. */
#include "sim.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BYTES = 16 };

static uint64_t draw_cost(const struct plan *plan, uint64_t task, struct random_source *source)
{
    switch (plan->cost_shape) {
    case COST_UNIFORM:
        return plan->cost_ns;
    case COST_HEAVY_TAIL: {
        uint64_t cost_ns = plan->cost_ns / 2 + 1;
        for (int i = 0; i < 10 && random_chance(source, 300); i++)
            cost_ns *= 2;
        return cost_ns;
    }
    case COST_RISING:
        return plan->cost_ns * 2 * (task + 1) / (plan->task_count + 1) + 1;
    }
    return plan->cost_ns;
}

static int compare_bad(const void *a, const void *b)
{
    const struct bad_task *left = a;
    const struct bad_task *right = b;
    return (left->task > right->task) - (left->task < right->task);
}

static struct bad_task *find_exact(struct sim_job *job, uint64_t task)
{
    for (size_t i = 0; i < job->bad_count; i++)
        if (job->bad[i].task == task)
            return &job->bad[i];
    return NULL;
}

static void draw_bad(struct sim_job *job, struct random_source *source)
{
    const struct plan *plan = job->plan;
    const struct scheduler_config *config = &plan->config;
    uint32_t attempts =
        config->attempts_max < config->crashes_max ? config->attempts_max : config->crashes_max;
    size_t most = (size_t)plan->failing_tasks + plan->troubled_tasks;
    job->bad = memory_allocate_zeroed(most, sizeof *job->bad);
    for (size_t i = 0; i < most; i++) {
        bool for_good = i < plan->failing_tasks;
        uint64_t task =
            plan->failing_tasks == plan->task_count ? i : random_below(source, plan->task_count);
        if (find_exact(job, task) != NULL || (!for_good && attempts < 2))
            continue;
        job->bad[job->bad_count++] = (struct bad_task){
            .task = task,
            .kind = (enum bad_kind)random_below(source, 3),
            .failures = for_good ? UINT32_MAX : (uint32_t)random_between(source, 1, attempts - 1),
        };
    }
    if (job->bad_count > 1)
        qsort(job->bad, job->bad_count, sizeof *job->bad, compare_bad);
}

static int merge_bytes(void *context, const struct merge_item *left, const struct merge_item *right,
                       struct merge_item *result)
{
    const struct sim_job *job = context;
    if (job->plan->has_text_results) {
        size_t size = left->size + right->size + 3;
        merge_item_reserve(result, size);
        result->data[0] = '(';
        memcpy(result->data + 1, left->data, left->size);
        result->data[1 + left->size] = ',';
        memcpy(result->data + 2 + left->size, right->data, right->size);
        result->data[size - 1] = ')';
        result->size = size;
        return 0;
    }
    CHECK(left->size == HASH_BYTES && right->size == HASH_BYTES);
    uint64_t words[4];
    memcpy(words, left->data, HASH_BYTES);
    memcpy(words + 2, right->data, HASH_BYTES);
    uint64_t sum =
        random_mix(words[0] + random_mix(words[1] + random_mix(words[2] * 3 + words[3])));
    uint64_t result_words[2] = {sum, random_mix(sum ^ words[0])};
    merge_item_reserve(result, HASH_BYTES);
    memcpy(result->data, result_words, HASH_BYTES);
    result->size = HASH_BYTES;
    return 0;
}

/* The result of one task into `text` (room for 64 bytes); returns its size. */
static size_t task_result(const struct sim_job *job, uint64_t task, unsigned char *text)
{
    if (job->plan->has_text_results)
        return (size_t)snprintf((char *)text, 64, "t%" PRIu64, task);
    uint64_t words[4];
    for (uint64_t i = 0; i < 4; i++)
        words[i] = random_mix(task * 4 + i);
    memcpy(text, words, sizeof words);
    return job->plan->has_merge ? HASH_BYTES : task % (sizeof words + 1);
}

/* Tasks of each level come after some of lower ones, whatever their indices are. */
static void draw_graph(struct sim_job *job)
{
    enum { EDGES_OF_TASK_MAX = 4 };
    const struct plan *plan = job->plan;
    uint32_t task_count = (uint32_t)plan->task_count;
    struct random_source source = random_source_of(~plan->seed);
    uint32_t *levels = memory_allocate_zeroed(task_count, sizeof *levels);
    struct task_edge *edges =
        memory_allocate_zeroed((size_t)task_count * EDGES_OF_TASK_MAX, sizeof *edges);
    uint32_t edge_count = 0;
    for (uint32_t task = 0; task < task_count; task++)
        levels[task] = (uint32_t)random_below(&source, plan->level_count);
    for (uint32_t task = 0; task < task_count; task++)
        for (int i = 0; i < EDGES_OF_TASK_MAX; i++) {
            uint32_t before = (uint32_t)random_below(&source, task_count);
            bool is_for_end = random_below(&source, 4) == 0;
            if (levels[before] < levels[task])
                edges[edge_count++] = (struct task_edge){before, task, is_for_end};
        }
    struct task_cycle cycle;
    job->graph = task_graph_create(task_count, edges, edge_count, &cycle);
    CHECK(job->graph != NULL);
    for (uint32_t i = 0; i < edge_count; i++)
        edges[i] = (struct task_edge){edges[i].after, edges[i].before, edges[i].is_for_end};
    job->before = task_graph_create(task_count, edges, edge_count, &cycle);
    CHECK(job->before != NULL);
    free(edges);
    free(levels);
}

bool sim_job_fails_by_itself(struct sim_job *job, uint64_t task)
{
    const struct bad_task *bad = sim_job_find_bad(job, task);
    return bad != NULL && bad->task == task && bad->failures == UINT32_MAX;
}

static bool fails_for_good(struct sim_job *job, uint64_t task)
{
    return job->fails != NULL ? job->fails[task] : sim_job_fails_by_itself(job, task);
}

/* A failure goes up one level at least with each round. */
static void spread_failures(struct sim_job *job)
{
    const struct task_graph *graph = job->graph;
    bool *fails = memory_allocate_zeroed(graph->task_count, sizeof *fails);
    for (uint32_t task = 0; task < graph->task_count; task++)
        fails[task] = fails_for_good(job, task);
    for (uint32_t round = 0; round < job->plan->level_count; round++)
        for (uint32_t task = 0; task < graph->task_count; task++)
            for (uint32_t at = graph->successor_starts[task];
                 fails[task] && at < graph->successor_starts[task + 1]; at++)
                fails[graph->successors[at]] |= !graph->is_for_end[at];
    job->fails = fails;
}

void sim_job_init(struct sim_job *job, const struct plan *plan, struct random_source *source)
{
    *job = (struct sim_job){.plan = plan};
    job->cost_before_ns = memory_allocate((plan->task_count + 1) * sizeof *job->cost_before_ns);
    job->cost_before_ns[0] = 0;
    for (uint64_t task = 0; task < plan->task_count; task++)
        job->cost_before_ns[task + 1] = job->cost_before_ns[task] + draw_cost(plan, task, source);
    draw_bad(job, source);
    job->unopened_left = plan->unopened;
    job->work_failures_left[WORK_SPLIT] = plan->work_failures;
    job->work_failures_left[WORK_MERGE] = plan->work_failures;
    job->work_failures_left[WORK_FINISH] =
        plan->has_failing_finish ? UINT32_MAX : plan->work_failures;
    job->fold = merge_fold_create(plan->task_count, merge_bytes, job);
    if (plan->level_count > 0) {
        draw_graph(job);
        spread_failures(job);
    }
}

void sim_job_close(struct sim_job *job)
{
    if (job->fold != NULL)
        merge_fold_destroy(job->fold);
    free(job->cost_before_ns);
    free(job->bad);
    task_graph_destroy(job->graph);
    task_graph_destroy(job->before);
    free(job->fails);
    *job = (struct sim_job){0};
}

struct bad_task *sim_job_find_bad(struct sim_job *job, uint64_t task)
{
    size_t low = 0;
    size_t high = job->bad_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->bad[middle].task < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low < job->bad_count ? &job->bad[low] : NULL;
}

uint64_t sim_job_failed_task_count(const struct sim_job *job)
{
    uint64_t count = 0;
    for (size_t i = 0; job->fails == NULL && i < job->bad_count; i++)
        count += job->bad[i].failures == UINT32_MAX;
    for (uint64_t task = 0; job->fails != NULL && task < job->plan->task_count; task++)
        count += job->fails[task];
    return count;
}

/* Node (level, number) by the definition in design.md, without the code under test. */
static void reference_node(struct sim_job *job, uint64_t first, unsigned level,
                           struct merge_item *node)
{
    *node = (struct merge_item){.range = {first, 1}};
    if (level == 0) {
        merge_item_reserve(node, 64);
        node->is_absent = fails_for_good(job, first);
        node->size = node->is_absent ? 0 : task_result(job, first, node->data);
        return;
    }
    uint64_t middle = first + ((uint64_t)1 << (level - 1));
    struct merge_item left;
    reference_node(job, first, level - 1, &left);
    if (middle >= job->plan->task_count) {
        *node = left;
        return;
    }
    struct merge_item right;
    reference_node(job, middle, level - 1, &right);
    if (left.is_absent || right.is_absent) {
        *node = left.is_absent ? right : left;
        merge_item_close(left.is_absent ? &left : &right);
        return;
    }
    merge_bytes(job, &left, &right, node);
    merge_item_close(&left);
    merge_item_close(&right);
}

void sim_job_finish(struct sim_job *job, const struct byte_writer *input,
                    struct byte_writer *output)
{
    (void)job;
    byte_writer_put_u8(output, '[');
    byte_writer_put(output, input->data, input->size);
    byte_writer_put_u8(output, ']');
}

void sim_job_reference_part(struct sim_job *job, struct range range, struct byte_writer *output)
{
    if (range_is_empty(range))
        return;
    if (job->plan->has_merge) {
        unsigned level = 0;
        while ((uint64_t)1 << level < range.count)
            level++;
        struct merge_item node;
        reference_node(job, range.first, level, &node);
        byte_writer_put(output, node.data, node.is_absent ? 0 : node.size);
        merge_item_close(&node);
        return;
    }
    unsigned char text[64];
    for (uint64_t task = range.first; task < range_end(range); task++)
        if (!fails_for_good(job, task))
            byte_writer_put(output, text, task_result(job, task, text));
}

void sim_job_reference(struct sim_job *job, struct byte_writer *output)
{
    struct byte_writer result = {0};
    sim_job_reference_part(job, (struct range){0, job->plan->task_count}, &result);
    if (job->plan->has_finish)
        sim_job_finish(job, &result, output);
    else
        byte_writer_put(output, result.data, result.size);
    byte_writer_close(&result);
}

static void add_partial(struct message *report, struct range range, const void *data, size_t size)
{
    struct partial partial = {
        .range = range,
        .offset_bytes = report->payload.size,
        .size_bytes = size,
    };
    byte_writer_put(&report->payload, data, size);
    message_add_partial(report, &partial);
}

static void collect_run(struct sim_job *job, struct range run, struct message *report)
{
    struct partial partial = {.range = run, .offset_bytes = report->payload.size};
    unsigned char text[64];
    for (uint64_t task = run.first; task < range_end(run); task++)
        byte_writer_put(&report->payload, text, task_result(job, task, text));
    partial.size_bytes = report->payload.size - partial.offset_bytes;
    message_add_partial(report, &partial);
}

static void take_fold(struct sim_job *job, struct message *report)
{
    size_t count = merge_fold_count(job->fold);
    for (size_t i = 0; i < count && i < FACT_PARTIALS_MAX; i++) {
        const struct merge_item *item = merge_fold_item(job->fold, i);
        add_partial(report, item->range, item->data, item->is_absent ? 0 : item->size);
        report->partials[report->partial_count - 1].is_absent = item->is_absent;
    }
}

void sim_job_run(struct sim_job *job, const struct range *runs, size_t run_count,
                 struct message *report)
{
    if (!job->plan->has_merge) {
        for (size_t i = 0; i < run_count; i++)
            collect_run(job, runs[i], report);
        return;
    }
    merge_fold_reset(job->fold,
                     job->plan->config.keeps_subtrees ? UINT64_MAX : job->plan->task_count);
    unsigned char text[64];
    for (size_t i = 0; i < run_count; i++)
        for (uint64_t task = runs[i].first; task < range_end(runs[i]); task++)
            merge_fold_push(job->fold, (struct range){task, 1}, text, task_result(job, task, text),
                            false);
    take_fold(job, report);
}

bool sim_job_merge(struct sim_job *job, const struct message *order, struct message *report)
{
    merge_fold_reset(job->fold, job->plan->task_count);
    for (size_t i = 0; i < order->partial_count; i++) {
        const struct partial *partial = &order->partials[i];
        merge_fold_push(job->fold, partial->range, order->payload.data + partial->offset_bytes,
                        partial->size_bytes, partial->is_absent);
    }
    take_fold(job, report);
    return report->partial_count == 1 && report->partials[0].range.first == order->range.first &&
           report->partials[0].range.count == order->range.count;
}
