/* stored_results.c - counts the results of a run directory, and says how to go on with them. */
#include "stored_results.h"

#include "../jobs/job_path.h"
#include "../scheduler/memory.h"
#include "../scheduler/state.h"
#include "command_line.h"
#include "journal.h"
#include "progress.h"
#include "run_directory.h"
#include "run_identity.h"
#include "run_job.h"
#include "stage_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void apply(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

static int count_one(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    struct stored_results *results = context;
    struct state *state = state_create();
    char *path = run_directory_join(dir, "journal");
    struct journal_recovery recovery = {.replay = apply, .context = state};
    (void)stage;
    if (journal_scan(path, &recovery, error) == 0 && state_job(state) != NULL) {
        results->task_count += state_job(state)->task_count;
        results->result_count += state_done(state)->task_count - state_failed_task_count(state);
    }
    free(path);
    state_destroy(state);
    return 0; /* what another stage holds still counts */
}

void stored_results_count(const char *dir, struct stored_results *results)
{
    struct sheaf_error unread;
    *results = (struct stored_results){0};
    stage_list_visit(dir, NULL, count_one, results, &unread);
}

void stored_results_format(const struct stored_results *results,
                           char text[STORED_RESULTS_TEXT_BYTES])
{
    char tasks[PROGRESS_TASKS_BYTES];
    char count[PROGRESS_NUMBER_BYTES];
    progress_format_number(results->result_count, count);
    progress_format_tasks(results->task_count, tasks);
    snprintf(text, STORED_RESULTS_TEXT_BYTES, "%s result%s of %s", count,
             results->result_count == 1 ? "" : "s", tasks);
}

void stored_results_describe_fresh(const char *dir, char text[STORED_RESULTS_TEXT_BYTES])
{
    struct stored_results results;
    char count[STORED_RESULTS_TEXT_BYTES];
    stored_results_count(dir, &results);
    stored_results_format(&results, count);
    if (results.result_count == 0)
        snprintf(text, STORED_RESULTS_TEXT_BYTES, "--fresh begins anew: no task is done there");
    else
        snprintf(text, STORED_RESULTS_TEXT_BYTES, "--fresh deletes %.90s there", count);
}

/* The run directory that the words of the command name; the caller owns it. NULL: none. */
static char *find_directory(const struct run_options *options, const struct job *job)
{
    if (options->dir != NULL || job->name != NULL)
        return run_job_directory(options, job->name);
    char *name = options->command != NULL    ? job_command_line_name(options->command)
                 : options->job_path != NULL ? job_path_stem(options->job_path)
                                             : NULL;
    char *dir = name != NULL ? run_job_directory(options, name) : NULL;
    free(name);
    return dir;
}

static bool lacks_input(const struct run_options *options, const struct sheaf_error *error)
{
    bool is_list_gone = options->job_path != NULL && strcmp(options->job_path, "-") != 0 &&
                        access(options->job_path, F_OK) != 0;
    return error->code == SHEAF_ERROR_INPUT || is_list_gone;
}

/* What is stored of a job of commands is all that its tasks need. */
static void add(const char *dir, bool goes_on, struct sheaf_error *error)
{
    struct stored_results results;
    stored_results_count(dir, &results);
    if (results.result_count == 0)
        return;
    char count[STORED_RESULTS_TEXT_BYTES];
    stored_results_format(&results, count);
    size_t length = strlen(error->text);
    char *line = command_line_to_continue_run(dir);
    snprintf(
        error->text + length, sizeof error->text - length,
        ". %s holds %s: nothing was changed. %s%s%s--dir DIR gives other inputs a directory of "
        "their own",
        dir, count, goes_on ? "`" : "", goes_on ? line : "",
        goes_on ? "` goes on with the list that is stored there; "
                : "The same command goes on when the inputs are there again; ");
    free(line);
}

void stored_results_add_ways_out(const struct run_options *options, const struct job *job,
                                 struct sheaf_error *error)
{
    struct run_identity identity;
    if (options->is_fresh || options->is_continued || !lacks_input(options, error))
        return;
    char *dir = find_directory(options, job);
    bool is_list = options->command != NULL || job->name == NULL || job_list_may_change(job);
    if (dir != NULL && run_identity_read(dir, &identity, NULL) == 0)
        add(dir, is_list, error);
    free(dir);
}
