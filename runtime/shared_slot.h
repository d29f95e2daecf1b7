/* shared_slot.h - the layout of the memory that a rank shares with its executors.
 *
 * Either side may die at any instruction, and the executor's side runs user code that may write
 * anywhere: the rank checks all that it reads here. */
#ifndef SHEAF_SHARED_SLOT_H
#define SHEAF_SHARED_SLOT_H

#include "ring.h"

#include <stdatomic.h>

enum { SHARED_LINE_BYTES = 64 };

/* Tasks of a RUN order that nobody has claimed: [next, end) relative to the order's first task, in
 * one word so that the executor (which raises next) and the rank (which lowers end) agree. */
#define CLAIM_COUNT_MAX ((uint64_t)UINT32_MAX - 1)

static inline uint64_t claim_make(uint32_t next, uint32_t end)
{
    return (uint64_t)end << 32 | next;
}

static inline uint32_t claim_next(uint64_t claim)
{
    return (uint32_t)claim;
}

static inline uint32_t claim_end(uint64_t claim)
{
    return (uint32_t)(claim >> 32);
}

/* Which call of the plug-in an executor is in: for the text of a crash. */
enum executor_phase {
    EXECUTOR_IDLE = 0,
    EXECUTOR_OPEN,
    EXECUTOR_WORK, /* what the order asks for */
    EXECUTOR_CLOSE,
};

/* Bit of `step`: in a RUN order, the executor joins results. */
#define STEP_IS_MERGE ((uint64_t)1)

/* One for each executor; a new executor gets a new one. */
struct shared_slot {
    _Alignas(SHARED_LINE_BYTES) _Atomic uint64_t claim;

    /* Written by the executor alone, without ordering: for crash reports and the time limit. */
    _Alignas(SHARED_LINE_BYTES) _Atomic uint64_t order; /* number of the order it took up last */
    _Atomic uint64_t step;  /* raised at each task and merge: a step that stays is one that hangs */
    _Atomic uint64_t index; /* the task */
    _Atomic uint32_t phase;
    _Atomic uint64_t resident_bytes_at_start;
    _Atomic uint64_t copy_returned; /* by a copy that a task has forked: the task + 1 */
    _Atomic uint64_t log_bytes;     /* size of its log when the attempts under way began */

    /* Written by the rank: the run is to stop, what runs had better end. */
    _Alignas(SHARED_LINE_BYTES) _Atomic uint32_t is_stopping;

    /* A futex: 1 while the executor sleeps, for an order or for room in `reports`. */
    _Alignas(SHARED_LINE_BYTES) _Atomic uint32_t executor_sleeping;

    _Alignas(SHARED_LINE_BYTES) struct ring orders;  /* rank to executor */
    _Alignas(SHARED_LINE_BYTES) struct ring reports; /* executor to rank */
};

/* One for each rank, seen by its spawner and all executors. */
struct shared_rank {
    _Atomic uint32_t is_sleeping;   /* whoever clears it writes the eventfd */
    _Atomic uint32_t spawner_posts; /* messages that the spawner has sent */
    _Atomic int32_t guard_process;  /* task_guard.h, of the spawner; 0: none, or collected */
};

#endif
