/* state_check.c - the invariants of a state, for tests. */
#include "state_private.h"

#include "memory.h"
#include "tree.h"

#include <stdlib.h>

static const char *check_open(const struct state *state)
{
    struct range range = {0, 0};
    while (range_set_find_from(&state->open, range_end(range), &range)) {
        if (range_end(range) > state_task_count(state))
            return "a task past the last one is open";
        if (range_set_intersects(&state->done, range))
            return "a task is both open and done";
    }
    range = (struct range){0, 0};
    while (range_set_find_from(&state->failed, range_end(range), &range))
        if (!range_set_contains(&state->done, range))
            return "a task that failed for good is not done";
    range = (struct range){0, 0};
    while (range_set_find_from(&state->not_run, range_end(range), &range))
        if (!range_set_contains(&state->failed, range))
            return "a task that was not run is not failed";
    return NULL;
}

static const char *check_troubles(const struct state *state, uint64_t *task_count)
{
    struct trouble *trouble;
    RB_FOREACH (trouble, trouble_tree, (struct trouble_tree *)&state->troubles) {
        if (trouble->work != WORK_RUN)
            continue;
        if (trouble->range.count != 1 || !state_has_range(state, trouble->range))
            return "a trouble is not that of one task";
        if (range_set_intersects(&state->open, trouble->range) ||
            range_set_intersects(&state->done, trouble->range))
            return "a task in trouble is also open or done";
        const struct assignment *retry =
            trouble->assignment != 0 ? state_find_assignment(state, trouble->assignment) : NULL;
        if (trouble->assignment != 0 && (retry == NULL || !retry->is_retry))
            return "a trouble names a retry that is not out";
        *task_count += 1;
    }
    return NULL;
}

/* Adds what the assignment holds: the tasks of its range that are nowhere else. */
static const char *add_flight(const struct state *state, const struct assignment *flight,
                              struct range_set *in_flight)
{
    struct range_set held = {0};
    range_set_add(&held, flight->range);
    struct range done = {flight->range.first, 0};
    while (range_set_find_from(&state->done, range_end(done), &done) &&
           done.first < range_end(flight->range))
        range_set_remove(&held, done);
    bool has_undone = held.task_count > 0;
    const struct trouble *trouble = state_find_trouble_from(state, WORK_RUN, flight->range.first);
    while (trouble != NULL && trouble->range.first < range_end(flight->range)) {
        range_set_remove(&held, trouble->range);
        trouble = state_find_trouble_from(state, WORK_RUN, range_end(trouble->range));
    }
    bool is_open = false;
    struct range range = {0, 0};
    while (range_set_find_from(&held, range_end(range), &range)) {
        is_open = is_open || range_set_intersects(&state->open, range);
        range_set_add(in_flight, range);
    }
    range_set_close(&held);
    if (!has_undone)
        return "an assignment has nothing left to do";
    return is_open ? "a task is both open and in flight" : NULL;
}

static const char *check_flights(const struct state *state, uint64_t *task_count)
{
    const char *problem = NULL;
    struct range_set in_flight = {0};
    const struct assignment *before = NULL;
    struct assignment *flight;
    RB_FOREACH (flight, flight_tree, (struct flight_tree *)&state->flights) {
        if (before != NULL && range_intersects(before->range, flight->range) &&
            before->twin != flight->seq)
            problem = "two assignments hold the same tasks and are not twins";
        const char *found = add_flight(state, flight, &in_flight);
        problem = problem != NULL ? problem : found;
        before = flight;
    }
    *task_count += in_flight.task_count;
    range_set_close(&in_flight);
    return problem;
}

/* Adds the tasks that are nowhere else. */
static const char *check_graph(const struct state *state, uint64_t *task_count)
{
    const struct state_graph *graph = &state->graph;
    if (graph->used == NULL)
        return state->graph.doomed.task_count > 0 ? "a task is doomed without a graph" : NULL;
    for (uint32_t task = 0; task < graph->used->task_count; task++) {
        const struct range one = {task, 1};
        bool is_done = range_set_contains(&state->done, one);
        bool is_failed = range_set_contains(&state->failed, one);
        if (graph->has_succeeded[task] != (is_done && !is_failed))
            return "what is known of a task's success is wrong";
        if (graph->has_ended[task] != is_done)
            return "what is known of a task's end is wrong";
        if (is_done && range_set_contains(&graph->doomed, one))
            return "a task is both done and doomed";
        bool is_waiting = graph->missing_counts[task] > 0;
        if (is_waiting && range_set_contains(&state->open, one))
            return "a task is open before another that it comes after";
        *task_count += is_waiting && !is_done && !state_has_flight(state, one) &&
                       state_find_trouble(state, WORK_RUN, one) == NULL;
    }
    return NULL;
}

