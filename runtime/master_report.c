/* master_report.c - tells people what happens: notable facts, where the run stands, how it ended.
 */
#include "master_private.h"

#include "../scheduler/printable.h"
#include "clock.h"
#include "progress.h"
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    CONTROL_PATIENCE_MS = 20,
    END_PATIENCE_MS = 2000,
    FAILURES_TOLD_MAX = 20, /* one by one; the rest is counted */
};

static int control_patience_ms(const struct control_line *line)
{
    return line->kind == CONTROL_PROGRESS ? CONTROL_PATIENCE_MS : END_PATIENCE_MS;
}

static void say(struct master *master, const struct control_line *line)
{
    if (master->options->is_under_launcher)
        control_write(STDERR_FILENO, line, control_patience_ms(line));
}

/* One write a line: other ranks write as well. */
static void print_message(const char *text)
{
    char shown[PRINTABLE_GROWTH * CONTROL_TEXT_BYTES];
    printable(text, strlen(text), shown, sizeof shown);
    fprintf(stderr, "sheaf: %s\n", shown);
}

void master_tell(struct master *master, enum control_level level, const char *format, ...)
{
    struct control_line line = {.kind = CONTROL_MESSAGE};
    line.as.message.level = level;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line.as.message.text, sizeof line.as.message.text, format, arguments);
    va_end(arguments);
    if (master->options->is_under_launcher)
        say(master, &line);
    else if (level != CONTROL_INFO || !master->options->is_quiet)
        print_message(line.as.message.text);
}

static const char *host_of(const struct master *master, uint32_t worker)
{
    const struct member *member = &master->members[worker];
    return member->is_known ? member->topology.host : "an unknown host";
}

/* All workers of a node are on one host. */
static const char *host_of_node(const struct master *master, uint32_t node)
{
    for (int i = 0; i < transport_rank_count(master->transport); i++) {
        const struct member *member = &master->members[i];
        if (member->is_known && member->node == node)
            return member->topology.host;
    }
    return "an unknown host";
}

/* A message of which there may be very many, with its like. */
static void __attribute__((format(printf, 3, 4)))
tell_counted(struct master *master, enum control_level level, const char *format, ...)
{
    char text[CONTROL_TEXT_BYTES];
    bool is_last;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    master->repetition.told_max = FAILURES_TOLD_MAX;
    if (repetition_add(&master->repetition, (int)level, text, &is_last))
        master_tell(master, level, "%s%s", text,
                    is_last ? " (what is like it is counted from here on)" : "");
}

/* What was not told, a line for each kind. */
static void tell_counts(struct master *master)
{
    const struct repetition *repetition = &master->repetition;
    char count[PROGRESS_NUMBER_BYTES];
    for (size_t i = 0; i <= REPETITION_KINDS_MAX; i++) {
        const struct repeated *kind = &repetition->kinds[i];
        progress_format_number(kind->untold, count);
        if (kind->untold > 0 && kind->text[0] != '\0')
            master_tell(master, (enum control_level)kind->level, "%s%s: %s", count,
                        kind->told > 0 ? " more like this" : " like this", kind->text);
        else if (kind->untold > 0)
            master_tell(master, CONTROL_WARNING,
                        "%s more failures of other kinds (`sheaf report %s` groups and counts all)",
                        count, run_directory_path(master->directory));
    }
}

/* Every failed attempt that is told names what, how, and where; the last one also the attempts
 * before it. */
static void tell_attempt_failed(struct master *master, const struct fact_attempt_failed *failed)
{
    char what[64];
    char how[160];
    char attempts[160] = "";
    report_describe_work(failed->work, failed->range, what, sizeof what);
    report_describe_cause(failed->cause, failed->detail, how, sizeof how);
    if (failed->cause == CAUSE_STOPPED) /* it has used up no attempt */
        return;
    failure_log_add(master->failures, failed->range.first, failed->worker);
    if (failed->is_final)
        failure_log_take(master->failures, failed->range.first, attempts, sizeof attempts);
    tell_counted(master, failed->is_final ? CONTROL_ERROR : CONTROL_WARNING,
                 "%s %s on worker %u (%s)%s%.*s; %s%s", what, how, failed->worker,
                 host_of(master, failed->worker), failed->text_size > 0 ? ": " : "",
                 (int)failed->text_size, failed->text_size > 0 ? failed->text : "",
                 failed->is_final ? "it failed for good after " : "it will be tried again",
                 attempts);
}

