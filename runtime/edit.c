/* edit.c - makes a run one of its list as it is now, or tells why it does not. */
#include "edit_private.h"

#include "../scheduler/memory.h"
#include "print_foreign.h"
#include "run_directory.h"
#include "run_identity.h"
#include "run_swap.h"
#include "stored_command.h"
#include "stored_results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- the old run ---- */

static void apply(void *context, const struct fact *fact)
{
    struct edit *edit = context;
    state_apply(edit->state, fact);
    edit_note_merged(edit, fact);
}

static void tell_damage(void *context, const struct journal_damage *damage)
{
    (void)context;
    if (strcmp(damage->text, "torn tail") != 0)
        print_harmless(stderr, "sheaf: warning: journal %s, byte %llu: %s\n", damage->segment,
                       (unsigned long long)damage->offset_bytes, damage->text);
}

static void find_succeeded(struct edit *edit)
{
    struct range range = {0, 0};
    while (range_set_find_from(state_done(edit->state), range_end(range), &range))
        range_set_add(&edit->succeeded, range);
    range = (struct range){0, 0};
    while (range_set_find_from(state_failed(edit->state), range_end(range), &range))
        range_set_remove(&edit->succeeded, range);
}

/* Which tasks came after which: without that nobody knows what their results rest on. */
static int open_graph(struct edit *edit, const struct fact_job_accepted *accepted,
                      struct sheaf_error *error)
{
    const char *dir = edit->request->dir;
    if (accepted->graph_fingerprint == 0)
        return 0;
    if (graph_file_read(dir, &edit->graph, NULL) == 0 &&
        edit->graph.graph->fingerprint == accepted->graph_fingerprint &&
        edit->graph.graph->task_count == accepted->task_count)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                           "the list of tasks has changed, and %s/graph, which told what each came "
                           "after, is lost: `sheaf run %s` goes on with the list as it was, --dir "
                           "gives this one a directory of its own",
                           dir, dir);
}

static int open_old(struct edit *edit, struct sheaf_error *error)
{
    const char *dir = edit->request->dir;
    edit->old_path = run_directory_join(dir, "journal");
    struct journal_recovery recovery = {.replay = apply, .damaged = tell_damage, .context = edit};
    int code = journal_view_open(edit->old_path, &recovery, &edit->old, error);
    const struct fact_job_accepted *accepted = state_job(edit->state);
    if (code == 0 && accepted != NULL && accepted->input_bytes > 0)
        code = input_store_open(dir, accepted->task_count, accepted->input_bytes,
                                accepted->input_crc, &edit->inputs, error);
    if (code == 0 && accepted != NULL)
        code = open_graph(edit, accepted, error);
    if (code == 0)
        find_succeeded(edit);
    return code;
}

static int open_kept(struct edit *edit, struct sheaf_error *error)
{
    unsigned char commands[JOB_IDENTITY_BYTES];
    bool is_damaged = false;
    job_command_identity(edit->request->job, commands);
    int code = kept_results_open(edit->request->dir, commands, &edit->kept, &is_damaged, error);
    if (code == 0 && is_damaged)
        print_harmless(stderr,
                       "sheaf: warning: %s/" KEPT_RESULTS_NAME
                       " is damaged: some lines that come back run again\n",
                       edit->request->dir);
    return code;
}

static void close_edit(struct edit *edit)
{
    input_store_close(edit->inputs);
    graph_file_close(&edit->graph);
    kept_results_close(edit->kept);
    range_set_close(&edit->succeeded);
    edit_plan_close(&edit->plan);
    edit_merged_close(&edit->merged);
    journal_view_close(edit->old);
    state_destroy(edit->state);
    free(edit->old_path);
    free(edit->folder);
}

/* ---- what becomes of it ---- */

static void add_done(struct edit *edit, struct range range)
{
    edit->counts.kept_count += range.count;
    if (edit->done != NULL)
        range_set_add(edit->done, range);
}

static void count_numbers(struct edit *edit, struct range done)
{
    uint64_t end = range_end(done) < edit->plan.new_count ? range_end(done) : edit->plan.new_count;
    uint64_t kept = end > done.first ? end - done.first : 0;
    if (kept > 0)
        add_done(edit, (struct range){done.first, kept});
    edit->counts.gone_count += done.count - kept;
}

