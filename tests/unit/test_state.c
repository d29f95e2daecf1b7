/* test_state.c - what each fact changes. */
#include "state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void lost(struct state *job, uint32_t worker)
{
    apply(job, (struct fact){.kind = FACT_WORKER_LOST,
                             .as.worker_lost = {.worker = worker, .cause = CAUSE_WORKER_LOST}});
}

static uint64_t assigned(struct state *job, uint32_t worker, uint64_t first, uint64_t count)
{
    return apply(job, (struct fact){.kind = FACT_ASSIGNED,
                                    .as.assigned = {.worker = worker,
                                                    .work = WORK_RUN,
                                                    .range = {first, count},
                                                    .attempt = 1}});
}

static uint64_t copied(struct state *job, uint32_t worker, uint64_t original)
{
    struct range range = state_find_assignment(job, original)->range;
    return apply(job, (struct fact){.kind = FACT_ASSIGNED,
                                    .as.assigned = {.worker = worker,
                                                    .work = WORK_RUN,
                                                    .range = range,
                                                    .attempt = 1,
                                                    .copy_of = original}});
}

static uint64_t assigned_work(struct state *job, enum work work, struct range range)
{
    return apply(job, (struct fact){.kind = FACT_ASSIGNED,
                                    .as.assigned = {.worker = 1, .work = work, .range = range}});
}

static uint64_t result(struct state *job, enum work work, uint64_t assignment, struct range range)
{
    struct partial partial = {.range = range, .size_bytes = 8};
    return apply(job, (struct fact){.kind = FACT_RESULT,
                                    .as.result = {.worker = 1,
                                                  .assignment = assignment,
                                                  .work = work,
                                                  .partial_count = 1,
                                                  .partials = &partial}});
}

static uint64_t ran(struct state *job, uint64_t assignment, uint64_t first, uint64_t count)
{
    return result(job, WORK_RUN, assignment, (struct range){first, count});
}

static void every_task_is_counted_where_it_stands(void **state)
{
    (void)state;
    struct state *job = given_tasks(10);
    uint64_t out = assigned(job, 1, 0, 4);
    struct fact_attempt_failed retried = failure_of(out, 1);
    struct fact_attempt_failed final = failure_of(out, 2);
    final.is_final = true;
    apply(job, (struct fact){.kind = FACT_ATTEMPT_FAILED, .as.attempt_failed = retried});
    apply(job, (struct fact){.kind = FACT_ATTEMPT_FAILED, .as.attempt_failed = final});
    ran(job, 0, 0, 1);
    struct task_counts counts = state_count_tasks(job);
    assert_int_equal(counts.total, 10);
    assert_int_equal(counts.done, 1);
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.not_run, 0);
    assert_int_equal(counts.waiting, 1);
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.open, 6);
    assert_int_equal(task_counts_ended(&counts), 2);
    task_counts_abandon(&counts);
    assert_int_equal(counts.running, 0);
    assert_int_equal(counts.open, 7);
    state_destroy(job);
}

static void ended(struct state *job, uint64_t assignment)
{
    apply(job, (struct fact){.kind = FACT_RESULT,
                             .as.result = {.assignment = assignment, .work = WORK_RUN}});
}

static void returned(struct state *job, uint64_t assignment, struct range range, bool is_whole)
{
    apply(job, (struct fact){.kind = FACT_RETURNED,
                             .as.returned = {
                                 .assignment = assignment, .range = range, .is_whole = is_whole}});
}

static void failed(struct state *job, struct fact_attempt_failed failure)
{
    apply(job, (struct fact){.kind = FACT_ATTEMPT_FAILED, .as.attempt_failed = failure});
}

static void result_lost(struct state *job, uint64_t first, uint64_t count)
{
    apply(job, (struct fact){.kind = FACT_RESULT_LOST, .as.result_lost = {{first, count}}});
}

