/* work_queue.c - splits, merges, finishes and retries in the order of their turn. */
#include "work_queue.h"

#include "memory.h"
#include "rb.h"

#include <stdlib.h>

static int compare_work(const struct work_item *a, const struct work_item *b)
{
    int order = RB_COMPARE(a->work, b->work);
    if (order == 0)
        order = RB_COMPARE(a->range.first, b->range.first);
    return order != 0 ? order : RB_COMPARE(a->range.count, b->range.count);
}

static int compare_waiting(const struct work_item *a, const struct work_item *b)
{
    int order = RB_COMPARE(a->ready_ns, b->ready_ns);
    return order != 0 ? order : RB_COMPARE(a->order, b->order);
}

/* The less is left to do after it, the more urgent. */
static unsigned urgency(enum work work)
{
    switch (work) {
    case WORK_SPLIT:
    case WORK_FINISH:
        return 0;
    case WORK_MERGE:
        return 1;
    case WORK_RUN:
        return 2;
    }
    return 2;
}

static int compare_ready(const struct work_item *a, const struct work_item *b)
{
    int order = RB_COMPARE(urgency(a->work), urgency(b->work));
    return order != 0 ? order : RB_COMPARE(a->order, b->order);
}

RB_GENERATE_PRIVATE(work_tree, work_item, by_work, compare_work)
RB_GENERATE_PRIVATE(waiting_tree, work_item, by_turn, compare_waiting)
RB_GENERATE_PRIVATE(ready_tree, work_item, by_turn, compare_ready)

void work_queue_close(struct work_queue *queue)
{
    while (!RB_EMPTY(&queue->items))
        work_queue_remove(queue, RB_ROOT(&queue->items));
}

void work_queue_put(struct work_queue *queue, const struct work_item *item)
{
    struct work_item *old = RB_FIND(work_tree, &queue->items, (struct work_item *)item);
    if (old != NULL)
        work_queue_remove(queue, old);
    struct work_item *added = memory_copy(item, sizeof *item);
    added->order = ++queue->order_last;
    added->is_ready = false;
    RB_INSERT(work_tree, &queue->items, added);
    RB_INSERT(waiting_tree, &queue->waiting, added);
}

void work_queue_remove(struct work_queue *queue, struct work_item *item)
{
    RB_REMOVE(work_tree, &queue->items, item);
    if (item->is_ready)
        RB_REMOVE(ready_tree, &queue->ready, item);
    else
        RB_REMOVE(waiting_tree, &queue->waiting, item);
    free(item);
}

struct work_item *work_queue_find(struct work_queue *queue, enum work work, struct range range)
{
    struct work_item key = {.work = work, .range = range};
    return RB_FIND(work_tree, &queue->items, &key);
}

void work_queue_wake(struct work_queue *queue, uint64_t now_ns)
{
    struct work_item *item = RB_MIN(waiting_tree, &queue->waiting);
    while (item != NULL && item->ready_ns <= now_ns) {
        RB_REMOVE(waiting_tree, &queue->waiting, item);
        item->is_ready = true;
        RB_INSERT(ready_tree, &queue->ready, item);
        item = RB_MIN(waiting_tree, &queue->waiting);
    }
}

struct work_item *work_queue_first(struct work_queue *queue)
{
    return RB_MIN(ready_tree, &queue->ready);
}

struct work_item *work_queue_next(struct work_item *item)
{
    return RB_NEXT(ready_tree, , item);
}

uint64_t work_queue_next_ns(const struct work_queue *queue)
{
    struct work_item *item = RB_MIN(waiting_tree, (struct waiting_tree *)&queue->waiting);
    return item != NULL ? item->ready_ns : UINT64_MAX;
}
