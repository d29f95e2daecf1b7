/* edit.c - makes the journal of an edited list from that of the list before. */
#include "edit.h"

#include "../jobs/command_record.h"
#include "../scheduler/memory.h"
#include "../scheduler/state.h"
#include "edit_plan.h"
#include "journal.h"
#include "run_directory.h"
#include "run_identity.h"
#include "run_swap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Results of neighbours that are journalled together. */
enum { GROUP_BYTES = 256 << 10, GROUP_TASKS_MAX = 4096, CONGESTION_MS = 1 };

struct edit {
    const struct job *job;
    const char *dir;
    struct state *state; /* of the old run */
    char *old_path;      /* of its journal */
    struct journal_view *old;
    struct input_store *inputs; /* the old ones; NULL: there are none */
    struct edit_plan plan;
    char *folder;            /* the new run, while it is made; NULL: it is only counted */
    struct journal *journal; /* the new one */
    uint64_t seq;            /* of its last fact */
    struct byte_writer partial;
    struct byte_writer group;
    struct range group_range;
    struct edit_counts counts;
    struct range_set *done; /* takes the new indices of what is done; NULL: nobody wants them */
};

/* ---- the old run ---- */

static void apply(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

static void tell_damage(void *context, const struct journal_damage *damage)
{
    (void)context;
    if (strcmp(damage->text, "torn tail") != 0)
        fprintf(stderr, "sheaf: warning: journal %s, byte %llu: %s\n", damage->segment,
                (unsigned long long)damage->offset_bytes, damage->text);
}

static int open_old(struct edit *edit, struct sheaf_error *error)
{
    edit->old_path = run_directory_join(edit->dir, "journal");
    struct journal_recovery recovery = {
        .replay = apply, .damaged = tell_damage, .context = edit->state};
    int code = journal_view_open(edit->old_path, &recovery, &edit->old, error);
    const struct fact_job_accepted *accepted = state_job(edit->state);
    if (code == 0 && accepted != NULL && (accepted->has_merge || accepted->has_finish))
        code = sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                               "the list has changed, and the results of the one before are merged "
                               "in %s: --fresh starts anew, --dir keeps both",
                               edit->dir);
    if (code == 0 && accepted != NULL && accepted->input_bytes > 0)
        code = input_store_open(edit->dir, accepted->task_count, accepted->input_bytes,
                                accepted->input_crc, &edit->inputs, error);
    return code;
}

static void close_edit(struct edit *edit)
{
    if (edit->inputs != NULL)
        input_store_close(edit->inputs);
    edit_plan_close(&edit->plan);
    journal_view_close(edit->old);
    state_destroy(edit->state);
    byte_writer_close(&edit->partial);
    byte_writer_close(&edit->group);
    free(edit->old_path);
    free(edit->folder);
}

/* ---- the new one ---- */

static int append(struct edit *edit, struct fact fact, const struct byte_writer *payload,
                  struct sheaf_error *error)
{
    const struct timespec pause = {.tv_nsec = CONGESTION_MS * 1000000L};
    fact.seq = ++edit->seq;
    journal_append(edit->journal, &fact, payload != NULL ? payload->data : NULL,
                   payload != NULL ? payload->size : 0);
    /* As long as the disk takes: it fails, or goes on. */
    while (journal_is_congested(edit->journal) && journal_failure(edit->journal, NULL) == 0)
        nanosleep(&pause, NULL);
    return journal_failure(edit->journal, error);
}

static int flush_group(struct edit *edit, struct sheaf_error *error)
{
    if (range_is_empty(edit->group_range))
        return 0;
    const struct partial partial = {.range = edit->group_range, .size_bytes = edit->group.size};
    const struct fact fact = {
        .kind = FACT_RESULT,
        .as.result = {
            .worker = WORKER_NONE, .work = WORK_RUN, .partial_count = 1, .partials = &partial}};
    int code = append(edit, fact, &edit->group, error);
    edit->group_range = (struct range){0, 0};
    byte_writer_clear(&edit->group);
    return code;
}

static int keep_record(struct edit *edit, struct command_record *record, uint64_t target,
                       struct sheaf_error *error)
{
    struct range *group = &edit->group_range;
    bool is_full = edit->group.size >= GROUP_BYTES || group->count >= GROUP_TASKS_MAX;
    int code = 0;
    if (is_full || range_end(*group) != target)
        code = flush_group(edit, error);
    if (range_is_empty(*group))
        group->first = target;
    group->count++;
    record->task = target;
    command_record_put_head(record, &edit->group);
    if (record->out_bytes > 0)
        byte_writer_put(&edit->group, record->out, record->out_bytes);
    if (record->err_bytes > 0)
        byte_writer_put(&edit->group, record->err, record->err_bytes);
    return code;
}

