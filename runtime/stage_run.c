/* stage_run.c - one master after the other, in the order of the job's stages. */
#include "stage_run.h"

#include "../scheduler/memory.h"
#include "clock.h"
#include "control.h"
#include "output_digest.h"
#include "print_foreign.h"
#include "publish.h"
#include "run_directory.h"
#include "run_job.h"
#include "run_place.h"
#include "run_swap.h"
#include "stage_list.h"
#include "stage_result.h"
#include "stored_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 5000, HANDOVER_WAIT_MS = 15000, END_PATIENCE_MS = 2000, EXIT_FAILED = 1 };
enum { CONTACT_PATIENCE_MS = 20 };

#define CONTACT_NS ((uint64_t)1000 * 1000 * 1000)

struct stage_run {
    const struct run_options *options;
    struct transport *transport;
    struct job job;
    struct plugin_hooks *hooks;
    uint64_t end_unix_ms;
    struct run_directory *directory;
    char **dirs;    /* one a stage */
    char **results; /* where its result is when it is done */
    char *output;   /* where the job's own is then */
    size_t *parts;  /* stages whose results it consists of */
    size_t part_count;
    enum stage_state *states;
    struct byte_writer reads; /* of the stage under way */
    struct master_stage stage;
    struct run_summary summary; /* of the stages so far */
    size_t current;
    uint64_t contact_ns;
    bool must_end; /* a stage has ended in a way that ends the run */
    bool is_worth_restarting;
    bool anybody_was_lost;
    int status;
};

static void __attribute__((format(printf, 3, 4)))
tell(const struct stage_run *run, enum control_level level, const char *format, ...)
{
    char text[CONTROL_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (run->options->is_under_launcher)
        control_write_message(STDERR_FILENO, level, "%s", text);
    else if (level != CONTROL_INFO || !run->options->is_quiet)
        print_harmless(stderr, "sheaf: %s\n", text);
}

/* ---- the beginning ---- */

/* What a stage has done goes in one step: half of it would look damaged. */
static int forget_stage(struct stage_run *run, const char *name, struct sheaf_error *error)
{
    char *dir = stage_list_directory(run->stage.run_dir, name);
    char *discarded = run_directory_join(run->stage.run_dir, "discarded");
    int code = run_swap_remove(run->stage.run_dir, "discarded", error);
    bool was_there = code == 0 && run_place_rename(dir, discarded) == 0;
    if (code == 0 && !was_there && errno != ENOENT)
        code = sheaf_error_set_errno(error, errno, "cannot take away %s", dir);
    if (was_there) {
        tell(run, CONTROL_INFO, "stage %s runs anew, as --rerun-stage says", name);
        code = run_swap_remove(run->stage.run_dir, "discarded", error);
    }
    free(dir);
    free(discarded);
    return code;
}

/* Those that the user has named; a restart goes on with what they have done since. */
static int forget_stages(struct stage_run *run, struct sheaf_error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < run->options->rerun_stage_count; i++)
        code = forget_stage(run, run->options->rerun_stages[i], error);
    return code;
}

static int open_directory(struct stage_run *run, struct sheaf_error *error)
{
    const struct run_options *options = run->options;
    char *path = run_job_directory(options, run->job.name);
    struct byte_writer command = {0};
    struct run_directory_options directory = {
        .path = path,
        .job_name = run->job.name,
        .is_fresh = options->is_fresh && !options->is_restart,
        .is_forced = options->is_forced,
        .lock_wait_ms = options->is_restart ? HANDOVER_WAIT_MS : LOCK_WAIT_MS,
        .takes_over = options->is_restart,
        .is_of_launcher = options->is_under_launcher,
        .command = options->is_continued ? NULL : &command,
    };
    int code = job_identity(&run->job, directory.identity, error);
    if (code == 0)
        code = stored_command_put(options, &run->job, &command, error);
    if (code == 0)
        code = run_directory_open(&directory, &run->directory, error);
    byte_writer_close(&command);
    free(path);
    if (code != 0)
        return code;
    run->stage.run_dir = run_directory_path(run->directory);
    char *stages = run_directory_join(run->stage.run_dir, "stages");
    if (run_place_make_folder(stages) != 0 && errno != EEXIST)
        code = sheaf_error_set_errno(error, errno, "cannot make %s", stages);
    free(stages);
    if (code == 0)
        code = stage_list_write(run->stage.run_dir, run->job.plan, error);
    return code == 0 ? forget_stages(run, error) : code;
}

/* Its output is the job's, or a part of it. */
static bool is_for_job(const struct stage_plan *plan, size_t number)
{
    return stage_plan_is_last(plan, number) &&
           strcmp(plan->stages[number].job.output_path, "-") == 0;
}

