/* report.c - gathers what failed in a job, and what to do about it. */
#include "report.h"

#include "../scheduler/memory.h"
#include "command_line.h"
#include "journal.h"
#include "stage_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void on_replay(void *context, const struct fact *fact)
{
    struct report *report = context;
    state_apply(report->state, fact);
}

/* A torn tail is what a master is writing, or was when it was ended. */
static void on_damage(void *context, const struct journal_damage *damage)
{
    struct report *report = context;
    if (strcmp(damage->text, "torn tail") != 0)
        report->damage_count++;
}

static int compare_groups(const void *left, const void *right)
{
    const struct failure_group *a = *(const struct failure_group *const *)left;
    const struct failure_group *b = *(const struct failure_group *const *)right;
    if ((a->work == 0) != (b->work == 0)) /* lost workers come last */
        return a->work == 0 ? 1 : -1;
    if ((a->cause == CAUSE_NOT_RUN) != (b->cause == CAUSE_NOT_RUN)) /* what follows from others */
        return a->cause == CAUSE_NOT_RUN ? 1 : -1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->host, b->host);
}

static void sort_groups(struct report *report)
{
    const struct failure_table *table = state_failures(report->state);
    report->group_count = table->count;
    report->groups = memory_allocate_zeroed(table->count + 1, sizeof(struct failure_group *));
    for (size_t i = 0; i < table->count; i++)
        report->groups[i] = table->groups[i];
    qsort(report->groups, report->group_count, sizeof *report->groups, compare_groups);
}

static void gather_failed(struct report *report)
{
    const struct range_set *not_run = state_not_run(report->state);
    struct range range = {0, 0};
    while (range_set_find_from(state_failed(report->state), range_end(range), &range))
        range_set_add(&report->failed, range);
    range = (struct range){0, 0};
    while (range_set_find_from(not_run, range_end(range), &range))
        range_set_remove(&report->failed, range);
}

/* How a run ended that did not end the job is in the status alone. */
static enum status_state state_of_last_run(const struct report *report)
{
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    bool has_ended = status_read(report->dir, status, NULL) == 0 && status->has_ended &&
                     status->incarnation == state_incarnation(report->state);
    enum status_state state = has_ended ? status->state : STATUS_INTERRUPTED;
    free(status);
    return state;
}

static enum status_state judge_state(const struct report *report)
{
    enum status_state state = status_state_of_job(report->state);
    if (report->is_held || status_state_is_end(state))
        return state;
    return state_of_last_run(report);
}

int report_read(const char *dir, struct report *report, struct sheaf_error *error)
{
    struct report fresh = {.dir = dir};
    int code = run_identity_read(dir, &fresh.identity, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_NOT_FOUND,
                               "%s is not a run directory (NAME.sheaf)", dir);
    if (code != 0)
        return code;
    fresh.state = state_create();
    char *journal = run_directory_join(dir, "journal");
    struct journal_recovery recovery = {
        .replay = on_replay, .damaged = on_damage, .context = &fresh};
    code = journal_scan(journal, &recovery, error);
    free(journal);
    if (code != 0) {
        state_destroy(fresh.state);
        return code;
    }
    fresh.is_held = run_directory_find_holder(dir, &fresh.holder, NULL) > 0;
    fresh.standing = judge_state(&fresh);
    fresh.tasks = state_count_tasks(fresh.state);
    if (!fresh.is_held)
        task_counts_abandon(&fresh.tasks);
    sort_groups(&fresh);
    gather_failed(&fresh);
    report_gather_excerpts(&fresh);
    *report = fresh;
    return 0;
}

void report_close(struct report *report)
{
    report_close_excerpts(report);
    state_destroy(report->state);
    range_set_close(&report->failed);
    free(report->groups);
}

void report_describe_cause(enum cause cause, int32_t detail, char *text, size_t text_size)
{
    cause_describe(cause, detail, text, text_size);
    size_t length = strlen(text);
    if (cause == CAUSE_SIGNAL && detail > 0)
        snprintf(text + length, text_size - length, " (%s)", strsignal(detail));
}

void report_describe_work(enum work work, struct range range, char *text, size_t text_size)
{
    if (work == WORK_RUN && range.count > 1)
        snprintf(text, text_size, "tasks %" PRIu64 " to %" PRIu64, range.first,
                 range_end(range) - 1);
    else if (work == WORK_RUN)
        snprintf(text, text_size, "task %" PRIu64, range.first);
    else if (work == WORK_MERGE)
        snprintf(text, text_size, "merge of tasks %" PRIu64 " to %" PRIu64, range.first,
                 range_end(range) - (range.count > 0));
    else
        snprintf(text, text_size, "%s", work == 0 ? "prepare" : work_text(work));
}

