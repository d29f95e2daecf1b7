/* state_tasks.c - where each task is: open, done, in trouble or in flight. */
#include "state_private.h"

#include "check.h"
#include "memory.h"
#include "tree.h"

#include <stdlib.h>

static int compare_partials(const struct partial_node *a, const struct partial_node *b)
{
    return RB_COMPARE(a->partial.range.first, b->partial.range.first);
}

static int compare_troubles(const struct trouble *a, const struct trouble *b)
{
    int order = RB_COMPARE(a->work, b->work);
    if (order == 0)
        order = RB_COMPARE(a->range.first, b->range.first);
    if (order == 0)
        order = RB_COMPARE(a->range.count, b->range.count);
    return order;
}

RB_GENERATE(partial_tree, partial_node, by_first, compare_partials)
RB_GENERATE(trouble_tree, trouble, by_work, compare_troubles)

uint64_t state_task_count(const struct state *state)
{
    return state->has_job ? state->job.task_count : 0;
}

bool state_has_range(const struct state *state, struct range range)
{
    return !range_is_empty(range) && range_end(range) <= state_task_count(state);
}

/* Opens tasks that are known not to be done. */
static void open_undone(struct state *state, struct range range)
{
    range_set_add(&state->open, range);
    const struct trouble *trouble = state_find_trouble_from(state, WORK_RUN, range.first);
    while (trouble != NULL && trouble->range.first < range_end(range)) {
        range_set_remove(&state->open, trouble->range);
        trouble = state_find_trouble_from(state, WORK_RUN, range_end(trouble->range));
    }
    struct assignment *flight = state_find_flight(state, range);
    while (flight != NULL && flight->range.first < range_end(range)) {
        range_set_remove(&state->open, flight->range);
        flight = RB_NEXT(flight_tree, , flight);
    }
    state_hold_back(state, range);
}

void state_reopen(struct state *state, struct range range)
{
    uint64_t end = range_end(range);
    uint64_t task = range.first;
    while (task < end) {
        struct range done;
        if (!range_set_find_from(&state->done, task, &done) || done.first > end)
            done = (struct range){end, 0};
        if (task < done.first)
            open_undone(state, range_between(task, done.first));
        task = range_end(done);
    }
}

/* A task that succeeds or fails for good is in trouble no more; a retry of it has no purpose. */
static void settle_troubles(struct state *state, struct range range)
{
    const struct trouble *found = state_find_trouble_from(state, WORK_RUN, range.first);
    while (found != NULL && found->range.first < range_end(range)) {
        uint64_t retry = found->assignment;
        state_remove_trouble(state, (struct trouble *)found);
        state_end_retry(state, retry);
        found = state_find_trouble_from(state, WORK_RUN, range.first);
    }
}

static void insert_partial(struct state *state, const struct partial *partial)
{
    struct partial_node *node = memory_allocate_zeroed(1, sizeof *node);
    node->partial = *partial;
    if (node->partial.payload_seq == 0)
        node->partial.payload_seq = state->last_seq;
    CHECK(RB_INSERT(partial_tree, &state->partials, node) == NULL);
    state->partial_count++;
}

void state_remove_partial(struct state *state, struct partial_node *node)
{
    RB_REMOVE(partial_tree, &state->partials, node);
    state->partial_count--;
    free(node);
}

void state_add_partial(struct state *state, const struct partial *partial)
{
    insert_partial(state, partial);
    range_set_add(&state->done, partial->range);
    range_set_remove(&state->open, partial->range);
    range_set_remove(&state->graph.doomed, partial->range);
    settle_troubles(state, partial->range);
    state_end_idle_flights(state, partial->range);
}

void state_replace_partials(struct state *state, const struct partial *partial)
{
    struct partial_node *node = state_find_partial_node(state, partial->range.first);
    while (node != NULL && node->partial.range.first < range_end(partial->range)) {
        struct partial_node *next = RB_NEXT(partial_tree, , node);
        state_remove_partial(state, node);
        node = next;
    }
    state_add_partial(state, partial);
}

bool state_remove_partials(struct state *state, struct range range)
{
    struct partial_node *node = state_find_partial_node(state, range.first);
    bool is_any = false;
    while (node != NULL && node->partial.range.first < range_end(range)) {
        struct partial_node *next = RB_NEXT(partial_tree, , node);
        struct range tasks = node->partial.range;
        state_remove_partial(state, node);
        range_set_remove(&state->done, tasks);
        range_set_remove(&state->failed, tasks);
        range_set_remove(&state->not_run, tasks);
        state_settle_graph(state, tasks);
        state_reopen(state, tasks);
        is_any = true;
        node = next;
    }
    if (is_any)
        state_doom_anew(state);
    return is_any;
}

/* The first partial that ends after `task`. They are disjoint: ends ascend like starts. */
struct partial_node *state_find_partial_node(const struct state *state, uint64_t task)
{
    struct partial_node *found = NULL;
    struct partial_node *node = RB_ROOT(&state->partials);
    while (node != NULL) {
        if (range_end(node->partial.range) > task) {
            found = node;
            node = RB_LEFT(node, by_first);
        } else {
            node = RB_RIGHT(node, by_first);
        }
    }
    return found;
}

struct trouble *state_get_trouble(struct state *state, enum work work, struct range range)
{
    struct trouble key = {.work = work, .range = range};
    struct trouble *trouble = RB_FIND(trouble_tree, &state->troubles, &key);
    if (trouble == NULL) {
        trouble = memory_allocate_zeroed(1, sizeof *trouble);
        trouble->work = work;
        trouble->range = range;
        RB_INSERT(trouble_tree, &state->troubles, trouble);
        state->trouble_count++;
    }
    return trouble;
}

void state_remove_trouble(struct state *state, struct trouble *trouble)
{
    RB_REMOVE(trouble_tree, &state->troubles, trouble);
    state->trouble_count--;
    free(trouble);
}

void state_clear_troubles(struct state *state, enum work work, struct range range)
{
    struct trouble key = {.work = work, .range = {range.first, 0}};
    struct trouble *trouble = RB_NFIND(trouble_tree, &state->troubles, &key);
    while (trouble != NULL && trouble->work == work && trouble->range.first <= range_end(range)) {
        struct trouble *next = RB_NEXT(trouble_tree, , trouble);
        if (range_contains(range, trouble->range))
            state_remove_trouble(state, trouble);
        trouble = next;
    }
}

void state_clear_tasks(struct state *state)
{
    while (!RB_EMPTY(&state->partials))
        state_remove_partial(state, RB_ROOT(&state->partials));
    while (!RB_EMPTY(&state->troubles))
        state_remove_trouble(state, RB_ROOT(&state->troubles));
    range_set_close(&state->open);
    range_set_close(&state->done);
    range_set_close(&state->failed);
    range_set_close(&state->not_run);
    state->has_output = false;
}
