/* report.h - what a run directory tells of a job's failures: read from its journal, disturbing
 * nothing. */
#ifndef SHEAF_REPORT_H
#define SHEAF_REPORT_H

#include "../scheduler/state.h"
#include "run_directory.h"
#include "run_identity.h"
#include "status.h"

#include <stdio.h>

/* All zero: nothing. */
struct report_excerpt {
    char *text;  /* owned; lines */
    size_t size; /* without a newline at the end */
    char *place; /* owned; whose words they are, and where all of them are */
};

struct report {
    const char *dir; /* borrowed */
    struct run_identity identity;
    struct state *state; /* owned */
    enum status_state standing;
    struct task_counts tasks;
    const struct failure_group **groups; /* owned; the largest first */
    size_t group_count;
    struct report_excerpt *excerpts; /* owned; of each group: where its log has nothing */
    struct report_excerpt prepare;   /* when that is why the job failed */
    struct range_set failed; /* the tasks that failed for good, without those that were not run */
    uint64_t damage_count;   /* places of the journal that could not be read */
    bool is_stage;           /* the job is one of others; the caller's to set */
    bool is_held;            /* a master works on it */
    struct run_directory_holder holder;
};

/* NOT_FOUND when `dir` is no run directory. On success the caller closes the report. */
int report_read(const char *dir, struct report *report, struct sheaf_error *error);
void report_close(struct report *report);

/* Of a report that is read but for them. */
void report_gather_excerpts(struct report *report);
void report_close_excerpts(struct report *report);

enum { REPORT_TEXT_BYTES = 512, REPORT_RANGES_MAX = 20, REPORT_ADVICE_MAX = 8 };

/* What to do next, a sentence each, the most urgent first. Returns how many. */
size_t report_advise(const struct report *report, char advice[][REPORT_TEXT_BYTES]);

/* "task 7", "merge of tasks 0 to 63", "split", "finish". */
void report_describe_work(enum work work, struct range range, char *text, size_t text_size);

/* "was killed by signal 11 (Segmentation fault)", or the cause's own words. */
void report_describe_cause(enum cause cause, int32_t detail, char *text, size_t text_size);

struct report_tasks_form {
    FILE *out;
    const char *stage; /* NULL: the job is one */
    bool is_json;      /* an object a line */
};

/* The tasks that failed for good or were not run, in their order: however many they are, none is
 * held in memory. */
void report_print_tasks(const struct report *report, const struct report_tasks_form *form);

void report_print_text(const struct report *report, FILE *out);
/* The report as an object for scripts; the caller owns it. */
struct json_t *report_to_json(const struct report *report);

#endif