/* Each result stays in the directory of its stage, so that it is found again when the job has got
 * other stages; the job's output is made from them. */
static void choose_paths(struct stage_run *run)
{
    struct stage_plan *plan = run->job.plan;
    bool is_to_stdout = strcmp(run->job.output_path, "-") == 0;
    run->output = is_to_stdout ? run_directory_join(run->stage.run_dir, "output")
                               : memory_copy_string(run->job.output_path);
    run->dirs = memory_allocate_zeroed(plan->count, sizeof *run->dirs);
    run->results = memory_allocate_zeroed(plan->count, sizeof *run->results);
    run->parts = memory_allocate_zeroed(plan->count, sizeof *run->parts);
    for (size_t i = 0; i < plan->count; i++) {
        const char *output_path = plan->stages[i].job.output_path;
        bool has_own = strcmp(output_path, "-") != 0;
        run->dirs[i] = stage_list_directory(run->stage.run_dir, plan->stages[i].name);
        run->results[i] =
            has_own ? memory_copy_string(output_path) : run_directory_join(run->dirs[i], "output");
        if (is_for_job(plan, i))
            run->parts[run->part_count++] = i;
    }
}

/* The status tells the incarnations of the whole job apart; that of the run before lies there. */
static void begin_status(struct stage_run *run)
{
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    if (status_read(run->stage.run_dir, status, NULL) != 0)
        *status = (struct status){.incarnation = 0};
    run->stage.incarnation = status->incarnation + 1;
    *status = (struct status){.state = STATUS_STARTING, .incarnation = run->stage.incarnation};
    status->stage_count = run->stage.count;
    snprintf(status->job, sizeof status->job, "%s", run->job.name);
    status_write(run->stage.run_dir, status, NULL);
    free(status);
}

int stage_run_create(const struct run_options *options, struct master_job *job,
                     struct transport *transport, struct stage_run **created,
                     struct sheaf_error *error)
{
    struct stage_run *run = memory_allocate_zeroed(1, sizeof *run);
    run->options = options;
    run->transport = transport;
    run->job = job->job;
    run->hooks = job->stage_hooks;
    run->end_unix_ms = job->end_unix_ms;
    *job = (struct master_job){0};
    run->states = memory_allocate_zeroed(run->job.plan->count, sizeof *run->states);
    run->current = run->job.plan->count;
    run->stage.count = run->job.plan->count;
    run->stage.job_name = run->job.name;
    run->stage.start_ns = clock_monotonic_ns();
    int code = 0;
    if (strcmp(run->job.output_path, "-") != 0)
        code = publish_check(run->job.output_path, error);
    if (code == 0)
        code = open_directory(run, error);
    if (code != 0) {
        stage_run_destroy(run);
        return code;
    }
    choose_paths(run);
    begin_status(run);
    master_tell_presence(options, run->stage.incarnation);
    *created = run;
    return 0;
}

void stage_run_destroy(struct stage_run *run)
{
    if (run == NULL)
        return;
    for (size_t i = 0; i < run->job.plan->count && run->dirs != NULL; i++) {
        free(run->dirs[i]);
        free(run->results[i]);
    }
    free(run->dirs);
    free(run->results);
    free(run->output);
    free(run->parts);
    free(run->states);
    free(run->hooks);
    byte_writer_close(&run->reads);
    run_directory_close(run->directory);
    job_close(&run->job);
    free(run);
}

/* ---- one stage ---- */

/* A stage that was begun with other results than there are now begins anew. */
static int look_at_results(struct stage_run *run, size_t number, struct sheaf_error *error)
{
    const struct stage *stage = &run->job.plan->stages[number];
    byte_writer_clear(&run->reads);
    for (size_t i = 0; i < run->job.plan->count; i++) {
        if (!stage->reads[i])
            continue;
        byte_writer_put(&run->reads, run->job.plan->stages[i].name,
                        strlen(run->job.plan->stages[i].name));
        byte_writer_put_u8(&run->reads, ' ');
        int code = stage_result_describe(run->dirs[i], run->results[i], &run->reads, error);
        if (code != 0)
            return code;
        output_digest_describe(run->dirs[i], run->job.plan->stages[i].name, &run->reads);
    }
    run->stage.is_fresh = !stage_reads_are(run->dirs[number], &run->reads);
    if (run_place_has(run->dirs[number]) && run->stage.is_fresh)
        tell(run, CONTROL_INFO, "stage %s runs anew: what it reads has changed", stage->name);
    return 0;
}

