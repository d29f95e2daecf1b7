/* test_scheduler.c - who is given what, and what results and failures lead to. */
#include "scheduler_fixture.h"

static void welcome_rests_on_the_run_and_its_job(void **state)
{
    (void)state;
    struct given *given = given_scheduler(NULL);
    started(given, INCARNATION);
    hello(given, 1, 1);
    assert_int_equal(given->output.effects[0].after_seq, 1);
    expect_welcome(given, 1);
    accepted(given, (struct fact_job_accepted){.task_count = 1, .has_merge = true});
    uint64_t accepted_seq = expect_fact(given, FACT_JOB_ACCEPTED)->seq;
    assert_int_equal(expect_run(given, 1, 0, 1).after_seq, accepted_seq);
    hello(given, 2, 1);
    assert_int_equal(given->output.effects[0].after_seq, accepted_seq);
    skip_output(given);
    given_end(given);
}

static void worker_gets_a_range_for_each_slot_and_one_behind(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(1000, 10);
    hello(given, 1, 2);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 10);
    for (uint64_t i = 1; i < 4; i++)
        expect_run(given, 1, i * 10, 10);
    reported(given, &first);
    expect_run(given, 1, 40, 10);
    given_end(given);
}

static void every_slot_is_filled_before_anything_is_queued_behind(void **state)
{
    (void)state;
    struct given *given = given_scheduler(NULL);
    started(given, INCARNATION);
    hello(given, 1, 2);
    expect_welcome(given, 1);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    accepted(given, (struct fact_job_accepted){.task_count = 100, .has_merge = true});
    expect_fact(given, FACT_JOB_ACCEPTED);
    expect_run(given, 1, 0, 1);
    expect_run(given, 2, 1, 1);
    expect_run(given, 1, 2, 1);
    expect_run(given, 2, 3, 1);
    expect_run(given, 1, 4, 1);
    expect_run(given, 1, 5, 1);
    given_end(given);
}

static void ranges_grow_with_what_was_measured(void **state)
{
    (void)state;
    struct given *given = given_tasks(1000 * 1000 * 1000);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    expect_run(given, 1, 1, 1);
    reported_in(given, &first, 10); /* 7.5 million in 75 ms, but 64 at most after one */
    struct effect second = expect_run(given, 1, 2, 62);
    reported_in(given, &second, 10);
    assert_in_range(expect_any_assign(given).range.count, 62 * 32, 62 * 64);
    given_end(given);
}

static void range_takes_about_its_target_time(void **state)
{
    (void)state;
    struct given *given = given_tasks(1000 * 1000);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    struct effect second = expect_run(given, 1, 1, 1);
    reported_in(given, &first, SHEAF_NS_PER_MS);
    first = expect_run(given, 1, 2, 62);
    reported_in(given, &second, SHEAF_NS_PER_MS);
    expect_run(given, 1, 64, 64); /* 75 tasks would end at 139 */
    reported_in(given, &first, SHEAF_NS_PER_MS);
    expect_run(given, 1, 128, 64);
    given_end(given);
}

static void ranges_shrink_towards_the_end(void **state)
{
    (void)state;
    struct given *given = given_tasks(64);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect running = expect_run(given, 1, 0, 1);
    struct effect next = expect_run(given, 1, 1, 1);
    uint64_t before = 64;
    while (state_open(state_of(given))->task_count > 0) {
        uint64_t open = state_open(state_of(given))->task_count;
        reported_in(given, &running, 1000);
        running = next;
        next = expect_any_assign(given);
        assert_true(next.range.count <= (open + 1) / 2);
        assert_true(next.range.count <= before);
        before = next.range.count;
    }
    assert_int_equal(before, 1);
    skip_output(given);
    given_end(given);
}

static void report_of_another_incarnation_is_ignored(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    const struct partial partial = {.range = {0, 1}};
    sent(given, (struct input_report){.worker = 1,
                                      .incarnation = INCARNATION + 1,
                                      .assignment = run.assignment,
                                      .work = WORK_RUN,
                                      .partial_count = 1,
                                      .partials = &partial});
    expect_no_more(given);
    assert_int_equal(state_done(state_of(given))->task_count, 0);
    given_end(given);
}

