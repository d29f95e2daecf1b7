/* edit_private.h - what edit.c and edit_journal.c share: an edit under way. */
#ifndef SHEAF_EDIT_PRIVATE_H
#define SHEAF_EDIT_PRIVATE_H

#include "../scheduler/state.h"
#include "edit.h"
#include "edit_plan.h"
#include "graph_file.h"
#include "journal.h"

/* Merged results. All zero is empty. Owns. */
struct edit_merged {
    struct partial *stored; /* at any time, unless they were lost since */
    size_t stored_count;
    size_t stored_capacity;
    struct kept_partial {
        struct partial partial;
        uint64_t first; /* where its tasks begin in the new list */
    } * kept;           /* those of them that the new run has, ascending */
    size_t kept_count;
    size_t kept_capacity;
};

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
    struct edit_merged merged;
    char *folder; /* the new run, while it is made; NULL: it is only counted */
    struct edit_counts counts;
    struct range_set *done; /* takes the new indices of what is done; NULL: nobody wants them */
};

/* Takes note of merged results, after the state has applied the fact. */
void edit_note_merged(struct edit *edit, const struct fact *fact);
/* When the plan is made: finds the largest merged results that are results of the new list. */
void edit_choose_merged(struct edit *edit);
void edit_merged_close(struct edit_merged *merged);
/* Writes the journal of the new run and the results of what is gone, into edit->folder. */
int edit_journal_write(struct edit *edit, const struct fact_job_accepted *accepted,
                       struct sheaf_error *error);

#endif
