/* state_assignments.c - who works on what: workers and what is out at them. */
#include "state_private.h"

#include "check.h"
#include "memory.h"

#include <stdlib.h>

static int compare_flights(const struct assignment *a, const struct assignment *b)
{
    int order = RB_COMPARE(a->range.first, b->range.first);
    return order != 0 ? order : RB_COMPARE(a->seq, b->seq);
}

RB_GENERATE(flight_tree, assignment, by_first, compare_flights)

static struct assignment *find_assignment(struct state *state, uint64_t seq)
{
    return (struct assignment *)state_find_assignment(state, seq);
}

static bool is_flight(const struct assignment *assignment)
{
    return assignment->work == WORK_RUN && !assignment->is_retry;
}

struct assignment *state_find_flight(const struct state *state, struct range range)
{
    struct flight_tree *flights = (struct flight_tree *)&state->flights;
    struct assignment key = {.seq = UINT64_MAX, .range = {range.first, 0}};
    struct assignment *after = RB_NFIND(flight_tree, flights, &key);
    struct assignment *before =
        after != NULL ? RB_PREV(flight_tree, , after) : RB_MAX(flight_tree, flights);
    if (before == NULL)
        return after;
    struct assignment key_of_twins = {.seq = 0, .range = {before->range.first, 0}};
    return RB_NFIND(flight_tree, flights, &key_of_twins);
}

bool state_has_flight(const struct state *state, struct range range)
{
    const struct assignment *flight = state_find_flight(state, range);
    while (flight != NULL && flight->range.first < range_end(range)) {
        if (range_intersects(flight->range, range))
            return true;
        flight = RB_NEXT(flight_tree, , (struct assignment *)(uintptr_t)flight);
    }
    return false;
}

/* A copy needs its original, as it is said to be; else it stands for itself. */
static struct assignment *find_original(struct state *state, const struct fact_assigned *assigned)
{
    struct assignment *original =
        assigned->copy_of != 0 ? find_assignment(state, assigned->copy_of) : NULL;
    if (original == NULL || original->twin != 0 || original->work != assigned->work ||
        original->worker == assigned->worker || original->range.first != assigned->range.first ||
        original->range.count != assigned->range.count)
        return NULL;
    return original;
}

/* An older assignment of the same tasks must have ended, by a fact that was lost. */
static void end_overlapping_flights(struct state *state, struct range range)
{
    struct assignment *flight = state_find_flight(state, range);
    while (flight != NULL && flight->range.first < range_end(range)) {
        struct assignment *next = RB_NEXT(flight_tree, , flight);
        if (range_intersects(flight->range, range))
            state_end_assignment(state, flight);
        flight = next;
    }
}

static void take_tasks(struct state *state, struct assignment *assignment)
{
    struct trouble *trouble =
        (struct trouble *)state_find_trouble(state, WORK_RUN, assignment->range);
    if (trouble != NULL) {
        state_end_retry(state, trouble->assignment);
        trouble->assignment = assignment->seq;
        assignment->is_retry = true;
    } else {
        end_overlapping_flights(state, assignment->range);
        range_set_remove(&state->open, assignment->range);
    }
}

void state_add_assignment(struct state *state, uint64_t seq, const struct fact_assigned *assigned)
{
    struct worker *worker = (struct worker *)state_find_worker(state, assigned->worker);
    bool has_tasks = assigned->work == WORK_RUN || assigned->work == WORK_MERGE;
    if (worker == NULL || (has_tasks && !state_has_range(state, assigned->range)) ||
        find_assignment(state, seq) != NULL)
        return;
    struct assignment *assignment = memory_allocate_zeroed(1, sizeof *assignment);
    assignment->seq = seq;
    assignment->worker = assigned->worker;
    assignment->work = assigned->work;
    assignment->range = assigned->range;
    assignment->attempt = assigned->attempt;
    struct assignment *original = find_original(state, assigned);
    if (original != NULL) {
        original->twin = seq;
        assignment->twin = original->seq;
        assignment->is_retry = original->is_retry;
    } else if (assigned->work == WORK_RUN) {
        take_tasks(state, assignment);
    }
    TAILQ_INSERT_TAIL(&state->assignments, assignment, of_state);
    id_map_add(&state->assignments_by_seq, seq, assignment);
    if (is_flight(assignment))
        RB_INSERT(flight_tree, &state->flights, assignment);
    TAILQ_INSERT_TAIL(&worker->assignments, assignment, of_worker);
    worker->assignment_count++;
    state_end_idle_flights(state, assignment->range);
}

