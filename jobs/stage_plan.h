/* stage_plan.h - the stages of a job: which there are, and which waits for which. */
#ifndef SHEAF_STAGE_PLAN_H
#define SHEAF_STAGE_PLAN_H

#include "job.h"

enum { STAGES_MAX = 256, STAGE_NAME_BYTES_MAX = 64 };

/* A job of its own, which runs when those before it are done. */
struct stage {
    char *name;
    struct job job; /* may be taken out when the stage begins, and be all zero then */
    size_t *after;  /* numbers of stages, each once */
    size_t after_count;
    bool *reads; /* by number: whose results are its input: those in `after`, and those that its
                    command or its input files name as "{NAME.result}" */
    int64_t priority;
};

/* Owns what it points to. */
struct stage_plan {
    struct stage *stages; /* in the order of the file */
    size_t count;
};

enum stage_state {
    STAGE_WAITING = 0,
    STAGE_DONE,
    STAGE_FAILED,
};

void stage_plan_destroy(struct stage_plan *plan);

/* A letter or '_', then letters, digits, '_' and '-'. */
bool stage_name_is_valid(const char *name);
/* The number of the stage with this name of `length` bytes; plan->count when there is none. */
size_t stage_plan_find(const struct stage_plan *plan, const char *name, size_t length);
/* Whether `later` waits for `earlier`, by others too. The plan has no cycle. */
bool stage_plan_is_after(const struct stage_plan *plan, size_t later, size_t earlier);
/* Nobody waits for it: its output is a part of the job's. */
bool stage_plan_is_last(const struct stage_plan *plan, size_t stage);

/* The next stage to run: of those that wait for nothing any more the one with the highest priority,
 * of these the first in the file. plan->count when there is none: all are done, have failed, or
 * wait for one that has failed. */
size_t stage_plan_next(const struct stage_plan *plan, const enum stage_state *states);

/* A cycle: its stages in order, each waiting for the next one, the last for the first. Returns
 * their number, 0 when there is no cycle. */
size_t stage_plan_find_cycle(const struct stage_plan *plan, size_t cycle[STAGES_MAX]);

/* "{NAME.result}" at the start of `text`, NAME being a valid name. Returns its length, 0 when it is
 * none; *name_length is that of NAME, which begins at text + 1. */
size_t stage_reference_match(const char *text, size_t *name_length);
/* The next such reference in `text`; NULL when there is none. */
const char *stage_reference_find(const char *text, size_t *name_length);
/* True when `text` is one reference and nothing else. */
bool stage_reference_is_whole(const char *text);

/* Puts the results' paths, one a stage (those that it reads are not NULL), into the stage's job:
 * for its input files, and as parameters "NAME.result". */
int stage_plan_resolve(const struct stage_plan *plan, size_t stage, char *const *results,
                       struct sheaf_error *error);

/* Before anything runs: what job_check finds wrong in each stage. Input files of a stage that waits
 * for another are not looked for: that one may make them. */
int stage_plan_check(const struct stage_plan *plan, struct sheaf_error *error);

#endif
