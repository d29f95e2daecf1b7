/* report_text.c - a report for people. */
#include "report.h"

#include "print_foreign.h"
#include "progress.h"

#include <inttypes.h>
#include <string.h>

static void print_number(FILE *out, uint64_t number, const char *one, const char *many)
{
    char text[PROGRESS_NUMBER_BYTES];
    progress_format_number(number, text);
    fprintf(out, "%s %s", text, number == 1 ? one : many);
}

static void print_tasks(const struct range_set *tasks, FILE *out)
{
    struct range range = {0, 0};
    uint64_t shown_count = 0;
    for (int i = 0; i < REPORT_RANGES_MAX; i++) {
        if (!range_set_find_from(tasks, range_end(range), &range))
            break;
        fprintf(out, "%s%" PRIu64, i > 0 ? ", " : "", range.first);
        if (range.count > 1)
            fprintf(out, "-%" PRIu64, range_end(range) - 1);
        shown_count += range.count;
    }
    if (shown_count < tasks->task_count) {
        fputs(" and ", out);
        print_number(out, tasks->task_count - shown_count, "more", "more, not shown");
    }
    fputc('\n', out);
}

/* `which` may be NULL: as in a run whose facts about some of them were damaged. */
static void print_count(const char *name, uint64_t count, const char *how,
                        const struct range_set *which, FILE *out)
{
    char tasks[PROGRESS_TASKS_BYTES];
    if (count == 0)
        return;
    progress_format_tasks(count, tasks);
    fprintf(out, "%-10s %s%s", name, tasks, how);
    if (which != NULL && which->task_count > 0) {
        fputs(": ", out);
        print_tasks(which, out);
    } else {
        fputc('\n', out);
    }
}

static void print_standing(const struct report *report, FILE *out)
{
    const struct task_counts *tasks = &report->tasks;
    const struct fact_job_failed *failure = state_job_failure(report->state);
    const struct range_set *not_run = state_not_run(report->state);
    fputs("job        ", out);
    print_foreign(out, report->identity.job_name, strlen(report->identity.job_name));
    fputc('\n', out);
    fprintf(out, "state      %s", status_state_word(report->standing));
    if (report->is_held)
        print_harmless(out, " (process %" PRId64 " on %s)", report->holder.process_id,
                       report->holder.host[0] != '\0' ? report->holder.host : "an unknown host");
    if (failure != NULL) {
        char what[REPORT_TEXT_BYTES];
        char how[REPORT_TEXT_BYTES];
        report_describe_work(failure->work, failure->range, what, sizeof what);
        report_describe_cause(failure->cause, failure->detail, how, sizeof how);
        fprintf(out, ": %s %s", what, how);
    }
    fputs("\ndone       ", out);
    if (tasks->total == 0 && state_job(report->state) == NULL) {
        fputs("0 tasks; how many there are is not known yet\n", out);
    } else {
        char total[PROGRESS_TASKS_BYTES];
        char done[PROGRESS_NUMBER_BYTES];
        progress_format_tasks(tasks->total, total);
        progress_format_number(tasks->done, done);
        fprintf(out, "%s of %s\n", done, total);
    }
    print_count("failed", tasks->failed, " for good", &report->failed, out);
    print_count("not run", tasks->not_run, "", not_run, out);
    print_count("running", tasks->running, "", NULL, out);
    print_count("waiting", tasks->waiting, "", NULL, out);
    print_count("open", tasks->open, "", NULL, out);
    if (report->damage_count > 0)
        fprintf(out,
                "note       %" PRIu64 " places of the journal are damaged: failures told "
                "there are not counted\n",
                report->damage_count);
}

static void print_host(const struct failure_group *group, FILE *out)
{
    fputs(" on ", out);
    if (group->host[0] == '\0')
        fputs("an unknown host", out);
    else if (strcmp(group->host, FAILURE_OTHER_HOSTS) == 0)
        fputs("other hosts (too many to tell apart)", out);
    else
        print_foreign(out, group->host, strlen(group->host));
}

