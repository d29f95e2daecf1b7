/* edit_plan.h - which tasks of an edited list were in the list before: the same command, and the
 * n-th of its like in both. */
#ifndef SHEAF_EDIT_PLAN_H
#define SHEAF_EDIT_PLAN_H

#include "../jobs/split.h"
#include "input_store.h"

#define EDIT_PLAN_GONE UINT64_MAX

/* All zero is empty. Owns. */
struct edit_plan {
    uint64_t *targets; /* for each task of the old list its index in the new one, or GONE */
    uint64_t old_count;
    uint64_t new_count;
    bool is_by_index; /* tasks are numbers: the same in both */
};

struct edit_lists {
    const struct job *job;
    struct input_store *old_inputs; /* NULL: tasks had none */
    uint64_t old_count;
    struct input_writer *writer; /* takes the new tasks' inputs; NULL: nobody does */
};

/* Overwrites *plan. Takes 24 bytes of memory a task of either list, and 8 when it is done. INPUT
 * when the new list cannot be read, DAMAGED when the old inputs are. */
int edit_plan_make(const struct edit_lists *lists, struct edit_plan *plan,
                   struct sheaf_error *error);
/* The index in the new list, or GONE. */
uint64_t edit_plan_target(const struct edit_plan *plan, uint64_t old_task);
void edit_plan_close(struct edit_plan *plan);

#endif
