/* tree.h - arithmetic of the canonical tree of results: which ranges are its nodes.
 *
 * Leaves are single tasks. Node (level k, number i) covers [i*2^k, (i+1)*2^k), cut at the last
 * task; it joins its left child with its right child; a right child past the last task is skipped.
 * The tree depends on the number of tasks alone, and so does the order in which results meet. */
#ifndef SHEAF_TREE_H
#define SHEAF_TREE_H

#include "range.h"

/* True when `range` is a node of the tree over task_count tasks. */
bool tree_is_node(struct range range, uint64_t task_count);
/* The other child of the parent of node `range`; empty for the root. */
struct range tree_sibling(struct range range, uint64_t task_count);
/* The smallest node that is larger than node `range`; `range` itself for the root. */
struct range tree_parent(struct range range, uint64_t task_count);
/* The children of a node of at least two tasks. */
struct range tree_left_child(struct range range);
struct range tree_right_child(struct range range);

#endif