static void count_single(struct edit *edit)
{
    struct range done = {0, 0};
    while (range_set_find_from(&edit->succeeded, range_end(done), &done)) {
        if (edit->plan.is_by_index) {
            count_numbers(edit, done);
            continue;
        }
        for (uint64_t task = done.first; task < range_end(done); task++) {
            uint64_t target = edit_plan_target(&edit->plan, task);
            if (target != EDIT_PLAN_GONE)
                add_done(edit, (struct range){target, 1});
            else
                edit->counts.gone_count++;
        }
    }
    for (size_t i = 0; i < kept_results_count(edit->kept); i++) {
        if (edit->plan.kept_targets[i] == EDIT_PLAN_GONE)
            continue;
        add_done(edit, (struct range){edit->plan.kept_targets[i], 1});
        edit->counts.returned_count++;
    }
}

/* A merged result is one of all its tasks, or of none. */
static void count_merged(struct edit *edit)
{
    struct range_set lost = {0};
    struct range range = {0, 0};
    edit_choose_merged(edit);
    while (range_set_find_from(&edit->succeeded, range_end(range), &range))
        range_set_add(&lost, range);
    for (size_t i = 0; i < edit->merged.kept_count; i++) {
        const struct kept_partial *kept = &edit->merged.kept[i];
        add_done(edit, (struct range){kept->first, kept->partial.range.count});
        range_set_remove(&lost, kept->partial.range);
    }
    range = (struct range){0, 0};
    while (range_set_find_from(&lost, range_end(range), &range)) {
        for (uint64_t task = range.first; task < range_end(range); task++) {
            bool is_gone = edit_plan_target(&edit->plan, task) == EDIT_PLAN_GONE;
            edit->counts.gone_count += is_gone;
            edit->counts.again_count += !is_gone;
        }
    }
    range_set_close(&lost);
}

static void count(struct edit *edit)
{
    const struct fact_job_accepted *accepted = state_job(edit->state);
    edit->counts.task_count = edit->plan.new_count;
    if (accepted != NULL && accepted->has_merge)
        count_merged(edit);
    else
        count_single(edit);
}

/* ---- what is refused ---- */

static int refuse(const struct edit *edit, const char *what, struct sheaf_error *error)
{
    const char *dir = edit->request->dir;
    const struct fact_job_accepted *accepted = state_job(edit->state);
    const struct stored_results results = {.result_count = edit->succeeded.task_count,
                                           .task_count =
                                               accepted != NULL ? accepted->task_count : 0};
    char count[STORED_RESULTS_TEXT_BYTES];
    stored_results_format(&results, count);
    return sheaf_error_set(
        error, SHEAF_ERROR_IDENTITY,
        "%s, and %s holds %s: nothing was changed. `sheaf run %s` goes on "
        "with the list that is stored there; --dir DIR gives this one a directory of its own; "
        "--force lets it take the place of the other, whose results are kept",
        what, dir, count, dir);
}

/* Whether the directory is that of a list of the same name elsewhere, which is still there. */
static bool is_of_another_file(const struct edit *edit, struct stored_command *stored)
{
    struct stat old;
    struct stat fresh;
    const char *path = edit->request->job->source_path;
    return edit->request->is_by_name &&
           stored_command_read(edit->request->dir, stored, NULL) == 0 && stored->job_path != NULL &&
           stat(stored->job_path, &old) == 0 && stat(path, &fresh) == 0 &&
           (old.st_dev != fresh.st_dev || old.st_ino != fresh.st_ino) &&
           strcmp(stored->job_path, path) != 0;
}

static int check_file(const struct edit *edit, struct sheaf_error *error)
{
    struct stored_command stored = {0};
    int code = 0;
    if (is_of_another_file(edit, &stored))
        code = sheaf_error_set(
            error, SHEAF_ERROR_IDENTITY,
            "%s is the run of another list of that name, %.300s, and not of %.300s: nothing was "
            "changed. --dir DIR gives this one a directory of its own; if it is the other, "
            "continued, --force goes on and runs nothing again that both have",
            edit->request->dir, stored.job_path, edit->request->job->source_path);
    stored_command_close(&stored);
    return code;
}

static int check(const struct edit *edit, struct sheaf_error *error)
{
    const struct edit_counts *counts = &edit->counts;
    const struct fact_job_accepted *accepted = state_job(edit->state);
    if (edit->request->is_forced || edit->request->is_pruned || accepted == NULL ||
        accepted->task_count == 0)
        return 0;
    if (counts->task_count == 0)
        return refuse(edit, "the list is empty", error);
    bool has_common_line = edit->plan.has_common_line || counts->returned_count > 0;
    if (edit->succeeded.task_count > 0 && !has_common_line)
        return refuse(edit, "the list has nothing in common with the one before", error);
    if (accepted->has_merge && counts->gone_count > 0)
        return sheaf_error_set(
            error, SHEAF_ERROR_IDENTITY,
            "%llu lines that are done are in the list no more, or stand elsewhere in it, and "
            "their results in %s are merged with others: nothing was changed. `sheaf run %s` goes "
            "on with the list as it was; --dir DIR gives this one a directory of its own; --force "
            "merges anew, for which %llu tasks that are done run again",
            (unsigned long long)counts->gone_count, edit->request->dir, edit->request->dir,
            (unsigned long long)counts->again_count);
    return check_file(edit, error);
}

