/* stage_list.h - the stages of a run directory, for whoever reads it. */
#ifndef SHEAF_STAGE_LIST_H
#define SHEAF_STAGE_LIST_H

#include "../jobs/stage_plan.h"

/* In the order of the job file. All zero is empty: the run is one. Owns the names. */
struct stage_list {
    char **names;
    size_t count;
};

int stage_list_write(const char *run_dir, const struct stage_plan *plan, struct sheaf_error *error);
/* Overwrites *list; it is empty when the run has no stages. */
int stage_list_read(const char *run_dir, struct stage_list *list, struct sheaf_error *error);
void stage_list_close(struct stage_list *list);

/* The run directory of a stage; the caller owns it. */
char *stage_list_directory(const char *run_dir, const char *name);

/* The run directory of the job, where `dir` is that of one of its stages; else a copy of `dir`. The
 * caller owns it. */
char *stage_list_run_of(const char *dir);

/* What a command that reads run directories is to look at: calls `show` for the stage `name`, for
 * all stages in order when `name` is NULL, or for `run_dir` itself when the run is one (`stage` is
 * NULL then). Ends with the first result that is not 0, and returns it. USAGE for a stage that is
 * not there. A stage that has not begun is passed over unless it was named. */
typedef int stage_list_function(void *context, const char *dir, const char *stage,
                                struct sheaf_error *error);
int stage_list_visit(const char *run_dir, const char *name, stage_list_function *show,
                     void *context, struct sheaf_error *error);

#endif
