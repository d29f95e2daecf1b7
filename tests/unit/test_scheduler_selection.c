/* test_scheduler_selection.c - runs for some tasks only, and what failed for good tried again. */
#include "scheduler_fixture.h"

/* A scheduler that may start these tasks of 20 alone, in ranges of 4 at most. */
struct selection {
    struct range_set only;
    struct scheduler_config config;
    struct given *given;
};

static void select_tasks(struct selection *selection, struct range first, struct range second)
{
    *selection = (struct selection){.config = scheduler_config_default()};
    range_set_add(&selection->only, first);
    range_set_add(&selection->only, second);
    selection->config.only = &selection->only;
    selection->config.range_count_min = selection->config.range_count_max = 4;
}

static void given_selection(struct selection *selection, struct range first, struct range second)
{
    select_tasks(selection, first, second);
    selection->given = given_job(&selection->config, (struct fact_job_accepted){.task_count = 20});
}

static void end_selection(struct selection *selection)
{
    given_end(selection->given);
    range_set_close(&selection->only);
}

static void only_named_tasks_are_started(void **state)
{
    (void)state;
    struct selection selection;
    given_selection(&selection, (struct range){2, 6}, (struct range){17, 1});
    struct given *given = selection.given;
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 2, 4);
    struct effect second = expect_run(given, 1, 6, 2);
    reported(given, &first);
    struct effect third = expect_run(given, 1, 17, 1);
    reported(given, &second);
    reported(given, &third);
    expect_run_end(given, RUN_END_SELECTED);
    assert_int_equal(state_open(state_of(given))->task_count, 13);
    end_selection(&selection);
}

static void run_for_what_is_done_ends_at_once(void **state)
{
    (void)state;
    struct selection selection;
    given_selection(&selection, (struct range){0, 1}, (struct range){1, 1});
    struct given *given = selection.given;
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 2);
    reported(given, &run);
    expect_run_end(given, RUN_END_SELECTED);
    restarted_as(given, &selection.config, (struct input_start){.incarnation = 2});
    expect_run_end(given, RUN_END_SELECTED);
    end_selection(&selection);
}

static void run_for_all_tasks_that_are_left_is_published(void **state)
{
    (void)state;
    struct selection selection;
    select_tasks(&selection, (struct range){0, 3}, (struct range){3, 1});
    struct given *given = given_job(&selection.config, (struct fact_job_accepted){.task_count = 4});
    selection.given = given;
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 4);
    reported(given, &run);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_DONE);
    end_selection(&selection);
}

/* Tasks 1 and 3 of four failed for good, and the others are done: the job has finished. */
static struct given *given_failed_tasks(const struct scheduler_config *config)
{
    struct given *given = given_job(config, (struct fact_job_accepted){.task_count = 4});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 4);
    failed(given, &run, 1, false);
    assert_true(expect_fact(given, FACT_ATTEMPT_FAILED)->as.attempt_failed.is_final);
    failed(given, &run, 3, false);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    const struct partial partials[] = {{.range = {0, 1}}, {.range = {2, 1}}};
    sent(given, (struct input_report){.worker = 1,
                                      .incarnation = INCARNATION,
                                      .assignment = run.assignment,
                                      .work = WORK_RUN,
                                      .tasks_run = 4,
                                      .partial_count = 2,
                                      .partials = partials});
    expect_fact(given, FACT_RESULT);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_TASKS_FAILED);
    return given;
}

static struct scheduler_config config_of_one_attempt(void)
{
    struct scheduler_config config = scheduler_config_default();
    config.attempts_max = 1;
    config.range_count_min = config.range_count_max = 4;
    return config;
}

