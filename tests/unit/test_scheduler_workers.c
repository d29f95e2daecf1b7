/* test_scheduler_workers.c - what the coming, silence, return and leaving of workers leads to. */
#include "scheduler_fixture.h"

static void silent_worker_is_lost_and_its_tasks_run_elsewhere(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(20, 10);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 10);
    struct effect second = expect_run(given, 1, 10, 10);
    given->now_ns += 4 * SHEAF_NS_PER_S;
    hello(given, 2, 1);
    expect_welcome(given, 2);
    expect_take_back(given, &second);
    passed(given, SHEAF_NS_PER_S); /* no answer */
    expect_take_back(given, &first);
    passed(given, SHEAF_NS_PER_S);
    assert_int_equal(expect_fact(given, FACT_WORKER_LOST)->as.worker_lost.worker, 1);
    expect_run(given, 2, 0, 10);
    expect_run(given, 2, 10, 10);
    given_end(given);
}

static void heartbeat_puts_the_deadline_off(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    skip_output(given);
    for (int i = 0; i < 10; i++) {
        given->now_ns += 4 * SHEAF_NS_PER_S;
        heard(given, 1);
        ticked(given);
        expect_no_more(given);
    }
    assert_int_equal(scheduler_next_tick_ns(given->scheduler), given->now_ns + 5 * SHEAF_NS_PER_S);
    given_end(given);
}

static void late_result_of_lost_worker_counts_once(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(20, 10);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect late = expect_run(given, 1, 0, 10);
    expect_run(given, 1, 10, 10);
    passed(given, 5 * SHEAF_NS_PER_S);
    skip_output(given);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    struct effect again = expect_run(given, 2, 0, 10);
    expect_run(given, 2, 10, 10);
    reported(given, &late);
    expect_welcome(given, 1); /* it is back */
    expect_cancel(given, &again);
    assert_int_equal(state_done(state_of(given))->task_count, 10);
    skip_output(given);
    reported(given, &again);
    skip_output(given);
    assert_int_equal(state_done(state_of(given))->task_count, 10);
    assert_int_equal(state_worker_count(state_of(given)), 2);
    given_end(given);
}

static void lost_worker_is_admitted_again_when_heard(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 3);
    skip_output(given);
    passed(given, 5 * SHEAF_NS_PER_S);
    expect_fact(given, FACT_WORKER_LOST);
    assert_int_equal(state_worker_count(state_of(given)), 0);
    heard(given, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    assert_int_equal(state_find_worker(state_of(given), 1)->slot_count, 3);
    heard(given, 7); /* never joined */
    expect_no_more(given);
    given_end(given);
}

static void second_hello_means_the_first_life_is_over(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    hello(given, 1, 2);
    expect_fact(given, FACT_WORKER_LOST);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    assert_int_equal(state_slot_count(state_of(given)), 2);
    given_end(given);
}

static void worker_that_leaves_is_not_missed(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    goodbye(given, 1, false);
    assert_int_equal(expect_fact(given, FACT_WORKER_LOST)->as.worker_lost.cause, CAUSE_STOPPED);
    heard(given, 1); /* a message that was under way */
    expect_no_more(given);
    assert_int_equal(state_open(state_of(given))->task_count, 1);
    given_end(given);
}

static void job_fails_when_nobody_can_prepare(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    skip_output(given);
    hello(given, 2, 1);
    skip_output(given);
    goodbye(given, 1, true);
    skip_output(given);
    passed(given, 3 * SHEAF_NS_PER_S); /* worker 2 may still do it */
    expect_no_more(given);
    goodbye(given, 2, true);
    expect_fact(given, FACT_WORKER_LOST);
    passed(given, SHEAF_NS_PER_S);
    const struct fact_job_failed *failure = &expect_fact(given, FACT_JOB_FAILED)->as.job_failed;
    assert_int_equal(failure->work, 0);
    assert_int_equal(failure->cause, CAUSE_PLUGIN);
    expect_run_end(given, RUN_END_JOB_FAILED);
    given_end(given);
}

/* It has lost nothing, so the next start tries again, even with what an older version has
 * journalled. */
static void job_that_nobody_could_prepare_is_tried_again(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    skip_output(given);
    goodbye(given, 1, true);
    skip_output(given);
    passed(given, SHEAF_NS_PER_S);
    expect_fact(given, FACT_JOB_FAILED);
    restarted(given, 2);
    expect_fact(given, FACT_FAILED_REOPENED);
    assert_int_equal(state_phase(state_of(given)), PHASE_RUNNING);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    given_end(given);
}

/* All that it had is given out anew, at no attempt's cost; nobody else is needed. */
static void worker_that_lost_its_spawner_comes_back(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.worker_count = 1;
    struct given *given = given_job(&config, (struct fact_job_accepted){.task_count = 1});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    assert_int_equal(expect_run(given, 1, 0, 1).attempt, 1);
    said_goodbye(given, (struct input_goodbye){.worker = 1,
                                               .incarnation = INCARNATION,
                                               .returns = true,
                                               .cause = CAUSE_SIGNAL});
    assert_int_equal(expect_fact(given, FACT_WORKER_LOST)->as.worker_lost.cause, CAUSE_SIGNAL);
    heard(given, 1); /* a heartbeat that was under way */
    passed(given, SHEAF_NS_PER_S);
    expect_no_more(given);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    assert_int_equal(expect_run(given, 1, 0, 1).attempt, 1);
    given_end(given);
}