/* What helps against a cause; NULL where only the plug-in's author knows. */
static const char *remedy(enum cause cause)
{
    switch (cause) {
    case CAUSE_TIMEOUT:
        return "if tasks may take longer, raise the limit (--timeout, or `timeout` of the job)";
    case CAUSE_MEMORY:
        return "if tasks may use more memory, raise the limit (--memory, or `memory` of the job)";
    case CAUSE_INPUT:
        return "look whether the input files are still there and as they were";
    case CAUSE_OUTPUT:
        return "look whether the command writes the files that {out} names, and whether their "
               "folders can be written and have space";
    case CAUSE_WORKER_LOST:
    case CAUSE_NODE_LOST:
        return "lost workers cost no task an attempt: nothing is to be done for the job; look at "
               "the hosts named above if it happens often";
    case CAUSE_STOPPED:
        return "what was stopped on request costs no task an attempt and runs again";
    case CAUSE_NOT_RUN:
        return "tasks that were not run need nothing but that those before them succeed";
    case CAUSE_NONE:
    case CAUSE_PLUGIN:
    case CAUSE_EXIT:
    case CAUSE_SIGNAL:
    case CAUSE_LIMIT:
    case CAUSE_OPEN:
    case CAUSE_COUNT:
        break;
    }
    return NULL;
}

static size_t advise_by_cause(const struct report *report, char advice[][REPORT_TEXT_BYTES],
                              size_t count)
{
    bool is_told[CAUSE_COUNT] = {false};
    for (size_t i = 0; i < report->group_count && count < REPORT_ADVICE_MAX; i++) {
        enum cause cause = report->groups[i]->cause;
        const char *text = remedy(cause);
        if (text == NULL || is_told[cause])
            continue;
        is_told[cause] = true;
        if (cause == CAUSE_NODE_LOST || cause == CAUSE_WORKER_LOST)
            is_told[CAUSE_NODE_LOST] = is_told[CAUSE_WORKER_LOST] = true;
        snprintf(advice[count++], REPORT_TEXT_BYTES, "%s", text);
    }
    return count;
}

/* A task to look at: one that failed for good, else the first that failed at all. */
static bool find_suspect(const struct report *report, uint64_t *task)
{
    struct range failed;
    if (range_set_find_from(&report->failed, 0, &failed)) {
        *task = failed.first;
        return true;
    }
    for (size_t i = 0; i < report->group_count; i++) {
        const struct failure_group *group = report->groups[i];
        if (group->work != WORK_RUN || group->example_count == 0 || !cause_counts(group->cause))
            continue;
        *task = group->examples[0].range.first;
        return true;
    }
    return false;
}

static bool is_unprepared(const struct report *report)
{
    const struct fact_job_failed *failure = state_job_failure(report->state);
    return failure != NULL && failure->work == 0;
}

size_t report_advise(const struct report *report, char advice[][REPORT_TEXT_BYTES])
{
    enum phase phase = state_phase(report->state);
    size_t count = 0;
    uint64_t task;
    char *run_dir = stage_list_run_of(report->dir);
    char *line = command_line_to_continue_run(run_dir);
    free(run_dir);
    if (phase < PHASE_FINISHED && !report->is_held)
        snprintf(advice[count++], REPORT_TEXT_BYTES, "nobody works on the job: `%s` continues it",
                 line);
    if (!report->is_stage && find_suspect(report, &task))
        snprintf(advice[count++], REPORT_TEXT_BYTES,
                 "`sheaf try --task %" PRIu64 "`, with the words behind it that came behind `sheaf "
                 "run`, runs a task that failed, alone and without MPI: under a debugger, if you "
                 "like",
                 task);
    count = advise_by_cause(report, advice, count);
    bool has_ended_badly = phase == PHASE_FAILED ||
                           (phase == PHASE_FINISHED && state_failed_task_count(report->state) > 0);
    if (has_ended_badly && count < REPORT_ADVICE_MAX && is_unprepared(report))
        snprintf(advice[count++], REPORT_TEXT_BYTES,
                 "prepare failed: when its cause is mended, `%s` goes on", line);
    else if (has_ended_badly && count < REPORT_ADVICE_MAX)
        snprintf(advice[count++], REPORT_TEXT_BYTES,
                 "the job is over: when its cause is mended, `%s --retry-failed` goes on with what "
                 "failed",
                 line);
    free(line);
    return count;
}
