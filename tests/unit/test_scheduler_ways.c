/* test_scheduler_ways.c - long ways to workers: what is copied at the end, and to whom. */
#include "scheduler_fixture.h"

enum { NEAR = 1, FAR = 2, OTHER = 3 };

/* The report of a task of 1 s, for which the order and the report took so long. */
static void reported_from_far(struct given *given, const struct effect *assign, uint64_t travel_ns)
{
    given->now_ns += SHEAF_NS_PER_S + travel_ns;
    const struct partial node = {.range = assign->range, .size_bytes = 1};
    sent(given, (struct input_report){.worker = assign->worker,
                                      .incarnation = state_incarnation(state_of(given)),
                                      .assignment = assign->assignment,
                                      .work = assign->work,
                                      .tasks_run = 1,
                                      .busy_ns = SHEAF_NS_PER_S,
                                      .held_ns = SHEAF_NS_PER_S,
                                      .partial_count = 1,
                                      .partials = &node});
    expect_fact(given, FACT_RESULT);
}

static void arriving(struct given *given, const struct effect *assign, uint64_t left_ns)
{
    heard_as(given, (struct input_heard){.worker = assign->worker,
                                         .assignment = assign->assignment,
                                         .left_ns = left_ns});
}

static struct given *given_single_tasks(uint64_t task_count)
{
    struct scheduler_config config = scheduler_config_default();
    config.range_count_max = 1;
    config.prefetch_per_slot = 0;
    config.lost_after_ns = 60 * SHEAF_NS_PER_S;
    return given_job(&config, (struct fact_job_accepted){.task_count = task_count});
}

static void joined(struct given *given, uint32_t worker)
{
    hello(given, worker, 1);
    expect_welcome(given, worker);
}

static void who_has_finished_nothing_is_judged_by_what_others_took(void **state)
{
    (void)state;
    struct given *given = given_single_tasks(2);
    joined(given, FAR);
    expect_run(given, FAR, 0, 1);
    joined(given, NEAR);
    struct effect near = expect_run(given, NEAR, 1, 1);
    reported_from_far(given, &near, 0);
    expect_no_more(given);
    passed(given, 3 * SHEAF_NS_PER_S);
    expect_no_more(given);
    passed(given, 3 * SHEAF_NS_PER_S);
    expect_run(given, NEAR, 0, 1);
    given_end(given);
}

static void copy_goes_where_its_result_should_come_from_first(void **state)
{
    (void)state;
    struct given *given = given_single_tasks(4);
    joined(given, FAR);
    struct effect first = expect_run(given, FAR, 0, 1);
    reported_from_far(given, &first, 8 * SHEAF_NS_PER_S);
    struct effect second = expect_run(given, FAR, 1, 1);
    joined(given, NEAR);
    struct effect near = expect_run(given, NEAR, 2, 1);
    joined(given, OTHER);
    expect_run(given, OTHER, 3, 1);
    reported_from_far(given, &second, 0);
    expect_no_more(given);
    reported_from_far(given, &near, 0); /* the far one is idle for longer, and first in turn */
    expect_run(given, NEAR, 3, 1);
    given_end(given);
}

/* Two near workers; the second holds the last task, the first is idle. */
static struct given *given_last_task(struct effect *last)
{
    struct given *given = given_single_tasks(2);
    joined(given, NEAR);
    struct effect first = expect_run(given, NEAR, 0, 1);
    joined(given, OTHER);
    *last = expect_run(given, OTHER, 1, 1);
    reported_from_far(given, &first, 0);
    expect_no_more(given);
    return given;
}

static void result_that_is_on_its_way_is_not_overtaken_by_a_copy(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_task(&last);
    for (int i = 0; i < 20; i++) {
        arriving(given, &last, SHEAF_NS_PER_S * 9 / 10);
        expect_no_more(given);
        given->now_ns += SHEAF_NS_PER_S / 2;
    }
    reported_from_far(given, &last, 0);
    expect_publish(given);
    given_end(given);
}

static void result_that_comes_very_slowly_is_copied(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_task(&last);
    given->now_ns += 6 * SHEAF_NS_PER_S;
    arriving(given, &last, 30 * SHEAF_NS_PER_S);
    expect_run(given, NEAR, 1, 1);
    given_end(given);
}

static void result_that_stops_on_its_way_is_copied(void **state)
{
    (void)state;
    struct effect last;
    struct given *given = given_last_task(&last);
    given->now_ns += 6 * SHEAF_NS_PER_S;
    arriving(given, &last, SHEAF_NS_PER_S / 2);
    expect_no_more(given);
    passed(given, SHEAF_NS_PER_S);
    expect_run(given, NEAR, 1, 1);
    given_end(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_finished_nothing_is_judged_by_what_others_took),
        cmocka_unit_test(copy_goes_where_its_result_should_come_from_first),
        cmocka_unit_test(result_that_is_on_its_way_is_not_overtaken_by_a_copy),
        cmocka_unit_test(result_that_comes_very_slowly_is_copied),
        cmocka_unit_test(result_that_stops_on_its_way_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
