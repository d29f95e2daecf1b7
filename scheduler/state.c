/* state.c - the life of a state, and the views of it. */
#include "state_private.h"

#include "memory.h"

#include <stdlib.h>

struct state *state_create(void)
{
    struct state *state = memory_allocate_zeroed(1, sizeof *state);
    RB_INIT(&state->partials);
    RB_INIT(&state->troubles);
    TAILQ_INIT(&state->workers);
    TAILQ_INIT(&state->assignments);
    RB_INIT(&state->flights);
    return state;
}

void state_destroy(struct state *state)
{
    if (state == NULL)
        return;
    while (!TAILQ_EMPTY(&state->workers))
        state_remove_worker(state, TAILQ_FIRST(&state->workers));
    state_clear_tasks(state);
    state_end_graph(state);
    range_set_close(&state->benched_nodes);
    failure_table_close(&state->failures);
    id_map_close(&state->workers_by_rank);
    id_map_close(&state->assignments_by_seq);
    free(state->ended);
    free(state);
}

uint64_t state_last_seq(const struct state *state)
{
    return state->last_seq;
}

uint64_t state_incarnation(const struct state *state)
{
    return state->incarnation;
}

enum phase state_phase(const struct state *state)
{
    return state->phase;
}

const struct fact_job_accepted *state_job(const struct state *state)
{
    return state->has_job ? &state->job : NULL;
}

const struct fact_job_failed *state_job_failure(const struct state *state)
{
    return state->phase == PHASE_FAILED ? &state->job_failure : NULL;
}

const struct range_set *state_open(const struct state *state)
{
    return &state->open;
}

const struct range_set *state_done(const struct state *state)
{
    return &state->done;
}

/* What was published says it best: facts about the tasks may have been lost since. */
uint64_t state_failed_task_count(const struct state *state)
{
    return state->phase == PHASE_FINISHED ? state->published_failed_count
                                          : state->failed.task_count;
}

const struct range_set *state_failed(const struct state *state)
{
    return &state->failed;
}

/* Tasks that wait for their next attempt. */
static uint64_t count_retries_to_come(const struct state *state)
{
    uint64_t count = 0;
    struct trouble *trouble;
    RB_FOREACH (trouble, trouble_tree, (struct trouble_tree *)&state->troubles)
        count += trouble->work == WORK_RUN && trouble->assignment == 0;
    return count;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

struct task_counts state_count_tasks(const struct state *state)
{
    struct task_counts counts = {.total = state->has_job ? state->job.task_count : 0};
    uint64_t ended = smaller(state->done.task_count, counts.total);
    uint64_t without_result = smaller(state_failed_task_count(state), ended);
    counts.not_run = smaller(state->not_run.task_count, without_result);
    counts.failed = without_result - counts.not_run;
    counts.done = ended - without_result;
    uint64_t left = counts.total - ended;
    counts.open = smaller(state->open.task_count, left);
    left -= counts.open;
    counts.waiting = smaller(count_retries_to_come(state) + state_waiting_count(state), left);
    counts.running = left - counts.waiting;
    return counts;
}

size_t state_trouble_count(const struct state *state)
{
    return state->trouble_count;
}

size_t state_partial_count(const struct state *state)
{
    return state->partial_count;
}

const struct partial *state_find_partial(const struct state *state, uint64_t task)
{
    const struct partial_node *node = state_find_partial_node(state, task);
    return node != NULL ? &node->partial : NULL;
}

const struct partial *state_next_partial(const struct partial *partial)
{
    struct partial_node *next = RB_NEXT(partial_tree, , (struct partial_node *)partial);
    return next != NULL ? &next->partial : NULL;
}

const struct partial *state_output(const struct state *state)
{
    return state->has_output ? &state->output : NULL;
}

const struct worker *state_find_worker(const struct state *state, uint32_t rank)
{
    return id_map_find(&state->workers_by_rank, rank);
}

const struct assignment *state_find_assignment(const struct state *state, uint64_t seq)
{
    return id_map_find(&state->assignments_by_seq, seq);
}

const struct range_set *state_benched_nodes(const struct state *state)
{
    return &state->benched_nodes;
}

size_t state_worker_count(const struct state *state)
{
    return state->worker_count;
}

uint64_t state_slot_count(const struct state *state)
{
    return state->slot_count;
}

const struct trouble *state_find_trouble(const struct state *state, enum work work,
                                         struct range range)
{
    struct trouble key = {.work = work, .range = range};
    return RB_FIND(trouble_tree, (struct trouble_tree *)&state->troubles, &key);
}

const struct trouble *state_find_trouble_from(const struct state *state, enum work work,
                                              uint64_t task)
{
    struct trouble key = {.work = work, .range = {task, 0}};
    const struct trouble *found =
        RB_NFIND(trouble_tree, (struct trouble_tree *)&state->troubles, &key);
    return found != NULL && found->work == work ? found : NULL;
}

const struct assignment *state_ended(const struct state *state, size_t *count)
{
    *count = state->ended_count;
    return state->ended;
}
