/* state_graph.c - tasks that come after others: which wait, and which never can run.
 *
 * All of it follows from the graph and from what is done and failed. A task waits while one that it
 * comes after has not succeeded, or ended where that is enough: then it is not open. When one that
 * must succeed failed for good it is doomed, until a fact says that it is not run. */
#include "state_private.h"

#include "check.h"
#include "memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

void state_set_graph(struct state *state, const struct task_graph *graph)
{
    CHECK(!state->has_job);
    state->graph.offered = graph;
}

const struct task_graph *state_graph(const struct state *state)
{
    return state->graph.used;
}

const struct range_set *state_doomed(const struct state *state)
{
    return &state->graph.doomed;
}

const struct range_set *state_not_run(const struct state *state)
{
    return &state->not_run;
}

uint32_t state_culprit(const struct state *state, uint64_t task)
{
    CHECK(state->graph.used != NULL && task < state->graph.used->task_count);
    return state->graph.culprits[task];
}

uint64_t state_ready_seq(const struct state *state)
{
    return state->graph.ready_seq;
}

static bool is_waiting(const struct state *state, uint64_t task)
{
    return state->graph.missing_counts[task] > 0;
}

/* A task that is done may wait, too: one before it runs again. */
uint64_t state_waiting_count(const struct state *state)
{
    uint64_t count = 0;
    struct range done = {0, 0};
    if (state->graph.used == NULL)
        return 0;
    for (uint64_t task = 0; task < state->graph.used->task_count; task++) {
        if (task >= range_end(done) && !range_set_find_from(&state->done, task, &done))
            done = (struct range){UINT64_MAX, 0};
        count += task < done.first && is_waiting(state, task);
    }
    return count;
}

bool state_has_waiting(const struct state *state, struct range range)
{
    if (state->graph.used == NULL)
        return false;
    for (uint64_t task = range.first; task < range_end(range); task++)
        if (is_waiting(state, task) && !range_set_contains(&state->done, (struct range){task, 1}))
            return true;
    return false;
}

void state_hold_back(struct state *state, struct range range)
{
    if (state->graph.used == NULL)
        return;
    struct range waiting = {range.first, 0};
    for (uint64_t task = range.first; task < range_end(range); task++) {
        if (is_waiting(state, task)) {
            waiting.count++;
            continue;
        }
        range_set_remove(&state->open, waiting);
        waiting = (struct range){task + 1, 0};
    }
    range_set_remove(&state->open, waiting);
}

void state_begin_graph(struct state *state)
{
    struct state_graph *graph = &state->graph;
    const struct task_graph *offered = graph->offered;
    state_end_graph(state);
    if (offered == NULL || state->job.graph_fingerprint != offered->fingerprint ||
        state->job.task_count != offered->task_count)
        return;
    size_t task_count = offered->task_count;
    graph->used = offered;
    graph->missing_counts =
        memory_copy(offered->predecessor_counts, task_count * sizeof *graph->missing_counts);
    graph->culprits = memory_allocate(task_count * sizeof *graph->culprits);
    memset(graph->culprits, UCHAR_MAX, task_count * sizeof *graph->culprits); /* TASK_NONE */
    graph->has_succeeded = memory_allocate_zeroed(task_count, sizeof *graph->has_succeeded);
    graph->has_ended = memory_allocate_zeroed(task_count, sizeof *graph->has_ended);
    state_hold_back(state, (struct range){0, task_count});
}

void state_end_graph(struct state *state)
{
    struct state_graph *graph = &state->graph;
    free(graph->missing_counts);
    free(graph->culprits);
    free(graph->has_succeeded);
    free(graph->has_ended);
    range_set_close(&graph->doomed);
    *graph = (struct state_graph){.offered = graph->offered, .ready_seq = graph->ready_seq};
}

/* The edges of a kind hold nothing back any more. */
static void release(struct state *state, uint64_t task, bool is_for_end)
{
    struct state_graph *graph = &state->graph;
    const struct task_graph *edges = graph->used;
    for (uint32_t at = edges->successor_starts[task]; at < edges->successor_starts[task + 1];
         at++) {
        uint32_t after = edges->successors[at];
        if (edges->is_for_end[at] != is_for_end)
            continue;
        CHECK(graph->missing_counts[after] > 0);
        if (--graph->missing_counts[after] > 0)
            continue;
        graph->ready_seq = state->last_seq;
        state_reopen(state, (struct range){after, 1});
    }
}

/* Its result was lost, or it failed for good after all. What is open waits again; what is out or in
 * trouble was started before and is let go on, by itself. */
static void hold(struct state *state, uint64_t task, bool is_for_end)
{
    struct state_graph *graph = &state->graph;
    const struct task_graph *edges = graph->used;
    for (uint32_t at = edges->successor_starts[task]; at < edges->successor_starts[task + 1];
         at++) {
        if (edges->is_for_end[at] != is_for_end)
            continue;
        graph->missing_counts[edges->successors[at]]++;
        range_set_remove(&state->open, (struct range){edges->successors[at], 1});
    }
}

void state_settle_graph(struct state *state, struct range range)
{
    struct state_graph *graph = &state->graph;
    if (graph->used == NULL)
        return;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        const struct range one = {task, 1};
        bool has_ended = range_set_contains(&state->done, one);
        bool has_succeeded = has_ended && !range_set_contains(&state->failed, one);
        if (has_ended && !graph->has_ended[task])
            release(state, task, true);
        else if (!has_ended && graph->has_ended[task])
            hold(state, task, true);
        if (has_succeeded && !graph->has_succeeded[task])
            release(state, task, false);
        else if (!has_succeeded && graph->has_succeeded[task])
            hold(state, task, false);
        graph->has_ended[task] = has_ended;
        graph->has_succeeded[task] = has_succeeded;
    }
}

static void doom(struct state *state, uint64_t task)
{
    struct state_graph *graph = &state->graph;
    const struct task_graph *edges = graph->used;
    bool was_run = !range_set_contains(&state->not_run, (struct range){task, 1});
    uint32_t culprit = was_run ? (uint32_t)task : graph->culprits[task];
    for (uint32_t at = edges->successor_starts[task]; at < edges->successor_starts[task + 1];
         at++) {
        const struct range after = {edges->successors[at], 1};
        if (edges->is_for_end[at] || range_set_contains(&state->done, after) ||
            range_set_contains(&graph->doomed, after))
            continue;
        graph->culprits[after.first] = culprit;
        range_set_add(&graph->doomed, after);
    }
}

void state_doom_successors(struct state *state, struct range failed)
{
    struct range_set *doomed = &state->graph.doomed;
    if (state->graph.used == NULL)
        return;
    range_set_remove(doomed, failed);
    for (uint64_t task = failed.first; task < range_end(failed); task++)
        if (range_set_contains(&state->failed, (struct range){task, 1}))
            doom(state, task);
}

void state_doom_anew(struct state *state)
{
    if (state->graph.used == NULL)
        return;
    range_set_close(&state->graph.doomed);
    struct range failed = {0, 0};
    while (range_set_find_from(&state->failed, range_end(failed), &failed))
        for (uint64_t task = failed.first; task < range_end(failed); task++)
            doom(state, task);
}
