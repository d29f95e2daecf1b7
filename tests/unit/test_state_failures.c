/* test_state_failures.c - what the state remembers of failures: groups, counts, examples. */
#include "state_fixture.h"

#include "../../scheduler/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t assigned(struct state *job, uint64_t first, uint64_t count)
{
    return apply(
        job,
        (struct fact){
            .kind = FACT_ASSIGNED,
            .as.assigned = {.worker = 1, .work = WORK_RUN, .range = {first, count}, .attempt = 1}});
}

/* One failed attempt at a task that is out. */
static void failed_on(struct state *job, struct fact_attempt_failed failure, const char *host)
{
    failure.host = host;
    failure.host_size = (uint32_t)strlen(host);
    apply(job, (struct fact){.kind = FACT_ATTEMPT_FAILED, .as.attempt_failed = failure});
}

/* A copy of the state as the journal would keep it. */
static void apply_to(void *context, const struct fact *fact)
{
    struct partial *partials = memory_allocate(FACT_PARTIALS_MAX * sizeof *partials);
    struct byte_writer writer = {0};
    struct fact decoded = {.seq = fact->seq};
    fact_encode(fact, &writer);
    assert_int_equal(
        fact_decode((uint8_t)fact->kind, writer.data, writer.size, partials, &decoded, NULL), 0);
    state_apply(context, &decoded);
    byte_writer_close(&writer);
    free(partials);
}

static struct state *copied(const struct state *job)
{
    struct state *copy = state_create();
    state_snapshot(job, apply_to, copy);
    return copy;
}

static void assert_same_text(const char *a, uint32_t a_size, const char *b, uint32_t b_size)
{
    assert_int_equal(a_size, b_size);
    if (a_size > 0)
        assert_memory_equal(a, b, a_size);
}

static void assert_same_failures(const struct state *a, const struct state *b)
{
    const struct failure_table *of_a = state_failures(a);
    const struct failure_table *of_b = state_failures(b);
    assert_int_equal(of_a->count, of_b->count);
    for (size_t i = 0; i < of_a->count; i++) {
        const struct failure_group *x = of_a->groups[i];
        const struct failure_group *y = of_b->groups[i];
        assert_int_equal(x->work, y->work);
        assert_int_equal(x->cause, y->cause);
        assert_int_equal(x->detail, y->detail);
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->final_count, y->final_count);
        assert_int_equal(x->order_count, y->order_count);
        assert_string_equal(x->host, y->host);
        assert_same_text(x->log, x->log_size, y->log, y->log_size);
        assert_int_equal(x->example_count, y->example_count);
        for (uint32_t k = 0; k < x->example_count; k++) {
            assert_int_equal(x->examples[k].range.first, y->examples[k].range.first);
            assert_int_equal(x->examples[k].attempt, y->examples[k].attempt);
            assert_int_equal(x->examples[k].worker, y->examples[k].worker);
            assert_same_text(x->examples[k].text, x->examples[k].text_size, y->examples[k].text,
                             y->examples[k].text_size);
        }
    }
}

static void failures_are_counted_by_cause_and_host(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t out = assigned(job, 0, 10);
    for (uint64_t task = 0; task < 5; task++)
        failed_on(job, failure_of(out, task), "a");
    failed_on(job, failure_of(out, 5), "b");
    struct fact_attempt_failed failure = failure_of(out, 6);
    failure.cause = CAUSE_SIGNAL;
    failure.detail = 11;
    failed_on(job, failure, "a");
    const struct failure_table *table = state_failures(job);
    assert_int_equal(table->count, 3);
    assert_int_equal(table->groups[0]->count, 5);
    assert_int_equal(table->groups[0]->example_count, FAILURE_EXAMPLES_MAX);
    assert_int_equal(table->groups[0]->examples[2].range.first, 2);
    assert_string_equal(table->groups[1]->host, "b");
    assert_int_equal(table->groups[2]->detail, 11);
    state_destroy(job);
}

/* Tasks in trouble, and tasks that failed for good, are told again by a snapshot; their attempts
 * are not made again. */
static void snapshot_gives_the_failures_again(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t out = assigned(job, 0, 10);
    struct fact_attempt_failed failure = failure_of(out, 1);
    failure.text = "why";
    failure.text_size = 3;
    failure.log = "one\ntwo";
    failure.log_size = 7;
    failed_on(job, failure, "a");
    failed_on(job, failure_of(assigned(job, 1, 1), 1), "b");
    failure = failure_of(out, 3);
    failure.is_final = true;
    failed_on(job, failure, "a");
    apply(job, (struct fact){.kind = FACT_WORKER_LOST,
                             .as.worker_lost = {.worker = 1,
                                                .cause = CAUSE_NODE_LOST,
                                                .order_count = 2,
                                                .host = "a",
                                                .host_size = 1}});
    assert_int_equal(state_failures(job)->count, 3);
    assert_int_equal(state_failures(job)->groups[1]->examples[0].attempt, 2);
    assert_int_equal(state_failures(job)->groups[2]->order_count, 2);
    struct state *copy = copied(job);
    assert_same_failures(job, copy);
    struct state *copy_of_copy = copied(copy);
    assert_same_failures(job, copy_of_copy);
    state_destroy(copy_of_copy);
    state_destroy(copy);
    state_destroy(job);
}

