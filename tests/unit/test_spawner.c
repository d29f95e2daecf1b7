/* test_spawner.c - a spawner is replaced by one as untouched as it was. */
#include "slot_fixture.h"

#include "../../runtime/shared_memory.h"
#include "../../runtime/spawner.h"
#include "../../runtime/spawner_again.h"
#include "../../scheduler/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check_range(struct range range, uint64_t first, uint64_t count)
{
    assert_int_equal(range.first, first);
    assert_int_equal(range.count, count);
}

/* The second job's plug-in never was in the process of the first one's spawner. */
static void spawner_has_a_successor_for_the_job_that_follows(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("trouble");
    struct sheaf_error error;
    given_parameter(fixture, "where", "run");
    given_parameter(fixture, "how", "return");
    assert_int_equal(spawner_order_successor(fixture->spawner, &error), 0);
    given_slots(fixture, 1);
    when_given(fixture, 0, WORK_RUN, (struct range){0, 1}, 1);
    next_event_is(fixture, SLOT_EVENT_FAILED);
    slot_set_destroy(fixture->slots);
    fixture->slots = NULL;
    assert_int_equal(spawner_renew(fixture->spawner, &error), 0);
    free(fixture->job.plugin_path);
    fixture->job.plugin_path = memory_copy_string(plugin_path("brackets"));
    given_slots(fixture, 2);
    when_given(fixture, 1, WORK_RUN, (struct range){0, 3}, 3);
    check_range(next_event_is(fixture, SLOT_EVENT_DONE)->range, 0, 3);
    slot_set_destroy(fixture->slots);
    fixture->slots = NULL;
    fixture_end(fixture);
}

/* Nobody needs it: it ends with the spawner. */
static void successor_that_is_not_used_is_not_left_behind(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    struct sheaf_error error;
    assert_int_equal(spawner_order_successor(fixture->spawner, &error), 0);
    given_slots(fixture, 1);
    fixture_end(fixture);
}

/* Each makes another first, and is killed. */
static void spawner_that_is_killed_is_replaced(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    struct sheaf_error error;
    assert_int_equal(spawner_reserve_successor(fixture->spawner, &error), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spawner_order_successor(fixture->spawner, &error), 0);
        given_slots(fixture, 1);
        kill(spawner_process(fixture->spawner), SIGKILL);
        next_event_is(fixture, SLOT_EVENT_PREPARE_FAILED);
        slot_set_destroy(fixture->slots);
        fixture->slots = NULL;
        assert_int_equal(spawner_renew(fixture->spawner, &error), 0);
    }
    given_slots(fixture, 1);
    fixture_end(fixture);
}

/* No other was ordered, or somebody has killed that, too. */
static void spawner_is_made_anew_when_none_is_left(void **state)
{
    (void)state;
    struct slot_fixture *fixture = given_job("brackets");
    struct sheaf_error error;
    for (int i = 0; i < 3; i++) {
        given_slots(fixture, 1);
        kill(spawner_process(fixture->spawner), SIGKILL);
        next_event_is(fixture, SLOT_EVENT_PREPARE_FAILED);
        slot_set_destroy(fixture->slots);
        fixture->slots = NULL;
        assert_int_equal(spawner_renew(fixture->spawner, &error), 0);
        if (i == 0) /* this one can make another, too */
            assert_int_equal(spawner_order_successor(fixture->spawner, &error), 0);
    }
    given_slots(fixture, 2);
    when_given(fixture, 1, WORK_RUN, (struct range){0, 3}, 3);
    check_range(next_event_is(fixture, SLOT_EVENT_DONE)->range, 0, 3);
    fixture_end(fixture);
}

/* Who shrinks a file kills whoever touches it where it is mapped. */
static void shared_memory_keeps_its_size(void **state)
{
    (void)state;
    void *memory = NULL;
    int descriptor = shared_memory_create("test", 8192, &memory);
    assert_true(descriptor >= 0);
    assert_int_equal(ftruncate(descriptor, 4096), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(descriptor, 16384), -1);
    assert_int_equal(errno, EPERM);
    ((volatile char *)memory)[8191] = 1;
    munmap(memory, 8192);
    close(descriptor);
}

int main(void)
{
    spawner_again_enter(); /* it may be executed for that */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawner_has_a_successor_for_the_job_that_follows),
        cmocka_unit_test(successor_that_is_not_used_is_not_left_behind),
        cmocka_unit_test(spawner_that_is_killed_is_replaced),
        cmocka_unit_test(spawner_is_made_anew_when_none_is_left),
        cmocka_unit_test(shared_memory_keeps_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
