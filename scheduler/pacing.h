/* pacing.h - how many tasks go into one range: the policy of range length.
 *
 * A range should take range_target_ns, by the measured time of a task: longer where there are so
 * many slots that their reports would come faster than the master can take them in, and where the
 * way to the master and back takes so long that slots run dry meanwhile. Towards the end
 * ranges shrink, so that all slots end together: each takes at most half of an even share of what
 * is open (factoring, Flynn Hummel, Schonberg and Flynn 1992). */
#ifndef SHEAF_PACING_H
#define SHEAF_PACING_H

#include "scheduler.h"

/* What was measured lately, older measurements counting half as much each. All zero: nothing. */
struct pace {
    uint64_t busy_ns;
    uint64_t tasks_x256;
    uint64_t tasks_max; /* most tasks in one measurement */
    uint64_t lead_ns;   /* so much more work in a range keeps the slot from running dry */
};

void pace_measure(struct pace *pace, uint64_t task_count, uint64_t busy_ns);
/* The slot was idle for so long before a range that had been sent ahead: the range before it was
 * over sooner than the next could come. */
void pace_note_idle(struct pace *pace, uint64_t idle_ns);
bool pace_is_known(const struct pace *pace);
/* Expected time of so many tasks; 0 when unknown, and never 0 otherwise. */
uint64_t pace_expect_ns(const struct pace *pace, uint64_t task_count);
/* How many tasks should end within the time; UINT64_MAX when unknown. */
uint64_t pace_fit_count(const struct pace *pace, uint64_t time_ns);

/* The range to assign from the front of the open range `open`, of `open_count` open tasks in all.
 * It ends at a multiple of the largest power of two that costs it at most half of its tasks: so
 * that it is made of few nodes of the canonical tree. */
struct range pacing_choose(const struct scheduler_config *config, const struct pace *pace,
                           struct range open, uint64_t open_count, uint64_t slot_count);

#endif