static int begin_stage(struct stage_run *run, size_t number, struct master **master,
                       struct sheaf_error *error)
{
    struct stage *stage = &run->job.plan->stages[number];
    int code = look_at_results(run, number, error);
    if (code == 0)
        code = stage_plan_resolve(run->job.plan, number, run->results, error);
    if (code == 0)
        run_job_settle_shell(&stage->job, run->stage.is_fresh ? NULL : run->dirs[number]);
    if (code == 0)
        code = job_check(&stage->job, error);
    if (code != 0)
        return code;
    /* What is still queued for workers is of the stage before. */
    for (int i = 0; i < transport_rank_count(run->transport); i++)
        transport_forget(run->transport, i);
    run->stage.name = stage->name;
    run->stage.dir = run->dirs[number];
    struct master_job job = {.job = stage->job,
                             .hooks = run->hooks[number],
                             .end_unix_ms = run->end_unix_ms,
                             .stage = run->stage};
    stage->job = (struct job){0};
    code = master_create(run->options, &job, run->transport, master, error);
    if (code == 0)
        code = stage_reads_write(run->dirs[number], &run->reads, error);
    return code;
}

static void note_end(struct stage_run *run, int status)
{
    run->states[run->current] = status == 0 ? STAGE_DONE : STAGE_FAILED;
    const char *name = run->job.plan->stages[run->current].name;
    if (status == EXIT_FAILED)
        tell(run, CONTROL_ERROR, "stage %s has failed (`sheaf report --stage %s %s` says why)",
             name, name, run->stage.run_dir);
    run->current = run->job.plan->count;
}

/* While large files are read nobody is to believe that the master is gone. */
static void keep_contact(void *context)
{
    struct stage_run *run = context;
    uint64_t now_ns = clock_monotonic_ns();
    struct transport_message ignored;
    if (now_ns - run->contact_ns < CONTACT_NS)
        return;
    run->contact_ns = now_ns;
    struct control_line line = {.kind = CONTROL_PROGRESS};
    line.as.progress.state = STATUS_PUBLISHING;
    line.as.progress.incarnation = run->stage.incarnation;
    line.as.progress.stages_tasks_ended = run->stage.tasks_done_before;
    if (run->options->is_under_launcher)
        control_write(STDERR_FILENO, &line, CONTACT_PATIENCE_MS);
    for (int i = 0; i < transport_rank_count(run->transport); i++) {
        struct message ping = {.kind = MESSAGE_PING, .session = (uint32_t)run->stage.number};
        struct byte_writer writer = {0};
        if (transport_backlog_bytes(run->transport, i) > 0)
            continue;
        message_encode(&ping, &writer);
        transport_send(run->transport, i, writer.data, writer.size);
    }
    while (transport_poll(run->transport, &ignored, NULL) == 1)
        continue;
}

/* What other stages read of this one is not only its result. */
static void keep_outputs(struct stage_run *run, const struct master *master)
{
    bool is_read = false;
    struct sheaf_error error;
    for (size_t i = 0; i < run->job.plan->count; i++)
        is_read |= run->job.plan->stages[i].reads[run->current];
    if (is_read && master_keep_output_digest(master, keep_contact, run, &error) != 0)
        tell(run, CONTROL_WARNING, "the output files of stage %s are not looked at: %s",
             run->job.plan->stages[run->current].name, error.text);
}

static void end_master(struct stage_run *run, struct master **master, int code)
{
    if (*master == NULL)
        return;
    int status = master_finish(*master, code);
    run->anybody_was_lost |= !master_ends_cleanly(*master);
    run->is_worth_restarting = master_is_worth_restarting(*master);
    run->stage.tasks_done_before += master_tasks_ended(*master);
    if (status == 0)
        keep_outputs(run, *master);
    const struct run_summary summary = master_summarize(*master);
    run_summary_add(&run->summary, &summary);
    master_destroy(*master);
    *master = NULL;
    if (status == 0 || status == EXIT_FAILED) {
        note_end(run, status);
    } else {
        run->must_end = true;
        run->status = status;
    }
}

int stage_run_next(struct stage_run *run, struct master **master)
{
    end_master(run, master, 0);
    while (!run->must_end) {
        size_t number = stage_plan_next(run->job.plan, run->states);
        if (number == run->job.plan->count)
            return 0;
        struct sheaf_error error;
        run->current = number;
        run->stage.number++;
        int code = begin_stage(run, number, master, &error);
        if (code == 0)
            return 1;
        tell(run, CONTROL_ERROR, "stage %s cannot run: %s", run->job.plan->stages[number].name,
             error.text);
        int status = sheaf_error_exit_status(code);
        bool is_its_own = status == 2 && code != SHEAF_ERROR_IDENTITY;
        if (is_its_own) {
            note_end(run, status);
            continue;
        }
        run->must_end = true;
        run->status = status;
        if (*master != NULL)
            end_master(run, master, code);
    }
    return 0;
}