/* Several tasks, for the failure of one. */
static void tell_not_run(struct master *master, const struct fact_attempt_failed *failed)
{
    char what[64];
    report_describe_work(failed->work, failed->range, what, sizeof what);
    tell_counted(master, CONTROL_ERROR, "%s %s not run: task %.*s failed", what,
                 failed->range.count > 1 ? "are" : "is", (int)failed->text_size, failed->text);
}

static void tell_worker_lost(struct master *master, const struct fact_worker_lost *lost)
{
    const char *host = host_of(master, lost->worker);
    if (lost->cause == CAUSE_STOPPED) /* it is there, the run is not */
        return;
    if (master->members[lost->worker].has_ended)
        tell_counted(master, CONTROL_WARNING,
                     "worker %u (%s) is lost: its process has ended; its tasks run elsewhere",
                     lost->worker, host);
    else if (lost->cause == CAUSE_NODE_LOST)
        tell_counted(master, CONTROL_WARNING,
                     "worker %u is lost, and with it all others on %s: nothing was heard of the "
                     "node for %llu ms; its tasks run elsewhere",
                     lost->worker, host,
                     (unsigned long long)(master->options->lost_after_ns / SHEAF_NS_PER_MS));
    else if (lost->cause == CAUSE_WORKER_LOST) /* others have said goodbye */
        tell_counted(master, CONTROL_WARNING,
                     "worker %u (%s) is lost: nothing was heard of it for %llu ms; its tasks run "
                     "elsewhere",
                     lost->worker, host,
                     (unsigned long long)(master->options->lost_after_ns / SHEAF_NS_PER_MS));
}

void master_tell_goodbye(struct master *master, uint32_t rank, const struct message *goodbye)
{
    char host[TOPOLOGY_HOST_BYTES + 4] = ""; /* who never said HELLO says it in the text */
    if (master->members[rank].is_known)
        snprintf(host, sizeof host, " (%s)", master->members[rank].topology.host);
    tell_counted(master, CONTROL_WARNING, "worker %u%s has %s: %.*s; %s", rank, host,
                 goodbye->as.goodbye.returns ? "lost its spawner" : "left",
                 (int)goodbye->as.goodbye.text_size, goodbye->as.goodbye.text,
                 goodbye->as.goodbye.returns ? "it makes another, and what it ran runs again"
                                             : "its tasks run elsewhere");
}

static void tell_job_failed(struct master *master, const struct fact_job_failed *failed)
{
    char what[160];
    char how[160];
    bool has_results = state_done(scheduler_state(master->scheduler))->task_count > 0;
    report_describe_cause(failed->cause, failed->detail, how, sizeof how);
    if (failed->work == 0) {
        master_tell(master, CONTROL_ERROR,
                    "the job failed: prepare of %s failed on every worker, in every attempt (%s). "
                    "Mend the cause: the same command then tries again%s",
                    master->job.plugin_path != NULL ? master->job.plugin_path : "the commands", how,
                    has_results ? ", and goes on from the results so far, which are kept" : "");
        return;
    }
    report_describe_work(failed->work, failed->range, what, sizeof what);
    master_tell(master, CONTROL_ERROR,
                "the job failed: %s %s. Mend the cause: the same command with --retry-failed then "
                "tries again%s; with --force as well if that changed the plug-in",
                what, how,
                has_results ? ", and goes on from the results so far, which are kept" : "");
}

static void tell_node_benched(struct master *master, const struct fact_node_benched *benched)
{
    master_tell(
        master, CONTROL_WARNING,
        "host %s is BENCHED: %u different tasks failed there and passed on other hosts. Its "
        "tasks run elsewhere; it is tried with one task now and then, and gets work again "
        "when that passes. Look for what it lacks: disk, memory, libraries, files",
        host_of_node(master, benched->node), benched->task_count);
}

static void tell_node_readmitted(struct master *master,
                                 const struct fact_node_readmitted *readmitted)
{
    master_tell(master, CONTROL_WARNING, "host %s is benched no more: %s; it gets tasks again",
                host_of_node(master, readmitted->node), readmission_text(readmitted->reason));
}

