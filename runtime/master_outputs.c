/* master_outputs.c - looks whether the files that done tasks have declared as their outputs are
 * there; tasks whose files are missing run again. What their attempts have left beside these files
 * is removed: when a run goes on, and at the end of one in which attempts have died. */
#include "master_private.h"

#include "../jobs/command_record.h"
#include "../scheduler/memory.h"
#include "clock.h"
#include "command_outputs.h"
#include "declared_files.h"
#include "file_system.h"
#include "output_digest.h"
#include "output_files.h"
#include "staging.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The master does not stay longer with it than this, but for the results of one report. */
#define STEP_NS     (5 * SHEAF_NS_PER_MS)
/* Nor at the end: the next run goes on with it. */
#define CLEANING_NS (1 * SHEAF_NS_PER_S)

struct output_check {
    struct declared_files *files;
    uint32_t staging_key;
    char *cleaned_folder;     /* the last one; NULL: none */
    struct range_set tasks;   /* still to be looked at */
    struct range_set missing; /* a file of theirs is not there */
    char *first_path;         /* of these; NULL: none is */
    uint64_t rerun_count;     /* with those that shared a merged result */
    uint64_t elsewhere_count; /* ran on other hosts, whose files may not be seen here */
    char host[256];
    struct byte_writer payload;
    struct byte_writer kept; /* records of tasks whose files are there */
    struct partial *partials;
    uint32_t partial_count;
};

/* ---- which ---- */

/* What was done before this run, as far as it is for these tasks. */
static void add_done(const struct master *master, struct range_set *tasks)
{
    const struct state *state = scheduler_state(master->scheduler);
    struct range range = {0, 0};
    while (range_set_find_from(state_done(state), range_end(range), &range))
        range_set_add(tasks, range);
    range = (struct range){0, 0};
    while (range_set_find_from(state_failed(state), range_end(range), &range))
        range_set_remove(tasks, range);
    if (master->options->only == NULL)
        return;
    uint64_t from = 0;
    for (range = (struct range){0, 0}; range_set_find_from(&master->only, from, &range);
         from = range_end(range))
        range_set_remove(tasks, range_between(from, range.first));
    range_set_remove(tasks, range_between(from, SHEAF_TASKS_MAX));
}

bool master_outputs_begin(struct master *master)
{
    struct declared_files *files = declared_files_create(&master->job, &master->inputs);
    if (files == NULL)
        return false;
    struct output_check *check = memory_allocate_zeroed(1, sizeof *check);
    check->files = files;
    check->staging_key = command_outputs_key(&master->job, run_directory_path(master->directory));
    add_done(master, &check->tasks);
    gethostname(check->host, sizeof check->host - 1);
    check->partials = memory_allocate(FACT_PARTIALS_MAX * sizeof *check->partials);
    master->output_check = check;
    return true;
}

void master_outputs_end(struct master *master)
{
    struct output_check *check = master->output_check;
    if (check == NULL)
        return;
    declared_files_destroy(check->files);
    range_set_close(&check->tasks);
    range_set_close(&check->missing);
    free(check->first_path);
    free(check->cleaned_folder);
    byte_writer_close(&check->payload);
    byte_writer_close(&check->kept);
    free(check->partials);
    free(check);
    master->output_check = NULL;
}

static bool is_done(const struct master *master, uint64_t task)
{
    const struct state *state = scheduler_state(master->scheduler);
    const struct range one = {task, 1};
    return range_set_contains(state_done(state), one) &&
           !range_set_contains(state_failed(state), one);
}

/* The first that is not there of those that were looked up; NULL when all are. */
static const char *find_missing(const struct output_check *check)
{
    for (size_t i = 0; i < declared_files_count(check->files); i++) {
        const char *path = declared_files_path(check->files, i);
        if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
            return path;
    }
    return NULL;
}

static bool is_done_for(void *context, uint64_t task)
{
    return is_done(context, task);
}

