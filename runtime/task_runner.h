/* task_runner.h - runs the tasks of a RUN order, in an executor. */
#ifndef SHEAF_TASK_RUNNER_H
#define SHEAF_TASK_RUNNER_H

#include "../jobs/job.h"
#include "context.h"
#include "report_sender.h"

struct task_runner;

/* All kept. */
struct task_runner_options {
    struct shared_slot *slot;
    struct sheaf_context *context;
    const struct sheaf_plugin *table;
    struct report_sender *sender;
    enum split_kind split_kind;
    bool has_merge;
    bool keeps_subtrees; /* a list that may grow: no result that the end of the list cuts short */
};

struct task_runner *task_runner_create(const struct task_runner_options *options);
void task_runner_destroy(struct task_runner *runner);

/* Runs what the rank leaves of the order's range and reports each failed task at once, the results
 * at the end. `inputs` is the order's body. */
void task_runner_run(struct task_runner *runner, const struct slot_order *order,
                     struct byte_reader inputs);

#endif