/* Each task waits for as many edges as come from tasks that have not succeeded, or not ended. */
static const char *check_missing(const struct state *state)
{
    const struct task_graph *edges = state->graph.used;
    const char *problem = NULL;
    if (edges == NULL)
        return NULL;
    uint32_t *missing = memory_allocate_zeroed(edges->task_count, sizeof *missing);
    for (uint32_t task = 0; task < edges->task_count; task++) {
        bool is_failed = range_set_contains(&state->failed, (struct range){task, 1});
        uint32_t end = edges->successor_starts[task + 1];
        for (uint32_t at = edges->successor_starts[task]; at < end; at++) {
            const struct range after = {edges->successors[at], 1};
            bool is_for_end = edges->is_for_end[at];
            missing[after.first] +=
                is_for_end ? !state->graph.has_ended[task] : !state->graph.has_succeeded[task];
            if (is_failed && !is_for_end && !range_set_contains(&state->done, after) &&
                !range_set_contains(&state->graph.doomed, after))
                problem = "a task comes after one that failed for good, and is not doomed";
        }
    }
    for (uint32_t task = 0; task < edges->task_count; task++)
        if (missing[task] != state->graph.missing_counts[task])
            problem = "a task waits for the wrong number of others";
    free(missing);
    return problem;
}

static const char *check_partials(const struct state *state)
{
    uint64_t end = 0;
    uint64_t task_count = 0;
    size_t count = 0;
    struct partial_node *node;
    RB_FOREACH (node, partial_tree, (struct partial_tree *)&state->partials) {
        struct range range = node->partial.range;
        if (range.first < end)
            return "two partials overlap";
        if (!range_set_contains(&state->done, range))
            return "a partial has tasks that are not done";
        if (state->job.has_merge && !tree_is_node(range, state->job.task_count))
            return "a partial is not a node of the tree";
        if (node->partial.payload_seq == 0 || node->partial.payload_seq > state->last_seq)
            return "a partial has no payload";
        end = range_end(range);
        task_count += range.count;
        count++;
    }
    if (task_count != state->done.task_count)
        return "a task is done and has no partial";
    return count != state->partial_count ? "the number of partials is wrong" : NULL;
}

static const char *check_assignment(const struct state *state, const struct assignment *assignment)
{
    if (assignment->is_retry) {
        const struct trouble *trouble = state_find_trouble(state, WORK_RUN, assignment->range);
        if (trouble == NULL ||
            (trouble->assignment != assignment->seq && trouble->assignment != assignment->twin))
            return "a retry is out for a task that is not in trouble";
    }
    if (assignment->twin == 0)
        return NULL;
    const struct assignment *twin = state_find_assignment(state, assignment->twin);
    if (twin == NULL || twin->twin != assignment->seq || twin->work != assignment->work ||
        twin->range.first != assignment->range.first)
        return "twins do not know each other";
    return twin->worker == assignment->worker ? "twins are on one worker" : NULL;
}

static const char *check_workers(const struct state *state)
{
    size_t worker_count = 0;
    uint64_t slot_count = 0;
    size_t assignment_count = 0;
    struct worker *worker;
    TAILQ_FOREACH (worker, &state->workers, of_state) {
        uint32_t count = 0;
        struct assignment *assignment;
        TAILQ_FOREACH (assignment, &worker->assignments, of_worker) {
            const char *problem = check_assignment(state, assignment);
            if (problem != NULL)
                return problem;
            if (assignment->worker != worker->rank ||
                state_find_assignment(state, assignment->seq) != assignment)
                return "an assignment is with the wrong worker";
            count++;
        }
        if (count != worker->assignment_count)
            return "a worker's number of assignments is wrong";
        assignment_count += count;
        worker_count++;
        slot_count += worker->slot_count;
    }
    struct assignment *assignment;
    TAILQ_FOREACH (assignment, &state->assignments, of_state) {
        assignment_count--;
    }
    if (assignment_count != 0)
        return "an assignment has no worker";
    if (worker_count != state->worker_count || slot_count != state->slot_count)
        return "the number of workers or slots is wrong";
    return NULL;
}

static const char *check_phase(const struct state *state)
{
    bool is_derived = state->phase >= PHASE_RUNNING && state->phase <= PHASE_PUBLISHING;
    if (is_derived && (!state->has_job || state->phase != state_phase_of_tasks(state)))
        return "the phase does not follow from the tasks";
    if (state->phase == PHASE_NEW && state->has_job)
        return "the phase is new and there is a job";
    if (state->has_output && state->done.task_count != state_task_count(state))
        return "there is an output and a task is not done";
    return NULL;
}

const char *state_check(const struct state *state)
{
    uint64_t task_count = state->open.task_count + state->done.task_count;
    const char *problem = check_open(state);
    if (problem == NULL)
        problem = check_troubles(state, &task_count);
    if (problem == NULL)
        problem = check_flights(state, &task_count);
    if (problem == NULL)
        problem = check_graph(state, &task_count);
    if (problem == NULL)
        problem = check_missing(state);
    if (problem == NULL)
        problem = check_partials(state);
    if (problem == NULL)
        problem = check_workers(state);
    if (problem == NULL)
        problem = check_phase(state);
    if (problem == NULL && task_count != state_task_count(state))
        problem = "a task is nowhere";
    return problem;
}
