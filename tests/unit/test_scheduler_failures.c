/* test_scheduler_failures.c - many failures at once: retries together, bounds, lost nodes. */
#include "scheduler_fixture.h"

/* The executor ends its order: every task of it was told as failed. */
static void ended_without_results(struct given *given, const struct effect *assign)
{
    sent(given, (struct input_report){.worker = assign->worker,
                                      .incarnation = INCARNATION,
                                      .assignment = assign->assignment,
                                      .work = WORK_RUN,
                                      .tasks_run = assign->range.count,
                                      .busy_ns = assign->range.count * 1000});
}

/* Eight tasks in one range, all of which fail on worker 1. */
static struct given *given_failed_range(struct effect *run)
{
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = config.range_count_max = 8;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 8, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    *run = expect_run(given, 1, 0, 8);
    for (uint64_t task = 0; task < 8; task++) {
        failed(given, run, task, false);
        expect_fact(given, FACT_ATTEMPT_FAILED);
    }
    ended_without_results(given, run);
    expect_fact(given, FACT_RESULT);
    return given;
}

static void neighbours_that_failed_are_tried_again_together(void **state)
{
    (void)state;
    struct effect run;
    struct given *given = given_failed_range(&run);
    passed(given, 100 * SHEAF_NS_PER_MS);
    struct effect retry = expect_run(given, 1, 0, 8);
    assert_int_equal(retry.attempt, 2);
    expect_no_more(given);
    for (uint64_t task = 0; task < 7; task++) {
        failed(given, &retry, task, false);
        assert_false(expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final);
    }
    const struct partial last = {.range = {7, 1}};
    sent(given, (struct input_report){.worker = 1,
                                      .incarnation = INCARNATION,
                                      .assignment = retry.assignment,
                                      .work = WORK_RUN,
                                      .tasks_run = 8,
                                      .partial_count = 1,
                                      .partials = &last});
    skip_output(given);
    passed(given, 200 * SHEAF_NS_PER_MS);
    retry = expect_run(given, 1, 0, 7);
    assert_int_equal(retry.attempt, 3);
    failed(given, &retry, 0, false);
    assert_true(expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final);
    given_end(given);
}

static void retries_of_a_lost_worker_run_elsewhere(void **state)
{
    (void)state;
    struct effect run;
    struct given *given = given_failed_range(&run);
    passed(given, 100 * SHEAF_NS_PER_MS);
    expect_run(given, 1, 0, 8);
    given->now_ns += 4 * SHEAF_NS_PER_S;
    hello(given, 2, 1);
    skip_output(given);
    given->now_ns += 2 * SHEAF_NS_PER_S;
    heard(given, 2);
    skip_output(given);
    ticked(given);
    expect_fact(given, FACT_WORKER_LOST);
    expect_no_more(given); /* worker 2 has had a copy for long */
    assert_int_equal(state_trouble_count(state_of(given)), 8);
    given->now_ns += 5 * SHEAF_NS_PER_S;
    ticked(given);
    expect_fact(given, FACT_WORKER_LOST);
    expect_no_more(given);
    hello(given, 3, 1);
    expect_welcome(given, 3);
    assert_int_equal(expect_run(given, 3, 0, 8).attempt, 2);
    given_end(given);
}

static void retries_that_were_given_back_are_not_forgotten(void **state)
{
    (void)state;
    struct effect run;
    struct given *given = given_failed_range(&run);
    passed(given, 100 * SHEAF_NS_PER_MS);
    struct effect retry = expect_run(given, 1, 0, 8);
    returned(given, &retry, 4, 4);
    struct effect again = expect_run(given, 1, 4, 4);
    assert_int_equal(again.attempt, 2);
    given_end(given);
}

