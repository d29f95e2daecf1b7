/* merge_tree.h - folds results into nodes of the canonical tree (scheduler/tree.h), however tasks
 * were cut into ranges: every result's bytes depend on its tasks alone. */
#ifndef SHEAF_MERGE_TREE_H
#define SHEAF_MERGE_TREE_H

#include "../scheduler/range.h"

#include <stddef.h>

/* One result on the stack below. Owns data. Absent: its tasks failed for good. The order of the
 * fields keeps compilers from moving neighbours as one vector right after they were written one by
 * one, which stalls (no store forwarding): it doubles the cost of a task worth nanoseconds. */
struct merge_item {
    unsigned char *data;
    struct range range;
    size_t size;
    bool is_absent;
    size_t capacity;
};

/* Makes room for size_bytes of data; keeps what is there. */
void merge_item_reserve(struct merge_item *item, size_t size_bytes);
/* Frees the data; the item is empty afterwards. */
void merge_item_close(struct merge_item *item);

/* Joins left and right, both present, into `result` (empty, with capacity that may be reused).
 * Returns 0 or a failure. It may leave by longjmp, which counts as a failure. */
typedef int merge_function(void *context, const struct merge_item *left,
                           const struct merge_item *right, struct merge_item *result);

/* Folds items pushed in ascending order into the fewest nodes: what an executor reports. At most
 * 2*log2(count) items for a run without holes. The fields are here for merge_fold_next alone. */
struct merge_fold {
    struct merge_item *next; /* the one to be filled next; empty, not absent */
    struct merge_item *last; /* of the stack's memory */
    struct merge_item *items;
    uint64_t task_count;
    merge_function *merge;
    void *context;
    struct merge_item spare; /* takes the result of a merge, then swaps with the left item */
};

struct merge_fold *merge_fold_create(uint64_t task_count, merge_function *merge, void *context);
void merge_fold_destroy(struct merge_fold *fold);
/* Empties the fold for another use, with another number of tasks. */
void merge_fold_reset(struct merge_fold *fold, uint64_t task_count);
/* Pushes the result of `range`, a node that starts at or after the end of the last push. Copies
 * data. Returns what merge returned. After a failure the two results stay apart and the fold goes
 * on: what was pushed is never lost. An absent result joins without a call of merge. */
int merge_fold_push(struct merge_fold *fold, struct range range, const void *data, size_t size,
                    bool is_absent);
/* The node that could not be made. Valid right after a push failed. */
struct range merge_fold_failed_range(const struct merge_fold *fold);
size_t merge_fold_count(const struct merge_fold *fold);
size_t merge_fold_bytes(const struct merge_fold *fold);
/* Borrowed until the next push or clear. Ascending. */
const struct merge_item *merge_fold_item(const struct merge_fold *fold, size_t i);
void merge_fold_clear(struct merge_fold *fold);

/* ---- the same push in two steps, inline: it is done for every task ---- */

/* The item to fill: empty, with capacity that may be reused; borrowed until the push. */
static inline struct merge_item *merge_fold_next(struct merge_fold *fold)
{
    fold->next->size = 0;
    return fold->next;
}

/* tree_sibling(right) == left, for nodes, at the cost of a few instructions: it is asked for every
 * task. The lowest set bit of where right starts is the size of its left sibling; right is as
 * large, or is cut by the last task. */
static inline bool merge_tree_are_siblings(struct range left, struct range right,
                                           uint64_t task_count)
{
    uint64_t size = right.first & (~right.first + 1);
    if (left.count != size || left.first + size != right.first)
        return false;
    return right.count == size || (right.count < size && range_end(right) == task_count);
}

/* What each holds; `to` takes the size, too. */
static inline void merge_item_swap(struct merge_item *to, struct merge_item *from)
{
    unsigned char *data = to->data;
    size_t capacity = to->capacity;
    to->data = from->data;
    from->data = data;
    to->size = from->size;
    to->capacity = from->capacity;
    from->capacity = capacity;
}

/* Joins left with right, the topmost. The stack changes only after merge has succeeded, and merge
 * may leave by longjmp. */
static inline int merge_fold_join(struct merge_fold *fold, struct merge_item *right,
                                  merge_function *merge)
{
    struct merge_item *left = right - 1;
    if (!left->is_absent && !right->is_absent) {
        fold->spare.size = 0;
        int status = merge(fold->context, left, right, &fold->spare);
        if (status != 0)
            return status;
        merge_item_swap(left, &fold->spare);
    } else if (left->is_absent) {
        merge_item_swap(left, right);
        left->is_absent = right->is_absent;
    }
    left->range.count += right->range.count;
    right->is_absent = false;
    fold->next = right;
    return 0;
}

/* Makes room on the stack. */
void merge_fold_grow(struct merge_fold *fold);

/* Pushes that item as the result of `range`; `merge` is the function given to merge_fold_create. */
static inline int merge_fold_push_next(struct merge_fold *fold, struct range range,
                                       merge_function *merge)
{
    if (fold->next == fold->last)
        merge_fold_grow(fold);
    struct merge_item *top = fold->next++;
    top->range = range;
    for (; top > fold->items; top--) {
        if (!merge_tree_are_siblings(top[-1].range, top->range, fold->task_count))
            break;
        int status = merge_fold_join(fold, top, merge);
        if (status != 0)
            return status;
    }
    return 0;
}

#endif