void master_tell_fact(struct master *master, const struct fact *fact)
{
    switch (fact->kind) {
    case FACT_WORKER_JOINED:
        if (master->options->is_verbose)
            master_tell(master, CONTROL_INFO, "worker %u joined from %s with %u slots",
                        fact->as.worker_joined.worker,
                        host_of(master, fact->as.worker_joined.worker),
                        fact->as.worker_joined.slot_count);
        return;
    case FACT_WORKER_LOST:
        tell_worker_lost(master, &fact->as.worker_lost);
        return;
    case FACT_RESULT:
        master->summary.busy_ns += fact->as.result.busy_ns;
        return;
    case FACT_ATTEMPT_FAILED:
        master->summary.retries +=
            !fact->as.attempt_failed.is_final && cause_counts(fact->as.attempt_failed.cause);
        if (fact->as.attempt_failed.cause == CAUSE_NOT_RUN)
            tell_not_run(master, &fact->as.attempt_failed);
        else
            tell_attempt_failed(master, &fact->as.attempt_failed);
        return;
    case FACT_JOB_FAILED:
        tell_job_failed(master, &fact->as.job_failed);
        return;
    case FACT_NODE_BENCHED:
        tell_node_benched(master, &fact->as.node_benched);
        return;
    case FACT_NODE_READMITTED:
        tell_node_readmitted(master, &fact->as.node_readmitted);
        return;
    case FACT_RUN_STARTED:
    case FACT_JOB_ACCEPTED:
    case FACT_ASSIGNED:
    case FACT_RETURNED:
    case FACT_RESULT_LOST:
    case FACT_JOB_FINISHED:
    case FACT_SNAPSHOT_END:
    case FACT_FAILURES:
    case FACT_FAILED_REOPENED:
        return;
    }
}

void master_tell_damage(struct master *master, const struct journal_damage *damage)
{
    bool is_torn = strcmp(damage->text, "torn tail") == 0; /* the other texts name the tasks */
    if (range_is_empty(damage->tasks) || !is_torn)
        master_tell(master, CONTROL_WARNING, "journal %s, byte %llu: %s", damage->segment,
                    (unsigned long long)damage->offset_bytes, damage->text);
    else
        master_tell(master, CONTROL_WARNING,
                    "journal %s, byte %llu: %s; results within tasks %llu to %llu are lost and "
                    "those tasks run again",
                    damage->segment, (unsigned long long)damage->offset_bytes, damage->text,
                    (unsigned long long)damage->tasks.first,
                    (unsigned long long)(range_end(damage->tasks) - 1));
}

void master_tell_presence(const struct run_options *options, uint64_t incarnation)
{
    struct control_line line = {.kind = CONTROL_STARTED};
    line.as.started.incarnation = incarnation;
    line.as.started.process_id = getpid();
    gethostname(line.as.started.host, sizeof line.as.started.host - 1);
    if (options->is_under_launcher)
        control_write(STDERR_FILENO, &line, END_PATIENCE_MS);
}

void master_tell_start(struct master *master, bool is_new)
{
    if (master->stage.name == NULL)
        master_tell_presence(master->options, master_incarnation(master));
    const struct state *state = scheduler_state(master->scheduler);
    bool is_stage_done = master->stage.name != NULL && state_phase(state) == PHASE_PUBLISHING;
    if (is_new || state_job(state) == NULL || is_stage_done)
        return;
    const struct task_counts tasks = state_count_tasks(state);
    char others[PROGRESS_OTHERS_BYTES];
    progress_format_others(&tasks, others);
    master_tell(master, CONTROL_INFO, "continuing %s: %llu of %llu task%s done%s",
                run_directory_path(master->directory), (unsigned long long)tasks.done,
                (unsigned long long)tasks.total, tasks.total == 1 ? " is" : "s are", others);
}

void master_tell_placement(struct master *master, uint32_t rank)
{
    const struct member *member = &master->members[rank];
    char slots[1024];
    placement_describe(&member->placement, slots, sizeof slots);
    master_tell(master, CONTROL_INFO, "worker %u on %s, process %u%s:%s", rank,
                member->topology.host, member->process_id,
                member->placement.is_shared ? ", cores shared" : "", slots);
}

