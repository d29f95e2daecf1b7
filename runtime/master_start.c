/* master_start.c - reads the job, opens what an earlier run left of it, and starts the run. */
#include "master_private.h"

#include "../scheduler/memory.h"
#include "clock.h"
#include "graph_file.h"
#include "print_foreign.h"
#include "run_job.h"
#include "run_open.h"
#include "stored_results.h"

#include "../jobs/stage_plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

static int probe(const struct job *job, struct plugin_hooks *hooks, struct sheaf_error *error)
{
    hooks->has_merge = job->command.merge_text != NULL;
    if (job->command.is_there)
        return 0;
    int code = plugin_probe(job->plugin_path, hooks, error);
    if (code == 0 && job->split.kind == SPLIT_PLUGIN && !hooks->has_split)
        code = sheaf_error_set(error, SHEAF_ERROR_JOB,
                               "%s says `split: plugin`, but %s has no split function",
                               job->source_path, job->plugin_path);
    return code;
}

static int probe_stages(const struct stage_plan *plan, struct plugin_hooks *hooks,
                        struct sheaf_error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < plan->count; i++)
        code = probe(&plan->stages[i].job, &hooks[i], error);
    return code;
}

static void print_warning(void *context, const char *text)
{
    (void)context;
    print_harmless(stderr, "sheaf: warning: %s\n", text);
}

int master_job_load(const struct run_options *options, struct master_job *loaded,
                    struct sheaf_error *error)
{
    struct master_job fresh = {0};
    int code = run_job_read(options, &fresh.job, error);
    if (code == 0)
        code = run_job_check(options, &fresh.job, error);
    if (code < 0) {
        stored_results_add_ways_out(options, &fresh.job, error);
        job_close(&fresh.job);
        return code;
    }
    if (code == 0)
        code = job_check_use(&fresh.job, error);
    if (code == 0 && !options->is_under_launcher)
        job_warn(&fresh.job, print_warning, NULL);
    if (code == 0 && fresh.job.plan != NULL) {
        fresh.stage_hooks =
            memory_allocate_zeroed(fresh.job.plan->count, sizeof *fresh.stage_hooks);
        code = probe_stages(fresh.job.plan, fresh.stage_hooks, error);
    } else if (code == 0) {
        code = probe(&fresh.job, &fresh.hooks, error);
    }
    if (code < 0) {
        free(fresh.stage_hooks);
        job_close(&fresh.job);
        return code;
    }
    struct sheaf_error unknown_end;
    if (walltime_find(options, &fresh.end_unix_ms, &unknown_end) < 0)
        print_harmless(stderr, "sheaf: warning: %s\n", unknown_end.text);
    *loaded = fresh;
    return 0;
}

static struct scheduler_config scheduler_config_of(const struct master *master)
{
    struct scheduler_config config = scheduler_config_default();
    const struct job_limits *limits = &master->job.limits;
    if (limits->attempts_max > 0)
        config.attempts_max = limits->attempts_max;
    if (limits->crashes_max > 0)
        config.crashes_max = limits->crashes_max;
    config.failures_max = limits->failures_max;
    if (limits->range_count_min > 0)
        config.range_count_min = limits->range_count_min;
    if (limits->range_count_max > 0)
        config.range_count_max = limits->range_count_max;
    config.lost_after_ns = master->options->lost_after_ns;
    config.no_workers_ns = master->options->workers_timeout_ns;
    int rank_count = transport_rank_count(master->transport);
    config.worker_count = rank_count > 1 ? (uint32_t)rank_count - 1 : 1; /* the master may be it */
    config.end_ns = master->walltime.tasks_end_ns;
    config.only = master->options->only != NULL ? &master->only : NULL;
    config.keeps_subtrees = job_list_may_change(&master->job);
    config.has_split = master->job.split.kind == SPLIT_PLUGIN;
    config.graph = master_find_graph(master);
    return config;
}

static void on_replay(void *context, const struct fact *fact)
{
    struct master *master = context;
    scheduler_recover(master->scheduler, fact);
}

static void on_damage(void *context, const struct journal_damage *damage)
{
    master_tell_damage(context, damage);
}

static int open_journal(struct master *master, bool *is_new, struct sheaf_error *error)
{
    char *dir = run_directory_join(run_directory_path(master->directory), "journal");
    struct journal_options options = {
        .dir = dir,
        .disk = disk_system(),
        .sync_interval_ns = master->options->checkpoint_ns,
        .wake_descriptor = master->journal_event,
    };
    memcpy(options.identity, run_directory_journal_identity(master->directory),
           sizeof options.identity);
    struct journal_recovery recovery = {
        .replay = on_replay, .damaged = on_damage, .context = master};
    int code = journal_open(&options, &recovery, &master->journal, error);
    free(dir);
    *is_new = recovery.is_new;
    return code;
}

