/* test_slot_stop.c - what slots run when the run is to stop. */
#include "slot_fixture.h"

#include "../../scheduler/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct slot_fixture *given_patient_tasks(const char *then)
{
    struct slot_fixture *fixture = given_job("patient");
    given_parameter(fixture, "then", then);
    fixture->has_merge = true;
    given_slots(fixture, 1);
    return fixture;
}

static void task_that_is_told_may_finish(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_patient_tasks("finish");
    when_given(fixture, 0, WORK_RUN, (struct range){3, 1}, 8);
    assert_true(nothing_happens_for_ms(fixture, 50));
    slot_set_stop(fixture->slots);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->tasks_run, 1);
    assert_int_equal(event->partial_count, 1);
    assert_memory_equal(event->body, "3", 1);
    fixture_end(fixture);
}

static void task_that_gives_up_is_left_undone_with_all_after_it(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_patient_tasks("give up");
    when_given(fixture, 0, WORK_RUN, (struct range){2, 4}, 8);
    assert_true(nothing_happens_for_ms(fixture, 50));
    slot_set_stop(fixture->slots);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->range.first, 2);
    assert_int_equal(event->range.count, 0);
    assert_int_equal(event->partial_count, 0);
    fixture_end(fixture);
}

static void task_that_fails_for_good_has_failed(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_patient_tasks("fail for good");
    when_given(fixture, 0, WORK_RUN, (struct range){2, 1}, 8);
    slot_set_stop(fixture->slots);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    assert_true(event->is_for_good);
    assert_int_equal(event->cause, CAUSE_PLUGIN);
    next_event_is(fixture, SLOT_EVENT_DONE);
    fixture_end(fixture);
}

static void merge_that_gives_up_uses_up_no_attempt(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_patient_tasks("give up");
    struct byte_writer body = {0};
    for (uint64_t task = 0; task < 2; task++) {
        byte_writer_put_u64(&body, task);
        byte_writer_put_u64(&body, 1);
        byte_writer_put_u8(&body, false);
        byte_writer_put_string(&body, "x");
    }
    const struct work_order order = {.assignment = 1,
                                     .work = WORK_MERGE,
                                     .range = {0, 2},
                                     .attempt = 1,
                                     .task_count = 8,
                                     .body = body.data,
                                     .body_size = body.size};
    when_order(fixture, 0, &order);
    byte_writer_close(&body);
    assert_true(nothing_happens_for_ms(fixture, 50));
    slot_set_stop(fixture->slots);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_FAILED);
    assert_int_equal(event->cause, CAUSE_STOPPED);
    assert_false(cause_counts(event->cause));
    fixture_end(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(task_that_is_told_may_finish),
        cmocka_unit_test(task_that_gives_up_is_left_undone_with_all_after_it),
        cmocka_unit_test(task_that_fails_for_good_has_failed),
        cmocka_unit_test(merge_that_gives_up_uses_up_no_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
