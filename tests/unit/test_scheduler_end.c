/* test_scheduler_end.c - how a job is brought to its end: merging, finishing, and the last ranges.
 */
#include "scheduler_fixture.h"

static void merge_joins_a_full_subtree(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(64, 1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect running = expect_run(given, 1, 0, 1);
    struct effect next = expect_run(given, 1, 1, 1);
    for (uint64_t task = 2; task < 17; task++) {
        reported(given, &running);
        running = next;
        next = expect_run(given, 1, task, 1);
    }
    reported(given, &running);
    struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 16});
    reported(given, &next);
    next = expect_run(given, 1, 17, 1);
    reported(given, &merge);
    expect_run(given, 1, 18, 1);
    assert_int_equal(state_partial_count(state_of(given)), 2);
    given_end(given);
}

/* Two workers ran all of it; each has a partial of half of the tasks. */
static struct given *given_two_halves(void)
{
    struct given *given = given_tasks_in_ranges(8, 4);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect left = expect_run(given, 1, 0, 4);
    struct effect right = expect_run(given, 1, 4, 4);
    reported(given, &left);
    expect_no_more(given);
    reported(given, &right);
    return given;
}

static void last_result_leads_to_the_root_and_its_publication(void **state)
{
    (void)state;
    struct given *given = given_two_halves();
    struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 8});
    reported(given, &merge);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_DONE);
    given_end(given);
}

static void merge_of_a_lost_worker_runs_elsewhere(void **state)
{
    (void)state;
    struct given *given = given_two_halves();
    struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 8});
    hello(given, 2, 1);
    expect_welcome(given, 2);
    goodbye(given, 1, false);
    expect_fact(given, FACT_WORKER_LOST);
    struct effect again = expect_assign(given, 2, WORK_MERGE, (struct range){0, 8});
    reported(given, &merge); /* its inputs may have changed since: not taken */
    expect_no_more(given);
    reported(given, &again);
    expect_publish(given);
    given_end(given);
}

static void merge_that_always_fails_fails_the_job(void **state)
{
    (void)state;
    struct given *given = given_two_halves();
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 8});
        assert_int_equal(merge.attempt, attempt);
        failed_for(given, &merge, CAUSE_MEMORY);
        expect_fact(given, FACT_ATTEMPT_FAILED);
        if (attempt < 3)
            passed(given, SHEAF_NS_PER_S);
    }
    assert_int_equal(expect_fact(given, FACT_JOB_FAILED)->as.job_failed.cause, CAUSE_MEMORY);
    expect_run_end(given, RUN_END_JOB_FAILED);
    given_end(given);
}

static void large_merge_is_shared_out_in_halves(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = 1;
    config.range_count_max = 1;
    config.merge_bytes_max = 20; /* results have 8 bytes */
    config.prefetch_per_slot = 0;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 4, .has_merge = true});
    hello(given, 1, 4);
    expect_welcome(given, 1);
    struct effect runs[4];
    for (uint64_t task = 0; task < 4; task++)
        runs[task] = expect_run(given, 1, task, 1);
    for (uint64_t task = 0; task < 4; task++) {
        expect_no_more(given);
        reported(given, &runs[task]);
        if (task < 3)
            skip_output(given); /* requests to take back */
    }
    struct effect left = expect_assign(given, 1, WORK_MERGE, (struct range){0, 2});
    struct effect right = expect_assign(given, 1, WORK_MERGE, (struct range){2, 2});
    reported(given, &left);
    reported(given, &right);
    expect_assign(given, 1, WORK_MERGE, (struct range){0, 4});
    given_end(given);
}

/* So that a list that has grown finds what stays a subtree. */
static void whole_subtrees_are_merged_before_one_that_is_cut_short(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.keeps_subtrees = true;
    config.range_count_max = 1;
    config.prefetch_per_slot = 0;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 7, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    for (uint64_t task = 0; task < 7; task++) {
        struct effect run = expect_run(given, 1, task, 1);
        reported(given, &run);
    }
    struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 4});
    reported(given, &merge);
    merge = expect_assign(given, 1, WORK_MERGE, (struct range){4, 2});
    reported(given, &merge);
    merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 7});
    reported(given, &merge);
    expect_publish(given);
    given_end(given);
}