void master_tell_shortage(struct master *master, uint32_t rank)
{
    const struct topology *topology = &master->members[rank].topology;
    const struct job_resources *needs = &master->job.resources;
    master_tell(
        master, CONTROL_WARNING,
        "%s can hold no task: it has %u cores, %u GPUs and %llu MiB of memory; a task needs "
        "%u cores, %u GPUs and %llu MiB",
        topology->host, topology->core_count, topology->gpu_count,
        (unsigned long long)topology->memory_bytes >> 20, needs->cores > 0 ? needs->cores : 1,
        needs->gpus, (unsigned long long)needs->memory_bytes >> 20);
}

static enum status_state status_state(const struct master *master)
{
    if (master->is_over)
        return status_state_of_exit(master->status);
    if (master->stop_deadline_ns != UINT64_MAX)
        return STATUS_STOPPING;
    return status_state_of_job(scheduler_state(master->scheduler));
}

static void fill_status(const struct master *master, struct status *status)
{
    *status = (struct status){0};
    const struct state *state = scheduler_state(master->scheduler);
    status->state = status_state(master);
    status->incarnation = master_incarnation(master);
    status->tasks = state_count_tasks(state);
    status->workers = (uint32_t)state_worker_count(state);
    status->slots = state_slot_count(state);
    status->elapsed_ms = (master->now_ns - master->start_ns) / SHEAF_NS_PER_MS;
    uint64_t ended = task_counts_ended(&status->tasks);
    uint64_t ended_now = ended - master->done_at_start;
    if (status->elapsed_ms > 0 && ended > master->done_at_start) {
        __extension__ typedef unsigned __int128 wide;
        status->tasks_per_ks = (uint64_t)((wide)ended_now * 1000000 / status->elapsed_ms);
        uint64_t left = status->tasks.total - ended;
        status->remaining_ms = (uint64_t)((wide)left * status->elapsed_ms / ended_now);
    }
    /* Where a new mpirun goes on the job has not ended, only this run of it. */
    status->has_ended = master->is_over && !master->is_worth_restarting;
    status->exit_status = master->status;
    snprintf(status->job, sizeof status->job, "%s", master->job.name);
    snprintf(status->output, sizeof status->output, "%s", master->job.output_path);
}

/* The whole job goes on when a stage of it has ended. */
static void make_status_of_job(const struct master *master, struct status *status)
{
    const struct master_stage *stage = &master->stage;
    status->incarnation = stage->incarnation;
    status->elapsed_ms = (master->now_ns - stage->start_ns) / SHEAF_NS_PER_MS;
    status->stage_number = stage->number;
    status->stage_count = stage->count;
    status->stages_tasks_ended = stage->tasks_done_before;
    if (status_state_is_end(status->state))
        status->state = status->state == STATUS_STOPPED ? STATUS_STOPPING : STATUS_RUNNING;
    status->has_ended = false;
    snprintf(status->stage, sizeof status->stage, "%s", stage->name);
    snprintf(status->job, sizeof status->job, "%s", stage->job_name);
    status->output[0] = '\0';
}

void master_tell_status(struct master *master)
{
    struct control_line line = {.kind = CONTROL_PROGRESS};
    fill_status(master, &line.as.progress);
    status_write(run_directory_path(master->directory), &line.as.progress, NULL);
    if (master->stage.name != NULL) {
        make_status_of_job(master, &line.as.progress);
        status_write(master->stage.run_dir, &line.as.progress, NULL);
    }
    say(master, &line);
}

void master_tell_run_end(struct master *master, enum run_end end)
{
    const struct task_counts tasks = state_count_tasks(scheduler_state(master->scheduler));
    const char *dir = run_directory_path(master->directory);
    uint64_t left = tasks.total - task_counts_ended(&tasks);
    if (end == RUN_END_WALLTIME)
        master_tell(master, CONTROL_WARNING,
                    "the time limit is too near for another task: the rest is for the next run");
    else if (end == RUN_END_MANY_FAILED)
        master_tell(master, CONTROL_ERROR,
                    "the run ends here, as the limit of --max-failures %u is reached: %llu of %llu "
                    "tasks have failed, %llu are left. `sheaf report %s` says why; the same "
                    "command goes on with what is left, with --retry-failed also with what failed",
                    master->job.limits.failures_max, (unsigned long long)tasks.failed,
                    (unsigned long long)tasks.total, (unsigned long long)left, dir);
    else if (end == RUN_END_UNOPENED)
        master_tell(master, CONTROL_ERROR,
                    "the run ends here, as `open` has failed on every worker, again and again: no "
                    "task can run. `sheaf report %s` says why; mend that and repeat the "
                    "command, which goes on with the %llu of %llu tasks that are left",
                    dir, (unsigned long long)left, (unsigned long long)tasks.total);
}

