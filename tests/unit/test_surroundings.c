/* test_surroundings.c - what a task finds around it, whatever those before it have done. */
#include "slot_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TASKS = 12 };

/* Task 2 changes something; the lines of all tasks say the same. */
static void check_all_find_the_same(const char *how)
{
    struct slot_fixture *fixture = given_job("untidy");
    given_parameter(fixture, "task", "2");
    given_parameter(fixture, "how", how);
    given_slots(fixture, 1);
    for (uint64_t first = 0; first < TASKS; first += TASKS / 2) {
        when_given(fixture, 0, WORK_RUN, (struct range){first, TASKS / 2}, TASKS);
        const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
        size_t line = event->body_size / (TASKS / 2);
        assert_int_equal(line * (TASKS / 2), event->body_size);
        for (size_t i = 1; i < TASKS / 2; i++)
            if (memcmp(event->body, event->body + i * line, line) != 0)
                fail_msg("%s: %.*s", how, (int)event->body_size, (const char *)event->body);
    }
    fixture_end(fixture);
}

static void no_task_finds_what_another_has_changed(void **state)
{
    (void)state;
    static const char *const ways[] = {
        "directory",     "mask",     "cores",      "signals",      "rounding",       "limit",
        "variable",      "string",   "fork",       "new variable", "no environment", "fork at once",
        "niceness",      "handler",  "alarm",      "timer",        "file",           "far file",
        "raw directory", "raw mask", "raw signals"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        check_all_find_the_same(ways[i]);
}

/* Its order ends early; the next one finds everything as the first task did. */
static void executor_that_cannot_be_set_back_is_replaced(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("untidy");
    char first[256];
    given_parameter(fixture, "task", "2");
    given_parameter(fixture, "how", "niceness for good");
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 6}, TASKS);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    assert_int_equal(event->range.count, 3);
    size_t line = event->body_size / 3;
    assert_true(line < sizeof first);
    memcpy(first, event->body, line);
    for (uint64_t task = 3; task < TASKS; task += 3) {
        when_given(fixture, 0, WORK_RUN, (struct range){task, 3}, TASKS);
        event = next_event_is(fixture, SLOT_EVENT_DONE);
        assert_int_equal(event->body_size, 3 * line);
        assert_memory_equal(event->body, first, line);
    }
    fixture_end(fixture);
}

static void check_threads(const char *text)
{
    struct slot_fixture *fixture = given_job("surroundings");
    CPU_ZERO(&fixture->place.cpus);
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&fixture->place.cpus) < 2; i++)
        if (CPU_ISSET(i, &allowed))
            CPU_SET(i, &fixture->place.cpus);
    char expected[64];
    snprintf(expected, sizeof expected, "%d %d", CPU_COUNT(&fixture->place.cpus),
             CPU_COUNT(&fixture->place.cpus));
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){7, 1}, 8);
    const struct slot_event *event = next_event_is(fixture, SLOT_EVENT_DONE);
    text = text != NULL ? text : expected;
    assert_int_equal(event->body_size, strlen(text));
    assert_memory_equal(event->body, text, strlen(text));
    fixture_end(fixture);
}

static void plugin_is_loaded_with_a_thread_for_each_core_of_its_slot(void **state)
{
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    check_threads(NULL);
}

static void number_of_threads_that_the_user_sets_stays(void **state)
{
    (void)state;
    setenv("OMP_NUM_THREADS", "5", 1);
    check_threads("5 5");
    unsetenv("OMP_NUM_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_task_finds_what_another_has_changed),
        cmocka_unit_test(executor_that_cannot_be_set_back_is_replaced),
        cmocka_unit_test(plugin_is_loaded_with_a_thread_for_each_core_of_its_slot),
        cmocka_unit_test(number_of_threads_that_the_user_sets_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