/* ---- the end ---- */

/* Makes the job's output of the results that it consists of. One of them, if it only is to be
 * printed, need not be copied, unless the file system knows no links. */
static int make_output(struct stage_run *run, struct sheaf_error *error)
{
    const char *parts[STAGES_MAX];
    for (size_t i = 0; i < run->part_count; i++)
        parts[i] = run->results[run->parts[i]];
    bool is_to_stdout = strcmp(run->job.output_path, "-") == 0;
    if (run->part_count == 0)
        return 0;
    if (run->part_count == 1 && is_to_stdout && publish_link(parts[0], run->output))
        return 0;
    const struct publish_join join = {.path = run->output,
                                      .parts = parts,
                                      .part_count = run->part_count,
                                      .keep_contact = keep_contact,
                                      .context = run};
    return publish_joined(&join, error);
}

/* Which stages have failed is told; here the others that did not run. */
static void tell_waiting(const struct stage_run *run)
{
    char names[1000] = "";
    size_t length = 0;
    for (size_t i = 0; i < run->job.plan->count && length < sizeof names; i++)
        if (run->states[i] == STAGE_WAITING)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                       length > 0 ? ", " : "", run->job.plan->stages[i].name);
    if (length > 0)
        tell(run, CONTROL_ERROR, "not run, as a stage before has failed: %s", names);
}

static void conclude(struct stage_run *run)
{
    struct sheaf_error error;
    bool is_done = true;
    for (size_t i = 0; i < run->job.plan->count; i++)
        is_done &= run->states[i] == STAGE_DONE;
    if (!is_done) {
        run->status = EXIT_FAILED;
        tell_waiting(run);
    } else if (make_output(run, &error) != 0) {
        tell(run, CONTROL_ERROR, "%s", error.text);
        run->status = sheaf_error_exit_status(error.code);
    }
}

static void write_status(const struct stage_run *run)
{
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    if (status_read(run->stage.run_dir, status, NULL) != 0)
        *status = (struct status){.stage_count = run->stage.count};
    status->incarnation = run->stage.incarnation;
    status->state = status_state_of_exit(run->status);
    status->has_ended = !run->is_worth_restarting;
    status->exit_status = run->status;
    snprintf(status->job, sizeof status->job, "%s", run->job.name);
    snprintf(status->output, sizeof status->output, "%s",
             run->part_count > 0 ? run->job.output_path : ""); /* each stage has its own place */
    status_write(run->stage.run_dir, status, NULL);
    free(status);
}

static void tell_summary(struct stage_run *run)
{
    char text[RUN_SUMMARY_TEXT_BYTES];
    run->summary.elapsed_ns = clock_monotonic_ns() - run->stage.start_ns;
    run_summary_describe(&run->summary, text);
    tell(run, CONTROL_INFO, "done: %s", text);
}

int stage_run_finish(struct stage_run *run, struct master **master, int code)
{
    end_master(run, master, code);
    if (!run->must_end && code == 0)
        conclude(run);
    if (code < 0 && !run->must_end)
        run->status = sheaf_error_exit_status(code);
    write_status(run);
    if (run->status == 0)
        tell_summary(run);
    if (!run->options->is_under_launcher && (run->status == 3 || run->status == 4))
        tell(run, CONTROL_WARNING, "the job is not finished; repeat the command to continue");
    struct control_line line = {.kind = CONTROL_END};
    line.as.end.exit_status = run->status;
    line.as.end.has_output = stage_run_result_path(run) != NULL;
    line.as.end.is_worth_restarting = run->is_worth_restarting;
    if (run->is_worth_restarting)
        snprintf(line.as.end.text, sizeof line.as.end.text,
                 "the run lost its workers or its mpirun");
    if (run->options->is_under_launcher)
        control_write(STDERR_FILENO, &line, END_PATIENCE_MS);
    return run->status;
}

bool stage_run_ends_cleanly(const struct stage_run *run)
{
    return !run->anybody_was_lost;
}

const char *stage_run_directory(const struct stage_run *run)
{
    return run_directory_path(run->directory);
}

const char *stage_run_result_path(const struct stage_run *run)
{
    bool is_to_stdout = strcmp(run->job.output_path, "-") == 0;
    return run->status == 0 && is_to_stdout && run->part_count > 0 ? run->output : NULL;
}