static void impossible_report_is_ignored(void **state)
{
    (void)state;
    static const struct partial impossible[][2] = {
        {{.range = {1, 2}}},                    /* no node of the tree */
        {{.range = {8, 1}}},                    /* no task of the job */
        {{.range = {0, 0}}},                    /* no task at all */
        {{.range = {UINT64_MAX, 2}}},           /* beyond all bounds */
        {{.range = {0, 1}, .is_absent = true}}, /* not for a worker to say */
        {{.range = {0, 1}, .payload_seq = 3}},  /* bytes of somebody else */
        {{.range = {0, 1}, .offset_bytes = 2, .size_bytes = UINT64_MAX - 1}},
        {{.range = {4, 1}}, {.range = {3, 1}}}, /* out of order */
    };
    struct given *given = given_tasks_in_ranges(8, 8);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 8);
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        bool is_pair = impossible[i][1].range.count > 0;
        sent(given, (struct input_report){.worker = 1,
                                          .incarnation = INCARNATION,
                                          .assignment = run.assignment,
                                          .work = WORK_RUN,
                                          .partial_count = is_pair ? 2 : 1,
                                          .partials = impossible[i]});
        expect_no_more(given);
    }
    assert_int_equal(state_done(state_of(given))->task_count, 0);
    given_end(given);
}

static void report_without_results_frees_its_slot(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(20, 10);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 10);
    expect_run(given, 1, 10, 10);
    sent(given, (struct input_report){.worker = 1,
                                      .incarnation = INCARNATION,
                                      .assignment = run.assignment,
                                      .work = WORK_RUN});
    expect_fact(given, FACT_RESULT);
    expect_run(given, 1, 0, 10);
    given_end(given);
}

static void failed_task_is_tried_on_another_worker_after_a_delay(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    failed(given, &run, 0, true);
    assert_false(expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final);
    passed(given, SHEAF_NS_PER_MS * 99);
    expect_no_more(given);
    passed(given, SHEAF_NS_PER_MS);
    struct effect retry = expect_run(given, 2, 0, 1);
    assert_int_equal(retry.attempt, 2);
    failed(given, &retry, 0, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    passed(given, SHEAF_NS_PER_MS * 199);
    expect_no_more(given);
    passed(given, SHEAF_NS_PER_MS);
    assert_int_equal(expect_run(given, 1, 0, 1).attempt, 3);
    given_end(given);
}

static void retry_waits_for_another_worker_that_is_busy(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.prefetch_per_slot = 0;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 2, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect bad = expect_run(given, 1, 0, 1);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    struct effect good = expect_run(given, 2, 1, 1);
    failed(given, &bad, 0, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    passed(given, SHEAF_NS_PER_MS * 200);
    expect_no_more(given);
    reported(given, &good);
    expect_run(given, 2, 0, 1);
    given_end(given);
}

static void only_worker_tries_its_failure_again(void **state)
{
    (void)state;
    struct given *given = given_tasks(2);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    expect_run(given, 1, 1, 1);
    failed(given, &run, 0, false);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    sent(given, (struct input_report){.worker = 1,
                                      .incarnation = INCARNATION,
                                      .assignment = run.assignment,
                                      .work = WORK_RUN});
    expect_fact(given, FACT_RESULT);
    passed(given, SHEAF_NS_PER_MS * 100);
    assert_int_equal(expect_run(given, 1, 0, 1).attempt, 2);
    given_end(given);
}

/* Lets the only task fail until it is given up; returns the number of attempts. */
static int fail_until_final(struct given *given, bool is_crash)
{
    int attempts = 0;
    bool is_final = false;
    hello(given, 1, 1);
    expect_welcome(given, 1);
    while (!is_final) {
        struct effect run = expect_run(given, 1, 0, 1);
        attempts++;
        failed(given, &run, 0, is_crash);
        is_final = expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final;
        if (is_final)
            break;
        if (!is_crash) {
            sent(given, (struct input_report){.worker = 1,
                                              .incarnation = INCARNATION,
                                              .assignment = run.assignment,
                                              .work = WORK_RUN});
            expect_fact(given, FACT_RESULT);
        }
        passed(given, SHEAF_NS_PER_S);
    }
    return attempts;
}

static void task_that_always_fails_costs_only_itself(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    assert_int_equal(fail_until_final(given, false), 3);
    expect_publish(given);
    assert_int_equal(state_failed_task_count(state_of(given)), 1);
    published(given);
    assert_int_equal(expect_fact(given, FACT_JOB_FINISHED)->as.job_finished.failed_task_count, 1);
    expect_run_end(given, RUN_END_TASKS_FAILED);
    given_end(given);
}

static void task_that_kills_executors_is_given_up_sooner(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.attempts_max = 10;
    config.crashes_max = 2;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 1, .has_merge = true});
    assert_int_equal(fail_until_final(given, true), 2);
    expect_publish(given);
    given_end(given);
}

