/* test_surrender.c - a run starts nothing more where going on would only cost more tasks. */
#include "scheduler_fixture.h"

static struct given *given_ranges_of_one(uint32_t failures_max, uint32_t prefetch_per_slot)
{
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = config.range_count_max = 1;
    config.prefetch_per_slot = prefetch_per_slot;
    config.failures_max = failures_max;
    return given_job(&config, (struct fact_job_accepted){.task_count = 20, .has_merge = true});
}

static void worker_joins(struct given *given, uint32_t worker)
{
    hello(given, worker, 1);
    expect_welcome(given, worker);
}

/* The executor that was to run it could not open; the order is over. */
static const struct fact *unopened(struct given *given, const struct effect *run)
{
    failed_with(given, run,
                (struct input_attempt_failed){.range = {run->range.first, 1},
                                              .cause = CAUSE_SIGNAL,
                                              .is_crash = true,
                                              .is_open = true});
    return expect_fact(given, FACT_ATTEMPT_FAILED);
}

static void failed_for_good(struct given *given, const struct effect *run, uint64_t task)
{
    failed_with(given, run,
                (struct input_attempt_failed){
                    .range = {task, 1}, .cause = CAUSE_PLUGIN, .is_for_good = true});
    assert_true(expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final);
}

static void open_that_fails_on_every_worker_ends_the_run(void **state)
{
    (void)state;
    struct given *given = given_ranges_of_one(0, 0);
    worker_joins(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    worker_joins(given, 2);
    struct effect second = expect_run(given, 2, 1, 1);
    for (int i = 0; i < 3; i++) {
        unopened(given, &first);
        first = expect_any_assign(given);
    }
    for (int i = 0; i < 2; i++) {
        unopened(given, &second);
        second = expect_any_assign(given);
    }
    unopened(given, &second);
    expect_no_more(given);
    reported(given, &first); /* what runs all the same may end */
    expect_run_end(given, RUN_END_UNOPENED);
    assert_int_equal(state_failed_task_count(state_of(given)), 0);
    given_end(given);
}

static void open_that_fails_spares_the_task_that_it_ends_with(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 1, .has_merge = true});
    worker_joins(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    for (int i = 0; i < 2; i++) {
        unopened(given, &run);
        passed(given, SHEAF_NS_PER_S);
        run = expect_run(given, 1, 0, 1);
    }
    assert_false(unopened(given, &run)->as.attempt_failed.is_final);
    expect_run_end(given, RUN_END_UNOPENED);
    given_end(given);
}

static void open_that_fails_waits_for_workers_that_may_still_come(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.worker_count = 2;
    config.range_count_min = config.range_count_max = 1;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 20, .has_merge = true});
    worker_joins(given, 1);
    struct effect run = expect_any_assign(given);
    for (int i = 0; i < 4; i++) {
        skip_output(given);
        unopened(given, &run);
        run = expect_any_assign(given);
    }
    skip_output(given);
    given->now_ns += config.lost_after_ns - 1;
    heard(given, 1);
    skip_output(given);
    unopened(given, &run);
    run = expect_any_assign(given);
    skip_output(given);
    given->now_ns += 1;
    unopened(given, &run);
    assert_int_equal(given->output.effects[given->output.effect_count - 1].kind, EFFECT_TAKE_BACK);
    skip_output(given);
    given_end(given);
}

static void open_that_fails_on_one_worker_costs_its_tasks_alone(void **state)
{
    (void)state;
    struct given *given = given_ranges_of_one(0, 0);
    worker_joins(given, 1);
    struct effect bad = expect_run(given, 1, 0, 1);
    worker_joins(given, 2);
    struct effect good = expect_run(given, 2, 1, 1);
    for (int i = 0; i < 5; i++) {
        unopened(given, &bad);
        bad = expect_any_assign(given);
        reported(given, &good);
        good = expect_any_assign(given);
    }
    given_end(given);
}

/* Nor of a split or finish: more of them than a merge has attempts, on two workers in turn. */
static void open_that_fails_is_no_attempt_of_a_merge(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.merge_fan_in = 2;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 1, .has_finish = true});
    worker_joins(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    worker_joins(given, 2);
    reported(given, &run);
    struct effect finish = expect_any_assign(given);
    for (int i = 0; i < 4; i++) {
        failed_with(given, &finish,
                    (struct input_attempt_failed){
                        .range = finish.range, .cause = CAUSE_PLUGIN, .is_open = true});
        const struct fact *failed = expect_fact(given, FACT_ATTEMPT_FAILED);
        assert_false(failed->as.attempt_failed.is_final);
        assert_int_equal(failed->as.attempt_failed.cause, CAUSE_OPEN);
        passed(given, SHEAF_NS_PER_S);
        finish = expect_any_assign(given);
        assert_int_equal(finish.attempt, 1);
    }
    given_end(given);
}

/* Of three tasks that are out one is the last that may fail. */
static void limit_of_failures_lets_end_what_runs_and_starts_nothing(void **state)
{
    (void)state;
    struct given *given = given_ranges_of_one(2, 1);
    worker_joins(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    struct effect second = expect_run(given, 1, 1, 1);
    failed_for_good(given, &first, 0);
    struct effect third = expect_run(given, 1, 2, 1);
    failed_for_good(given, &second, 1);
    expect_take_back(given, &third);
    returned(given, &third, 3, 0);
    reported(given, &third);
    expect_run_end(given, RUN_END_MANY_FAILED);
    assert_int_equal(state_failed_task_count(state_of(given)), 2);
    assert_int_equal(state_done(state_of(given))->task_count, 3);
    given_end(given);
}

static void next_run_counts_failures_anew(void **state)
{
    (void)state;
    struct given *given = given_ranges_of_one(1, 0);
    worker_joins(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    failed_for_good(given, &run, 0);
    expect_run_end(given, RUN_END_MANY_FAILED);
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = config.range_count_max = 1;
    config.failures_max = 1;
    restarted_as(given, &config, (struct input_start){.incarnation = INCARNATION + 1});
    worker_joins(given, 1);
    expect_run(given, 1, 1, 1);
    skip_output(given);
    given_end(given);
}

static void limit_that_the_last_task_reaches_changes_nothing(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.failures_max = 1;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 1, .has_merge = true});
    worker_joins(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    failed_for_good(given, &run, 0);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_TASKS_FAILED);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_that_fails_on_every_worker_ends_the_run),
        cmocka_unit_test(open_that_fails_spares_the_task_that_it_ends_with),
        cmocka_unit_test(open_that_fails_waits_for_workers_that_may_still_come),
        cmocka_unit_test(open_that_fails_on_one_worker_costs_its_tasks_alone),
        cmocka_unit_test(open_that_fails_is_no_attempt_of_a_merge),
        cmocka_unit_test(limit_of_failures_lets_end_what_runs_and_starts_nothing),
        cmocka_unit_test(next_run_counts_failures_anew),
        cmocka_unit_test(limit_that_the_last_task_reaches_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