static void assert_set(const struct range_set *set, const struct range *expected, size_t count)
{
    struct range found = {0, 0};
    for (size_t i = 0; i < count; i++) {
        assert_true(range_set_find_from(set, range_end(found), &found));
        assert_int_equal(found.first, expected[i].first);
        assert_int_equal(found.count, expected[i].count);
    }
    assert_false(range_set_find_from(set, range_end(found), &found));
}

#define assert_open(job, ...)                                                                      \
    assert_set(state_open(job), (struct range[]){__VA_ARGS__},                                     \
               sizeof((struct range[]){__VA_ARGS__}) / sizeof(struct range))
#define assert_done(job, ...)                                                                      \
    assert_set(state_done(job), (struct range[]){__VA_ARGS__},                                     \
               sizeof((struct range[]){__VA_ARGS__}) / sizeof(struct range))
#define assert_none_open(job) assert_int_equal(state_open(job)->task_count, 0)

static void assert_out(const struct state *job, uint64_t assignment, bool is_out)
{
    assert_int_equal(state_find_assignment(job, assignment) != NULL, is_out);
}

static void accepted_job_is_all_open(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    assert_int_equal(state_phase(job), PHASE_RUNNING);
    assert_int_equal(state_job(job)->task_count, 100);
    assert_open(job, {0, 100});
    assert_int_equal(state_worker_count(job), 2);
    assert_int_equal(state_slot_count(job), 4);
    state_destroy(job);
}

static void job_without_tasks_needs_only_its_finish(void **state)
{
    (void)state;
    struct state *job = given_tasks(0);
    assert_int_equal(state_phase(job), PHASE_PUBLISHING);
    state_destroy(job);
    job = given_job((struct fact_job_accepted){.has_merge = true, .has_finish = true});
    assert_int_equal(state_phase(job), PHASE_FINISHING);
    state_destroy(job);
}

static void result_makes_its_tasks_done_and_the_rest_open(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t out = assigned(job, 1, 0, 64);
    assert_open(job, {64, 36});
    uint64_t seq = ran(job, out, 0, 32);
    assert_done(job, {0, 32});
    assert_open(job, {32, 68});
    assert_out(job, out, false);
    assert_int_equal(state_find_partial(job, 0)->payload_seq, seq);
    assert_int_equal(state_find_worker(job, 1)->assignment_count, 0);
    state_destroy(job);
}

static void second_result_of_a_task_is_dropped(void **state)
{
    (void)state;
    struct state *job = given_tasks(64);
    uint64_t first = ran(job, 0, 0, 32);
    ran(job, 0, 0, 64);
    ran(job, 0, 16, 16);
    assert_done(job, {0, 32});
    assert_int_equal(state_partial_count(job), 1);
    assert_int_equal(state_find_partial(job, 0)->payload_seq, first);
    state_destroy(job);
}

static void result_that_is_no_node_is_dropped(void **state)
{
    (void)state;
    struct state *job = given_tasks(64);
    ran(job, 0, 1, 2);
    ran(job, 0, 32, 64);
    assert_int_equal(state_partial_count(job), 0);
    state_destroy(job);
}

static void collected_results_may_be_of_any_range(void **state)
{
    (void)state;
    struct state *job = given_job((struct fact_job_accepted){.task_count = 10});
    ran(job, assigned(job, 1, 3, 4), 3, 4);
    ran(job, 0, 0, 3);
    assert_int_equal(state_phase(job), PHASE_RUNNING);
    ran(job, 0, 7, 3);
    assert_int_equal(state_partial_count(job), 3);
    assert_int_equal(state_phase(job), PHASE_PUBLISHING);
    state_destroy(job);
}

static void lost_worker_gives_back_what_it_held(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t a = assigned(job, 1, 0, 10);
    uint64_t b = assigned(job, 2, 10, 10);
    lost(job, 1);
    assert_open(job, {0, 10}, {20, 80});
    assert_out(job, a, false);
    assert_out(job, b, true);
    assert_null(state_find_worker(job, 1));
    assert_int_equal(state_slot_count(job), 2);
    state_destroy(job);
}

