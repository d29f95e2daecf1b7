/* test_pacing.c - ranges are as long as they should take, and no longer than their share. */
#include "../../scheduler/pacing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MANY ((uint64_t)1 << 40)

static const struct range all = {0, MANY};

/* Measured long enough to be believed. */
static struct pace given_pace(uint64_t task_ns)
{
    struct pace pace = {0};
    for (int i = 0; i < 20; i++)
        pace_measure(&pace, 1000 * 1000, 1000 * 1000 * task_ns);
    return pace;
}

static void range_takes_about_the_target(void **state)
{
    (void)state;
    const struct scheduler_config config = scheduler_config_default();
    const struct pace pace = given_pace(SHEAF_NS_PER_MS);
    struct range range = pacing_choose(&config, &pace, all, MANY, 2);
    assert_in_range(range.count, 37, 75);
}

static void ranges_grow_with_the_number_of_slots_that_report(void **state)
{
    (void)state;
    const struct scheduler_config config = scheduler_config_default();
    const struct pace pace = given_pace(SHEAF_NS_PER_MS);
    assert_int_equal(pacing_choose(&config, &pace, all, MANY, 3000).count,
                     pacing_choose(&config, &pace, all, MANY, 1).count);
    struct range range = pacing_choose(&config, &pace, all, MANY, 100 * 1000);
    assert_in_range(range.count, 1000, 2000);
    struct scheduler_config impatient = config;
    impatient.range_count_max = 10;
    range = pacing_choose(&impatient, &pace, all, MANY, 100 * 1000);
    assert_in_range(range.count, 5, 10);
}

static void first_range_is_one_task(void **state)
{
    (void)state;
    const struct scheduler_config config = scheduler_config_default();
    const struct pace unknown = {0};
    assert_int_equal(pacing_choose(&config, &unknown, all, MANY, 2).count, 1);
}

static void range_leaves_the_others_their_share(void **state)
{
    (void)state;
    const struct scheduler_config config = scheduler_config_default();
    const struct pace pace = given_pace(1);
    struct range range = pacing_choose(&config, &pace, (struct range){0, 1000}, 1000, 10);
    assert_in_range(range.count, 25, 50);
}

/* The way takes 300 ms: a slot that had its next range sent ahead waits for what that leaves. */
static void slot_that_runs_dry_gets_longer_ranges(void **state)
{
    (void)state;
    const struct scheduler_config config = scheduler_config_default();
    struct pace pace = given_pace(SHEAF_NS_PER_MS);
    const uint64_t way_ns = 300 * SHEAF_NS_PER_MS;
    uint64_t busy_ns = 0;
    uint64_t idle_ns = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t took_ns = pacing_choose(&config, &pace, all, MANY, 2).count * SHEAF_NS_PER_MS;
        uint64_t waited_ns = took_ns < way_ns ? way_ns - took_ns : 0;
        pace_note_idle(&pace, waited_ns);
        busy_ns += took_ns;
        idle_ns += waited_ns;
    }
    assert_in_range(idle_ns * 100 / busy_ns, 0, 3);
    for (int i = 0; i < 10000; i++)
        pace_note_idle(&pace, 10 * 1000);
    assert_in_range(pacing_choose(&config, &pace, all, MANY, 2).count, 37, 75);
    pace_note_idle(&pace, UINT64_MAX);
    pace_note_idle(&pace, UINT64_MAX);
    assert_in_range(pacing_choose(&config, &pace, all, MANY, 2).count, 500, 1075);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(range_takes_about_the_target),
        cmocka_unit_test(ranges_grow_with_the_number_of_slots_that_report),
        cmocka_unit_test(first_range_is_one_task),
        cmocka_unit_test(range_leaves_the_others_their_share),
        cmocka_unit_test(slot_that_runs_dry_gets_longer_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
