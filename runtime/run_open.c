/* run_open.c - what the launcher and the master do alike to begin with. */
#include "run_open.h"

#include "../scheduler/memory.h"
#include "../scheduler/state.h"
#include "journal.h"
#include "run_identity.h"
#include "run_job.h"
#include "stored_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A master that was just ended may still hold the lock when its successor starts; and one that
 * must be asked to leave first gives its last words time to reach the others. */
enum { LOCK_WAIT_MS = 5000, HANDOVER_WAIT_MS = 15000 };

/* The words that DIR/command keeps, for the call alone. */
struct opened_options {
    struct run_directory_options directory;
    struct byte_writer command;
    struct edit_request edit;
    struct run_opening *opening;
};

static int adapt(void *context, const char *path, struct sheaf_error *error)
{
    struct opened_options *options = context;
    options->edit.dir = path;
    int code = edit_run(&options->edit, &options->opening->counts, error);
    options->opening->was_edited = code == 0;
    return code;
}

/* Where a run is continued with what is stored, its list may be another one by now, or be gone. */
static int set_identity(struct run_opening *opening, struct run_directory_options *options,
                        struct sheaf_error *error)
{
    const struct job *job = opening->job;
    struct run_identity stored;
    struct sheaf_error job_error;
    job_command_identity(job, options->commands);
    if (!opening->options->is_continued || opening->stage_name != NULL || !job_list_may_change(job))
        return job_identity(job, options->identity, error);
    int code = run_identity_read(options->path, &stored, error);
    if (code != 0)
        return code;
    opening->needs_stored_tasks = job_identity(job, options->identity, &job_error) != 0 ||
                                  memcmp(options->identity, stored.job, sizeof stored.job) != 0;
    if (opening->needs_stored_tasks)
        memcpy(options->identity, stored.job, sizeof stored.job);
    if (memcmp(options->commands, stored.commands, sizeof stored.commands) == 0)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                           "%s is the run of another command than its options make now: leave them "
                           "out, or give them with the whole command and --dir",
                           options->path);
}

/* The caller closes the options, also after an error. */
static int set_options(struct run_opening *opening, struct opened_options *options,
                       struct sheaf_error *error)
{
    const struct run_options *given = opening->options;
    bool is_job = opening->stage_name == NULL;
    struct run_directory_options *directory = &options->directory;
    *options = (struct opened_options){
        .opening = opening,
        .edit = {.job = opening->job,
                 .is_forced = given->is_forced,
                 .is_pruned = given->is_pruned,
                 .is_by_name = is_job && given->dir == NULL && given->command == NULL &&
                               given->stored_input == NULL,
                 .command = is_job ? &options->command : NULL},
    };
    *directory = (struct run_directory_options){
        .path = is_job ? run_job_directory(given, opening->job->name)
                       : memory_copy_string(opening->stage_dir),
        .stage_name = opening->stage_name,
        .job_name = opening->job->name,
        .is_fresh = is_job ? given->is_fresh && !given->is_restart : opening->is_stage_fresh,
        .is_forced = given->is_forced,
        .is_pruned = given->is_pruned,
        .is_of_launcher = given->is_under_launcher || opening->is_launcher,
        .command = is_job && !given->is_continued ? &options->command : NULL,
        .lock_wait_ms = given->is_restart ? HANDOVER_WAIT_MS : LOCK_WAIT_MS,
        .takes_over = given->is_restart,
        .adapt = adapt,
        .adapt_context = options,
    };
    int code = set_identity(opening, directory, error);
    if (code == 0 && directory->command != NULL)
        code = stored_command_put(given, opening->job, &options->command, error);
    return code;
}

static void close_options(struct opened_options *options)
{
    free((char *)options->directory.path);
    byte_writer_close(&options->command);
}

int run_open(struct run_opening *opening, struct run_directory **directory,
             struct sheaf_error *error)
{
    struct opened_options options;
    int code = set_options(opening, &options, error);
    if (code == 0)
        code = run_directory_open(&options.directory, directory, error);
    close_options(&options);
    return code;
}