static void twin_keeps_the_tasks_of_a_lost_worker(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t original = assigned(job, 1, 0, 10);
    uint64_t copy = copied(job, 2, original);
    assert_int_equal(state_find_assignment(job, original)->twin, copy);
    lost(job, 1);
    assert_open(job, {10, 90});
    assert_int_equal(state_find_assignment(job, copy)->twin, 0);
    lost(job, 2);
    assert_open(job, {0, 100});
    state_destroy(job);
}

static void result_of_one_twin_ends_both(void **state)
{
    (void)state;
    struct state *job = given_tasks(64);
    uint64_t original = assigned(job, 1, 0, 16);
    uint64_t copy = copied(job, 2, original);
    ran(job, copy, 0, 16);
    size_t count;
    const struct assignment *over = state_ended(job, &count);
    assert_int_equal(count, 2);
    assert_int_equal(over[0].seq, original);
    assert_int_equal(over[1].seq, copy);
    assert_open(job, {16, 48});
    state_destroy(job);
}

static void late_result_ends_whoever_repeats_it(void **state)
{
    (void)state;
    struct state *job = given_tasks(64);
    uint64_t late = assigned(job, 1, 0, 32);
    lost(job, 1);
    uint64_t small = assigned(job, 2, 0, 16);
    uint64_t large = assigned(job, 2, 16, 48);
    ran(job, late, 0, 32);
    assert_out(job, small, false);
    assert_out(job, large, true);
    assert_none_open(job);
    ended(job, large);
    assert_open(job, {32, 32});
    state_destroy(job);
}

static void returned_end_is_open_again(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t out = assigned(job, 1, 0, 64);
    returned(job, out, (struct range){40, 24}, false);
    assert_open(job, {40, 60});
    assert_int_equal(state_find_assignment(job, out)->range.count, 40);
    returned(job, out, (struct range){10, 10}, false);
    assert_open(job, {40, 60});
    returned(job, out, (struct range){0, 0}, true);
    assert_out(job, out, false);
    assert_open(job, {0, 100});
    state_destroy(job);
}

static void end_that_a_twin_holds_stays_closed(void **state)
{
    (void)state;
    struct state *job = given_tasks(64);
    uint64_t original = assigned(job, 1, 0, 64);
    uint64_t copy = copied(job, 2, original);
    returned(job, original, (struct range){32, 32}, false);
    assert_none_open(job);
    ran(job, original, 0, 32);
    assert_out(job, copy, true);
    assert_none_open(job);
    ended(job, copy);
    assert_open(job, {32, 32});
    state_destroy(job);
}

static void failed_task_is_in_trouble_and_not_open(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    uint64_t out = assigned(job, 1, 0, 8);
    struct fact_attempt_failed failure = failure_of(out, 3);
    failure.not_before_ns = 55;
    failed(job, failure);
    const struct trouble *trouble = state_find_trouble(job, WORK_RUN, (struct range){3, 1});
    assert_int_equal(trouble->attempts, 1);
    assert_int_equal(trouble->crashes, 0);
    assert_int_equal(trouble->last_worker, 1);
    assert_int_equal(trouble->not_before_ns, 55);
    assert_out(job, out, true);
    ran(job, out, 0, 2);
    assert_open(job, {2, 1}, {4, 4});
    state_destroy(job);
}

static void crash_costs_one_task_its_attempt(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    uint64_t out = assigned(job, 1, 0, 8);
    struct fact_attempt_failed failure = failure_of(out, 3);
    failure.is_crash = true;
    failed(job, failure);
    assert_out(job, out, false);
    assert_open(job, {0, 3}, {4, 4});
    assert_int_equal(state_find_trouble(job, WORK_RUN, (struct range){3, 1})->crashes, 1);
    state_destroy(job);
}

