/* test_range_set.c - a set of ranges is the set of tasks that was added and not removed. */
#include "../../scheduler/range_set.h"
#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Compares the ranges from the first on with `count` expected ones. */
static void assert_ranges(const struct range_set *set, const struct range *expected, size_t count)
{
    struct range found = {0, 0};
    uint64_t task_count = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(range_set_find_from(set, range_end(found), &found));
        assert_int_equal(found.first, expected[i].first);
        assert_int_equal(found.count, expected[i].count);
        task_count += found.count;
    }
    assert_false(range_set_find_from(set, range_end(found), &found));
    assert_int_equal(set->range_count, count);
    assert_int_equal(set->task_count, task_count);
}

static void empty_set_has_no_members(void **state)
{
    (void)state;
    struct range_set set = {0};
    struct range found;
    assert_false(range_set_find_from(&set, 0, &found));
    assert_false(range_set_contains(&set, (struct range){5, 1}));
    assert_false(range_set_intersects(&set, (struct range){0, UINT64_MAX}));
    range_set_remove(&set, (struct range){0, 10});
    assert_ranges(&set, NULL, 0);
    range_set_close(&set);
}

static void touching_ranges_become_one(void **state)
{
    (void)state;
    struct range_set set = {0};
    range_set_add(&set, (struct range){0, 10});
    range_set_add(&set, (struct range){20, 10});
    range_set_add(&set, (struct range){10, 10});
    assert_ranges(&set, (struct range[]){{0, 30}}, 1);
    range_set_close(&set);
}

static void range_that_bridges_many_swallows_them(void **state)
{
    (void)state;
    struct range_set set = {0};
    for (uint64_t first = 0; first < 100; first += 10)
        range_set_add(&set, (struct range){first, 5});
    range_set_add(&set, (struct range){12, 70});
    assert_ranges(&set, (struct range[]){{0, 5}, {10, 75}, {90, 5}}, 3);
    range_set_close(&set);
}

static void removal_from_the_middle_leaves_both_ends(void **state)
{
    (void)state;
    struct range_set set = {0};
    range_set_add(&set, (struct range){0, 100});
    range_set_remove(&set, (struct range){40, 20});
    assert_ranges(&set, (struct range[]){{0, 40}, {60, 40}}, 2);
    range_set_remove(&set, (struct range){30, 40});
    assert_ranges(&set, (struct range[]){{0, 30}, {70, 30}}, 2);
    range_set_close(&set);
}

static void empty_range_changes_nothing(void **state)
{
    (void)state;
    struct range_set set = {0};
    range_set_add(&set, (struct range){7, 0});
    range_set_add(&set, (struct range){3, 1});
    range_set_remove(&set, (struct range){3, 0});
    assert_ranges(&set, (struct range[]){{3, 1}}, 1);
    assert_true(range_set_contains(&set, (struct range){50, 0}));
    assert_false(range_set_intersects(&set, (struct range){3, 0}));
    range_set_close(&set);
}

static void first_members_from_a_task_are_cut_to_it(void **state)
{
    (void)state;
    struct range_set set = {0};
    struct range found;
    range_set_add(&set, (struct range){10, 10});
    assert_true(range_set_find_from(&set, 14, &found));
    assert_int_equal(found.first, 14);
    assert_int_equal(found.count, 6);
    assert_false(range_set_find_from(&set, 20, &found));
    range_set_close(&set);
}

static void billion_regular_tasks_take_one_range(void **state)
{
    (void)state;
    const uint64_t count = 1000 * 1000 * 1000;
    struct range_set set = {0};
    for (uint64_t first = 0; first < count; first += 1000 * 1000)
        range_set_add(&set, (struct range){first, 1000 * 1000});
    assert_ranges(&set, (struct range[]){{0, count}}, 1);
    range_set_close(&set);
}

enum { MODEL_TASKS = 200, MODEL_STEPS = 20000 };

static void assert_equals_model(const struct range_set *set, const bool *model)
{
    uint64_t task_count = 0;
    size_t range_count = 0;
    for (uint64_t task = 0; task < MODEL_TASKS; task++) {
        assert_int_equal(range_set_contains(set, (struct range){task, 1}), model[task]);
        task_count += model[task];
        range_count += model[task] && (task == 0 || !model[task - 1]);
    }
    assert_int_equal(set->task_count, task_count);
    assert_int_equal(set->range_count, range_count);
}

static void random_changes_agree_with_a_plain_array(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    struct range_set set = {0};
    bool model[MODEL_TASKS] = {false};
    for (int step = 0; step < MODEL_STEPS; step++) {
        uint64_t first = (uint64_t)rand_r(&seed) % MODEL_TASKS;
        struct range range = {first, (uint64_t)rand_r(&seed) % (MODEL_TASKS - first) / 4};
        bool is_added = rand_r(&seed) % 2 == 0;
        bool is_any = false;
        bool is_all = true;
        for (uint64_t task = first; task < range_end(range); task++) {
            is_any = is_any || model[task];
            is_all = is_all && model[task];
        }
        assert_int_equal(range_set_intersects(&set, range), is_any);
        assert_int_equal(range_set_contains(&set, range), is_all);
        memset(model + first, is_added, range.count);
        if (is_added)
            range_set_add(&set, range);
        else
            range_set_remove(&set, range);
        if (step % 16 == 0)
            assert_equals_model(&set, model);
    }
    assert_equals_model(&set, model);
    range_set_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_set_has_no_members),
        cmocka_unit_test(touching_ranges_become_one),
        cmocka_unit_test(range_that_bridges_many_swallows_them),
        cmocka_unit_test(removal_from_the_middle_leaves_both_ends),
        cmocka_unit_test(empty_range_changes_nothing),
        cmocka_unit_test(first_members_from_a_task_are_cut_to_it),
        cmocka_unit_test(billion_regular_tasks_take_one_range),
        cmocka_unit_test(random_changes_agree_with_a_plain_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
