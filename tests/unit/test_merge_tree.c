/* test_merge_tree.c - results are joined as the canonical tree says, however they come. */
#include "../../jobs/merge_tree.h"
#include "../../scheduler/check.h"
#include "../../scheduler/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { TASKS_MAX = 200, ROUNDS = 300, BYTES_MAX = 4096 };

static uint64_t seed;

/* xorshift64*, Vigna 2016. */
static uint64_t random_below(uint64_t limit)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (seed * 0x2545f4914f6cdd1dU >> 32) % limit;
}

static int given_seed(void **state)
{
    const char *text = getenv("SHEAF_TEST_SEED");
    (void)state;
    seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL) | 1;
    printf("SHEAF_TEST_SEED=%" PRIu64 "\n", seed);
    return 0;
}

/* Writes (left right), so that the bytes show who was joined with whom. */
static int join_brackets(void *context, const struct merge_item *left,
                         const struct merge_item *right, struct merge_item *result)
{
    if (context != NULL)
        ++*(int *)context;
    merge_item_reserve(result, left->size + right->size + 3);
    result->size =
        (size_t)sprintf((char *)result->data, "(%.*s %.*s", (int)left->size,
                        (const char *)left->data, (int)right->size, (const char *)right->data);
    result->data[result->size++] = ')';
    return 0;
}

static int join_never(void *context, const struct merge_item *left, const struct merge_item *right,
                      struct merge_item *result)
{
    (void)context;
    (void)left;
    (void)right;
    (void)result;
    return 7;
}

static int push_text(struct merge_fold *fold, struct range range, const char *text)
{
    return merge_fold_push(fold, range, text, strlen(text), false);
}

static void push_leaf(struct merge_fold *fold, uint64_t task)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, task);
    assert_int_equal(push_text(fold, (struct range){task, 1}, text), 0);
}

/* What the definition says, by recursion: the reference. */
static size_t write_expected(char *text, struct range node)
{
    if (node.count == 1)
        return (size_t)sprintf(text, "%" PRIu64, node.first);
    size_t size = (size_t)sprintf(text, "(");
    size += write_expected(text + size, tree_left_child(node));
    size += (size_t)sprintf(text + size, " ");
    size += write_expected(text + size, tree_right_child(node));
    return size + (size_t)sprintf(text + size, ")");
}

static void check_item(const struct merge_item *item)
{
    char expected[BYTES_MAX];
    size_t size = write_expected(expected, item->range);
    assert_int_equal(item->size, size);
    assert_memory_equal(item->data, expected, size);
}

static void all_leaves_fold_into_the_root(void **state)
{
    (void)state;
    for (uint64_t tasks = 1; tasks <= TASKS_MAX; tasks++) {
        struct merge_fold *fold = merge_fold_create(tasks, join_brackets, NULL);
        for (uint64_t task = 0; task < tasks; task++)
            push_leaf(fold, task);
        assert_int_equal(merge_fold_count(fold), 1);
        assert_int_equal(merge_fold_item(fold, 0)->range.first, 0);
        assert_int_equal(merge_fold_item(fold, 0)->range.count, tasks);
        assert_int_equal(merge_fold_bytes(fold), merge_fold_item(fold, 0)->size);
        check_item(merge_fold_item(fold, 0));
        merge_fold_destroy(fold);
    }
}

static void any_cut_into_ranges_gives_the_same_bytes(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t tasks = 1 + random_below(TASKS_MAX);
        struct merge_fold *root = merge_fold_create(tasks, join_brackets, NULL);
        struct merge_fold *part = merge_fold_create(tasks, join_brackets, NULL);
        for (uint64_t first = 0; first < tasks;) {
            uint64_t count = 1 + random_below(tasks - first);
            merge_fold_clear(part);
            for (uint64_t task = first; task < first + count; task++)
                push_leaf(part, task);
            for (size_t i = 0; i < merge_fold_count(part); i++) {
                const struct merge_item *item = merge_fold_item(part, i);
                assert_true(tree_is_node(item->range, tasks));
                assert_int_equal(merge_fold_push(root, item->range, item->data, item->size, false),
                                 0);
            }
            first += count;
        }
        assert_int_equal(merge_fold_count(root), 1);
        check_item(merge_fold_item(root, 0));
        merge_fold_destroy(part);
        merge_fold_destroy(root);
    }
}

static void a_range_without_holes_leaves_few_items(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t tasks = 1 + random_below(TASKS_MAX);
        uint64_t first = random_below(tasks);
        uint64_t count = 1 + random_below(tasks - first);
        struct merge_fold *fold = merge_fold_create(tasks, join_brackets, NULL);
        for (uint64_t task = first; task < first + count; task++)
            push_leaf(fold, task);
        size_t log = 1;
        while ((1U << log) < count)
            log++;
        assert_true(merge_fold_count(fold) <= 2 * log);
        merge_fold_destroy(fold);
    }
}