static void absent_results_are_merged_without_an_executor(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.attempts_max = 1;
    config.range_count_max = 1;
    struct given *given =
        given_job(&config, (struct fact_job_accepted){.task_count = 2, .has_merge = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect good = expect_run(given, 1, 0, 1);
    struct effect bad = expect_run(given, 1, 1, 1);
    reported(given, &good);
    uint64_t payload_seq = state_find_partial(state_of(given), 0)->payload_seq;
    failed(given, &bad, 1, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    const struct fact_result *merged = &expect_fact(given, FACT_RESULT)->as.result;
    assert_int_equal(merged->work, WORK_MERGE);
    assert_int_equal(merged->partials[0].range.count, 2);
    assert_int_equal(merged->partials[0].payload_seq, payload_seq);
    expect_publish(given);
    given_end(given);
}

static void collected_results_are_never_merged(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.range_count_max = 1;
    struct given *given = given_job(&config, (struct fact_job_accepted){.task_count = 40});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect running = expect_run(given, 1, 0, 1);
    struct effect next = expect_run(given, 1, 1, 1);
    for (uint64_t task = 2; task < 40; task++) {
        reported(given, &running);
        running = next;
        next = expect_run(given, 1, task, 1);
    }
    reported(given, &running);
    skip_output(given);
    reported(given, &next);
    expect_publish(given);
    assert_int_equal(state_partial_count(state_of(given)), 40);
    given_end(given);
}

static struct given *given_finishing(void)
{
    struct given *given = given_job(
        NULL, (struct fact_job_accepted){.task_count = 1, .has_merge = true, .has_finish = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    reported(given, &run);
    return given;
}

static void finish_runs_once_before_publication(void **state)
{
    (void)state;
    struct given *given = given_finishing();
    struct effect finish = expect_assign(given, 1, WORK_FINISH, (struct range){0, 1});
    hello(given, 2, 4);
    expect_welcome(given, 2); /* no second finish for idle slots */
    passed(given, SHEAF_NS_PER_S * 4);
    expect_no_more(given);
    reported(given, &finish);
    expect_publish(given);
    reported(given, &finish);
    expect_no_more(given);
    given_end(given);
}

static void job_without_tasks_is_finished_and_published(void **state)
{
    (void)state;
    struct given *given =
        given_job(NULL, (struct fact_job_accepted){.has_merge = true, .has_finish = true});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect finish = expect_assign(given, 1, WORK_FINISH, (struct range){0, 0});
    reported(given, &finish);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_DONE);
    given_end(given);
}

static void restart_goes_on_where_the_run_ended(void **state)
{
    (void)state;
    struct given *given = given_two_halves();
    expect_assign(given, 1, WORK_MERGE, (struct range){0, 8});
    restarted(given, 2);
    hello(given, 3, 1);
    expect_welcome(given, 3);
    struct effect merge = expect_assign(given, 3, WORK_MERGE, (struct range){0, 8});
    reported(given, &merge);
    expect_publish(given);
    restarted(given, 3);
    expect_publish(given);
    published(given);
    skip_output(given);
    restarted(given, 4);
    expect_fact(given, FACT_FAILED_REOPENED);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_DONE);
    given_end(given);
}

/* Of a finished job, found when it is published again. */
static void damage_of_a_finished_job_is_mended_before_it_ends(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    reported(given, &run);
    expect_publish(given);
    published(given);
    skip_output(given);
    restarted(given, 2);
    expect_fact(given, FACT_FAILED_REOPENED);
    expect_publish(given);
    result_lost(given, 0, 1);
    expect_fact(given, FACT_RESULT_LOST);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    run = expect_run(given, 2, 0, 1);
    reported(given, &run);
    expect_publish(given);
    published(given);
    expect_fact(given, FACT_JOB_FINISHED);
    expect_run_end(given, RUN_END_DONE);
    given_end(given);
}

/* Of tasks that shared a report, one has lost its output: it alone runs again. */
static void nothing_is_published_before_results_are_checked(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.range_count_min = config.range_count_max = 4;
    struct given *given = given_job(&config, (struct fact_job_accepted){.task_count = 4});
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_any_assign(given);
    const struct partial all = {.range = {0, 4}, .size_bytes = 8};
    sent(given, (struct input_report){.worker = 1,
                                      .incarnation = INCARNATION,
                                      .assignment = run.assignment,
                                      .work = WORK_RUN,
                                      .partial_count = 1,
                                      .partials = &all});
    skip_output(given);
    restarted_as(given, &config, (struct input_start){.incarnation = 2, .is_unchecked = true});
    expect_no_more(given);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    const struct partial kept[] = {{.range = {0, 2}, .size_bytes = 4},
                                   {.range = {3, 1}, .offset_bytes = 4, .size_bytes = 2}};
    lost_but(given, (struct range){0, 4}, kept, 2);
    run = expect_run(given, 2, 2, 1);
    checked(given);
    reported(given, &run);
    expect_publish(given);
    given_end(given);
}

static void restart_repeats_the_finish(void **state)
{
    (void)state;
    struct given *given = given_finishing();
    expect_assign(given, 1, WORK_FINISH, (struct range){0, 1});
    restarted(given, 2);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_assign(given, 1, WORK_FINISH, (struct range){0, 1});
    given_end(given);
}

static void restart_of_a_failed_job_ends_at_once(void **state)
{
    (void)state;
    struct scheduler_config config = scheduler_config_default();
    config.has_split = true;
    config.attempts_max = 1;
    struct given *given = given_scheduler(&config);
    started(given, INCARNATION);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect split = expect_assign(given, 1, WORK_SPLIT, (struct range){0, 0});
    failed_for(given, &split, CAUSE_PLUGIN);
    skip_output(given);
    restarted(given, 2);
    expect_run_end(given, RUN_END_JOB_FAILED);
    given_end(given);
}

static void restart_tries_troubled_tasks_again(void **state)
{
    (void)state;
    struct given *given = given_tasks(2);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 1);
    struct effect bad = expect_run(given, 1, 1, 1);
    failed(given, &bad, 1, true);
    expect_fact(given, FACT_ATTEMPT_FAILED);
    restarted(given, 2);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    assert_int_equal(expect_run(given, 1, 1, 1).attempt, 2);
    expect_run(given, 1, 0, 1);
    given_end(given);
}

static void damaged_result_is_made_again(void **state)
{
    (void)state;
    struct given *given = given_two_halves();
    struct effect merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 8});
    result_lost(given, 4, 4);
    expect_fact(given, FACT_RESULT_LOST);
    expect_cancel(given, &merge);
    struct effect again = expect_run(given, 1, 4, 4);
    reported(given, &merge);
    expect_no_more(given);
    reported(given, &again);
    merge = expect_assign(given, 1, WORK_MERGE, (struct range){0, 8});
    reported(given, &merge);
    expect_publish(given);
    given_end(given);
}

