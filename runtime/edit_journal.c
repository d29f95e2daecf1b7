/* edit_journal.c - makes the journal of an edited list from that of the list before. */
#include "edit_private.h"

#include "../jobs/command_record.h"
#include "print_foreign.h"
#include "run_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Results of neighbours that are journalled together. */
enum { GROUP_BYTES = 256 << 10, GROUP_TASKS_MAX = 4096, CONGESTION_MS = 1 };

struct edit_journal {
    struct edit *edit;
    struct journal *journal;
    struct kept_writer *kept; /* NULL: results of what is gone are not kept */
    uint64_t seq;             /* of the last fact */
    struct byte_writer partial;
    struct byte_writer group;
    struct range group_range;
};

static int append(struct edit_journal *out, struct fact fact, const struct byte_writer *payload,
                  struct sheaf_error *error)
{
    const struct timespec pause = {.tv_nsec = CONGESTION_MS * 1000000L};
    fact.seq = ++out->seq;
    journal_append(out->journal, &fact, payload != NULL ? payload->data : NULL,
                   payload != NULL ? payload->size : 0);
    /* As long as the disk takes: it fails, or goes on. */
    while (journal_is_congested(out->journal) && journal_failure(out->journal, NULL) == 0)
        nanosleep(&pause, NULL);
    return journal_failure(out->journal, error);
}

static int append_result(struct edit_journal *out, struct range range,
                         const struct byte_writer *payload, struct sheaf_error *error)
{
    const struct partial partial = {.range = range, .size_bytes = payload->size};
    const struct fact fact = {
        .kind = FACT_RESULT,
        .as.result = {
            .worker = WORKER_NONE, .work = WORK_RUN, .partial_count = 1, .partials = &partial}};
    return append(out, fact, payload, error);
}

static int flush_group(struct edit_journal *out, struct sheaf_error *error)
{
    if (range_is_empty(out->group_range))
        return 0;
    int code = append_result(out, out->group_range, &out->group, error);
    out->group_range = (struct range){0, 0};
    byte_writer_clear(&out->group);
    return code;
}

/* ---- results of single tasks ---- */

/* Tasks that come after others leave files for them, which an edited task has written otherwise
 * since: a result from before that must not come back. */
bool edit_keeps_gone(const struct edit_request *request)
{
    return !request->is_pruned && request->job->command.merge_text == NULL &&
           request->job->split.kind != SPLIT_TASKS;
}

static int keep_record(struct edit_journal *out, struct command_record *record, uint64_t target,
                       struct sheaf_error *error)
{
    struct range *group = &out->group_range;
    bool is_full = out->group.size >= GROUP_BYTES || group->count >= GROUP_TASKS_MAX;
    int code = 0;
    if (is_full || range_end(*group) != target)
        code = flush_group(out, error);
    if (range_is_empty(*group))
        group->first = target;
    group->count++;
    record->task = target;
    command_record_put_head(record, &out->group);
    if (record->out_bytes > 0)
        byte_writer_put(&out->group, record->out, record->out_bytes);
    if (record->err_bytes > 0)
        byte_writer_put(&out->group, record->err, record->err_bytes);
    return code;
}

static int keep_apart(struct edit_journal *out, const unsigned char *hash,
                      struct byte_reader record, struct sheaf_error *error)
{
    int code = out->kept != NULL ? kept_writer_add(out->kept, hash, record, error) : 1;
    out->edit->counts.dropped_count += code == 0;
    return code < 0 ? code : 0;
}

static int make_no_sense(const struct edit_journal *out, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                           "what %s holds of its commands makes no sense: run this list in a "
                           "directory of its own (--dir)",
                           out->edit->request->dir);
}

/* Of one task after the other. */
static int keep_records(struct edit_journal *out, struct range range, struct sheaf_error *error)
{
    const struct edit *edit = out->edit;
    struct byte_reader reader = byte_reader_of(out->partial.data, out->partial.size);
    int code = 0;
    for (uint64_t task = range.first; code == 0 && task < range_end(range); task++) {
        struct command_record record;
        size_t start = reader.position;
        if (!command_record_get(&reader, &record))
            return make_no_sense(out, error);
        uint64_t target = edit_plan_target(&edit->plan, task);
        if (target != EDIT_PLAN_GONE) {
            code = keep_record(out, &record, target, error);
            continue;
        }
        unsigned char hash[JOB_TASK_HASH_BYTES];
        edit_plan_hash(&edit->plan, edit->request->job, task, hash);
        code = keep_apart(out, hash, byte_reader_of(reader.data + start, reader.position - start),
                          error);
    }
    return code;
}

/* ---- merged results ---- */