static void groups_beyond_the_limit_are_counted_together(void **state)
{
    enum { HOSTS = 3 * FAILURE_GROUPS_MAX, ATTEMPTS = 2 };
    (void)state;
    struct state *job = given_tasks(1000);
    uint64_t out = assigned(job, 0, 1000);
    for (uint64_t i = 0; i < HOSTS * ATTEMPTS; i++) {
        char host[32];
        snprintf(host, sizeof host, "host%d", (int)(i % HOSTS));
        failed_on(job, failure_of(out, i), host);
    }
    const struct failure_table *table = state_failures(job);
    uint64_t total = 0;
    assert_int_equal(table->count, FAILURE_GROUPS_MAX + 1);
    for (size_t i = 0; i < table->count; i++)
        total += table->groups[i]->count;
    assert_int_equal(total, HOSTS * ATTEMPTS);
    assert_string_equal(table->groups[FAILURE_GROUPS_MAX]->host, FAILURE_OTHER_HOSTS);
    assert_int_equal(table->groups[FAILURE_GROUPS_MAX]->count,
                     (HOSTS - FAILURE_GROUPS_MAX) * ATTEMPTS);
    struct state *copy = copied(job);
    assert_same_failures(job, copy);
    state_destroy(copy);
    state_destroy(job);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    static char text[FACT_TEXT_BYTES_MAX];
    memset(text, 'x', sizeof text);
    struct state *job = given_tasks(10);
    struct fact_attempt_failed failure = failure_of(assigned(job, 0, 10), 1);
    failure.text = text;
    failure.text_size = sizeof text;
    failed_on(job, failure, "a");
    assert_int_equal(state_failures(job)->groups[0]->examples[0].text_size, FAILURE_TEXT_BYTES_MAX);
    state_destroy(job);
}

static void fail_for_good(struct state *job, uint64_t assignment, uint64_t task)
{
    struct fact_attempt_failed failure = failure_of(assignment, task);
    failure.is_final = true;
    failed_on(job, failure, "a");
}

/* In any order: 5 has no common factor with the number of tasks. */
static void fail_all(struct state *job, uint64_t task_count)
{
    uint64_t out = assigned(job, 0, task_count);
    for (uint64_t i = 0; i < task_count; i++)
        fail_for_good(job, out, i * 5 % task_count);
    assert_int_equal(state_failed_task_count(job), task_count);
}

static void absent_results_of_siblings_are_one(void **state)
{
    (void)state;
    for (uint64_t task_count = 1; task_count < 100; task_count += task_count % 5 == 4 ? 2 : 1) {
        struct state *job = given_tasks(task_count);
        fail_all(job, task_count);
        assert_int_equal(state_partial_count(job), 1);
        assert_int_equal(state_find_partial(job, 0)->range.count, task_count);
        assert_int_equal(state_phase(job), PHASE_PUBLISHING);
        state_destroy(job);
    }
}

static void absent_results_that_are_collected_are_one(void **state)
{
    (void)state;
    struct state *job = given_job((struct fact_job_accepted){.task_count = 99});
    fail_all(job, 99);
    assert_int_equal(state_partial_count(job), 1);
    struct state *copy = copied(job);
    assert_int_equal(state_partial_count(copy), 1);
    assert_int_equal(state_failed_task_count(copy), 99);
    state_destroy(copy);
    state_destroy(job);
}

static void present_result_keeps_absent_ones_apart(void **state)
{
    (void)state;
    struct state *job = given_job((struct fact_job_accepted){.task_count = 3});
    uint64_t out = assigned(job, 0, 3);
    const struct partial present = {.range = {1, 1}};
    fail_for_good(job, out, 0);
    fail_for_good(job, out, 2);
    apply(job, (struct fact){.kind = FACT_RESULT,
                             .as.result = {.worker = 1,
                                           .assignment = out,
                                           .work = WORK_RUN,
                                           .partial_count = 1,
                                           .partials = &present}});
    assert_int_equal(state_partial_count(job), 3);
    assert_false(state_find_partial(job, 1)->is_absent);
    state_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_counted_by_cause_and_host),
        cmocka_unit_test(snapshot_gives_the_failures_again),
        cmocka_unit_test(groups_beyond_the_limit_are_counted_together),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(absent_results_of_siblings_are_one),
        cmocka_unit_test(absent_results_that_are_collected_are_one),
        cmocka_unit_test(present_result_keeps_absent_ones_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
