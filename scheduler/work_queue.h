/* work_queue.h - work that is to be done once each: splits, merges, finishes, retries. Open ranges
 * are not kept here: the state knows them. */
#ifndef SHEAF_WORK_QUEUE_H
#define SHEAF_WORK_QUEUE_H

#include "fact.h"

#include <bsd/sys/tree.h>

/* Where work should rather not go: as long as anybody else is there. */
struct avoidance {
    uint32_t worker; /* or WORKER_NONE */
    uint32_t node;   /* or NODE_NONE */
};

struct work_item {
    enum work work;
    struct range range;
    uint64_t ready_ns; /* not to be started before */
    struct avoidance avoid;
    uint64_t order; /* insertion number: ties are broken by it */
    bool is_ready;
    RB_ENTRY(work_item) by_work;
    RB_ENTRY(work_item) by_turn; /* in `waiting` or `ready` */
};

RB_HEAD(work_tree, work_item);
RB_HEAD(waiting_tree, work_item);
RB_HEAD(ready_tree, work_item);

/* All zero is a valid empty queue. */
struct work_queue {
    struct work_tree items;
    struct waiting_tree waiting; /* by ready_ns */
    struct ready_tree ready;     /* split and finish, then merges, then retries */
    uint64_t order_last;
};

void work_queue_close(struct work_queue *queue);
/* Adds an item; one of the same work and range is replaced. */
void work_queue_put(struct work_queue *queue, const struct work_item *item);
void work_queue_remove(struct work_queue *queue, struct work_item *item);
/* NULL when there is none. */
struct work_item *work_queue_find(struct work_queue *queue, enum work work, struct range range);
/* Makes those ready whose time has come. */
void work_queue_wake(struct work_queue *queue, uint64_t now_ns);
/* Walks what is ready, most urgent first. NULL at the end. */
struct work_item *work_queue_first(struct work_queue *queue);
struct work_item *work_queue_next(struct work_item *item);
/* When the next item becomes ready; UINT64_MAX when none waits. */
uint64_t work_queue_next_ns(const struct work_queue *queue);

#endif