static void a_crash_is_tried_again_alone(void **state)
{
    (void)state;
    struct effect run;
    struct given *given = given_failed_range(&run);
    passed(given, 100 * SHEAF_NS_PER_MS);
    struct effect retry = expect_run(given, 1, 0, 8);
    failed(given, &retry, 3, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    struct effect before = expect_run(given, 1, 0, 3);
    struct effect after = expect_run(given, 1, 4, 4);
    reported(given, &before);
    skip_output(given);
    reported(given, &after);
    skip_output(given);
    passed(given, 200 * SHEAF_NS_PER_MS);
    expect_run(given, 1, 3, 1);
    given_end(given);
}

static void tasks_in_trouble_hold_back_open_ones(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = config.range_count_max = 2;
    config.prefetch_per_slot = 0;
    config.troubles_max = 4;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 100, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    for (uint64_t first = 0; first < 4; first += 2) {
        struct effect run = expect_run(given, 1, first, 2);
        failed(given, &run, first, false);
        expect_fact(given, FACT_ATTEMPT_FAILED);
        failed(given, &run, first + 1, false);
        expect_fact(given, FACT_ATTEMPT_FAILED);
        ended_without_results(given, &run);
        expect_fact(given, FACT_RESULT);
    }
    expect_no_more(given); /* not one of the 96 that are open */
    assert_int_equal(state_trouble_count(state_of(given)), 4);
    passed(given, 100 * SHEAF_NS_PER_MS);
    struct effect retry = expect_run(given, 1, 0, 2);
    reported(given, &retry);
    expect_run(given, 1, 2, 2); /* what is in trouble goes first */
    given_end(given);
}

static void hello_of(struct given *given, uint32_t worker, uint32_t node, bool has_master)
{
    hello_as(given, (struct input_hello){.worker = worker,
                                         .slot_count = 1,
                                         .node = node,
                                         .host = node == 1 ? "first" : "second",
                                         .has_master = has_master});
    skip_output(given);
}

static enum cause cause_of_loss(struct given *given, uint32_t worker, const char *host)
{
    const struct fact_worker_lost *lost = &expect_fact(given, FACT_WORKER_LOST)->as.worker_lost;
    assert_int_equal(lost->worker, worker);
    assert_int_equal(lost->host_size, strlen(host));
    assert_memory_equal(lost->host, host, lost->host_size);
    return lost->cause;
}

/* Workers 2 and 3 are on the second node, worker 1 is beside the master. */
static struct given *given_two_nodes(void)
{
    struct given *given = given_tasks(4);
    hello_of(given, 1, 1, true);
    hello_of(given, 2, 2, false);
    hello_of(given, 3, 2, false);
    return given;
}

static void all_workers_of_a_node_are_lost_with_it(void **state)
{
    (void)state;
    struct given *given = given_two_nodes();
    given->now_ns += 4900 * SHEAF_NS_PER_MS;
    heard(given, 1);
    skip_output(given);
    given->now_ns += 100 * SHEAF_NS_PER_MS;
    ticked(given);
    assert_int_equal(cause_of_loss(given, 2, "second"), CAUSE_NODE_LOST);
    assert_int_equal(cause_of_loss(given, 3, "second"), CAUSE_NODE_LOST);
    skip_output(given);
    given_end(given);
}

static void a_node_is_there_while_one_of_its_workers_is_heard(void **state)
{
    (void)state;
    struct given *given = given_two_nodes();
    given->now_ns += 4900 * SHEAF_NS_PER_MS;
    heard(given, 1);
    skip_output(given);
    heard(given, 3);
    skip_output(given);
    given->now_ns += 100 * SHEAF_NS_PER_MS;
    ticked(given);
    assert_int_equal(cause_of_loss(given, 2, "second"), CAUSE_WORKER_LOST);
    skip_output(given);
    given_end(given);
}

static void the_masters_node_is_never_lost(void **state)
{
    (void)state;
    struct given *given = given_two_nodes();
    given->now_ns += 4900 * SHEAF_NS_PER_MS;
    heard(given, 2);
    skip_output(given);
    heard(given, 3);
    skip_output(given);
    given->now_ns += 100 * SHEAF_NS_PER_MS;
    ticked(given);
    assert_int_equal(cause_of_loss(given, 1, "first"), CAUSE_WORKER_LOST);
    skip_output(given);
    given_end(given);
}

static void failed_attempt_names_its_host(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello_as(given, (struct input_hello){.worker = 1, .slot_count = 1, .host = "here"});
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    failed(given, &run, 0, false);
    const struct fact_attempt_failed *failure =
        &expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed;
    assert_int_equal(failure->host_size, 4);
    assert_memory_equal(failure->host, "here", 4);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_that_failed_are_tried_again_together),
        cmocka_unit_test(retries_of_a_lost_worker_run_elsewhere),
        cmocka_unit_test(retries_that_were_given_back_are_not_forgotten),
        cmocka_unit_test(a_crash_is_tried_again_alone),
        cmocka_unit_test(tasks_in_trouble_hold_back_open_ones),
        cmocka_unit_test(all_workers_of_a_node_are_lost_with_it),
        cmocka_unit_test(a_node_is_there_while_one_of_its_workers_is_heard),
        cmocka_unit_test(the_masters_node_is_never_lost),
        cmocka_unit_test(failed_attempt_names_its_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