/* Those of the task that was looked up. */
static void clean_folders(struct master *master)
{
    struct output_check *check = master->output_check;
    for (size_t i = 0; i < declared_files_count(check->files); i++) {
        char *folder = output_files_folder(declared_files_path(check->files, i));
        if (check->cleaned_folder != NULL && strcmp(folder, check->cleaned_folder) == 0) {
            free(folder);
            continue;
        }
        staging_remove_left(folder, check->staging_key, is_done_for, master);
        free(check->cleaned_folder);
        check->cleaned_folder = folder;
    }
}

static void look_at(struct master *master, uint64_t task)
{
    struct output_check *check = master->output_check;
    range_set_remove(&check->tasks, (struct range){task, 1});
    if (!is_done(master, task) || declared_files_look_up(check->files, task, NULL) != 0)
        return;
    const char *path = find_missing(check);
    clean_folders(master);
    if (path == NULL)
        return;
    range_set_add(&check->missing, (struct range){task, 1});
    if (check->first_path == NULL)
        check->first_path = memory_copy_string(path);
}

/* ---- what becomes of them ---- */

/* Whether a file in a folder like this would be seen here wherever it is written. */
static bool is_seen_by_all(const char *path)
{
    char *folder = memory_copy_string(path);
    struct file_system found;
    char *slash;
    int code = -1;
    while (code != 0 && (slash = strrchr(folder, '/')) != NULL && slash != folder) {
        *slash = '\0';
        code = file_system_find(folder, &found);
    }
    if (code != 0)
        code = file_system_find(path[0] == '/' ? "/" : ".", &found);
    free(folder);
    return code == 0 && (found.trait == FILE_SYSTEM_SHARED || found.trait == FILE_SYSTEM_NFS);
}

static bool is_lost(struct output_check *check, const struct command_record *record)
{
    if (!range_set_contains(&check->missing, (struct range){record->task, 1}))
        return false;
    bool was_here = record->host_bytes == strlen(check->host) &&
                    memcmp(record->host, check->host, record->host_bytes) == 0;
    bool is_known = !was_here && declared_files_look_up(check->files, record->task, NULL) == 0;
    const char *path = is_known ? find_missing(check) : NULL;
    if (was_here || (path != NULL && is_seen_by_all(path)))
        return true;
    check->elsewhere_count++;
    return false;
}

static void keep(struct output_check *check, const struct command_record *record)
{
    struct partial *last =
        check->partial_count > 0 ? &check->partials[check->partial_count - 1] : NULL;
    if (last == NULL || range_end(last->range) != record->task) {
        if (check->partial_count == FACT_PARTIALS_MAX) {
            check->rerun_count++; /* there is no room for it: its result is made again */
            return;
        }
        last = &check->partials[check->partial_count++];
        *last = (struct partial){.range.first = record->task, .offset_bytes = check->kept.size};
    }
    command_record_put_head(record, &check->kept);
    if (record->out_bytes > 0)
        byte_writer_put(&check->kept, record->out, record->out_bytes);
    if (record->err_bytes > 0)
        byte_writer_put(&check->kept, record->err, record->err_bytes);
    last->range.count++;
    last->size_bytes = check->kept.size - last->offset_bytes;
}

/* Tells apart what of a result is lost and what is kept. A merged one is lost as a whole, which its
 * only record decides. */
static bool take_apart(struct master *master, const struct partial *partial)
{
    struct output_check *check = master->output_check;
    struct sheaf_error error;
    bool is_any_lost = false;
    check->partial_count = 0;
    byte_writer_clear(&check->kept);
    byte_writer_clear(&check->payload);
    if (journal_read_payload(master->journal, partial, &check->payload, &error) != 0)
        return false; /* who publishes it sees to that */
    struct byte_reader reader = byte_reader_of(check->payload.data, check->payload.size);
    struct command_record record;
    while (byte_reader_left(&reader) > 0 && command_record_get(&reader, &record)) {
        if (is_lost(check, &record)) {
            is_any_lost = true;
            check->rerun_count++;
        } else {
            keep(check, &record);
        }
    }
    return is_any_lost;
}