static void blameless_failure_uses_up_no_attempt(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    struct fact_attempt_failed failure = failure_of(assigned(job, 1, 0, 8), 3);
    failure.cause = CAUSE_STOPPED;
    failed(job, failure);
    assert_int_equal(state_find_trouble(job, WORK_RUN, (struct range){3, 1})->attempts, 0);
    state_destroy(job);
}

static void retry_is_out_until_it_ends(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    struct range task = {3, 1};
    failed(job, failure_of(assigned(job, 1, 0, 8), 3));
    uint64_t retry = assigned(job, 2, 3, 1);
    assert_true(state_find_assignment(job, retry)->is_retry);
    assert_int_equal(state_find_trouble(job, WORK_RUN, task)->assignment, retry);
    lost(job, 2);
    assert_int_equal(state_find_trouble(job, WORK_RUN, task)->assignment, 0);
    assert_none_open(job);
    state_destroy(job);
}

static void late_success_ends_the_trouble_and_its_retry(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    failed(job, failure_of(assigned(job, 1, 0, 8), 3));
    uint64_t retry = assigned(job, 2, 3, 1);
    ran(job, 0, 3, 1);
    assert_null(state_find_trouble(job, WORK_RUN, (struct range){3, 1}));
    assert_out(job, retry, false);
    assert_done(job, {3, 1});
    state_destroy(job);
}

static void final_failure_is_done_without_a_result(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    uint64_t out = assigned(job, 1, 3, 1);
    struct fact_attempt_failed failure = failure_of(out, 3);
    failure.is_final = true;
    failed(job, failure);
    assert_done(job, {3, 1});
    assert_true(state_find_partial(job, 3)->is_absent);
    assert_int_equal(state_failed_task_count(job), 1);
    assert_out(job, out, false);
    ran(job, 0, 3, 1);
    assert_true(state_find_partial(job, 3)->is_absent);
    assert_int_equal(state_failed_task_count(job), 1);
    state_destroy(job);
}

static void merge_replaces_what_it_joined(void **state)
{
    (void)state;
    struct state *job = given_tasks(8);
    for (uint64_t task = 0; task < 8; task += 2)
        ran(job, 0, task, 2);
    assert_int_equal(state_phase(job), PHASE_RUNNING);
    uint64_t merge = assigned_work(job, WORK_MERGE, (struct range){0, 4});
    result(job, WORK_MERGE, merge, (struct range){0, 4});
    assert_int_equal(state_partial_count(job), 3);
    assert_out(job, merge, false);
    uint64_t seq = result(job, WORK_MERGE, 0, (struct range){0, 8});
    assert_int_equal(state_partial_count(job), 1);
    assert_int_equal(state_find_partial(job, 0)->payload_seq, seq);
    assert_int_equal(state_phase(job), PHASE_PUBLISHING);
    result(job, WORK_MERGE, 0, (struct range){0, 4});
    assert_int_equal(state_find_partial(job, 0)->payload_seq, seq);
    state_destroy(job);
}

static struct state *given_finishing(void)
{
    struct state *job = given_job(
        (struct fact_job_accepted){.task_count = 4, .has_merge = true, .has_finish = true});
    ran(job, 0, 0, 4);
    assert_int_equal(state_phase(job), PHASE_FINISHING);
    return job;
}

static void output_of_finish_is_what_is_published(void **state)
{
    (void)state;
    struct state *job = given_finishing();
    assert_null(state_output(job));
    uint64_t finish = assigned_work(job, WORK_FINISH, (struct range){0, 4});
    uint64_t seq = result(job, WORK_FINISH, finish, (struct range){0, 4});
    assert_int_equal(state_phase(job), PHASE_PUBLISHING);
    assert_int_equal(state_output(job)->payload_seq, seq);
    assert_out(job, finish, false);
    apply(job, (struct fact){.kind = FACT_JOB_FINISHED, .as.job_finished = {0}});
    assert_int_equal(state_phase(job), PHASE_FINISHED);
    result_lost(job, 0, 4);
    assert_int_equal(state_phase(job), PHASE_FINISHED);
    assert_done(job, {0, 4});
    state_destroy(job);
}

