/* master_selection.c - runs that are for some tasks only. */
#include "master_private.h"

#include "../jobs/task_list.h"
#include "../scheduler/check.h"

#include <inttypes.h>

void master_select_tasks(struct master *master)
{
    struct task_list list;
    if (master->options->only == NULL)
        return;
    CHECK(task_list_parse(master->options->only, &list, NULL) == 0); /* as the options were */
    for (size_t i = 0; i < list.count; i++)
        range_set_add(&master->only, list.ranges[i]);
    task_list_close(&list);
}

int master_check_selection(const struct master *master, struct sheaf_error *error)
{
    const struct fact_job_accepted *job = state_job(scheduler_state(master->scheduler));
    struct range beyond;
    if (job == NULL || !range_set_find_from(&master->only, job->task_count, &beyond))
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "--only: there is no task %" PRIu64 ": the job has %" PRIu64
                           " tasks, from 0",
                           beyond.first, job->task_count);
}

static uint64_t count_failed(const struct master *master)
{
    const struct range_set *failed = state_failed(scheduler_state(master->scheduler));
    uint64_t count = 0;
    struct range named = {0, 0};
    while (range_set_find_from(&master->only, range_end(named), &named)) {
        struct range range = {named.first, 0};
        while (range_set_find_from(failed, range_end(range), &range) &&
               range_intersects(range, named))
            count += range_overlap(range, named).count;
    }
    return count;
}

int master_end_selection(struct master *master)
{
    uint64_t failed = count_failed(master);
    master->has_selection_ended = true;
    if (failed > 0)
        master_tell(master, CONTROL_ERROR,
                    "%" PRIu64 " of the tasks that --only names failed (`sheaf report %s` says "
                    "why; --retry-failed tries them again)",
                    failed, run_directory_path(master->directory));
    return failed > 0 ? 1 : 3;
}

void master_describe_selection(const struct master *master, char *text, size_t size)
{
    const struct state *state = scheduler_state(master->scheduler);
    snprintf(text, size,
             "the tasks that --only names have ended; %" PRIu64
             " others are not done, and before they are there is no output",
             state_job(state)->task_count - state_done(state)->task_count);
}
