/* edit.h - a command job whose list has changed goes on: what is done stays done, by content. */
#ifndef SHEAF_EDIT_H
#define SHEAF_EDIT_H

#include "../jobs/job.h"
#include "../scheduler/range_set.h"

/* Borrows everything. */
struct edit_request {
    const char *dir;
    const struct job *job;
    bool is_forced;  /* --force: a list that has nothing in common with the old one is welcome */
    bool is_pruned;  /* --prune: likewise, and results of what is gone are not kept */
    bool is_by_name; /* nobody named the directory: the file name of the list did */
    const struct byte_writer *command; /* to lie in the new run (stored_command.h); NULL: none */
};

/* What became of the old list. */
struct edit_counts {
    uint64_t task_count;     /* of the new list */
    uint64_t kept_count;     /* of these: done before */
    uint64_t returned_count; /* of those: in a list before the old one, and not in the old one */
    uint64_t gone_count;     /* done before, and in the list no more */
    uint64_t dropped_count;  /* of these and of those kept before: there was no room */
    uint64_t again_count;    /* done before, in the list, and to be run again: they are merged with
                                others that are not beside them any more */
};

/* Makes the run in request->dir, whose lock is held, one of the job with the identity given: an
 * earlier version of its list was run there. A crash on the way leaves the old run as it was, or
 * the new one as a whole. Tasks that failed are tried again. Damage to the old journal is told on
 * standard error. IDENTITY, and nothing has changed, when the list is empty or has nothing in
 * common with the old one, is another one of the same name, or is merged and lacks lines that are
 * done. */
int edit_run(const struct edit_request *request, struct edit_counts *counts,
             struct sheaf_error *error);

/* Whether the results of lines that are gone are kept. */
bool edit_keeps_gone(const struct edit_request *request);

/* Adds the tasks of the list as it is now that are done: nothing is changed. */
int edit_find_done(const struct edit_request *request, struct range_set *done,
                   struct sheaf_error *error);

#endif
