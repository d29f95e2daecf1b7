/* edit.h - a command job whose list has changed goes on: what is done stays done, by content. */
#ifndef SHEAF_EDIT_H
#define SHEAF_EDIT_H

#include "../jobs/job.h"
#include "../scheduler/range_set.h"

/* What became of the old list. */
struct edit_counts {
    uint64_t task_count; /* of the new list */
    uint64_t kept_count; /* of these: done before */
    uint64_t gone_count; /* done before, and in the list no more: their results go */
};

/* Makes the run in `dir`, whose lock is held, one of `job` with the identity given: an earlier
 * version of its list was run there. A crash on the way leaves the old run as it was, or the new
 * one as a whole. Tasks that failed are tried again. Damage to the old journal is told on standard
 * error. */
int edit_run(const char *dir, const struct job *job, struct edit_counts *counts,
             struct sheaf_error *error);

/* Adds the tasks of the list as it is now that are done: nothing is changed. */
int edit_find_done(const char *dir, const struct job *job, struct range_set *done,
                   struct sheaf_error *error);

#endif
