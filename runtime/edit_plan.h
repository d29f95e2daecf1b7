/* edit_plan.h - which tasks of an edited list were in the list before: the same command, after the
 * same ones, and the n-th of its like in both. */
#ifndef SHEAF_EDIT_PLAN_H
#define SHEAF_EDIT_PLAN_H

#include "../jobs/split.h"
#include "../scheduler/range_set.h"
#include "input_store.h"
#include "kept_results.h"

#define EDIT_PLAN_GONE UINT64_MAX

/* All zero is empty. Owns. */
struct edit_plan {
    uint64_t *targets; /* for each task of the old list its index in the new one, or GONE */
    unsigned char (*hashes)[JOB_TASK_HASH_BYTES]; /* of each task of the old list */
    uint64_t *kept_targets;                       /* likewise for each kept result */
    uint64_t old_count;
    uint64_t new_count;
    bool is_by_index;     /* tasks are numbers: the same in both */
    bool has_common_line; /* whatever became of what it stands for */
};

struct edit_lists {
    const struct job *job;
    struct input_store *old_inputs; /* NULL: tasks are numbers */
    uint64_t old_count;
    const struct task_graph *old_graph; /* NULL: no task came after another */
    const struct range_set *succeeded;  /* of the old tasks */
    const struct kept_results *kept;
    struct input_writer *writer; /* takes the new tasks' inputs; NULL: nobody does */
};

/* Overwrites *plan. Takes 24 bytes of memory a task of either list, and 24 a task of the old one
 * when it is done; with a graph, 40 more. INPUT when the new list cannot be read, DAMAGED when the
 * old inputs are. */
int edit_plan_make(const struct edit_lists *lists, struct edit_plan *plan,
                   struct sheaf_error *error);
/* The index in the new list, or GONE. */
uint64_t edit_plan_target(const struct edit_plan *plan, uint64_t old_task);
/* Whether the tasks are neighbours in the new list, too, in the same order: from *first on. */
bool edit_plan_moves(const struct edit_plan *plan, struct range range, uint64_t *first);
/* What the old task did. */
void edit_plan_hash(const struct edit_plan *plan, const struct job *job, uint64_t old_task,
                    unsigned char hash[JOB_TASK_HASH_BYTES]);
void edit_plan_close(struct edit_plan *plan);

#endif