/* In the order of the old list, so that each of its blocks is read once. */
static int keep_partial(struct edit *edit, const struct partial *partial, struct sheaf_error *error)
{
    byte_writer_clear(&edit->partial);
    int code = journal_view_read(edit->old, partial, &edit->partial, error);
    if (code == SHEAF_ERROR_DAMAGED) {
        fprintf(stderr, "sheaf: warning: %s; its tasks run again\n", error->text);
        return 0;
    }
    struct byte_reader reader = byte_reader_of(edit->partial.data, edit->partial.size);
    uint64_t task = partial->range.first;
    for (; code == 0 && task < range_end(partial->range); task++) {
        struct command_record record;
        if (!command_record_get(&reader, &record))
            return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                                   "what %s holds of its commands makes no sense; --fresh starts "
                                   "anew",
                                   edit->dir);
        uint64_t target = edit_plan_target(&edit->plan, task);
        if (target != EDIT_PLAN_GONE)
            code = keep_record(edit, &record, target, error);
    }
    return code;
}

static int keep_results(struct edit *edit, struct sheaf_error *error)
{
    const struct partial *partial = state_find_partial(edit->state, 0);
    int code = 0;
    for (; code == 0 && partial != NULL; partial = state_next_partial(partial))
        if (!partial->is_absent)
            code = keep_partial(edit, partial, error);
    return code == 0 ? flush_group(edit, error) : code;
}

/* There is nothing to be replayed. */
static void ignore(void *context, const struct fact *fact)
{
    (void)context;
    (void)fact;
}

static int write_journal(struct edit *edit, const struct fact_job_accepted *accepted,
                         struct sheaf_error *error)
{
    char *path = run_directory_join(edit->folder, "journal");
    struct journal_options options = {
        .dir = path, .disk = disk_system(), .sync_interval_ns = 1000000000, .wake_descriptor = -1};
    struct journal_recovery recovery = {.replay = ignore};
    int code = job_identity(edit->job, options.identity, error);
    if (code == 0)
        code = journal_open(&options, &recovery, &edit->journal, error);
    free(path);
    if (code != 0)
        return code;
    const uint64_t incarnation = state_incarnation(edit->state);
    code = append(edit, (struct fact){.kind = FACT_RUN_STARTED, .as.run_started = {incarnation}},
                  NULL, error);
    if (code == 0)
        code = append(edit, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = *accepted},
                      NULL, error);
    if (code == 0)
        code = keep_results(edit, error);
    int end_code = journal_close(edit->journal, code == 0 ? error : NULL);
    return code != 0 ? code : end_code;
}

static int write_identity(const struct edit *edit, struct sheaf_error *error)
{
    struct run_identity identity = {.job_name = ""};
    int code = job_identity(edit->job, identity.job, error);
    if (code != 0)
        return code;
    memcpy(identity.journal, identity.job, sizeof identity.journal);
    job_command_identity(edit->job, identity.commands);
    snprintf(identity.job_name, sizeof identity.job_name, "%s", edit->job->name);
    return run_identity_write(edit->folder, &identity, error);
}

/* ---- both ---- */

static void count(struct edit *edit)
{
    edit->counts.task_count = edit->plan.new_count;
    struct range done = {0, 0};
    while (range_set_find_from(state_done(edit->state), range_end(done), &done)) {
        for (uint64_t task = done.first; task < range_end(done); task++) {
            if (range_set_contains(state_failed(edit->state), (struct range){task, 1}))
                continue;
            uint64_t target = edit_plan_target(&edit->plan, task);
            bool is_kept = target != EDIT_PLAN_GONE;
            if (is_kept && edit->done != NULL)
                range_set_add(edit->done, (struct range){target, 1});
            edit->counts.kept_count += is_kept;
            edit->counts.gone_count += !is_kept;
        }
    }
}

/* Reads both lists; the inputs of the new one are stored, where there is a folder for them. */
static int compare(struct edit *edit, struct fact_job_accepted *accepted, struct sheaf_error *error)
{
    const struct fact_job_accepted *old = state_job(edit->state);
    struct edit_lists lists = {
        .job = edit->job,
        .old_inputs = edit->inputs,
        .old_count = old != NULL ? old->task_count : 0,
    };
    int code = 0;
    if (edit->folder != NULL && edit->job->split.kind != SPLIT_RANGE)
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
    count(edit);
    return 0;
}

static int make_new(struct edit *edit, struct sheaf_error *error)
{
    struct fact_job_accepted accepted = {0};
    int code = compare(edit, &accepted, error);
    if (code == 0)
        code = write_journal(edit, &accepted, error);
    if (code == 0)
        code = write_identity(edit, error);
    return code == 0 ? run_swap_commit(edit->dir, error) : code;
}

int edit_run(const char *dir, const struct job *job, struct edit_counts *counts,
             struct sheaf_error *error)
{
    struct edit edit = {.job = job, .dir = dir, .state = state_create()};
    int code = run_swap_begin(dir, &edit.folder, error);
    if (code == 0)
        code = open_old(&edit, error);
    if (code == 0)
        code = make_new(&edit, error);
    if (code == 0)
        *counts = edit.counts;
    close_edit(&edit);
    return code;
}

int edit_find_done(const char *dir, const struct job *job, struct range_set *done,
                   struct sheaf_error *error)
{
    struct edit edit = {.job = job, .dir = dir, .state = state_create(), .done = done};
    struct fact_job_accepted accepted = {0};
    int code = open_old(&edit, error);
    if (code == 0)
        code = compare(&edit, &accepted, error);
    close_edit(&edit);
    return code;
}
