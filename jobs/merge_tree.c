/* merge_tree.c - results on a stack, joined as soon as two siblings meet. */
#include "merge_tree.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "../scheduler/tree.h"

#include <stdlib.h>
#include <string.h>

enum { ITEM_BYTES_KEPT = 1 << 20 }; /* larger buffers are freed by merge_fold_clear */

void merge_fold_grow(struct merge_fold *fold)
{
    size_t count = merge_fold_count(fold);
    size_t before = fold->items != NULL ? (size_t)(fold->last - fold->items) + 1 : 0;
    size_t capacity = before;
    void *items = fold->items;
    memory_grow(&items, &capacity, before + 1, sizeof *fold->items);
    fold->items = items;
    fold->next = fold->items + count;
    fold->last = fold->items + capacity - 1;
    memset(fold->items + before, 0, (capacity - before) * sizeof *fold->items);
}

struct merge_fold *merge_fold_create(uint64_t task_count, merge_function *merge, void *context)
{
    struct merge_fold *fold = memory_allocate_zeroed(1, sizeof *fold);
    fold->task_count = task_count;
    fold->merge = merge;
    fold->context = context;
    merge_fold_grow(fold);
    return fold;
}

void merge_fold_destroy(struct merge_fold *fold)
{
    if (fold == NULL)
        return;
    for (struct merge_item *item = fold->items; item <= fold->last; item++)
        free(item->data);
    free(fold->items);
    free(fold->spare.data);
    free(fold);
}

void merge_fold_reset(struct merge_fold *fold, uint64_t task_count)
{
    merge_fold_clear(fold);
    fold->task_count = task_count;
}

void merge_item_reserve(struct merge_item *item, size_t size_bytes)
{
    void *data = item->data;
    memory_grow(&data, &item->capacity, size_bytes, 1);
    item->data = data;
}

int merge_fold_push(struct merge_fold *fold, struct range range, const void *data, size_t size,
                    bool is_absent)
{
    CHECK(tree_is_node(range, fold->task_count));
    CHECK(fold->next == fold->items || range.first >= range_end(fold->next[-1].range));
    struct merge_item *item = merge_fold_next(fold);
    item->is_absent = is_absent;
    if (!is_absent && size > 0) {
        merge_item_reserve(item, size);
        memcpy(item->data, data, size);
        item->size = size;
    }
    return merge_fold_push_next(fold, range, fold->merge);
}

struct range merge_fold_failed_range(const struct merge_fold *fold)
{
    CHECK(merge_fold_count(fold) >= 2); /* the two that were not joined are still there */
    const struct range *right = &fold->next[-1].range;
    const struct range *left = &fold->next[-2].range;
    return (struct range){left->first, left->count + right->count};
}

size_t merge_fold_count(const struct merge_fold *fold)
{
    return (size_t)(fold->next - fold->items);
}

size_t merge_fold_bytes(const struct merge_fold *fold)
{
    size_t bytes = 0;
    for (const struct merge_item *item = fold->items; item < fold->next; item++)
        bytes += item->size;
    return bytes;
}

const struct merge_item *merge_fold_item(const struct merge_fold *fold, size_t i)
{
    CHECK(i < merge_fold_count(fold));
    return &fold->items[i];
}

void merge_item_close(struct merge_item *item)
{
    free(item->data);
    *item = (struct merge_item){0};
}

void merge_fold_clear(struct merge_fold *fold)
{
    for (struct merge_item *item = fold->items; item <= fold->last; item++) {
        item->is_absent = false;
        if (item->capacity > ITEM_BYTES_KEPT)
            merge_item_close(item);
    }
    if (fold->spare.capacity > ITEM_BYTES_KEPT)
        merge_item_close(&fold->spare);
    fold->next = fold->items;
}