static void failed_tasks_of_a_finished_job_are_tried_again(void **state)
{
    (void)state;
    struct scheduler_config config = config_of_one_attempt();
    struct given *given = given_failed_tasks(&config);
    restarted_as(given, &config, (struct input_start){.incarnation = 2});
    assert_true(range_is_empty(expect_fact(given, FACT_FAILED_REOPENED)->as.failed_reopened.range));
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_TASKS_FAILED);
    restarted_as(given, &config, (struct input_start){.incarnation = 3, .retries_failed = true});
    expect_fact(given, FACT_FAILED_REOPENED);
    assert_int_equal(state_failed_task_count(state_of(given)), 0);
    assert_int_equal(state_done(state_of(given))->task_count, 2);
    hello(given, 1, 2);
    expect_welcome(given, 1);
    expect_run(given, 1, 1, 1);
    expect_run(given, 1, 3, 1);
    given_end(given);
}

/* Or else a master that dies before the fact is on disk would leave its successor without it. */
static void no_worker_hears_before_it_is_durable_that_tasks_are_tried_again(void **state)
{
    (void)state;
    struct scheduler_config config = config_of_one_attempt();
    struct given *given = given_failed_tasks(&config);
    restarted_as(given, &config, (struct input_start){.incarnation = 2, .retries_failed = true});
    uint64_t reopened = expect_fact(given, FACT_FAILED_REOPENED)->seq;
    hello(given, 1, 1);
    assert_int_equal(given->output.effects[0].kind, EFFECT_WELCOME);
    assert_int_equal(given->output.effects[0].after_seq, reopened);
    skip_output(given);
    given_end(given);
}

static void only_named_tasks_that_failed_are_tried_again(void **state)
{
    (void)state;
    struct scheduler_config config = config_of_one_attempt();
    struct given *given = given_failed_tasks(&config);
    struct selection selection;
    select_tasks(&selection, (struct range){2, 1}, (struct range){3, 1});
    restarted_as(given, &selection.config,
                 (struct input_start){.incarnation = 2, .retries_failed = true});
    expect_fact(given, FACT_FAILED_REOPENED);
    assert_int_equal(state_failed_task_count(state_of(given)), 1);
    hello(given, 1, 2);
    expect_welcome(given, 1);
    expect_run(given, 1, 3, 1);
    given_end(given);
    range_set_close(&selection.only);
}

static void retries_of_tasks_that_are_not_named_wait(void **state)
{
    (void)state;
    struct selection selection;
    select_tasks(&selection, (struct range){4, 1}, (struct range){5, 1});
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = config.range_count_max = 4;
    struct given *given = given_job(&config, (struct fact_job_accepted){.task_count = 20});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 4);
    skip_output(given);
    failed(given, &run, 1, false);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    restarted_as(given, &selection.config, (struct input_start){.incarnation = 2});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect named = expect_run(given, 1, 4, 2);
    reported(given, &named);
    expect_run_end(given, RUN_END_SELECTED);
    assert_int_equal(state_trouble_count(state_of(given)), 1);
    end_selection(&(struct selection){.given = given, .only = selection.only});
}

static void job_that_failed_as_a_whole_goes_on(void **state)
{
    (void)state;
    struct scheduler_config config = config_of_one_attempt();
    struct given *given = given_job(
        &config,
        (struct fact_job_accepted){.task_count = 4, .has_merge = true, .has_finish = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 4);
    reported(given, &run);
    struct effect finish = expect_assign(given, 1, WORK_FINISH, (struct range){0, 4});
    failed_for(given, &finish, CAUSE_PLUGIN);
    skip_output(given);
    assert_int_equal(state_phase(state_of(given)), PHASE_FAILED);
    restarted_as(given, &config, (struct input_start){.incarnation = 2, .retries_failed = true});
    expect_fact(given, FACT_FAILED_REOPENED);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_assign(given, 1, WORK_FINISH, (struct range){0, 4});
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_named_tasks_are_started),
        cmocka_unit_test(run_for_what_is_done_ends_at_once),
        cmocka_unit_test(run_for_all_tasks_that_are_left_is_published),
        cmocka_unit_test(failed_tasks_of_a_finished_job_are_tried_again),
        cmocka_unit_test(no_worker_hears_before_it_is_durable_that_tasks_are_tried_again),
        cmocka_unit_test(only_named_tasks_that_failed_are_tried_again),
        cmocka_unit_test(retries_of_tasks_that_are_not_named_wait),
        cmocka_unit_test(job_that_failed_as_a_whole_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