static void record_ended(struct state *state, const struct assignment *assignment)
{
    void *ended = state->ended;
    memory_grow(&ended, &state->ended_capacity, state->ended_count + 1, sizeof *state->ended);
    state->ended = ended;
    state->ended[state->ended_count++] = *assignment;
}

void state_end_assignment(struct state *state, struct assignment *assignment)
{
    struct worker *worker = (struct worker *)state_find_worker(state, assignment->worker);
    CHECK(worker != NULL);
    record_ended(state, assignment);
    TAILQ_REMOVE(&worker->assignments, assignment, of_worker);
    worker->assignment_count--;
    TAILQ_REMOVE(&state->assignments, assignment, of_state);
    id_map_remove(&state->assignments_by_seq, assignment->seq);
    if (is_flight(assignment))
        RB_REMOVE(flight_tree, &state->flights, assignment);

    struct assignment *twin =
        assignment->twin != 0 ? find_assignment(state, assignment->twin) : NULL;
    if (twin != NULL)
        twin->twin = 0;
    struct trouble *trouble =
        assignment->is_retry
            ? (struct trouble *)state_find_trouble(state, WORK_RUN, assignment->range)
            : NULL;
    if (trouble != NULL && trouble->assignment == assignment->seq)
        trouble->assignment = twin != NULL ? twin->seq : 0;
    if (is_flight(assignment))
        state_reopen(state, assignment->range);
    free(assignment);
}

void state_end_work(struct state *state, enum work work, struct range range)
{
    struct assignment *assignment = TAILQ_FIRST(&state->assignments);
    while (assignment != NULL) {
        struct assignment *next = TAILQ_NEXT(assignment, of_state);
        if (assignment->work == work &&
            (range_is_empty(range) || range_intersects(assignment->range, range)))
            state_end_assignment(state, assignment);
        assignment = next;
    }
}

void state_end_idle_flights(struct state *state, struct range range)
{
    struct assignment *flight = state_find_flight(state, range);
    while (flight != NULL && flight->range.first < range_end(range)) {
        struct assignment *next = RB_NEXT(flight_tree, , flight);
        if (range_set_contains(&state->done, flight->range))
            state_end_assignment(state, flight);
        flight = next;
    }
}

void state_end_retry(struct state *state, uint64_t task_assignment)
{
    struct assignment *retry =
        task_assignment != 0 ? find_assignment(state, task_assignment) : NULL;
    if (retry == NULL)
        return;
    struct assignment *twin = retry->twin != 0 ? find_assignment(state, retry->twin) : NULL;
    state_end_assignment(state, retry);
    if (twin != NULL)
        state_end_assignment(state, twin);
}

void state_cut_assignment(struct state *state, struct assignment *assignment, uint64_t end)
{
    struct range given_back = range_between(end, range_end(assignment->range));
    assignment->range.count -= given_back.count;
    if (!is_flight(assignment))
        return;
    state_reopen(state, given_back);
    state_end_idle_flights(state, assignment->range);
}

void state_add_worker(struct state *state, const struct fact_worker_joined *joined)
{
    struct worker *worker = (struct worker *)state_find_worker(state, joined->worker);
    if (worker != NULL)
        state_remove_worker(state, worker);
    worker = memory_allocate_zeroed(1, sizeof *worker);
    worker->rank = joined->worker;
    worker->slot_count = joined->slot_count;
    worker->node = joined->node;
    TAILQ_INIT(&worker->assignments);
    TAILQ_INSERT_TAIL(&state->workers, worker, of_state);
    id_map_add(&state->workers_by_rank, worker->rank, worker);
    state->worker_count++;
    state->slot_count += worker->slot_count;
}

void state_remove_worker(struct state *state, struct worker *worker)
{
    while (!TAILQ_EMPTY(&worker->assignments))
        state_end_assignment(state, TAILQ_FIRST(&worker->assignments));
    TAILQ_REMOVE(&state->workers, worker, of_state);
    id_map_remove(&state->workers_by_rank, worker->rank);
    state->worker_count--;
    state->slot_count -= worker->slot_count;
    free(worker);
}