static void damage_found_when_publishing_publishes_later(void **state)
{
    (void)state;
    struct given *given = given_tasks(1);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 1);
    reported(given, &run);
    expect_publish(given);
    result_lost(given, 0, 1);
    expect_fact(given, FACT_RESULT_LOST);
    run = expect_run(given, 1, 0, 1);
    published(given); /* meaningless now */
    expect_no_more(given);
    reported(given, &run);
    expect_publish(given);
    given_end(given);
}

static void idle_slot_takes_back_what_should_end_last(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(20, 10);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    expect_run(given, 1, 0, 10);
    struct effect behind = expect_run(given, 1, 10, 10);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    expect_take_back(given, &behind);
    returned(given, &behind, 15, 5);
    expect_run(given, 2, 15, 5);
    given_end(given);
}

static void worker_takes_back_from_itself_for_its_other_slots(void **state)
{
    (void)state;
    struct given *given = given_tasks_in_ranges(10, 10);
    hello(given, 1, 2);
    expect_welcome(given, 1);
    struct effect run = expect_run(given, 1, 0, 10);
    expect_take_back(given, &run);
    returned(given, &run, 5, 5);
    expect_run(given, 1, 5, 5);
    given_end(given);
}

/* Worker 1 runs the last range, of unknown length; worker 2 is idle. */
static struct given *given_last_range(uint64_t task_count, struct effect *last)
{
    struct given *given = given_tasks_in_ranges(task_count, task_count);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    *last = expect_run(given, 1, 0, task_count);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    return given;
}

/* Lets time pass in which both workers are heard. */
static void passed_heard(struct given *given, uint64_t ns)
{
    for (uint64_t slept_ns = 0; slept_ns < ns; slept_ns += SHEAF_NS_PER_S) {
        heard(given, 1);
        expect_no_more(given);
        heard(given, 2);
        expect_no_more(given);
        passed(given, SHEAF_NS_PER_S);
        if (given->effects_seen < given->output.effect_count)
            return;
    }
}

