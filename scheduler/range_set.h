/* range_set.h - a set of task indices kept as disjoint, non-adjacent ranges in a balanced tree.
 *
 * Every call costs O(log n) in the number of ranges, plus O(1) for each range that it removes. */
#ifndef SHEAF_RANGE_SET_H
#define SHEAF_RANGE_SET_H

#include "range.h"

#include <stddef.h>

struct range_set_node;

/* All zero is a valid empty set. */
struct range_set {
    struct range_set_node *root;
    uint64_t task_count;
    size_t range_count;
};

void range_set_close(struct range_set *set);
/* Adds tasks; those already there stay. */
void range_set_add(struct range_set *set, struct range range);
/* Removes tasks; those not there are ignored. */
void range_set_remove(struct range_set *set, struct range range);
bool range_set_contains(const struct range_set *set, struct range range);
bool range_set_intersects(const struct range_set *set, struct range range);
/* The part of the set's first range that ends after `task`, cut to start at `task` or later: the
 * first run of members >= task. False when there is none. */
bool range_set_find_from(const struct range_set *set, uint64_t task, struct range *found);

#endif
