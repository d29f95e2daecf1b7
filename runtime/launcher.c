/* launcher.c - starts mpirun, again if need be, until the job has ended. */
#include "launcher.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "clock.h"
#include "command_line.h"
#include "doctor.h"
#include "dry_run.h"
#include "host_probe.h"
#include "host_selection.h"
#include "host_slots.h"
#include "launch.h"
#include "master.h"
#include "mpi_environment.h"
#include "mpirun.h"
#include "progress_display.h"
#include "publish.h"
#include "run_directory.h"
#include "run_job.h"
#include "run_open.h"
#include "run_place.h"
#include "start_limits.h"
#include "stop_request.h"
#include "stored_input.h"
#include "walltime.h"
#include "world_files.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKOFF_MIN_NS SHEAF_NS_PER_S
#define BACKOFF_MAX_NS (30 * SHEAF_NS_PER_S)

/* While not one master has started the cause is likely to stay: a wrong option, or the name of a
 * host. Of several that have answered one may be the cause, and be left out. */
enum { RESTARTS_BEFORE_START_MAX = 2 };

enum { EXIT_STOPPED = 3, EXIT_CANNOT_GO_ON = 4 };

struct launcher {
    const struct run_options *options;
    struct run_options effective; /* the same, with where standard input is stored; borrows */
    struct job job;
    char *dir;
    uint64_t end_unix_ms;
    uint64_t leave_ns; /* what runs then is ended */
    struct mpirun mpirun;
    struct host_list hosts;
    struct host_selection selection; /* of these */
    uint32_t core_count;             /* of this host */
    char *program;                   /* this executable */
    char *stored_input;              /* a list from standard input; NULL: none */
    char *mpi_environment;           /* what tasks find of it; NULL: nothing */
    bool is_input_new;               /* no run knows of it yet */
    bool is_new;                     /* the run directory was made by this process */
    struct progress_display display;
    struct stop_request stop;
    int mark;                      /* in the run directory: this launcher is there; -1: not yet */
    bool was_started;              /* a master has held the run directory */
    bool has_tasks_done;           /* `tasks_done` is known */
    uint64_t tasks_done;           /* the most that any master reported */
    char told[CONTROL_TEXT_BYTES]; /* why the last launch failed */
    struct status_mark status_before; /* when the last launch began */
    uint32_t failures;                /* launches in a row that failed without new results */
};

static void __attribute__((format(printf, 2, 3)))
say(struct launcher *launcher, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length >= 0)
        progress_display_say(&launcher->display, "sheaf: ", text, (size_t)length);
    free(text);
}

static uint32_t count_cores(void)
{
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) == 0)
        return (uint32_t)CPU_COUNT(&cores);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t can hold */
    return online > 0 ? (uint32_t)online : 1;
}

static int find_program(char **program, struct sheaf_error *error)
{
    *program = realpath("/proc/self/exe", NULL);
    if (*program == NULL)
        return sheaf_error_set_errno(error, errno, "cannot tell where this program is");
    return 0;
}

/* Before this process adds to it. */
static int note_mpi_environment(struct launcher *launcher, struct sheaf_error *error)
{
    int code = mpi_environment_encode(environ, &launcher->mpi_environment, error);
    if (code == 0 && launcher->mpi_environment[0] == '\0') {
        free(launcher->mpi_environment);
        launcher->mpi_environment = NULL;
    }
    return code;
}

/* Nobody else may go on with the run, or take its result away, before this process has ended. Where
 * the mark cannot be made the master says why, if the directory is not for it either. */
static int claim(struct launcher *launcher, const char *dir, struct sheaf_error *error)
{
    if (launcher->mark >= 0 || launcher->options->is_dry)
        return 0;
    int code = run_directory_mark_launcher(dir, &launcher->mark, &launcher->is_new, error);
    if (code == 0)
        stored_input_remove_begun(dir);
    return code == SHEAF_ERROR_IN_USE || code == SHEAF_ERROR_PERMISSION ? code : 0;
}