static void worker_that_never_was_welcome_is_not_waited_for(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.worker_count = 1;
    struct given *given = given_job(&config, (struct fact_job_accepted){.task_count = 1});
    said_goodbye(given, (struct input_goodbye){.worker = 1, .cause = CAUSE_EXIT});
    expect_run_end(given, RUN_END_NO_WORKERS);
    given_end(given);
}

static void worker_on_its_way_saves_a_job_that_one_cannot_prepare(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    skip_output(given);
    goodbye(given, 1, true);
    expect_fact(given, FACT_WORKER_LOST);
    given->now_ns += SHEAF_NS_PER_MS * 10;
    hello(given, 2, 1);
    expect_welcome(given, 2);
    struct effect run = expect_run(given, 2, 0, 1);
    reported(given, &run);
    expect_publish(given);
    given_end(given);
}

static void run_without_workers_ends(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    passed(given, 29 * SHEAF_NS_PER_S);
    expect_no_more(given);
    passed(given, SHEAF_NS_PER_S);
    expect_run_end(given, RUN_END_NO_WORKERS);
    hello(given, 1, 1); /* too late */
    expect_no_more(given);
    given_end(given);
}

/* No others can come. */
static struct scheduler_config config_of_two_workers(void)
{
    struct scheduler_config config = scheduler_config_default();
    config.worker_count = 2;
    return config;
}

/* Both are there, with one task to run. */
static struct given *given_two_workers(const struct scheduler_config *config)
{
    struct given *given = given_job(config, (struct fact_job_accepted){.task_count = 1});
    hello(given, 1, 1);
    skip_output(given);
    hello(given, 2, 1);
    skip_output(given);
    return given;
}

static void run_whose_workers_have_all_left_ends_at_once(void **state)
{
    (void)state;
    const struct scheduler_config config = config_of_two_workers();
    struct given *given = given_two_workers(&config);
    goodbye(given, 2, false);
    expect_fact(given, FACT_WORKER_LOST);
    goodbye(given, 2, false);
    hello(given, 2, 1); /* it was started again, and leaves again */
    skip_output(given);
    goodbye(given, 2, false);
    expect_fact(given, FACT_WORKER_LOST);
    expect_no_more(given);
    goodbye(given, 1, false);
    expect_fact(given, FACT_WORKER_LOST);
    expect_run_end(given, RUN_END_NO_WORKERS);
    given_end(given);
}

static void run_waits_for_a_worker_that_is_only_silent(void **state)
{
    (void)state;
    const struct scheduler_config config = config_of_two_workers();
    struct given *given = given_two_workers(&config);
    goodbye(given, 1, false);
    skip_output(given);
    passed(given, config.lost_after_ns);
    expect_fact(given, FACT_WORKER_LOST);
    passed(given, config.no_workers_ns / 2);
    heard(given, 2);
    expect_welcome(given, 2);
    expect_run(given, 2, 0, 1);
    given_end(given);
}

static void worker_without_slots_gets_nothing(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 0);
    expect_welcome(given, 1);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    expect_run(given, 2, 0, 1);
    given_end(given);
}

static void stop_waits_for_what_is_out(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(100, 10);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 10);
    struct effect second = expect_run(given, 1, 10, 10);
    stopped(given);
    expect_take_back(given, &second);
    expect_take_back(given, &first);
    returned(given, &second, 10, 10);
    expect_no_more(given);
    returned(given, &first, 5, 5);
    expect_take_back(given, &first);
    first.range.count = 5;
    reported(given, &first);
    expect_run_end(given, RUN_END_STOPPED);
    assert_int_equal(state_done(state_of(given))->task_count, 5);
    given_end(given);
}

static void second_stop_does_not_wait(void **state)
{
    (void)state;
    struct given *given = given_tasks(2);
    hello(given, 1, 1);
    skip_output(given);
    stopped(given);
    skip_output(given);
    stopped(given);
    const struct fact_worker_lost *lost = &expect_fact(given, FACT_WORKER_LOST)->as.worker_lost;
    assert_int_equal(lost->cause, CAUSE_STOPPED);
    assert_int_equal(lost->order_count, 2);
    expect_run_end(given, RUN_END_STOPPED);
    given_end(given);
}

static void stop_of_an_idle_run_is_immediate(void **state)
{
    (void)state;
    struct given *given = given_tasks(2);
    stopped(given);
    expect_run_end(given, RUN_END_STOPPED);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_worker_is_lost_and_its_tasks_run_elsewhere),
        cmocka_unit_test(heartbeat_puts_the_deadline_off),
        cmocka_unit_test(late_result_of_lost_worker_counts_once),
        cmocka_unit_test(lost_worker_is_admitted_again_when_heard),
        cmocka_unit_test(second_hello_means_the_first_life_is_over),
        cmocka_unit_test(worker_that_leaves_is_not_missed),
        cmocka_unit_test(job_fails_when_nobody_can_prepare),
        cmocka_unit_test(job_that_nobody_could_prepare_is_tried_again),
        cmocka_unit_test(worker_that_lost_its_spawner_comes_back),
        cmocka_unit_test(worker_that_never_was_welcome_is_not_waited_for),
        cmocka_unit_test(worker_on_its_way_saves_a_job_that_one_cannot_prepare),
        cmocka_unit_test(run_without_workers_ends),
        cmocka_unit_test(run_whose_workers_have_all_left_ends_at_once),
        cmocka_unit_test(run_waits_for_a_worker_that_is_only_silent),
        cmocka_unit_test(worker_without_slots_gets_nothing),
        cmocka_unit_test(stop_waits_for_what_is_out),
        cmocka_unit_test(second_stop_does_not_wait),
        cmocka_unit_test(stop_of_an_idle_run_is_immediate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
