/* task_graph.c - builds the graph of the tasks, or finds a circle in it. */
#include "task_graph.h"

#include "check.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, a word at a time. */
static const uint64_t fingerprint_basis = 0xcbf29ce484222325;
static const uint64_t fingerprint_prime = 0x100000001b3;

static uint64_t fingerprint_words(uint64_t fingerprint, const uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        fingerprint = (fingerprint ^ words[i]) * fingerprint_prime;
    return fingerprint;
}

static uint64_t fingerprint_of(const struct task_graph *graph)
{
    uint64_t fingerprint = fingerprint_words(fingerprint_basis, &graph->task_count, 1);
    fingerprint = fingerprint_words(fingerprint, graph->successor_starts, graph->task_count + 1);
    fingerprint = fingerprint_words(fingerprint, graph->successors, graph->edge_count);
    for (uint32_t at = 0; at < graph->edge_count; at++)
        if (graph->is_for_end[at])
            fingerprint = fingerprint_words(fingerprint, &at, 1);
    return fingerprint != 0 ? fingerprint : 1;
}

/* Places for the edges of each task, by the task at their `by` end: the sums of the counts. */
static uint32_t *sum_starts(const uint32_t *counts, uint32_t task_count)
{
    uint32_t *starts = memory_allocate((task_count + (size_t)1) * sizeof *starts);
    starts[0] = 0;
    for (uint32_t task = 0; task < task_count; task++)
        starts[task + 1] = starts[task] + counts[task];
    return starts;
}

static void place_by_later_task(const struct task_graph *graph, const struct task_edge *edges,
                                const struct task_edge **ordered)
{
    uint32_t *places = sum_starts(graph->predecessor_counts, graph->task_count);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < graph->edge_count; i++)
            if (edges[i].is_for_end == (pass == 1))
                ordered[places[edges[i].after]++] = &edges[i];
    free(places);
}

/* Sorts the edges by counting: first by their kind and the later task, then, keeping that order, by
 * the earlier one. */
static void place_edges(struct task_graph *graph, const struct task_edge *edges)
{
    uint32_t task_count = graph->task_count;
    const struct task_edge **ordered = memory_allocate_zeroed(graph->edge_count, sizeof *ordered);
    place_by_later_task(graph, edges, ordered);
    uint32_t *places = memory_copy(graph->successor_starts, task_count * sizeof *places);
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        uint32_t place = places[ordered[i]->before]++;
        graph->successors[place] = ordered[i]->after;
        graph->is_for_end[place] = ordered[i]->is_for_end;
    }
    free(ordered);
    free(places);
}

/* Takes out tasks after which nothing is missing, until none is left. Returns how many edges each
 * of the others still waits for, which is 0 for those that were taken out. */
static uint32_t *find_unordered(const struct task_graph *graph)
{
    uint32_t task_count = graph->task_count;
    uint32_t *missing = memory_copy(graph->predecessor_counts, task_count * sizeof *missing);
    uint32_t *ready = memory_allocate_zeroed(task_count, sizeof *ready);
    uint32_t ready_count = 0;
    for (uint32_t task = 0; task < task_count; task++)
        if (missing[task] == 0)
            ready[ready_count++] = task;
    for (uint32_t i = 0; i < ready_count; i++)
        for (uint32_t at = graph->successor_starts[ready[i]];
             at < graph->successor_starts[ready[i] + 1]; at++)
            if (--missing[graph->successors[at]] == 0)
                ready[ready_count++] = graph->successors[at];
    free(ready);
    return missing;
}

/* Every task that waits does so for one that waits, too: going from each to such a one leads into a
 * circle. */
static void find_cycle(const struct task_graph *graph, const uint32_t *missing,
                       struct task_cycle *cycle)
{
    uint32_t task_count = graph->task_count;
    uint32_t *waits_for = memory_allocate_zeroed(task_count, sizeof *waits_for);
    uint32_t first = task_count;
    for (uint32_t task = task_count; task-- > 0;) {
        if (missing[task] == 0)
            continue;
        first = task;
        for (uint32_t at = graph->successor_starts[task]; at < graph->successor_starts[task + 1];
             at++)
            waits_for[graph->successors[at]] = task;
    }
    CHECK(first < task_count);
    for (uint32_t steps = 0; steps < task_count; steps++)
        first = waits_for[first];
    for (uint32_t next = waits_for[first], end = first; next != end; next = waits_for[next])
        first = next < first ? next : first;
    cycle->tasks = memory_allocate_zeroed(task_count, sizeof *cycle->tasks);
    cycle->count = 0;
    uint32_t task = first;
    do {
        cycle->tasks[cycle->count++] = task;
        task = waits_for[task];
    } while (task != first);
    free(waits_for);
}

static bool is_ordered(const struct task_graph *graph, struct task_cycle *cycle)
{
    uint32_t *missing = find_unordered(graph);
    uint32_t task = 0;
    while (task < graph->task_count && missing[task] == 0)
        task++;
    bool is_circle = task < graph->task_count;
    if (is_circle)
        find_cycle(graph, missing, cycle);
    free(missing);
    return !is_circle;
}

struct task_graph *task_graph_create(uint32_t task_count, const struct task_edge *edges,
                                     uint32_t edge_count, struct task_cycle *cycle)
{
    CHECK(task_count < UINT32_MAX / 2);
    struct task_graph *graph = memory_allocate_zeroed(1, sizeof *graph);
    uint32_t *successor_counts = memory_allocate_zeroed(task_count, sizeof *successor_counts);
    graph->task_count = task_count;
    graph->edge_count = edge_count;
    graph->predecessor_counts =
        memory_allocate_zeroed(task_count, sizeof *graph->predecessor_counts);
    for (uint32_t i = 0; i < edge_count; i++) {
        CHECK(edges[i].before < task_count && edges[i].after < task_count);
        successor_counts[edges[i].before]++;
        graph->predecessor_counts[edges[i].after]++;
    }
    graph->successor_starts = sum_starts(successor_counts, task_count);
    free(successor_counts);
    graph->successors = memory_allocate_zeroed(edge_count, sizeof *graph->successors);
    graph->is_for_end = memory_allocate_zeroed(edge_count, sizeof *graph->is_for_end);
    place_edges(graph, edges);
    graph->fingerprint = fingerprint_of(graph);
    if (!is_ordered(graph, cycle)) {
        task_graph_destroy(graph);
        return NULL;
    }
    return graph;
}

void task_graph_destroy(struct task_graph *graph)
{
    if (graph == NULL)
        return;
    free(graph->successor_starts);
    free(graph->successors);
    free(graph->is_for_end);
    free(graph->predecessor_counts);
    free(graph);
}