static void lose(struct master *master, struct range range, const struct output_check *check)
{
    struct input input = {.kind = INPUT_RESULT_LOST, .now_ns = master->now_ns};
    input.as.result_lost.range = range;
    input.as.result_lost.kept = check->partials;
    input.as.result_lost.kept_count = check->partial_count;
    master_step(master, &input, check->kept.data, check->kept.size);
}

/* The result that holds the first missing task. */
static void settle_one(struct master *master, uint64_t task)
{
    struct output_check *check = master->output_check;
    const struct state *state = scheduler_state(master->scheduler);
    const struct partial *partial = state_find_partial(state, task);
    struct range range = {task, 1};
    if (partial != NULL && range_contains(partial->range, range) && !partial->is_absent) {
        range = partial->range;
        if (state_job(state)->has_merge) {
            check->partial_count = 0;
            check->rerun_count += range.count;
            lose(master, range, check);
        } else if (take_apart(master, partial)) {
            lose(master, range, check);
        }
    }
    range_set_remove(&check->missing, range);
}

static void conclude(struct master *master)
{
    const struct output_check *check = master->output_check;
    if (check->rerun_count > 0)
        master_tell(master, CONTROL_WARNING,
                    "%" PRIu64 " done tasks run again: files that they declared as outputs are "
                    "missing (the first is %s)",
                    check->rerun_count, check->first_path);
    if (check->elsewhere_count > 0)
        master_tell(master, CONTROL_WARNING,
                    "output files of %" PRIu64 " tasks are not seen here, where the master is; "
                    "they ran on other hosts, and do not run again",
                    check->elsewhere_count);
    struct input checked = {.kind = INPUT_RESULTS_CHECKED, .now_ns = master->now_ns};
    master_step(master, &checked, NULL, 0);
    master_outputs_end(master);
}

bool master_outputs_continue(struct master *master)
{
    struct output_check *check = master->output_check;
    if (check == NULL)
        return false;
    uint64_t start_ns = clock_monotonic_ns();
    struct range range;
    do {
        if (range_set_find_from(&check->tasks, 0, &range)) {
            look_at(master, range.first);
        } else if (range_set_find_from(&check->missing, 0, &range)) {
            settle_one(master, range.first);
        } else {
            conclude(master);
            break;
        }
    } while (clock_monotonic_ns() - start_ns < STEP_NS);
    return true;
}

/* Killed attempts at tasks that others have done: nobody else comes to them. */
void master_outputs_clean_up(struct master *master)
{
    uint64_t start_ns = clock_monotonic_ns();
    if ((!master->anybody_was_lost && master->summary.retries == 0) || master->scheduler == NULL ||
        master->output_check != NULL || !master_outputs_begin(master))
        return;
    struct output_check *check = master->output_check;
    struct range range;
    while (range_set_find_from(&check->tasks, 0, &range) &&
           clock_monotonic_ns() - start_ns < CLEANING_NS) {
        range_set_remove(&check->tasks, (struct range){range.first, 1});
        if (declared_files_look_up(check->files, range.first, NULL) == 0)
            clean_folders(master);
    }
    master_outputs_end(master);
}

/* ---- for other stages ---- */

int master_keep_output_digest(const struct master *master, void (*keep_contact)(void *context),
                              void *context, struct sheaf_error *error)
{
    const struct output_digest_source source = {
        .stage_dir = run_directory_path(master->directory),
        .job = &master->job,
        .inputs = &master->inputs,
        .done = state_done(scheduler_state(master->scheduler)),
        .keep_contact = keep_contact,
        .context = context,
    };
    return output_digest_keep(&source, error);
}