static void print_heading(const struct failure_group *group, FILE *out)
{
    char how[REPORT_TEXT_BYTES];
    report_describe_cause(group->cause, group->detail, how, sizeof how);
    if (group->work == 0) {
        print_number(out, group->count, "worker was lost", "workers were lost");
        print_host(group, out);
        fprintf(out, ": %s\n    ", loss_text(group->cause));
        print_number(out, group->order_count, "order was", "orders were");
        fputs(" under way there; no task lost an attempt by it\n", out);
        return;
    }
    if (group->cause == CAUSE_NOT_RUN) {
        print_number(out, group->count, "task was not run, since one",
                     "tasks were not run, since one");
        fputs(" before it failed\n", out);
        return;
    }
    print_number(out, group->count, "attempt failed", "attempts failed");
    print_host(group, out);
    fprintf(out, ": %s", how);
    if (group->final_count > 0) {
        fputs("; ", out);
        print_number(out, group->final_count, "of them was the last", "of them were the last");
    }
    if (!cause_counts(group->cause))
        fputs("; no task lost an attempt by it", out);
    fputc('\n', out);
}

static void print_examples(const struct failure_group *group, FILE *out)
{
    uint64_t shown_count = 0;
    for (uint32_t i = 0; i < group->example_count; i++) {
        const struct failure_example *example = &group->examples[i];
        if (group->work == 0) {
            fprintf(out, "    worker %" PRIu32, example->worker);
            if (example->attempt > 0)
                fprintf(out, " of run %" PRIu32, example->attempt);
            fputc('\n', out);
            shown_count++;
            continue;
        }
        char what[REPORT_TEXT_BYTES];
        report_describe_work(group->work, example->range, what, sizeof what);
        if (group->cause == CAUSE_NOT_RUN) {
            fprintf(out, "    %s: not run: task ", what);
            print_foreign(out, example->text, example->text_size);
            fputs(" failed\n", out);
            shown_count += example->range.count;
            continue;
        }
        shown_count++;
        fprintf(out, "    %s, attempt %" PRIu32 ", worker %" PRIu32, what, example->attempt,
                example->worker);
        if (example->text_size > 0)
            fputs(": ", out);
        print_foreign(out, example->text, example->text_size);
        fputc('\n', out);
    }
    if (group->count > shown_count) {
        fputs("    and ", out);
        print_number(out, group->count - shown_count, "more\n", "more\n");
    }
}

static void print_lines(const char *line, size_t left, FILE *out)
{
    while (left > 0) {
        const char *end = memchr(line, '\n', left);
        size_t size = end != NULL ? (size_t)(end - line) : left;
        fputs("      | ", out);
        print_foreign(out, line, size);
        fputc('\n', out);
        size_t taken = end != NULL ? size + 1 : size;
        line += taken;
        left -= taken;
    }
}

static void print_excerpt(const struct report_excerpt *excerpt, FILE *out)
{
    if (excerpt->size == 0)
        return;
    print_harmless(out, "    %s:\n", excerpt->place != NULL ? excerpt->place : "what it wrote");
    print_lines(excerpt->text, excerpt->size, out);
}

static void print_log(const struct failure_group *group, FILE *out)
{
    if (group->log_size == 0)
        return;
    fputs("    what the executor wrote, at the first of them that wrote any:\n", out);
    print_lines(group->log, group->log_size, out);
}

void report_print_text(const struct report *report, FILE *out)
{
    char advice[REPORT_ADVICE_MAX][REPORT_TEXT_BYTES];
    print_standing(report, out);
    if (report->prepare.size > 0)
        fputc('\n', out);
    print_excerpt(&report->prepare, out);
    for (size_t i = 0; i < report->group_count; i++) {
        fputc('\n', out);
        print_heading(report->groups[i], out);
        print_examples(report->groups[i], out);
        print_log(report->groups[i], out);
        print_excerpt(&report->excerpts[i], out);
    }
    if (report->group_count == 0)
        fputs("\nnothing has failed\n", out);
    size_t count = report_advise(report, advice);
    if (count > 0)
        fputs("\nwhat to do next:\n", out);
    for (size_t i = 0; i < count; i++)
        print_harmless(out, "  - %s\n", advice[i]);
}
