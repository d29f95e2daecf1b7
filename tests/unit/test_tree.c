/* test_tree.c - the canonical tree has one shape, whatever the number of tasks. */
#include "../../scheduler/fact.h"
#include "../../scheduler/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TASKS_MAX = 70 };

static void assert_range(struct range range, uint64_t first, uint64_t count)
{
    assert_int_equal(range.first, first);
    assert_int_equal(range.count, count);
}

/* A node by the definition: [i*2^k, (i+1)*2^k) cut at the last task. */
static bool is_node_by_definition(struct range range, uint64_t task_count)
{
    for (uint64_t size = 1; size < 4 * TASKS_MAX; size *= 2) {
        uint64_t first = range.first / size * size;
        uint64_t end = first + size < task_count ? first + size : task_count;
        if (first == range.first && end == range_end(range))
            return range.count > 0;
    }
    return false;
}

static void nodes_are_those_of_the_definition(void **state)
{
    (void)state;
    for (uint64_t tasks = 0; tasks <= TASKS_MAX; tasks++)
        for (uint64_t first = 0; first <= tasks; first++)
            for (uint64_t end = first; end <= tasks; end++) {
                struct range range = range_between(first, end);
                assert_int_equal(tree_is_node(range, tasks), is_node_by_definition(range, tasks));
            }
}

static void range_past_the_last_task_is_no_node(void **state)
{
    (void)state;
    assert_false(tree_is_node((struct range){8, 8}, 12));
    assert_true(tree_is_node((struct range){8, 4}, 12));
    assert_false(tree_is_node((struct range){0, 16}, 12));
}

static void parent_joins_node_and_sibling(void **state)
{
    (void)state;
    assert_range(tree_sibling((struct range){0, 4}, 12), 4, 4);
    assert_range(tree_sibling((struct range){4, 4}, 12), 0, 4);
    assert_range(tree_parent((struct range){4, 4}, 12), 0, 8);
    /* Nothing is right of task 12: [8, 12) goes up until it is a right child. */
    assert_range(tree_sibling((struct range){8, 4}, 12), 0, 8);
    assert_range(tree_parent((struct range){8, 4}, 12), 0, 12);
    assert_range(tree_sibling((struct range){0, 8}, 12), 8, 4);
}

static void root_has_no_sibling(void **state)
{
    (void)state;
    for (uint64_t tasks = 1; tasks <= TASKS_MAX; tasks++) {
        struct range root = {0, tasks};
        assert_int_equal(tree_sibling(root, tasks).count, 0);
        assert_range(tree_parent(root, tasks), 0, tasks);
    }
}

static void children_of_a_parent_are_its_halves(void **state)
{
    (void)state;
    for (uint64_t tasks = 2; tasks <= TASKS_MAX; tasks++)
        for (uint64_t task = 0; task < tasks; task++) {
            struct range node = {task, 1};
            while (node.count < tasks) {
                struct range parent = tree_parent(node, tasks);
                struct range left = tree_left_child(parent);
                struct range right = tree_right_child(parent);
                assert_true(tree_is_node(left, tasks) && tree_is_node(right, tasks));
                assert_int_equal(left.count + right.count, parent.count);
                assert_true(left.first == node.first
                                ? left.count == node.count
                                : right.first == node.first && right.count == node.count);
                node = parent;
            }
        }
}

static void largest_job_has_a_root(void **state)
{
    (void)state;
    struct range node = {SHEAF_TASKS_MAX - 1, 1};
    int levels = 0;
    while (node.count < SHEAF_TASKS_MAX) {
        node = tree_parent(node, SHEAF_TASKS_MAX);
        levels++;
    }
    assert_int_equal(levels, 62);
    node = (struct range){SHEAF_TASKS_MAX - 2, 1};
    assert_range(tree_parent(node, SHEAF_TASKS_MAX - 1), SHEAF_TASKS_MAX - 4, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_are_those_of_the_definition),
        cmocka_unit_test(range_past_the_last_task_is_no_node),
        cmocka_unit_test(parent_joins_node_and_sibling),
        cmocka_unit_test(root_has_no_sibling),
        cmocka_unit_test(children_of_a_parent_are_its_halves),
        cmocka_unit_test(largest_job_has_a_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