static int store_for_dry_run(struct launcher *launcher, struct sheaf_error *error)
{
    char dir[] = "/tmp/sheaf-dry-run-XXXXXX";
    if (mkdtemp(dir) == NULL)
        return sheaf_error_set_errno(error, errno, "cannot make a directory in /tmp");
    int code = stored_input_write(dir, STDIN_FILENO, &launcher->stored_input,
                                  &launcher->is_input_new, error);
    if (code != 0)
        rmdir(dir);
    return code;
}

/* Ranks cannot read the standard input that the user has given to this process. */
static int store_input(struct launcher *launcher, struct sheaf_error *error)
{
    const struct run_options *options = &launcher->effective;
    if (options->stored_input != NULL)
        launcher->stored_input = memory_copy_string(options->stored_input);
    if (options->stored_input != NULL || options->job_path == NULL ||
        strcmp(options->job_path, "-") != 0)
        return 0;
    int code;
    if (options->is_dry) {
        code = store_for_dry_run(launcher, error);
    } else {
        char *name = run_job_name_of_input(options);
        launcher->dir = run_job_directory(options, name);
        free(name);
        code = claim(launcher, launcher->dir, error);
        if (launcher->mark >= 0)
            run_directory_name_launcher(launcher->mark); /* it may be long until all is read */
        if (code == 0)
            code = stored_input_write(launcher->dir, STDIN_FILENO, &launcher->stored_input,
                                      &launcher->is_input_new, error);
    }
    launcher->effective.stored_input = launcher->stored_input;
    return code;
}

/* A master has made the run directory one of the job, whatever became of it then. */
static bool has_begun(const struct launcher *launcher)
{
    if (launcher->dir == NULL)
        return false;
    char *path = run_directory_join(launcher->dir, "identity");
    bool is_there = run_place_has(path);
    free(path);
    return is_there;
}

/* A dry run leaves nothing, nor does one that is refused. */
static void forget_input(struct launcher *launcher, bool was_refused)
{
    bool is_dry = launcher->options->is_dry;
    if (launcher->is_input_new && launcher->stored_input != NULL && (is_dry || was_refused))
        unlink(launcher->stored_input);
    if (launcher->is_input_new && launcher->stored_input != NULL && is_dry) {
        *strrchr(launcher->stored_input, '/') = '\0';
        rmdir(launcher->stored_input);
    }
    if (was_refused && launcher->is_new && launcher->mark >= 0)
        run_directory_remove_new(launcher->dir);
    free(launcher->stored_input);
}

/* A worker without a slot is of no use. */
static struct mpirun_layout choose_layout(struct launcher *launcher)
{
    const struct run_options *options = launcher->options;
    struct host_list *hosts = &launcher->hosts;
    uint32_t host_count = host_list_usable_count(hosts);
    struct mpirun_layout layout = mpirun_layout_choose(options, host_count, launcher->core_count);
    for (size_t i = 0; i < hosts->count && host_count == 1 && options->ranks == 0; i++)
        if (!hosts->hosts[i].is_gone && hosts->hosts[i].has_slots && hosts->hosts[i].slots == 1)
            layout.ranks = 2;
    host_slots_deal(hosts, layout.ranks);
    return layout;
}

static int tell_only(struct launcher *launcher, struct sheaf_error *error)
{
    const struct mpirun_layout layout = choose_layout(launcher);
    const struct dry_run_options options = {
        .options = &launcher->effective,
        .job = &launcher->job,
        .hosts = &launcher->hosts,
        .ranks = layout.ranks,
    };
    return dry_run(&options, error);
}

/* Here there is time for it: no worker waits for this process. */
static int follow_edits(struct launcher *launcher, struct sheaf_error *error)
{
    struct run_opening opening = {
        .options = &launcher->effective, .job = &launcher->job, .is_launcher = true};
    int code = run_open_edited(&opening, error);
    if (code != 0 || !opening.was_edited)
        return code;
    stored_input_remove_others(launcher->dir, launcher->stored_input);
    if (launcher->options->is_quiet)
        return 0;
    char text[RUN_OPEN_TEXT_BYTES];
    run_open_describe(&opening, text, sizeof text);
    say(launcher, "%s", text);
    return 0;
}

