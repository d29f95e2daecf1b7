/* run_open.h - opens the run directory of a job, and makes it that of the job's list as it is now.
 */
#ifndef SHEAF_RUN_OPEN_H
#define SHEAF_RUN_OPEN_H

#include "../scheduler/fact.h"
#include "edit.h"
#include "options.h"
#include "run_directory.h"

struct run_opening {
    const struct run_options *options;
    const struct job *job;
    const char *stage_name; /* NULL: the job as a whole */
    const char *stage_dir;  /* of the stage, whose list may not change */
    bool is_stage_fresh;    /* the stage begins anew */
    bool is_launcher;       /* the caller is, and has marked the directory */
    bool was_edited; /* out: its list was another one before; `counts` tells what became of that */
    bool needs_stored_tasks; /* out: the list is not what it was; the run goes on with that */
    struct edit_counts counts;
};

/* *directory is owned by the caller. Codes of run_directory_open, and those of edit_run. */
int run_open(struct run_opening *opening, struct run_directory **directory,
             struct sheaf_error *error);
/* When the list of a job was edited since its last run: does the same, and closes the directory
 * again. For whoever has the time: a launcher, before it starts a master. */
int run_open_edited(struct run_opening *opening, struct sheaf_error *error);
/* What is there of the job where it is to run. All zero is valid: nothing. Owns. */
struct run_look {
    struct range_set done;   /* tasks, with those that failed */
    struct range_set failed; /* for good */
    bool has_tasks;          /* as they are stored: in a list that has changed they are others */
    struct fact_job_accepted tasks;
};

/* Changes nothing there; *look must be empty, and the caller closes it, also after an error.
 * IDENTITY as run_open. */
int run_open_look(struct run_opening *opening, struct run_look *look, struct sheaf_error *error);
void run_look_close(struct run_look *look);
/* Why a run that needs stored tasks, of which there are none, cannot go on. Returns INPUT. */
int run_open_refuse_unstored(const char *dir, struct sheaf_error *error);

enum { RUN_OPEN_TEXT_BYTES = 400 };

/* One line of what was done. */
void run_open_describe(const struct run_opening *opening, char *text, size_t size);

#endif