static void assignment_with_nothing_to_give_back_is_copied_when_late(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_range(8, &last);
    expect_take_back(given, &last);
    returned(given, &last, 0, 0);
    passed_heard(given, 4 * SHEAF_NS_PER_S);
    expect_no_more(given);
    passed_heard(given, 2 * SHEAF_NS_PER_S);
    expect_run(given, 2, 0, 8);
    given_end(given);
}

static void late_assignment_gets_one_copy(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_range(1, &last);
    passed_heard(given, 10 * SHEAF_NS_PER_S);
    struct effect copy = expect_run(given, 2, 0, 1);
    assert_int_equal(state_find_assignment(state_of(given), copy.assignment)->twin,
                     last.assignment);
    hello(given, 3, 1);
    expect_welcome(given, 3);
    reported(given, &copy);
    expect_cancel(given, &last);
    expect_publish(given);
    reported(given, &last);
    expect_no_more(given);
    given_end(given);
}

static void silent_worker_does_not_hold_up_the_copy(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_range(8, &last);
    expect_take_back(given, &last); /* which is never answered */
    passed_heard(given, 10 * SHEAF_NS_PER_S);
    struct effect copy = expect_run(given, 2, 0, 8);
    reported(given, &last);
    expect_cancel(given, &copy);
    expect_publish(given);
    given_end(given);
}

static void copy_that_fails_may_be_replaced(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_range(1, &last);
    passed_heard(given, 10 * SHEAF_NS_PER_S);
    expect_run(given, 2, 0, 1);
    goodbye(given, 2, false);
    expect_fact(given, FACT_WORKER_LOST);
    hello(given, 3, 1);
    expect_welcome(given, 3);
    expect_run(given, 3, 0, 1);
    given_end(given);
}

static void assignment_within_its_time_gets_no_copy(void **state)
{
    (void)state;
    struct given *given = given_tasks(3);
    hello(given, 1, 1);
    expect_welcome(given, 1);
    struct effect first = expect_run(given, 1, 0, 1);
    struct effect second = expect_run(given, 1, 1, 1);
    reported_in(given, &first, 10 * SHEAF_NS_PER_S); /* now tasks are known to take 10 s */
    struct effect third = expect_run(given, 1, 2, 1);
    hello(given, 2, 1);
    expect_welcome(given, 2);
    expect_take_back(given, &third);
    returned(given, &third, 0, 0);
    expect_take_back(given, &second);
    returned(given, &second, 0, 0);
    passed_heard(given, 18 * SHEAF_NS_PER_S);
    expect_no_more(given);
    passed_heard(given, 10 * SHEAF_NS_PER_S);
    expect_run(given, 2, 1, 1);
    skip_output(given);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_joins_a_full_subtree),
        cmocka_unit_test(last_result_leads_to_the_root_and_its_publication),
        cmocka_unit_test(merge_of_a_lost_worker_runs_elsewhere),
        cmocka_unit_test(merge_that_always_fails_fails_the_job),
        cmocka_unit_test(large_merge_is_shared_out_in_halves),
        cmocka_unit_test(whole_subtrees_are_merged_before_one_that_is_cut_short),
        cmocka_unit_test(absent_results_are_merged_without_an_executor),
        cmocka_unit_test(collected_results_are_never_merged),
        cmocka_unit_test(finish_runs_once_before_publication),
        cmocka_unit_test(job_without_tasks_is_finished_and_published),
        cmocka_unit_test(restart_goes_on_where_the_run_ended),
        cmocka_unit_test(damage_of_a_finished_job_is_mended_before_it_ends),
        cmocka_unit_test(nothing_is_published_before_results_are_checked),
        cmocka_unit_test(restart_repeats_the_finish),
        cmocka_unit_test(restart_of_a_failed_job_ends_at_once),
        cmocka_unit_test(restart_tries_troubled_tasks_again),
        cmocka_unit_test(damaged_result_is_made_again),
        cmocka_unit_test(damage_found_when_publishing_publishes_later),
        cmocka_unit_test(idle_slot_takes_back_what_should_end_last),
        cmocka_unit_test(worker_takes_back_from_itself_for_its_other_slots),
        cmocka_unit_test(assignment_with_nothing_to_give_back_is_copied_when_late),
        cmocka_unit_test(late_assignment_gets_one_copy),
        cmocka_unit_test(silent_worker_does_not_hold_up_the_copy),
        cmocka_unit_test(copy_that_fails_may_be_replaced),
        cmocka_unit_test(assignment_within_its_time_gets_no_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