static void lost_output_is_finished_again(void **state)
{
    (void)state;
    struct state *job = given_finishing();
    result(job, WORK_FINISH, 0, (struct range){0, 4});
    result_lost(job, 0, 4);
    assert_int_equal(state_phase(job), PHASE_FINISHING);
    assert_null(state_output(job));
    assert_done(job, {0, 4});
    result_lost(job, 0, 4);
    assert_int_equal(state_phase(job), PHASE_RUNNING);
    assert_open(job, {0, 4});
    state_destroy(job);
}

static void lost_result_costs_all_tasks_of_its_partial(void **state)
{
    (void)state;
    struct state *job = given_tasks(16);
    ran(job, 0, 0, 8);
    ran(job, 0, 8, 4);
    uint64_t merge = assigned_work(job, WORK_MERGE, (struct range){0, 8});
    result_lost(job, 3, 1);
    assert_done(job, {8, 4});
    assert_open(job, {0, 8}, {12, 4});
    assert_out(job, merge, false);
    state_destroy(job);
}

static void lost_result_in_flight_elsewhere_is_not_open(void **state)
{
    (void)state;
    struct state *job = given_tasks(16);
    uint64_t out = assigned(job, 2, 0, 16);
    ran(job, 0, 0, 8);
    result_lost(job, 0, 8);
    assert_none_open(job);
    ended(job, out);
    assert_open(job, {0, 16});
    state_destroy(job);
}

static void new_run_starts_without_workers(void **state)
{
    (void)state;
    struct state *job = given_tasks(16);
    assigned(job, 1, 0, 4);
    struct fact_attempt_failed failure = failure_of(assigned(job, 2, 4, 4), 5);
    failure.not_before_ns = 1000;
    failed(job, failure);
    ran(job, 0, 8, 8);
    run_started(job, 2);
    assert_int_equal(state_incarnation(job), 2);
    assert_int_equal(state_worker_count(job), 0);
    assert_open(job, {0, 5}, {6, 2});
    const struct trouble *trouble = state_find_trouble(job, WORK_RUN, (struct range){5, 1});
    assert_int_equal(trouble->attempts, 1);
    assert_int_equal(trouble->not_before_ns, 0);
    assert_int_equal(trouble->last_worker, WORKER_NONE);
    state_destroy(job);
}

static void other_tasks_make_old_results_void(void **state)
{
    (void)state;
    struct state *job = given_tasks(16);
    struct fact_job_accepted accepted = *state_job(job);
    ran(job, assigned(job, 1, 0, 4), 0, 4);
    apply(job, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = accepted});
    assert_done(job, {0, 4});
    accepted.input_crc = 1;
    apply(job, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = accepted});
    assert_open(job, {0, 16});
    assert_int_equal(state_partial_count(job), 0);
    state_destroy(job);
}

static void results_without_a_job_are_ignored(void **state)
{
    (void)state;
    struct state *job = state_create();
    run_started(job, 1);
    joined(job, 1);
    ran(job, assigned(job, 1, 0, 4), 0, 4);
    assert_int_equal(state_phase(job), PHASE_NEW);
    assert_int_equal(state_done(job)->task_count, 0);
    assert_null(state_job(job));
    state_destroy(job);
}

static void fact_that_was_applied_before_is_ignored(void **state)
{
    (void)state;
    struct state *job = given_tasks(16);
    uint64_t last_seq = state_last_seq(job);
    struct fact fact = {.kind = FACT_JOB_FINISHED, .seq = last_seq};
    state_apply(job, &fact);
    assert_int_equal(state_phase(job), PHASE_RUNNING);
    fact.seq = last_seq + 10;
    state_apply(job, &fact);
    assert_int_equal(state_phase(job), PHASE_FINISHED);
    assert_int_equal(state_last_seq(job), last_seq + 10);
    state_destroy(job);
}

