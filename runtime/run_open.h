/* run_open.h - opens the run directory of a job, and makes it that of the job's list as it is now.
 */
#ifndef SHEAF_RUN_OPEN_H
#define SHEAF_RUN_OPEN_H

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
/* Which tasks of the job are done and which failed for good, where it is to run; changes nothing.
 * IDENTITY as run_open. */
int run_open_look(struct run_opening *opening, struct range_set *done, struct range_set *failed,
                  struct sheaf_error *error);
enum { RUN_OPEN_TEXT_BYTES = 400 };

/* One line of what was done. */
void run_open_describe(const struct run_opening *opening, char *text, size_t size);

#endif