static int check_limits(struct launcher *launcher, struct sheaf_error *error)
{
    const struct run_options *options = launcher->options;
    struct mpirun_layout layout = choose_layout(launcher);
    struct start_demand demand = {.slots = options->slots_per_worker,
                                  .core_count = launcher->core_count};
    if (layout.host_count <= 1 && launcher->hosts.count == 0)
        demand.ranks = layout.ranks;
    return start_limits_check(&demand, error);
}

/* Everything that can be found wrong without MPI is found here. */
static int prepare(struct launcher *launcher, struct sheaf_error *error)
{
    const struct run_options *options = launcher->options;
    struct master_job loaded = {.job.name = NULL};
    int code = master_job_load(&launcher->effective, &loaded, error);
    launcher->job = loaded.job;
    free(loaded.stage_hooks);
    launcher->end_unix_ms = loaded.end_unix_ms;
    if (code == 0)
        code = host_list_read(options, &launcher->hosts, error);
    if (code == 0)
        code = mpirun_find(options->mpirun, &launcher->mpirun, error);
    if (code == 0)
        code = find_program(&launcher->program, error);
    if (code == 0)
        code = note_mpi_environment(launcher, error);
    if (code != 0)
        return code;
    launcher->leave_ns = walltime_plan_until(launcher->end_unix_ms).leave_ns;
    if (launcher->dir == NULL)
        launcher->dir = run_job_directory(options, launcher->job.name);
    launcher->core_count = count_cores();
    code = check_limits(launcher, error);
    if (code != 0)
        return code;
    /* Debian's and others' mpirun refuse root, which is all there is in a container. */
    if (geteuid() == 0) {
        setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
        setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
        setenv("PRTE_ALLOW_RUN_AS_ROOT", "1", 1);
        setenv("PRTE_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    }
    return 0;
}

static void say_of_hosts(void *context, const char *text)
{
    say(context, "%s", text);
}

static void look_for_hosts(struct launcher *launcher)
{
    launcher->selection = (struct host_selection){
        .options = launcher->options,
        .program = launcher->program,
        .list = &launcher->hosts,
        .stop = &launcher->stop,
        .say = say_of_hosts,
        .context = launcher,
        .has_asked = launcher->selection.has_asked,
        .has_failed_to_start = launcher->selection.has_failed_to_start,
    };
    /* Asking through Slurm makes a step on each host: only with a reason. */
    if (launcher->hosts.count > 0 &&
        (launcher->failures > 0 || !host_probe_is_by_slurm(launcher->options)))
        host_selection_ask(&launcher->selection);
}

/* A start that failed on one of several hosts is tried without it. */
static void take_start(struct launcher *launcher, const struct launch_result *result)
{
    launcher->selection.has_failed_to_start = !result->was_started;
    if (result->was_started)
        host_selection_forget_blame(&launcher->selection);
    else if (result->failed_host[0] != '\0')
        host_selection_blame(&launcher->selection, result->failed_host, result->text);
}

/* mpirun must read what was read here, and found to be names: the user's file may be another one by
 * then. NULL: there is none, or no place for it. */
static char *copy_hostfile(const struct launcher *launcher)
{
    const struct byte_writer *file = &launcher->hosts.file;
    if (launcher->options->hostfile == NULL || file->size == 0 ||
        run_directory_write_file(launcher->dir, "hosts", file->data, file->size, NULL) != 0)
        return NULL;
    return run_directory_join(launcher->dir, "hosts");
}

/* Of this host: when all ranks are here, and no word of the user's says how many. */
static bool knows_rank_count(const struct launcher *launcher, const struct mpirun_layout *layout)
{
    static const char *const words[] = {"-n", "--n", "-np", "--np", "-c", "--app", "--hostfile"};
    for (size_t i = 0; i < launcher->options->mpi_option_count; i++)
        for (size_t j = 0; j < sizeof words / sizeof *words; j++)
            if (strcmp(launcher->options->mpi_options[i], words[j]) == 0)
                return false;
    return layout->host_count <= 1 && launcher->hosts.count == 0;
}

static int launch_on(struct launcher *launcher, struct launch_result *result,
                     struct sheaf_error *error)
{
    char *slots = host_slots_format(&launcher->hosts);
    char *world = launcher->mark >= 0 ? world_files_begin(launcher->dir) : NULL;
    struct mpirun_program program = {.path = launcher->program,
                                     .is_restart = launcher->was_started,
                                     .end_unix_ms = launcher->end_unix_ms,
                                     .stored_input = launcher->stored_input,
                                     .mpi_environment = launcher->mpi_environment,
                                     .host_slots = slots,
                                     .world = world};
    struct mpirun_layout layout = choose_layout(launcher);
    char *host = host_list_format(&launcher->hosts, !mpirun_is_mapped_by_user(launcher->options));
    layout.host = host;
    char *hostfile = copy_hostfile(launcher);
    layout.hostfile = hostfile;
    char **arguments = mpirun_arguments(&launcher->mpirun, &layout, &program, launcher->options);
    if (launcher->options->is_verbose) {
        int count = 0;
        while (arguments[count] != NULL)
            count++;
        char *line = command_line_format(arguments, count);
        say(launcher, "%s", line);
        free(line);
    }
    launcher->status_before = status_mark_of(launcher->dir);
    struct launch_options options = {
        .options = launcher->options,
        .arguments = arguments,
        .program = launcher->program,
        .rank_count = knows_rank_count(launcher, &layout) ? layout.ranks : 0,
        .dir = launcher->dir,
        .status_before = launcher->status_before,
        .world = world,
        .job_name = launcher->job.name,
        .display = &launcher->display,
        .stop = &launcher->stop,
        .leave_ns = launcher->leave_ns,
    };
    int code = launch_run(&options, result, error);
    world_files_finish(launcher->dir, world, result->has_mpirun_exited && !result->has_lost_host);
    free(arguments);
    free(hostfile);
    free(host);
    free(slots);
    return code;
}

static int launch_once(struct launcher *launcher, struct launch_result *result,
                       struct sheaf_error *error)
{
    look_for_hosts(launcher);
    if (launcher->stop.is_asked) {
        result->how = LAUNCH_STOPPED;
        snprintf(result->text, sizeof result->text, "stopped");
        return 0;
    }
    if (launcher->hosts.count > 0 && host_list_usable_count(&launcher->hosts) == 0) {
        result->how = LAUNCH_NO_START;
        snprintf(result->text, sizeof result->text, "no host is left");
        return 0;
    }
    int code = launch_on(launcher, result, error);
    if (code == 0)
        take_start(launcher, result);
    return code;
}

/* The end line may have been lost with mpirun; the file that the master wrote last was not. A
 * master that was ended for its silence may have taken that for a request to stop, which it was
 * not. */
static void look_for_end(const struct launcher *launcher, struct launch_result *result)
{
    struct status status;
    if (result->how == LAUNCH_ENDED || !result->was_started ||
        !status_find_end(launcher->dir, &launcher->status_before, &status) ||
        status.incarnation != result->incarnation ||
        (status.exit_status == EXIT_STOPPED && result->how == LAUNCH_SILENT))
        return;
    result->how = LAUNCH_ENDED;
    result->exit_status = status.exit_status;
    result->has_output = status.exit_status == 0 && strcmp(status.output, "-") == 0;
    result->is_worth_restarting = false;
    result->text[0] = '\0';
}

/* To mpirun a host that it has lost is a reason to end the ranks, by the signal by which a user
 * would ask them to stop. The master cannot tell; here it is known whether anybody has asked. */
static void look_for_lost_host(const struct launcher *launcher, struct launch_result *result)
{
    if (result->how != LAUNCH_ENDED || result->exit_status != EXIT_STOPPED ||
        !result->has_lost_host || launcher->stop.is_asked ||
        run_directory_stop_is_requested(launcher->dir))
        return;
    result->is_worth_restarting = true;
    snprintf(result->text, sizeof result->text, "mpirun lost a host and ended the run");
}

static bool made_progress(struct launcher *launcher, const struct launch_result *result)
{
    if (!result->has_progress)
        return false;
    uint64_t before = launcher->has_tasks_done ? launcher->tasks_done : result->tasks_at_first;
    bool is_more = result->tasks_done > before;
    if (is_more || !launcher->has_tasks_done)
        launcher->tasks_done = result->tasks_done;
    launcher->has_tasks_done = true;
    return is_more;
}

/* What went well until then may do so again at once. */
static uint64_t backoff_ns(uint32_t failures)
{
    if (failures <= 1)
        return 0;
    uint64_t wait_ns = BACKOFF_MIN_NS;
    for (uint32_t i = 2; i < failures && wait_ns < BACKOFF_MAX_NS; i++)
        wait_ns *= 2;
    return wait_ns < BACKOFF_MAX_NS ? wait_ns : BACKOFF_MAX_NS;
}

/* What this host lacks may be why nothing starts. */
static void tell_trouble(struct launcher *launcher)
{
    char trouble[CONTROL_TEXT_BYTES];
    if (doctor_find_trouble(trouble, sizeof trouble))
        say(launcher, "`sheaf doctor` says of this host: %s", trouble);
}

/* Whether to try once more after a launch that failed; says so, and waits. */
static bool restart(struct launcher *launcher, const struct launch_result *result)
{
    launcher->failures = made_progress(launcher, result) ? 1 : launcher->failures + 1;
    uint32_t restarts_max = launcher->options->restarts_max;
    bool is_somebody_elses_doing = result->how == LAUNCH_DIED && result->was_killed;
    if (!launcher->was_started && !is_somebody_elses_doing &&
        !host_list_has_answered(&launcher->hosts) && restarts_max > RESTARTS_BEFORE_START_MAX)
        restarts_max = RESTARTS_BEFORE_START_MAX;
    if (!launcher->was_started && !host_list_has_answered(&launcher->hosts) &&
        launcher->hosts.count > 0 && host_list_usable_count(&launcher->hosts) == 0) {
        say(launcher, "error: %s; is a name misspelt?", result->text);
        return false;
    }
    bool is_told = strcmp(launcher->told, result->text) == 0;
    const char *text = is_told ? "the same again" : result->text;
    if (launcher->failures > restarts_max) {
        say(launcher, "error: %s; giving up after %" PRIu32 " restart%s without new results", text,
            restarts_max, restarts_max == 1 ? "" : "s");
        return false;
    }
    uint64_t wait_ns = backoff_ns(launcher->failures);
    char when[32] = "at once";
    if (wait_ns > 0)
        snprintf(when, sizeof when, "in %" PRIu64 " s", wait_ns / SHEAF_NS_PER_S);
    say(launcher, "%s; starting again %s (%s)", text, when,
        launcher->was_started ? "what the journal holds is kept" : "nothing had begun yet");
    if (!is_told && !launcher->was_started && !is_somebody_elses_doing)
        tell_trouble(launcher);
    snprintf(launcher->told, sizeof launcher->told, "%s", result->text);
    stop_request_wait(&launcher->stop, wait_ns);
    return !launcher->stop.is_asked;
}

/* Launches until the job has ended. Returns its exit status, or a code. */
static int run(struct launcher *launcher, struct launch_result *result, struct sheaf_error *error)
{
    world_files_sweep(launcher->dir); /* of a launcher that was killed */
    for (;;) {
        *result = (struct launch_result){.text = ""};
        int code = launch_once(launcher, result, error);
        if (code != 0)
            return code;
        launcher->was_started |= result->was_started;
        if (launcher->was_started) /* so the run is that of this list */
            stored_input_remove_others(launcher->dir, launcher->stored_input);
        look_for_end(launcher, result);
        look_for_lost_host(launcher, result);
        if (result->how == LAUNCH_ENDED && !result->is_worth_restarting)
            return result->exit_status;
        if (result->how == LAUNCH_STOPPED || launcher->stop.is_asked)
            return EXIT_STOPPED;
        if (!restart(launcher, result))
            return launcher->stop.is_asked ? EXIT_STOPPED : EXIT_CANNOT_GO_ON;
    }
}

/* The command that continues the run, which the caller owns. Where the words of this one would not
 * do, since they name standard input, the run directory does. NULL when nothing had begun. */
static char *line_to_continue(const struct launcher *launcher, bool is_selection)
{
    const struct run_options *options = launcher->options;
    if (launcher->stored_input == NULL && !options->is_continued)
        return command_line_to_continue(options->arguments, options->argument_count, is_selection);
    return has_begun(launcher) ? command_line_to_continue_run(launcher->dir) : NULL;
}

/* The last words: the result, or what to do next. Returns the exit status. */
static int conclude(struct launcher *launcher, const struct launch_result *result, int status)
{
    progress_display_finish(&launcher->display);
    bool has_text = result->how == LAUNCH_ENDED && result->text[0] != '\0';
    /* The end of a run for some tasks tells more than that it has stopped. */
    bool is_selection = status == EXIT_STOPPED && launcher->options->only != NULL && has_text;
    /* Why there is no other start was told. */
    if (status != 0 && has_text && !is_selection && !result->is_worth_restarting)
        say(launcher, "%s%s", status == EXIT_STOPPED ? "" : "error: ", result->text);
    if (status == 0 && result->has_output) {
        struct sheaf_error error;
        char *output = run_directory_join(launcher->dir, "output");
        if (publish_copy(output, STDOUT_FILENO, &error) != 0) {
            say(launcher, "error: %s. The result is in %s", error.text, output);
            status = EXIT_CANNOT_GO_ON;
        }
        free(output);
    }
    if (status == EXIT_STOPPED || (status == EXIT_CANNOT_GO_ON && launcher->was_started)) {
        char *line = line_to_continue(launcher, is_selection);
        say(launcher, "%s%s%s",
            status != EXIT_STOPPED                          ? "the results so far are kept"
            : result->how == LAUNCH_STOPPED || is_selection ? result->text
                                                            : "stopped",
            line == NULL   ? ""
            : is_selection ? ". To run them as well: "
                           : ". To continue: ",
            line != NULL ? line : "");
        free(line);
    }
    return status;
}

int launcher_run(const struct run_options *options, struct sheaf_error *error)
{
    struct launcher launcher = {.options = options, .effective = *options, .mark = -1};
    struct launch_result result;
    bool was_refused = true;
    /* First, so that Ctrl-C ends the reading of a terminal at once. */
    int code = store_input(&launcher, error);
    if (code != 0)
        goto out_input;
    code = stop_request_open(&launcher.stop, error);
    if (code != 0)
        goto out_input;
    code = prepare(&launcher, error);
    if (code == 0 && options->is_dry)
        code = tell_only(&launcher, error);
    if (code != 0 || options->is_dry)
        goto out;
    code = claim(&launcher, launcher.dir, error);
    if (code != 0)
        goto out;
    progress_display_init(&launcher.display, STDERR_FILENO, options->is_quiet);
    code = follow_edits(&launcher, error);
    if (code == 0) {
        if (launcher.mark >= 0)
            run_directory_name_launcher(launcher.mark);
        was_refused = false;
        code = run(&launcher, &result, error);
    }
    if (code >= 0)
        code = conclude(&launcher, &result, code);
out:
    stop_request_close(&launcher.stop);
out_input:
    forget_input(&launcher, was_refused || !has_begun(&launcher));
    if (launcher.mark >= 0)
        run_directory_close_mark(launcher.mark);
    free(launcher.program);
    free(launcher.mpi_environment);
    free(launcher.dir);
    host_list_close(&launcher.hosts);
    job_close(&launcher.job);
    return code;
}
