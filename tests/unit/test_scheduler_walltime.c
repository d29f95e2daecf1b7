/* test_scheduler_walltime.c - what cannot end by the time limit is not started. */
#include "scheduler_fixture.h"

/* A merge job whose tasks must end within so many seconds of the start. */
static struct given *given_tasks_within(uint64_t task_count, uint64_t seconds)
{
    struct scheduler_config config = scheduler_config_default();
    config.end_ns = (1 + seconds) * SHEAF_NS_PER_S; /* the clock of the tests starts at 1 s */
    return given_job(&config,
                     (struct fact_job_accepted){.task_count = task_count, .has_merge = true});
}

/* One worker with one slot ran task 0, in the time given; task 1 is out. */
static struct effect given_measured(struct given *given, uint64_t task_s)
{
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    struct effect second = expect_run(given, 1, 1, 1);
    given->now_ns += task_s * SHEAF_NS_PER_S;
    reported_in(given, &first, task_s * SHEAF_NS_PER_S);
    return second;
}

static void task_that_cannot_end_in_time_is_not_started(void **state)
{
    (void)state;
    struct given *given = given_tasks_within(10, 29);
    struct effect running = given_measured(given, 10);
    expect_no_more(given); /* 19 s left, but the slot is busy for 10 of them */
    given->now_ns += 10 * SHEAF_NS_PER_S;
    reported_in(given, &running, 10 * SHEAF_NS_PER_S);
    expect_run_end(given, RUN_END_WALLTIME); /* 9 s left */
    assert_int_equal(state_done(state_of(given))->task_count, 2);
    given_end(given);
}

static void task_that_should_end_in_time_is_started(void **state)
{
    (void)state;
    struct given *given = given_tasks_within(10, 31);
    given_measured(given, 10);
    expect_run(given, 1, 2, 1); /* after another 10 s in the queue */
    given_end(given);
}

static void first_tasks_are_started_as_long_as_there_is_time(void **state)
{
    (void)state;
    struct given *given = given_tasks_within(10, 1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    expect_run(given, 1, 1, 1);
    given_end(given);
}

static void run_without_any_time_ends_at_once(void **state)
{
    (void)state;
    struct given *given = given_tasks_within(10, 1);
    given->now_ns += SHEAF_NS_PER_S;
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run_end(given, RUN_END_WALLTIME);
    given_end(given);
}

static void range_is_cut_to_the_time_that_is_left(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.end_ns = 11 * SHEAF_NS_PER_S;
    config.range_target_ns = 100 * SHEAF_NS_PER_S;
    config.prefetch_per_slot = 0;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 1000, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    given->now_ns += SHEAF_NS_PER_S;
    reported_in(given, &first, SHEAF_NS_PER_S); /* 9 s left */
    expect_run(given, 1, 1, 9);
    given_end(given);
}

static void forced_length_of_ranges_holds_up_to_the_limit(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.end_ns = 11 * SHEAF_NS_PER_S;
    config.range_count_min = 4;
    config.range_count_max = 4;
    config.prefetch_per_slot = 0;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 100, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 4);
    given->now_ns += 4 * SHEAF_NS_PER_S;
    reported_in(given, &run, SHEAF_NS_PER_S);
    run = expect_run(given, 1, 4, 4);
    given->now_ns += 4 * SHEAF_NS_PER_S;
    reported_in(given, &run, SHEAF_NS_PER_S); /* 2 s left, which is half of a range */
    expect_run_end(given, RUN_END_WALLTIME);
    given_end(given);
}

/* Two workers with one slot each, and no prefetch; task 0 took the one 10 s and task 1 the other
 * 1 s, when `left_s` are left. */
static struct given *given_slow_and_fast(uint64_t left_s)
{
    struct scheduler_config config = scheduler_config_default();
    config.end_ns = (11 + left_s) * SHEAF_NS_PER_S;
    config.prefetch_per_slot = 0;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 100, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect slow = expect_run(given, 1, 0, 1);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    struct effect fast = expect_run(given, 2, 1, 1);
    given->now_ns += 10 * SHEAF_NS_PER_S;
    reported_in(given, &slow, 10 * SHEAF_NS_PER_S);
    skip_output(given);
    reported_in(given, &fast, SHEAF_NS_PER_S);
    return given;
}

static void slow_worker_does_not_keep_a_fast_one_from_tasks(void **state)
{
    (void)state;
    struct given *given = given_slow_and_fast(5);
    struct effect run = expect_run(given, 2, 2, 1);
    given->now_ns += SHEAF_NS_PER_S;
    reported_in(given, &run, SHEAF_NS_PER_S);
    expect_run(given, 2, 3, 1);
    given_end(given);
}

static void nothing_is_taken_back_for_a_slot_without_time(void **state)
{
    (void)state;
    struct given *given = given_slow_and_fast(5);
    expect_run(given, 2, 2, 1);
    heard(given, 1); /* its slot is idle */
    expect_no_more(given);
    given_end(given);
}

static void retry_that_cannot_end_in_time_is_left_to_the_next_run(void **state)
{
    (void)state;
    struct given *given = given_tasks_within(2, 15);
    struct effect second = given_measured(given, 10);
    failed(given, &second, 1, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    expect_no_more(given);
    passed(given, SHEAF_NS_PER_S);
    expect_run_end(given, RUN_END_WALLTIME);
    given_end(given);
}

static void results_are_merged_and_published_in_what_time_is_left(void **state)
{
    (void)state;
    struct given *given = given_tasks_within(2, 21);
    struct effect second = given_measured(given, 10);
    given->now_ns += 10 * SHEAF_NS_PER_S;
    reported_in(given, &second, 10 * SHEAF_NS_PER_S);
    struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 2});
    reported(given, &merge);
    expect_publish(given);
    given->now_ns += 10 * SHEAF_NS_PER_S;
    heard(given, 1);
    expect_no_more(given); /* what is being published is not given up */
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_DONE);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_that_cannot_end_in_time_is_not_started),
        cmocka_unit_test(task_that_should_end_in_time_is_started),
        cmocka_unit_test(first_tasks_are_started_as_long_as_there_is_time),
        cmocka_unit_test(run_without_any_time_ends_at_once),
        cmocka_unit_test(range_is_cut_to_the_time_that_is_left),
        cmocka_unit_test(forced_length_of_ranges_holds_up_to_the_limit),
        cmocka_unit_test(slow_worker_does_not_keep_a_fast_one_from_tasks),
        cmocka_unit_test(nothing_is_taken_back_for_a_slot_without_time),
        cmocka_unit_test(retry_that_cannot_end_in_time_is_left_to_the_next_run),
        cmocka_unit_test(results_are_merged_and_published_in_what_time_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