static void stopped_attempts_count_against_nobody(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    for (int i = 0; i < 10; i++) {
        struct effect run = expect_run(given, 1, 0, 1);
        assert_int_equal(run.attempt, 1);
        failed_for(given, &run, CAUSE_STOPPED);
        assert_false(expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final);
        passed(given, SHEAF_NS_PER_S);
    }
    skip_output(given);
    given_end(given);
}

static void failure_of_a_task_done_elsewhere_is_no_failure(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(8, 8);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 8);
    const struct partial partial = {.range = {3, 1}};
    sent(given, (struct input_report){.worker = 9,
                                      .incarnation = INCARNATION,
                                      .assignment = 12345,
                                      .work = WORK_RUN,
                                      .partial_count = 1,
                                      .partials = &partial});
    expect_fact(given, FACT_RESULT);
    failed(given, &run, 3, false);
    expect_no_more(given);
    failed(given, &run, 3, true);
    assert_true(expect_fact(given, FACT_RETURNED)->as.returned.is_whole);
    expect_run(given, 1, 0, 3);
    expect_run(given, 1, 4, 4);
    given_end(given);
}

static struct given *given_split(void)
{
    struct scheduler_config config = scheduler_config_default();
    config.has_split = true;
    struct given *given = given_scheduler(&config);
    started(given, INCARNATION);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    return given;
}

static void split_runs_once_and_the_job_follows(void **state)
{
    (void)state;
    struct given *given = given_split();
    struct effect split = expect_assign(given, 1, WORK_SPLIT, (struct range){0, 0});
    reported(given, &split);
    ticked(given);
    expect_no_more(given);
    accepted(given, (struct fact_job_accepted){.task_count = 1, .has_merge = true});
    expect_fact(given, FACT_JOB_ACCEPTED);
    expect_run(given, 1, 0, 1);
    accepted(given, (struct fact_job_accepted){.task_count = 5, .has_merge = true});
    expect_no_more(given);
    given_end(given);
}

static void split_of_a_lost_worker_runs_elsewhere(void **state)
{
    (void)state;
    struct given *given = given_split();
    expect_assign(given, 1, WORK_SPLIT, (struct range){0, 0});
    hello(given, 2, 1);
    expect_welcome(given, 2);
    goodbye(given, 1, false);
    expect_fact(given, FACT_WORKER_LOST);
    expect_assign(given, 2, WORK_SPLIT, (struct range){0, 0});
    given_end(given);
}

static void split_that_always_fails_fails_the_job(void **state)
{
    (void)state;
    struct given *given = given_split();
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct effect split = expect_assign(given, 1, WORK_SPLIT, (struct range){0, 0});
        failed_for(given, &split, CAUSE_PLUGIN);
        expect_fact(given, FACT_ATTEMPT_FAILED);
        if (attempt < 3)
            passed(given, SHEAF_NS_PER_S);
    }
    assert_int_equal(expect_fact(given, FACT_JOB_FAILED)->as.job_failed.work, WORK_SPLIT);
    expect_run_end(given, RUN_END_JOB_FAILED);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(welcome_rests_on_the_run_and_its_job),
        cmocka_unit_test(worker_gets_a_range_for_each_slot_and_one_behind),
        cmocka_unit_test(every_slot_is_filled_before_anything_is_queued_behind),
        cmocka_unit_test(ranges_grow_with_what_was_measured),
        cmocka_unit_test(range_takes_about_its_target_time),
        cmocka_unit_test(ranges_shrink_towards_the_end),
        cmocka_unit_test(report_of_another_incarnation_is_ignored),
        cmocka_unit_test(impossible_report_is_ignored),
        cmocka_unit_test(report_without_results_frees_its_slot),
        cmocka_unit_test(failed_task_is_tried_on_another_worker_after_a_delay),
        cmocka_unit_test(retry_waits_for_another_worker_that_is_busy),
        cmocka_unit_test(only_worker_tries_its_failure_again),
        cmocka_unit_test(task_that_always_fails_costs_only_itself),
        cmocka_unit_test(task_that_kills_executors_is_given_up_sooner),
        cmocka_unit_test(stopped_attempts_count_against_nobody),
        cmocka_unit_test(failure_of_a_task_done_elsewhere_is_no_failure),
        cmocka_unit_test(split_runs_once_and_the_job_follows),
        cmocka_unit_test(split_of_a_lost_worker_runs_elsewhere),
        cmocka_unit_test(split_that_always_fails_fails_the_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