/* What cannot be read is left to those who open the directory: they say what is wrong. */
static bool is_edited(const struct run_opening *opening)
{
    struct run_identity identity;
    unsigned char commands[JOB_IDENTITY_BYTES];
    unsigned char job[JOB_IDENTITY_BYTES];
    char *path = run_job_directory(opening->options, opening->job->name);
    job_command_identity(opening->job, commands);
    bool is_candidate = !opening->options->is_fresh && !opening->options->is_continued &&
                        job_list_may_change(opening->job) &&
                        run_identity_read(path, &identity, NULL) == 0 &&
                        memcmp(identity.commands, commands, sizeof commands) == 0;
    free(path);
    return is_candidate && job_identity(opening->job, job, NULL) == 0 &&
           memcmp(identity.job, job, sizeof job) != 0;
}

int run_open_edited(struct run_opening *opening, struct sheaf_error *error)
{
    if (!is_edited(opening))
        return 0;
    struct run_directory *directory;
    int code = run_open(opening, &directory, error);
    if (code == 0)
        run_directory_close(directory);
    return code;
}

static void apply(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

static void copy_set(const struct range_set *from, struct range_set *to)
{
    struct range range = {0, 0};
    while (range_set_find_from(from, range_end(range), &range))
        range_set_add(to, range);
}

static int look_at_journal(const char *dir, struct run_look *look, struct sheaf_error *error)
{
    struct state *state = state_create();
    char *path = run_directory_join(dir, "journal");
    struct journal_recovery recovery = {.replay = apply, .context = state};
    int code = journal_scan(path, &recovery, error);
    if (code == 0) {
        const struct fact_job_accepted *accepted = state_job(state);
        look->has_tasks = accepted != NULL;
        if (accepted != NULL)
            look->tasks = *accepted;
        copy_set(state_done(state), &look->done);
        copy_set(state_failed(state), &look->failed);
    }
    free(path);
    state_destroy(state);
    return code;
}

int run_open_look(struct run_opening *opening, struct run_look *look, struct sheaf_error *error)
{
    struct opened_options options;
    int code = set_options(opening, &options, error);
    bool is_known = false;
    bool is_edited_since = false;
    options.edit.dir = options.directory.path;
    if (code == 0)
        code = run_directory_look(&options.directory, &is_known, &is_edited_since, error);
    if (code == 0 && is_edited_since)
        code = edit_find_done(&options.edit, &look->done, error);
    else if (code == 0 && is_known && !options.directory.is_fresh)
        code = look_at_journal(options.directory.path, look, error);
    close_options(&options);
    return code;
}

void run_look_close(struct run_look *look)
{
    range_set_close(&look->done);
    range_set_close(&look->failed);
}

int run_open_refuse_unstored(const char *dir, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "the list has changed since, or is gone, and %s was stopped before it "
                           "had stored it, so that nothing of it is done: repeat the whole command",
                           dir);
}

/* What becomes of the results of lines that are gone. */
static void describe_gone(const struct run_opening *opening, char *text, size_t size)
{
    const struct edit_request request = {.job = opening->job,
                                         .is_pruned = opening->options->is_pruned};
    const struct edit_counts *counts = &opening->counts;
    if (opening->options->is_pruned)
        snprintf(text, size, "; their results are deleted");
    else if (counts->dropped_count > 0)
        snprintf(text, size, "; their results are kept, but %" PRIu64 ", for want of room",
                 counts->dropped_count);
    else if (edit_keeps_gone(&request))
        snprintf(text, size, "; their results are kept (--prune deletes them)");
}

void run_open_describe(const struct run_opening *opening, char *text, size_t size)
{
    const struct edit_counts *counts = &opening->counts;
    char gone[120] = "";
    char again[120] = "";
    char returned[80] = "";
    if (counts->gone_count > 0)
        describe_gone(opening, gone, sizeof gone);
    if (counts->returned_count > 0)
        snprintf(returned, sizeof returned, "; %" PRIu64 " results are back from earlier lists",
                 counts->returned_count);
    if (counts->again_count > 0)
        snprintf(again, sizeof again,
                 "; %" PRIu64 " that were done run again, since results are merged otherwise now",
                 counts->again_count);
    snprintf(text, size,
             "the list has changed: %" PRIu64 " of its %" PRIu64 " tasks are done, %" PRIu64
             " that were done are in it no more%s%s%s",
             counts->kept_count, counts->task_count, counts->gone_count, gone, returned, again);
}