static void overlapping_assignment_proves_the_older_one_over(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    uint64_t older = assigned(job, 1, 0, 20);
    uint64_t newer = assigned(job, 2, 10, 20);
    assert_out(job, older, false);
    assert_out(job, newer, true);
    assert_open(job, {0, 10}, {30, 70});
    state_destroy(job);
}

static void failed_job_says_why(void **state)
{
    (void)state;
    struct state *job = given_tasks(100);
    assert_null(state_job_failure(job));
    apply(job, (struct fact){.kind = FACT_JOB_FAILED,
                             .as.job_failed = {.work = WORK_MERGE, .cause = CAUSE_TIMEOUT}});
    assert_int_equal(state_phase(job), PHASE_FAILED);
    assert_int_equal(state_job_failure(job)->cause, CAUSE_TIMEOUT);
    run_started(job, 2);
    assert_int_equal(state_phase(job), PHASE_FAILED);
    state_destroy(job);
}

static void merge_counts_its_failures(void **state)
{
    (void)state;
    struct state *job = given_tasks(4);
    struct range all = {0, 4};
    ran(job, 0, 0, 2);
    ran(job, 0, 2, 2);
    struct fact_attempt_failed failure = failure_of(assigned_work(job, WORK_MERGE, all), 0);
    failure.work = WORK_MERGE;
    failure.range = all;
    failed(job, failure);
    assert_out(job, failure.assignment, false);
    assert_int_equal(state_find_trouble(job, WORK_MERGE, all)->attempts, 1);
    result(job, WORK_MERGE, 0, all);
    assert_null(state_find_trouble(job, WORK_MERGE, all));
    state_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_counted_where_it_stands),
        cmocka_unit_test(accepted_job_is_all_open),
        cmocka_unit_test(job_without_tasks_needs_only_its_finish),
        cmocka_unit_test(result_makes_its_tasks_done_and_the_rest_open),
        cmocka_unit_test(second_result_of_a_task_is_dropped),
        cmocka_unit_test(result_that_is_no_node_is_dropped),
        cmocka_unit_test(collected_results_may_be_of_any_range),
        cmocka_unit_test(lost_worker_gives_back_what_it_held),
        cmocka_unit_test(twin_keeps_the_tasks_of_a_lost_worker),
        cmocka_unit_test(result_of_one_twin_ends_both),
        cmocka_unit_test(late_result_ends_whoever_repeats_it),
        cmocka_unit_test(returned_end_is_open_again),
        cmocka_unit_test(end_that_a_twin_holds_stays_closed),
        cmocka_unit_test(failed_task_is_in_trouble_and_not_open),
        cmocka_unit_test(crash_costs_one_task_its_attempt),
        cmocka_unit_test(blameless_failure_uses_up_no_attempt),
        cmocka_unit_test(retry_is_out_until_it_ends),
        cmocka_unit_test(late_success_ends_the_trouble_and_its_retry),
        cmocka_unit_test(final_failure_is_done_without_a_result),
        cmocka_unit_test(merge_replaces_what_it_joined),
        cmocka_unit_test(output_of_finish_is_what_is_published),
        cmocka_unit_test(lost_output_is_finished_again),
        cmocka_unit_test(lost_result_costs_all_tasks_of_its_partial),
        cmocka_unit_test(lost_result_in_flight_elsewhere_is_not_open),
        cmocka_unit_test(new_run_starts_without_workers),
        cmocka_unit_test(other_tasks_make_old_results_void),
        cmocka_unit_test(results_without_a_job_are_ignored),
        cmocka_unit_test(fact_that_was_applied_before_is_ignored),
        cmocka_unit_test(overlapping_assignment_proves_the_older_one_over),
        cmocka_unit_test(failed_job_says_why),
        cmocka_unit_test(merge_counts_its_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
