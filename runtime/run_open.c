/* run_open.c - what the launcher and the master do alike to begin with. */
#include "run_open.h"

#include "../scheduler/memory.h"
#include "../scheduler/state.h"
#include "journal.h"
#include "run_identity.h"
#include "run_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A master that was just ended may still hold the lock when its successor starts; and one that
 * must be asked to leave first gives its last words time to reach the others. */
enum { LOCK_WAIT_MS = 5000, HANDOVER_WAIT_MS = 15000 };

static int adapt(void *context, const char *path, struct sheaf_error *error)
{
    struct run_opening *opening = context;
    int code = edit_run(path, opening->job, &opening->counts, error);
    opening->was_edited = code == 0;
    return code;
}

/* options->path is the caller's, also after an error. */
static int set_options(const struct run_opening *opening, struct run_directory_options *options,
                       struct sheaf_error *error)
{
    const struct run_options *given = opening->options;
    *options = (struct run_directory_options){
        .path = opening->stage_name != NULL ? memory_copy_string(opening->stage_dir)
                                            : run_job_directory(given, opening->job->name),
        .stage_name = opening->stage_name,
        .job_name = opening->job->name,
        .is_fresh = opening->stage_name != NULL ? opening->is_stage_fresh
                                                : given->is_fresh && !given->is_restart,
        .is_forced = given->is_forced,
        .lock_wait_ms = given->is_restart ? HANDOVER_WAIT_MS : LOCK_WAIT_MS,
        .takes_over = given->is_restart,
        .adapt = opening->stage_name == NULL ? adapt : NULL,
        .adapt_context = (struct run_opening *)(uintptr_t)opening,
    };
    job_command_identity(opening->job, options->commands);
    return job_identity(opening->job, options->identity, error);
}

int run_open(struct run_opening *opening, struct run_directory **directory,
             struct sheaf_error *error)
{
    struct run_directory_options options;
    int code = set_options(opening, &options, error);
    if (code == 0)
        code = run_directory_open(&options, directory, error);
    free((char *)options.path);
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
    bool is_candidate = !opening->options->is_fresh && job_list_may_change(opening->job) &&
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

static int look_at_journal(const char *dir, struct range_set *done, struct range_set *failed,
                           struct sheaf_error *error)
{
    struct state *state = state_create();
    char *path = run_directory_join(dir, "journal");
    struct journal_recovery recovery = {.replay = apply, .context = state};
    int code = journal_scan(path, &recovery, error);
    if (code == 0) {
        copy_set(state_done(state), done);
        copy_set(state_failed(state), failed);
    }
    free(path);
    state_destroy(state);
    return code;
}

int run_open_look(const struct run_opening *opening, struct range_set *done,
                  struct range_set *failed, struct sheaf_error *error)
{
    struct run_directory_options options;
    int code = set_options(opening, &options, error);
    bool is_known = false;
    bool is_edited_since = false;
    if (code == 0)
        code = run_directory_look(&options, &is_known, &is_edited_since, error);
    if (code == 0 && is_edited_since)
        code = edit_find_done(options.path, opening->job, done, error);
    else if (code == 0 && is_known && !options.is_fresh)
        code = look_at_journal(options.path, done, failed, error);
    free((char *)options.path);
    return code;
}

void run_open_describe(const struct run_opening *opening, char *text, size_t size)
{
    const struct edit_counts *counts = &opening->counts;
    snprintf(text, size,
             "the list has changed: %" PRIu64 " of its %" PRIu64 " tasks are done, %" PRIu64
             " that were done are in it no more",
             counts->kept_count, counts->task_count, counts->gone_count);
}