static void tell_failed_tasks(struct master *master, const struct task_counts *tasks)
{
    char failed[PROGRESS_NUMBER_BYTES];
    char not_run[PROGRESS_NUMBER_BYTES];
    char total[PROGRESS_TASKS_BYTES];
    bool is_one = tasks->not_run == 1;
    bool is_command = master->job.command.is_there;
    progress_format_number(tasks->failed, failed);
    progress_format_number(tasks->not_run, not_run);
    progress_format_tasks(tasks->total, total);
    master_tell(
        master, CONTROL_ERROR,
        "%s of %s failed%s%s%s (`sheaf report %s` says why%s%s%s, --retry-failed tries %s again); "
        "the result without %s is in %s",
        failed, total, tasks->not_run > 0 ? ", and " : "", tasks->not_run > 0 ? not_run : "",
        tasks->not_run == 0 ? ""
        : is_one            ? " was not run"
                            : " were not run",
        run_directory_path(master->directory),
        is_command ? ", `sheaf output --failed --stderr " : "",
        is_command ? run_directory_path(master->directory) : "",
        is_command ? "` what they wrote" : "", tasks->failed + tasks->not_run == 1 ? "it" : "them",
        tasks->failed + tasks->not_run == 1 ? "it" : "them", master->output_path);
}

void master_count_slots(struct master *master)
{
    uint64_t slots = state_slot_count(scheduler_state(master->scheduler));
    if (master->slots_counted_ns != 0)
        master->summary.slot_ns += slots * (master->now_ns - master->slots_counted_ns);
    master->slots_counted_ns = master->now_ns;
}

struct run_summary master_summarize(const struct master *master)
{
    const struct task_counts tasks = state_count_tasks(scheduler_state(master->scheduler));
    struct run_summary summary = master->summary;
    summary.tasks = tasks.total;
    summary.tasks_before = master->done_at_start;
    summary.elapsed_ns = master->now_ns - master->start_ns;
    return summary;
}

static void tell_summary(struct master *master)
{
    char text[RUN_SUMMARY_TEXT_BYTES];
    const struct run_summary summary = master_summarize(master);
    run_summary_describe(&summary, text);
    if (master->stage.name != NULL)
        master_tell(master, CONTROL_INFO, "stage %s is done: %s", master->stage.name, text);
    else
        master_tell(master, CONTROL_INFO, "done: %s", text);
}

void master_tell_end(struct master *master)
{
    master_tell_status(master);
    tell_counts(master);
    const struct task_counts tasks = state_count_tasks(scheduler_state(master->scheduler));
    if (tasks.failed + tasks.not_run > 0 && master->output_path != NULL)
        tell_failed_tasks(master, &tasks);
    if (master->status == 0)
        tell_summary(master);
    if (master->stage.name != NULL)
        return; /* how the run ends is not for one stage to say */
    struct control_line line = {.kind = CONTROL_END};
    if (master->has_selection_ended)
        master_describe_selection(master, line.as.end.text, sizeof line.as.end.text);
    /* The launcher says itself how to go on. */
    if (!master->options->is_under_launcher && master->has_selection_ended)
        master_tell(master, CONTROL_WARNING, "%s; a run without --only does them",
                    line.as.end.text);
    else if (!master->options->is_under_launcher && (master->status == 3 || master->status == 4))
        master_tell(master, CONTROL_WARNING, "%s; repeat the command to continue",
                    master->is_worth_restarting ? "the run lost its workers or its mpirun"
                                                : "the job is not finished");
    line.as.end.exit_status = master->status;
    line.as.end.has_output = master_result_path(master) != NULL;
    line.as.end.is_worth_restarting = master->is_worth_restarting;
    if (master->is_worth_restarting)
        snprintf(line.as.end.text, sizeof line.as.end.text,
                 "the run lost its workers or its mpirun");
    say(master, &line);
}