static void holes_stay_holes(void **state)
{
    (void)state;
    struct merge_fold *fold = merge_fold_create(8, join_brackets, NULL);
    for (uint64_t task = 0; task < 8; task++)
        if (task != 5)
            push_leaf(fold, task);
    assert_int_equal(merge_fold_count(fold), 3);
    check_item(merge_fold_item(fold, 0)); /* [0, 4) */
    assert_int_equal(merge_fold_item(fold, 0)->range.count, 4);
    assert_int_equal(merge_fold_item(fold, 1)->range.first, 4);
    assert_int_equal(merge_fold_item(fold, 1)->range.count, 1);
    check_item(merge_fold_item(fold, 2)); /* [6, 8) */
    assert_int_equal(merge_fold_item(fold, 2)->range.count, 2);
    merge_fold_destroy(fold);
}

static void absent_results_join_without_a_merge(void **state)
{
    (void)state;
    int calls = 0;
    struct merge_fold *fold = merge_fold_create(8, join_brackets, &calls);
    merge_fold_push(fold, (struct range){0, 1}, NULL, 0, true);
    push_text(fold, (struct range){1, 1}, "one");
    push_text(fold, (struct range){2, 1}, "two");
    merge_fold_push(fold, (struct range){3, 1}, NULL, 0, true);
    assert_int_equal(calls, 1);
    merge_fold_push(fold, (struct range){4, 2}, NULL, 0, true);
    merge_fold_push(fold, (struct range){6, 2}, NULL, 0, true);
    assert_int_equal(calls, 1);
    assert_int_equal(merge_fold_count(fold), 1);
    const struct merge_item *root = merge_fold_item(fold, 0);
    assert_int_equal(root->range.count, 8);
    assert_false(root->is_absent);
    assert_int_equal(root->size, strlen("(one two)"));
    assert_memory_equal(root->data, "(one two)", root->size);
    assert_int_equal(merge_fold_bytes(fold), root->size);
    merge_fold_destroy(fold);
}

static void nothing_but_absent_results_is_absent(void **state)
{
    (void)state;
    struct merge_fold *fold = merge_fold_create(3, join_brackets, NULL);
    for (uint64_t task = 0; task < 3; task++)
        merge_fold_push(fold, (struct range){task, 1}, NULL, 0, true);
    assert_int_equal(merge_fold_count(fold), 1);
    assert_true(merge_fold_item(fold, 0)->is_absent);
    assert_int_equal(merge_fold_bytes(fold), 0);
    merge_fold_destroy(fold);
}

static void a_failed_merge_keeps_both_results(void **state)
{
    (void)state;
    struct merge_fold *fold = merge_fold_create(4, join_never, NULL);
    assert_int_equal(push_text(fold, (struct range){0, 1}, "a"), 0);
    assert_int_equal(push_text(fold, (struct range){1, 1}, "b"), 7);
    assert_int_equal(merge_fold_failed_range(fold).first, 0);
    assert_int_equal(merge_fold_failed_range(fold).count, 2);
    assert_int_equal(push_text(fold, (struct range){2, 1}, "c"), 0);
    assert_int_equal(push_text(fold, (struct range){3, 1}, "d"), 7);
    assert_int_equal(merge_fold_count(fold), 4);
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(merge_fold_item(fold, i)->data, &"abcd"[i], 1);
    merge_fold_destroy(fold);
}

/* Empty results, and ones that grow at every level, reuse each other's buffers. */
static void sizes_of_results_may_differ(void **state)
{
    (void)state;
    struct merge_fold *fold = merge_fold_create(64, join_brackets, NULL);
    for (int use = 0; use < 3; use++) {
        merge_fold_reset(fold, 64);
        for (uint64_t task = 0; task < 64; task++)
            push_text(fold, (struct range){task, 1}, task % 3 == 0 ? "" : "some more bytes");
        assert_int_equal(merge_fold_count(fold), 1);
        assert_int_equal(merge_fold_item(fold, 0)->size, 63 * 3 + 42 * strlen("some more bytes"));
        assert_int_equal(merge_fold_bytes(fold), merge_fold_item(fold, 0)->size);
    }
    merge_fold_destroy(fold);
}

/* The fold's few instructions against scheduler/tree.h, whose word counts. */
static void siblings_are_those_of_the_tree(void **state)
{
    (void)state;
    for (uint64_t tasks = 1; tasks <= 40; tasks++)
        for (uint64_t first = 0; first < tasks; first++)
            for (uint64_t count = 1; count <= tasks - first; count++) {
                struct range right = {first, count};
                if (!tree_is_node(right, tasks))
                    continue;
                struct range sibling = tree_sibling(right, tasks);
                bool is_right = !range_is_empty(sibling) && sibling.first < first;
                for (uint64_t left = 0; left < first; left++) {
                    struct range candidate = {left, first - left};
                    bool expected = is_right && sibling.first == left;
                    assert_int_equal(merge_tree_are_siblings(candidate, right, tasks), expected);
                }
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_leaves_fold_into_the_root),
        cmocka_unit_test(any_cut_into_ranges_gives_the_same_bytes),
        cmocka_unit_test(a_range_without_holes_leaves_few_items),
        cmocka_unit_test(holes_stay_holes),
        cmocka_unit_test(absent_results_join_without_a_merge),
        cmocka_unit_test(nothing_but_absent_results_is_absent),
        cmocka_unit_test(a_failed_merge_keeps_both_results),
        cmocka_unit_test(sizes_of_results_may_differ),
        cmocka_unit_test(siblings_are_those_of_the_tree),
    };
    return cmocka_run_group_tests(tests, given_seed, NULL);
}
