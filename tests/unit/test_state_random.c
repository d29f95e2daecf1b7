/* test_state_random.c - the invariants survive any sequence of facts, and a snapshot says all. */
#include "../../scheduler/memory.h"
#include "../../scheduler/tree.h"
#include "seed.h"
#include "state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Random facts about a small job, plausible more often than not. */

enum { RANDOM_TASKS = 24, RANDOM_STEPS = 400, RANDOM_JOBS = 150 };

static struct range random_node(unsigned *seed)
{
    struct range node = {(uint64_t)rand_r(seed) % RANDOM_TASKS, 1};
    for (int climb = rand_r(seed) % 4; climb > 0; climb--)
        node = tree_parent(node, RANDOM_TASKS);
    return node;
}

static uint64_t random_assignment(const struct state *job, unsigned *seed)
{
    const struct worker *worker = state_find_worker(job, (uint32_t)rand_r(seed) % 4);
    if (worker == NULL || worker->assignment_count == 0)
        return (uint64_t)rand_r(seed) % 50;
    const struct assignment *assignment = TAILQ_FIRST(&worker->assignments);
    for (int skip = rand_r(seed) % 3; skip > 0 && TAILQ_NEXT(assignment, of_worker) != NULL; skip--)
        assignment = TAILQ_NEXT(assignment, of_worker);
    return assignment->seq;
}

static struct fact random_assigned(const struct state *job, unsigned *seed)
{
    struct fact fact = {.kind = FACT_ASSIGNED,
                        .as.assigned = {.worker = (uint32_t)rand_r(seed) % 4, .work = WORK_RUN}};
    struct fact_assigned *out = &fact.as.assigned;
    uint64_t first = (uint64_t)rand_r(seed) % RANDOM_TASKS;
    out->range = range_between(first, first + 1 + (uint64_t)rand_r(seed) % (RANDOM_TASKS - first));
    uint64_t original = random_assignment(job, seed);
    switch (rand_r(seed) % 4) {
    case 0:
        out->work = (enum work)(rand_r(seed) % 4 + 1);
        out->range = random_node(seed);
        break;
    case 1:
        if (state_find_assignment(job, original) == NULL)
            break;
        out->copy_of = original;
        out->work = state_find_assignment(job, original)->work;
        out->range = state_find_assignment(job, original)->range;
        break;
    default:
        if (!range_set_find_from(state_open(job), first, &out->range))
            out->range = (struct range){first, 1};
        break;
    }
    return fact;
}

static struct fact random_result(const struct state *job, unsigned *seed, struct partial *partial)
{
    static const enum work works[] = {WORK_RUN, WORK_RUN, WORK_RUN, WORK_MERGE, WORK_FINISH};
    *partial = (struct partial){.range = random_node(seed), .size_bytes = 8};
    uint64_t assignment = random_assignment(job, seed);
    enum work work = works[(size_t)rand_r(seed) % (sizeof works / sizeof works[0])];
    if (work == WORK_FINISH)
        partial->range = (struct range){0, RANDOM_TASKS};
    return (struct fact){.kind = FACT_RESULT,
                         .as.result = {.assignment = assignment,
                                       .work = work,
                                       .partial_count = rand_r(seed) % 8 != 0,
                                       .partials = partial}};
}

static struct fact random_failure(const struct state *job, unsigned *seed)
{
    struct fact fact = {.kind = FACT_ATTEMPT_FAILED};
    struct fact_attempt_failed *failure = &fact.as.attempt_failed;
    *failure = failure_of(random_assignment(job, seed), (uint64_t)rand_r(seed) % RANDOM_TASKS);
    failure->is_crash = rand_r(seed) % 2 == 0;
    failure->is_final = rand_r(seed) % 4 == 0;
    failure->cause = rand_r(seed) % 3 == 0 ? CAUSE_STOPPED : CAUSE_PLUGIN;
    if (rand_r(seed) % 6 == 0) {
        failure->work = WORK_MERGE;
        failure->range = random_node(seed);
    }
    return fact;
}

static struct fact random_fact(const struct state *job, unsigned *seed, struct partial *partial)
{
    uint32_t worker = (uint32_t)rand_r(seed) % 4;
    int choice = rand_r(seed) % 100;
    if (choice < 12)
        return (struct fact){.kind = FACT_WORKER_JOINED, .as.worker_joined = {worker, 2, 0}};
    if (choice < 15)
        return (struct fact){.kind = FACT_WORKER_LOST, .as.worker_lost = {.worker = worker}};
    if (choice < 50)
        return random_assigned(job, seed);
    if (choice < 75)
        return random_result(job, seed, partial);
    if (choice < 83)
        return random_failure(job, seed);
    if (choice < 95) {
        uint64_t first = (uint64_t)rand_r(seed) % RANDOM_TASKS;
        uint64_t assignment = random_assignment(job, seed);
        const struct assignment *out = state_find_assignment(job, assignment);
        uint64_t end = out != NULL ? range_end(out->range) : RANDOM_TASKS;
        return (struct fact){.kind = FACT_RETURNED,
                             .as.returned = {.assignment = assignment,
                                             .range = range_between(first, end),
                                             .is_whole = rand_r(seed) % 4 == 0}};
    }
    if (choice < 98)
        return (struct fact){.kind = FACT_RESULT_LOST, .as.result_lost = {random_node(seed)}};
    if (choice < 99)
        return (struct fact){.kind = FACT_RUN_STARTED,
                             .as.run_started = {state_incarnation(job) + 1}};
    return (struct fact){.kind = FACT_JOB_ACCEPTED,
                         .as.job_accepted = {.task_count = RANDOM_TASKS,
                                             .input_crc = rand_r(seed) % 4 == 0,
                                             .has_merge = true,
                                             .has_finish = rand_r(seed) % 2 == 0}};
}

