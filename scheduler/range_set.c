/* range_set.c - disjoint, non-adjacent ranges in a red-black tree, ordered by their first task. */
#include "range_set.h"

#include "check.h"
#include "memory.h"
#include "rb.h"

#include <stdlib.h>

struct range_set_node {
    struct range range;
    RB_ENTRY(range_set_node) by_first;
};

static int compare(const struct range_set_node *a, const struct range_set_node *b)
{
    return RB_COMPARE(a->range.first, b->range.first);
}

RB_HEAD(range_tree, range_set_node);
RB_GENERATE_PRIVATE(range_tree, range_set_node, by_first, compare)

/* The set keeps only the root, so that its header needs no tree macros. */
static struct range_tree tree_of(const struct range_set *set)
{
    return (struct range_tree){set->root};
}

static void insert(struct range_set *set, struct range range)
{
    struct range_set_node *node = memory_allocate(sizeof *node);
    struct range_tree tree = tree_of(set);
    node->range = range;
    CHECK(RB_INSERT(range_tree, &tree, node) == NULL);
    set->root = RB_ROOT(&tree);
    set->task_count += range.count;
    set->range_count++;
}

static void drop(struct range_set *set, struct range_set_node *node)
{
    struct range_tree tree = tree_of(set);
    RB_REMOVE(range_tree, &tree, node);
    set->root = RB_ROOT(&tree);
    set->task_count -= node->range.count;
    set->range_count--;
    free(node);
}

/* Changes a range in place; it must stay clear of its neighbours. */
static void replace(struct range_set *set, struct range_set_node *node, struct range range)
{
    set->task_count += range.count - node->range.count;
    node->range = range;
}

/* The first node whose range ends at `task` or later. */
static struct range_set_node *find_ending_from(const struct range_set *set, uint64_t task)
{
    struct range_set_node *found = NULL;
    struct range_set_node *node = set->root;
    while (node != NULL) {
        if (range_end(node->range) >= task) {
            found = node;
            node = RB_LEFT(node, by_first);
        } else {
            node = RB_RIGHT(node, by_first);
        }
    }
    return found;
}

/* The first node whose range ends after `task`. */
static struct range_set_node *find_ending_after(const struct range_set *set, uint64_t task)
{
    struct range_set_node *node = find_ending_from(set, task);
    if (node != NULL && range_end(node->range) == task)
        node = RB_NEXT(range_tree, , node);
    return node;
}

void range_set_close(struct range_set *set)
{
    struct range_set_node *node = find_ending_from(set, 0);
    while (node != NULL) {
        struct range_set_node *next = RB_NEXT(range_tree, , node);
        drop(set, node);
        node = next;
    }
}

void range_set_add(struct range_set *set, struct range range)
{
    if (range_is_empty(range))
        return;
    struct range_set_node *node = find_ending_from(set, range.first);
    if (node == NULL || node->range.first > range_end(range)) {
        insert(set, range);
        return;
    }
    uint64_t first = node->range.first < range.first ? node->range.first : range.first;
    uint64_t end = range_end(range);
    if (range_end(node->range) > end)
        end = range_end(node->range);
    struct range_set_node *next = RB_NEXT(range_tree, , node);
    while (next != NULL && next->range.first <= end) {
        struct range_set_node *after = RB_NEXT(range_tree, , next);
        if (range_end(next->range) > end)
            end = range_end(next->range);
        drop(set, next);
        next = after;
    }
    replace(set, node, range_between(first, end));
}

void range_set_remove(struct range_set *set, struct range range)
{
    if (range_is_empty(range))
        return;
    struct range_set_node *node = find_ending_after(set, range.first);
    while (node != NULL && node->range.first < range_end(range)) {
        struct range_set_node *next = RB_NEXT(range_tree, , node);
        struct range left = range_between(node->range.first, range.first);
        struct range right = range_between(range_end(range), range_end(node->range));
        if (range_is_empty(left) && range_is_empty(right))
            drop(set, node);
        else
            replace(set, node, range_is_empty(left) ? right : left);
        if (!range_is_empty(left) && !range_is_empty(right))
            insert(set, right);
        node = next;
    }
}

bool range_set_contains(const struct range_set *set, struct range range)
{
    if (range_is_empty(range))
        return true;
    const struct range_set_node *node = find_ending_after(set, range.first);
    return node != NULL && range_contains(node->range, range);
}

bool range_set_intersects(const struct range_set *set, struct range range)
{
    if (range_is_empty(range))
        return false;
    const struct range_set_node *node = find_ending_after(set, range.first);
    return node != NULL && node->range.first < range_end(range);
}

bool range_set_find_from(const struct range_set *set, uint64_t task, struct range *found)
{
    const struct range_set_node *node = find_ending_after(set, task);
    if (node == NULL)
        return false;
    uint64_t first = node->range.first > task ? node->range.first : task;
    *found = range_between(first, range_end(node->range));
    return true;
}
