/* run_summary.h - what a run that went well has done, in one line. */
#ifndef SHEAF_RUN_SUMMARY_H
#define SHEAF_RUN_SUMMARY_H

#include <stdint.h>

/* All zero is valid. */
struct run_summary {
    uint64_t tasks;        /* of the job */
    uint64_t tasks_before; /* of them, what was done when the run began */
    uint64_t retries;      /* attempts that failed, and others followed */
    uint64_t busy_ns;      /* of slots, with what has a result */
    uint64_t slot_ns;      /* all slots together, while they were there */
    uint64_t elapsed_ns;
};

enum { RUN_SUMMARY_TEXT_BYTES = 256 };

/* All but the time, which is not the sum. */
void run_summary_add(struct run_summary *sum, const struct run_summary *part);
/* "10 tasks (4 of them before) in 3 s; 2 attempts were repeated; slots were busy 93 % of the
 * time". */
void run_summary_describe(const struct run_summary *summary, char text[RUN_SUMMARY_TEXT_BYTES]);

#endif
