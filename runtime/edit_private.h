/* edit_private.h - what edit.c and edit_journal.c share: an edit under way. */
#ifndef SHEAF_EDIT_PRIVATE_H
#define SHEAF_EDIT_PRIVATE_H

#include "../scheduler/state.h"
#include "edit.h"
#include "edit_plan.h"
#include "graph_file.h"
#include "journal.h"

struct edit {
    const struct edit_request *request;
    struct state *state;        /* of the old run */
    struct range_set succeeded; /* its tasks that are done and have not failed */
    char *old_path;             /* of its journal */
    struct journal_view *old;
    struct input_store *inputs; /* the old ones; NULL: there are none */
    struct graph_file graph;    /* of the old tasks */
    struct kept_results *kept;  /* of lines that were gone before */
    struct edit_plan plan;
    char *folder; /* the new run, while it is made; NULL: it is only counted */
    struct edit_counts counts;
    struct range_set *done; /* takes the new indices of what is done; NULL: nobody wants them */
};

/* Whether a merged result of the old run is one of the new run, where its tasks begin at *first. */
bool edit_keeps_merged(const struct edit *edit, const struct partial *partial, uint64_t *first);
/* Writes the journal of the new run and the results of what is gone, into edit->folder. */
int edit_journal_write(struct edit *edit, const struct fact_job_accepted *accepted,
                       struct sheaf_error *error);

#endif