static int open_directory(struct master *master, struct sheaf_error *error)
{
    const struct master_stage *stage = &master->stage;
    struct run_opening opening = {
        .options = master->options,
        .job = &master->job,
        .stage_name = stage->name,
        .stage_dir = stage->dir,
        .is_stage_fresh = stage->is_fresh,
    };
    int code = run_open(&opening, &master->directory, error);
    master->needs_stored_tasks = opening.needs_stored_tasks;
    if (code == 0 && master->needs_stored_tasks) /* without a graph no task came after another */
        graph_file_read(run_directory_path(master->directory), &master->stored_graph, NULL);
    if (code != 0 || !opening.was_edited)
        return code;
    char text[RUN_OPEN_TEXT_BYTES];
    run_open_describe(&opening, text, sizeof text);
    master_tell(master, CONTROL_INFO, "%s%s%s%s", stage->name != NULL ? "stage " : "",
                stage->name != NULL ? stage->name : "", stage->name != NULL ? ": " : "", text);
    return 0;
}

/* An output that cannot be written is better known before the first task than after the last. */
static int check_output(const struct master *master, struct sheaf_error *error)
{
    if (strcmp(master->job.output_path, "-") == 0)
        return 0;
    return publish_check(master->job.output_path, error);
}

/* With --force the results of another job are taken over: but when a task may start is told by the
 * job file that is there now. */
static int check_graph(const struct master *master, struct sheaf_error *error)
{
    const struct fact_job_accepted *job = state_job(scheduler_state(master->scheduler));
    if (job == NULL || job->graph_fingerprint == master_graph_fingerprint(master))
        return 0;
    const char *dir = run_directory_path(master->directory);
    if (master->needs_stored_tasks)
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "%s/graph, which tells what each task comes after, is damaged or "
                               "gone, and so is the list as it was: nothing was changed. Give the "
                               "command with the list as it was, which makes the file again, or "
                               "with --dir, which gives this list a directory of its own",
                               dir);
    return sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                           "the tasks of %s come after others than those of %s: nothing was "
                           "changed. Run with the job file as it was, or name a directory of its "
                           "own for this one with --dir",
                           dir, master->job.source_path);
}

/* For `sheaf explain`, which goes without it where it cannot be written. */
static void keep_graph(struct master *master)
{
    const struct task_graph *graph = master_find_graph(master);
    struct sheaf_error error;
    if (graph != NULL && graph_file_write(run_directory_path(master->directory), graph, &error) < 0)
        master_tell(master, CONTROL_WARNING, "%s", error.text);
}

static int start(struct master *master, bool is_new, struct sheaf_error *error)
{
    const struct state *state = scheduler_state(master->scheduler);
    struct input input = {.kind = INPUT_START, .now_ns = master->now_ns};
    input.as.start.incarnation = state_incarnation(state) + 1;
    input.as.start.retries_failed = master->options->retries_failed;
    master->done_at_start = state_done(state)->task_count;
    master->was_finished = state_phase(state) == PHASE_FINISHED && !master->options->retries_failed;
    int code = check_graph(master, error);
    if (code == 0 && master->needs_stored_tasks && state_phase(state) == PHASE_NEW)
        code = run_open_refuse_unstored(run_directory_path(master->directory), error);
    if (code == 0)
        code = master_inputs_open(master, error);
    if (code == 0)
        code = master_check_selection(master, error);
    if (code < 0)
        return code;
    keep_graph(master);
    input.as.start.is_unchecked = master_outputs_begin(master);
    master_step(master, &input, NULL, 0);
    master_tell_start(master, is_new);
    return state_phase(state) == PHASE_NEW ? master_split_begin(master, error) : 0;
}

int master_create(const struct run_options *options, struct master_job *job,
                  struct transport *transport, struct master **created, struct sheaf_error *error)
{
    struct master *master = memory_allocate_zeroed(1, sizeof *master);
    int rank_count = transport_rank_count(transport);
    master->options = options;
    master->transport = transport;
    master->job = job->job;
    master->hooks = job->hooks;
    uint64_t end_unix_ms = job->end_unix_ms;
    master->stage = job->stage;
    master->session = job->stage.name != NULL ? (uint32_t)job->stage.number : 1;
    *job = (struct master_job){0};
    master->members = memory_allocate_zeroed((size_t)rank_count, sizeof *master->members);
    master->failures = failure_log_create();
    TAILQ_INIT(&master->owed);
    master->stop_deadline_ns = UINT64_MAX;
    master->now_ns = clock_monotonic_ns();
    master->start_ns = master->now_ns;
    master->last_poll_ns = master->now_ns;
    master->journal_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    master->walltime = walltime_plan_until(end_unix_ms);
    master_select_tasks(master);
    arc4random_buf(&master->world, sizeof master->world);
    bool is_new = false;
    int code = check_output(master, error);
    if (code == 0)
        code = open_directory(master, error);
    if (code == 0) {
        struct scheduler_config config = scheduler_config_of(master);
        master->scheduler = scheduler_create(&config);
        code = open_journal(master, &is_new, error);
    }
    master->has_past =
        !is_new || options->is_fresh || options->is_restart || master->stage.is_fresh;
    if (code == 0)
        code = master_export_open(master, error);
    if (code == 0)
        code = start(master, is_new, error);
    if (code < 0) {
        master_destroy(master);
        return code;
    }
    *created = master;
    return 0;
}
