/* stored_results.h - how much a run directory holds, for messages that must say what is at stake.
 */
#ifndef SHEAF_STORED_RESULTS_H
#define SHEAF_STORED_RESULTS_H

#include "../jobs/job.h"
#include "options.h"

struct stored_results {
    uint64_t result_count; /* of tasks that succeeded, in all stages */
    uint64_t task_count;   /* of the job, as far as that is known */
};

/* Overwrites *results; all zero where nothing can be read. Disturbs nobody. */
void stored_results_count(const char *dir, struct stored_results *results);

enum { STORED_RESULTS_TEXT_BYTES = 120 };

/* "3 results of 5 tasks". */
void stored_results_format(const struct stored_results *results,
                           char text[STORED_RESULTS_TEXT_BYTES]);

/* What --fresh would cost there, for those who ask for it knowing that: "--fresh deletes the 3
 * results of 5 tasks there". */
void stored_results_describe_fresh(const char *dir, char text[STORED_RESULTS_TEXT_BYTES]);

/* When a job could not be read, or lacks its inputs, and its run directory holds results of it:
 * adds to the message what is stored, and the ways out. `job` may be empty. */
void stored_results_add_ways_out(const struct run_options *options, const struct job *job,
                                 struct sheaf_error *error);

#endif