static void any_sequence_of_facts_keeps_the_invariants(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    for (int i = 0; i < RANDOM_JOBS; i++) {
        struct state *job = i % 4 == 0 ? state_create() : given_tasks(RANDOM_TASKS);
        for (int step = 0; step < RANDOM_STEPS; step++) {
            struct partial partial;
            apply(job, random_fact(job, &seed, &partial));
        }
        state_destroy(job);
    }
}

/* A snapshot, kept as the journal would keep it. */
static void apply_to(void *context, const struct fact *fact)
{
    struct state *copy = context;
    struct partial *partials = memory_allocate(FACT_PARTIALS_MAX * sizeof *partials);
    struct byte_writer writer = {0};
    struct fact decoded = {.seq = fact->seq};
    fact_encode(fact, &writer);
    assert_int_equal(
        fact_decode((uint8_t)fact->kind, writer.data, writer.size, partials, &decoded, NULL), 0);
    state_apply(copy, &decoded);
    byte_writer_close(&writer);
    free(partials);
}

static void assert_same_sets(const struct range_set *a, const struct range_set *b)
{
    struct range of_a = {0, 0};
    struct range of_b = {0, 0};
    assert_int_equal(a->task_count, b->task_count);
    assert_int_equal(a->range_count, b->range_count);
    while (range_set_find_from(a, range_end(of_a), &of_a)) {
        assert_true(range_set_find_from(b, range_end(of_b), &of_b));
        assert_int_equal(of_a.first, of_b.first);
        assert_int_equal(of_a.count, of_b.count);
    }
}

static void assert_same_partial(const struct partial *a, const struct partial *b)
{
    assert_int_equal(a->range.first, b->range.first);
    assert_int_equal(a->range.count, b->range.count);
    assert_int_equal(a->payload_seq, b->payload_seq);
    assert_int_equal(a->size_bytes, b->size_bytes);
    assert_int_equal(a->is_absent, b->is_absent);
}

static void assert_same_troubles(const struct state *a, const struct state *b)
{
    const struct trouble *of_a = state_find_trouble_from(a, WORK_RUN, 0);
    const struct trouble *of_b = state_find_trouble_from(b, WORK_RUN, 0);
    while (of_a != NULL && of_b != NULL) {
        assert_int_equal(of_a->range.first, of_b->range.first);
        assert_int_equal(of_a->attempts, of_b->attempts);
        assert_int_equal(of_a->crashes, of_b->crashes);
        of_a = state_find_trouble_from(a, WORK_RUN, range_end(of_a->range));
        of_b = state_find_trouble_from(b, WORK_RUN, range_end(of_b->range));
    }
    assert_ptr_equal(of_a, of_b); /* both at their end */
}

static void assert_same_views(const struct state *a, const struct state *b)
{
    assert_int_equal(state_last_seq(a), state_last_seq(b));
    assert_int_equal(state_incarnation(a), state_incarnation(b));
    assert_int_equal(state_phase(a), state_phase(b));
    assert_int_equal(state_failed_task_count(a), state_failed_task_count(b));
    assert_int_equal(state_partial_count(a), state_partial_count(b));
    assert_int_equal(state_job(a) != NULL, state_job(b) != NULL);
    assert_same_sets(state_open(a), state_open(b));
    assert_same_sets(state_done(a), state_done(b));
    const struct partial *partial = state_find_partial(a, 0);
    while (partial != NULL) {
        assert_same_partial(partial, state_find_partial(b, partial->range.first));
        partial = state_find_partial(a, range_end(partial->range));
    }
    assert_int_equal(state_output(a) != NULL, state_output(b) != NULL);
    if (state_output(a) != NULL)
        assert_same_partial(state_output(a), state_output(b));
    assert_same_troubles(a, b);
}

static void snapshot_gives_the_same_state(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    for (int i = 0; i < RANDOM_JOBS; i++) {
        struct state *job = i % 8 == 0 ? state_create() : given_tasks(RANDOM_TASKS);
        struct partial partial;
        for (int step = rand_r(&seed) % RANDOM_STEPS; step > 0; step--)
            apply(job, random_fact(job, &seed, &partial));
        if (i % 10 == 1)
            apply(job, (struct fact){.kind = FACT_JOB_FINISHED, .as.job_finished = {1}});
        if (i % 10 == 2)
            apply(job, (struct fact){.kind = FACT_JOB_FAILED, .as.job_failed = {.detail = 1}});
        struct state *copy = state_create();
        state_snapshot(job, apply_to, copy);
        run_started(job, 9);
        run_started(copy, 9);
        assert_same_views(job, copy);
        for (int step = 0; step < RANDOM_STEPS / 4; step++) {
            struct fact fact = random_fact(job, &seed, &partial);
            apply(job, fact);
            apply(copy, fact);
        }
        assert_same_views(job, copy);
        state_destroy(job);
        state_destroy(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sequence_of_facts_keeps_the_invariants),
        cmocka_unit_test(snapshot_gives_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
