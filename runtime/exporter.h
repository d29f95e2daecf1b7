/* exporter.h - writes what is done of a command job for other programs, as the job goes: a log of
 * the commands, and a file for the output of each. */
#ifndef SHEAF_EXPORTER_H
#define SHEAF_EXPORTER_H

#include "../scheduler/state.h"
#include "journal.h"

struct exporter_options {
    const char *run_dir;    /* kept */
    const char *output_dir; /* kept; NULL: no files */
    const char *log_path;   /* kept; NULL: no log */
};

struct exporter;

/* Makes the directory, and removes what it holds of tasks that are not done: they were other ones.
 * The log is written anew beside its place, which it takes when all that is done now is in it.
 * *exporter is owned by the caller. */
int exporter_create(const struct exporter_options *options, const struct state *state,
                    struct exporter **exporter, struct sheaf_error *error);
/* Writes some of what is done and not written yet. 1 when there may be more, else 0; a result that
 * is damaged is passed over: it will be found so, and run again. */
int exporter_step(struct exporter *exporter, const struct state *state, struct journal *journal,
                  struct sheaf_error *error);
/* The results of these tasks are lost: what takes their place is written, too. */
void exporter_forget(struct exporter *exporter, struct range range);
/* NULL is fine. */
void exporter_destroy(struct exporter *exporter);

#endif
