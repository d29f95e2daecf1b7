/* status_journal.c - what the journal of a run tells of where it stands. */
#include "status_journal.h"

#include "report.h"
#include "stage_list.h"

#include <stdio.h>

struct gathered {
    struct status *status;
    uint64_t stage_count;    /* that have begun */
    uint64_t finished_count; /* of these */
    bool has_failed;
    bool is_held;
    bool has_tasks;
};

static void add_counts(struct task_counts *sum, const struct task_counts *counts)
{
    sum->total += counts->total;
    sum->done += counts->done;
    sum->failed += counts->failed;
    sum->not_run += counts->not_run;
    sum->running += counts->running;
    sum->waiting += counts->waiting;
    sum->open += counts->open;
}

static int add(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    struct gathered *gathered = context;
    struct status *status = gathered->status;
    struct report report;
    int code = report_read(dir, &report, error);
    if (code != 0)
        return code;
    add_counts(&status->tasks, &report.tasks);
    status->state = report.standing;
    if (state_incarnation(report.state) > status->incarnation)
        status->incarnation = state_incarnation(report.state);
    gathered->stage_count += stage != NULL;
    gathered->finished_count += report.standing == STATUS_FINISHED;
    gathered->has_failed |= report.standing == STATUS_FAILED;
    gathered->is_held |= report.is_held;
    gathered->has_tasks |= state_job(report.state) != NULL;
    report_close(&report);
    return 0;
}

/* Of a job in stages: what they are together. */
static enum status_state judge(const struct gathered *gathered, const struct stage_list *stages)
{
    if (gathered->is_held)
        return STATUS_RUNNING;
    if (gathered->has_failed)
        return STATUS_FAILED;
    return gathered->finished_count == stages->count ? STATUS_FINISHED : STATUS_INTERRUPTED;
}

int status_from_journal(const char *dir, struct status *status, struct sheaf_error *error)
{
    struct status read = {.state = STATUS_STARTING};
    struct gathered gathered = {.status = &read};
    struct run_identity identity;
    struct stage_list stages;
    int code = run_identity_read(dir, &identity, error);
    if (code == 0)
        code = stage_list_read(dir, &stages, error);
    if (code != 0)
        return code;
    code = stage_list_visit(dir, NULL, add, &gathered, error);
    if (stages.count > 0)
        read.state = judge(&gathered, &stages);
    stage_list_close(&stages);
    if (code == 0 && !gathered.has_tasks)
        code = sheaf_error_set(error, SHEAF_ERROR_NOT_FOUND, "the run in %s has no tasks yet", dir);
    if (code != 0)
        return code;
    read.has_ended = read.state == STATUS_FINISHED || read.state == STATUS_FAILED;
    read.exit_status = read.state == STATUS_FAILED;
    snprintf(read.job, sizeof read.job, "%s", identity.job_name);
    *status = read;
    return 0;
}
