/* tree.c - arithmetic of the canonical tree of results. */
#include "tree.h"

#include "check.h"

/* The size of the largest node that starts at `first`; 0 for the first task, where all start. */
static uint64_t lowest_bit(uint64_t first)
{
    return first & (~first + 1);
}

bool tree_is_node(struct range range, uint64_t task_count)
{
    if (range_is_empty(range) || range_end(range) > task_count)
        return false;
    if (range.first != 0 && range.count > lowest_bit(range.first))
        return false;
    bool is_power_of_two = (range.count & (range.count - 1)) == 0;
    return is_power_of_two || range_end(range) == task_count;
}

struct range tree_sibling(struct range range, uint64_t task_count)
{
    CHECK(tree_is_node(range, task_count));
    /* Nothing is to the right of the last task: the nodes above are the same range, up to the one
     * that is a right child. */
    if (range_end(range) == task_count)
        return range_between(range.first - lowest_bit(range.first), range.first);
    if ((range.first & range.count) != 0)
        return (struct range){range.first - range.count, range.count};
    uint64_t end = range.first + 2 * range.count;
    return range_between(range_end(range), end < task_count ? end : task_count);
}

struct range tree_parent(struct range range, uint64_t task_count)
{
    struct range sibling = tree_sibling(range, task_count);
    if (range_is_empty(sibling))
        return range;
    uint64_t first = sibling.first < range.first ? sibling.first : range.first;
    return (struct range){first, range.count + sibling.count};
}

struct range tree_left_child(struct range range)
{
    CHECK(range.count >= 2);
    uint64_t size = 1;
    while (size < range.count - size)
        size *= 2;
    return (struct range){range.first, size};
}

struct range tree_right_child(struct range range)
{
    return range_between(range_end(tree_left_child(range)), range_end(range));
}