/* ---- the new run ---- */

static int write_identity(const struct edit *edit, struct sheaf_error *error)
{
    const struct job *job = edit->request->job;
    struct run_identity identity = {.job_name = ""};
    int code = job_identity(job, identity.job, error);
    if (code != 0)
        return code;
    memcpy(identity.journal, identity.job, sizeof identity.journal);
    job_command_identity(job, identity.commands);
    snprintf(identity.job_name, sizeof identity.job_name, "%s", job->name);
    return run_identity_write(edit->folder, &identity, error);
}

/* Also where no task comes after another any more: the old graph is to go. */
static int write_graph(const struct edit *edit, struct sheaf_error *error)
{
    const struct split *split = &edit->request->job->split;
    if (split->kind != SPLIT_TASKS)
        return 0;
    if (split->table->graph != NULL)
        return graph_file_write(edit->folder, split->table->graph, error);
    struct task_cycle none = {0};
    struct task_graph *empty = task_graph_create(split->table->count, NULL, 0, &none);
    int code = graph_file_write(edit->folder, empty, error);
    task_graph_destroy(empty);
    return code;
}

static int write_command(const struct edit *edit, struct sheaf_error *error)
{
    const struct byte_writer *command = edit->request->command;
    if (command == NULL)
        return 0;
    return run_directory_write_file(edit->folder, STORED_COMMAND_NAME, command->data, command->size,
                                    error);
}

/* Reads both lists; the inputs of the new one are stored, where there is a folder for them. */
static int compare(struct edit *edit, struct fact_job_accepted *accepted, struct sheaf_error *error)
{
    const struct fact_job_accepted *old = state_job(edit->state);
    const struct job *job = edit->request->job;
    struct edit_lists lists = {
        .job = job,
        .old_inputs = edit->inputs,
        .old_count = old != NULL ? old->task_count : 0,
        .old_graph = edit->graph.graph,
        .succeeded = &edit->succeeded,
        .kept = edit->kept,
    };
    int code = 0;
    if (edit->folder != NULL && job->split.kind != SPLIT_RANGE)
        code = input_writer_create(edit->folder, &lists.writer, error);
    if (code == 0)
        code = edit_plan_make(&lists, &edit->plan, error);
    if (code == 0 && lists.writer != NULL)
        code =
            input_writer_finish(lists.writer, &accepted->input_bytes, &accepted->input_crc, error);
    input_writer_destroy(lists.writer);
    if (code != 0)
        return code;
    accepted->task_count = edit->plan.new_count;
    accepted->has_merge = job->command.merge_text != NULL;
    accepted->graph_fingerprint =
        job->split.kind == SPLIT_TASKS ? task_table_fingerprint(job->split.table) : 0;
    count(edit);
    return check(edit, error);
}

static int make_new(struct edit *edit, struct sheaf_error *error)
{
    struct fact_job_accepted accepted = {0};
    int code = compare(edit, &accepted, error);
    if (code == 0)
        code = edit_journal_write(edit, &accepted, error);
    if (code == 0)
        code = write_graph(edit, error);
    if (code == 0)
        code = write_command(edit, error);
    if (code == 0)
        code = write_identity(edit, error);
    return code == 0 ? run_swap_commit(edit->request->dir, error) : code;
}

int edit_run(const struct edit_request *request, struct edit_counts *counts,
             struct sheaf_error *error)
{
    struct edit edit = {.request = request, .state = state_create()};
    int code = run_swap_begin(request->dir, &edit.folder, error);
    if (code == 0)
        code = open_old(&edit, error);
    if (code == 0)
        code = open_kept(&edit, error);
    if (code == 0)
        code = make_new(&edit, error);
    if (code == 0)
        *counts = edit.counts;
    else
        run_swap_abandon(request->dir);
    close_edit(&edit);
    return code;
}

int edit_find_done(const struct edit_request *request, struct range_set *done,
                   struct sheaf_error *error)
{
    struct edit edit = {.request = request, .state = state_create(), .done = done};
    struct fact_job_accepted accepted = {0};
    int code = open_old(&edit, error);
    if (code == 0)
        code = open_kept(&edit, error);
    if (code == 0)
        code = compare(&edit, &accepted, error);
    close_edit(&edit);
    return code;
}