static int keep_merged(struct edit_journal *out, struct sheaf_error *error)
{
    const struct edit_merged *merged = &out->edit->merged;
    int code = 0;
    for (size_t i = 0; code == 0 && i < merged->kept_count; i++) {
        const struct kept_partial *kept = &merged->kept[i];
        byte_writer_clear(&out->partial);
        code = journal_view_read(out->edit->old, &kept->partial, &out->partial, error);
        if (code == 0)
            code = append_result(out, (struct range){kept->first, kept->partial.range.count},
                                 &out->partial, error);
    }
    return code;
}

/* ---- all of them ---- */

/* In the order of the old list, so that each of its blocks is read once. */
static int keep_partial(struct edit_journal *out, const struct partial *partial,
                        struct sheaf_error *error)
{
    byte_writer_clear(&out->partial);
    int code = journal_view_read(out->edit->old, partial, &out->partial, error);
    if (code == SHEAF_ERROR_DAMAGED) {
        print_harmless(stderr, "sheaf: warning: %s; its tasks run again\n", error->text);
        return 0;
    }
    return code == 0 ? keep_records(out, partial->range, error) : code;
}

/* What was kept before: it comes back, or stays. */
static int keep_kept(struct edit_journal *out, size_t i, struct sheaf_error *error)
{
    const struct edit *edit = out->edit;
    byte_writer_clear(&out->partial);
    int code = kept_results_read(edit->kept, i, &out->partial, error);
    if (code == SHEAF_ERROR_DAMAGED) {
        print_harmless(stderr, "sheaf: warning: %s; its task runs again\n", error->text);
        return 0;
    }
    if (code != 0)
        return code;
    struct byte_reader reader = byte_reader_of(out->partial.data, out->partial.size);
    struct command_record record;
    uint64_t target = edit->plan.kept_targets[i];
    if (target == EDIT_PLAN_GONE)
        return keep_apart(out, kept_results_hash(edit->kept, i), reader, error);
    if (!command_record_get(&reader, &record))
        return make_no_sense(out, error);
    return keep_record(out, &record, target, error);
}

static int keep_results(struct edit_journal *out, struct sheaf_error *error)
{
    const struct edit *edit = out->edit;
    const struct fact_job_accepted *accepted = state_job(edit->state);
    const struct partial *partial = state_find_partial(edit->state, 0);
    int code = 0;
    if (accepted != NULL && accepted->has_merge)
        return keep_merged(out, error);
    for (; code == 0 && partial != NULL; partial = state_next_partial(partial))
        if (!partial->is_absent)
            code = keep_partial(out, partial, error);
    for (size_t i = 0; code == 0 && i < kept_results_count(edit->kept); i++)
        code = keep_kept(out, i, error);
    return code == 0 ? flush_group(out, error) : code;
}

/* There is nothing to be replayed. */
static void ignore(void *context, const struct fact *fact)
{
    (void)context;
    (void)fact;
}

static int open_journal(struct edit_journal *out, struct sheaf_error *error)
{
    char *path = run_directory_join(out->edit->folder, "journal");
    struct journal_options options = {
        .dir = path, .disk = disk_system(), .sync_interval_ns = 1000000000, .wake_descriptor = -1};
    struct journal_recovery recovery = {.replay = ignore};
    int code = job_identity(out->edit->request->job, options.identity, error);
    if (code == 0)
        code = journal_open(&options, &recovery, &out->journal, error);
    free(path);
    return code;
}

static int write_facts(struct edit_journal *out, const struct fact_job_accepted *accepted,
                       struct sheaf_error *error)
{
    const uint64_t incarnation = state_incarnation(out->edit->state);
    int code = append(out, (struct fact){.kind = FACT_RUN_STARTED, .as.run_started = {incarnation}},
                      NULL, error);
    if (code == 0)
        code = append(out, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = *accepted},
                      NULL, error);
    return code == 0 ? keep_results(out, error) : code;
}

int edit_journal_write(struct edit *edit, const struct fact_job_accepted *accepted,
                       struct sheaf_error *error)
{
    struct edit_journal out = {.edit = edit};
    struct kept_writer *kept = NULL; /* also when nothing is: what was kept before must go */
    unsigned char commands[JOB_IDENTITY_BYTES];
    job_command_identity(edit->request->job, commands);
    int code = kept_writer_create(edit->folder, commands, &kept, error);
    if (code == 0 && edit_keeps_gone(edit->request))
        out.kept = kept;
    if (code == 0)
        code = open_journal(&out, error);
    if (code == 0)
        code = write_facts(&out, accepted, error);
    if (out.journal != NULL) {
        int end_code = journal_close(out.journal, code == 0 ? error : NULL);
        code = code != 0 ? code : end_code;
    }
    if (code == 0)
        code = kept_writer_finish(kept, error);
    kept_writer_destroy(kept);
    byte_writer_close(&out.partial);
    byte_writer_close(&out.group);
    return code;
}
