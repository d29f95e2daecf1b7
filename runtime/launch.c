/* launch.c - watches one mpirun and ends it. */
#include "launch.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "clock.h"
#include "mpirun.h"
#include "mpirun_guard.h"
#include "mpirun_output.h"
#include "process_tree.h"
#include "process_watch.h"
#include "progress.h"
#include "rank_deaths.h"
#include "run_directory.h"
#include "start_watch.h"
#include "world_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* mpirun after the master said end, and after SIGTERM: the measured hangs are for ever, and an
 * orderly end takes a fraction of a second on one host. */
#define END_TIMEOUT_NS  (3 * SHEAF_NS_PER_S)
#define TERM_TIMEOUT_NS (2 * SHEAF_NS_PER_S)
/* What the master wrote last is still under way through mpirun when it has gone. */
#define LAST_WORDS_NS   (1 * SHEAF_NS_PER_S)
/* Beyond --grace, for the master to sync and to say end. */
#define STOP_MARGIN_NS  (5 * SHEAF_NS_PER_S)

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_CANNOT_GO_ON = 4 };

enum {
    READ_BYTES = 64 << 10,
    POLL_MS_MAX = 500,
    POLL_MS_START = 100,
    KILL_PATIENCE_MS = 5000,
    DRAIN_MS = 200,
};

enum stage {
    STAGE_STARTING,
    STAGE_RUNNING,
    STAGE_ENDING,      /* the master has said end, or has gone; mpirun may still end by itself */
    STAGE_TERMINATING, /* SIGTERM was sent */
    STAGE_OVER,        /* only killing and collecting is left */
};

struct launch {
    const struct launch_options *options;
    struct process_tree tree;
    struct start_watch start;
    bool is_mpi_up;
    struct rank_deaths deaths;
    struct mpirun_output *output;
    int streams[MPIRUN_STREAMS]; /* -1 once ended */
    struct process_watch master; /* on this host, or of nothing */
    enum stage stage;
    uint64_t deadline_ns; /* of the stage */
    uint64_t stop_deadline_ns;
    bool has_passed_stop_on;
    uint64_t now_ns;
    struct status status;
    struct launch_result result;
    /* The job has ended with a result, as somebody says. */
    bool has_claim;
    struct control_line claim;
};

static void enter(struct launch *launch, enum stage stage, uint64_t patience_ns)
{
    launch->stage = stage;
    launch->deadline_ns = launch->now_ns + patience_ns;
}

/* The first reason counts: what follows from it is no news. */
static void __attribute__((format(printf, 3, 4)))
conclude(struct launch *launch, enum launch_end how, const char *format, ...)
{
    if (launch->result.how != 0)
        return;
    launch->result.how = how;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(launch->result.text, sizeof launch->result.text, format, arguments);
    va_end(arguments);
}

static void terminate(struct launch *launch)
{
    if (launch->stage >= STAGE_TERMINATING)
        return;
    mpirun_output_note(launch->output, "ending mpirun: %s", launch->result.text);
    process_tree_signal(&launch->tree, SIGTERM);
    /* A stopped process would take no other signal. */
    process_tree_signal(&launch->tree, SIGCONT);
    enter(launch, STAGE_TERMINATING, TERM_TIMEOUT_NS);
}

static bool is_this_host(const char *host)
{
    char own[STATUS_HOST_BYTES] = "";
    gethostname(own, sizeof own - 1);
    return strcmp(own, host) == 0;
}

/* The process number means something only if it is one of ours. */
static void take_master(struct launch *launch, const char *host, pid_t process)
{
    launch->is_mpi_up = true;
    if (launch->master.process == 0 && is_this_host(host) &&
        process_tree_contains(&launch->tree, process))
        process_watch_open(&launch->master, process);
}

/* The master may be where it cannot see that itself. */
static void pass_death_on(struct launch *launch, int rank)
{
    struct sheaf_error error;
    if (rank == 0)
        enter(launch, STAGE_ENDING, LAST_WORDS_NS);
    else if (rank_deaths_tell(&launch->deaths, launch->options->dir, (uint32_t)rank, &error) != 0)
        mpirun_output_note(launch->output, "%s", error.text);
}

/* While MPI starts the other ranks wait for it without an end. */
static void take_rank_ended(struct launch *launch, const struct control_line *line)
{
    if (launch->stage > STAGE_RUNNING)
        return;
    if (launch->is_mpi_up) {
        pass_death_on(launch, line->as.rank_ended.rank);
        return;
    }
    conclude(launch, LAUNCH_NO_START, "rank %d on %s ended while MPI started",
             line->as.rank_ended.rank, line->as.rank_ended.host);
    snprintf(launch->result.failed_host, sizeof launch->result.failed_host, "%s",
             line->as.rank_ended.host);
    terminate(launch);
}

static void take_started(struct launch *launch, const struct control_line *line)
{
    launch->result.was_started = true;
    launch->result.incarnation = line->as.started.incarnation;
    char *log = run_directory_join(launch->options->dir, "logs/mpirun.log");
    mpirun_output_open_log(launch->output, log);
    free(log);
    take_master(launch, line->as.started.host, (pid_t)line->as.started.process_id);
}

static void take_progress(struct launch *launch, const struct status *progress)
{
    struct launch_result *result = &launch->result;
    launch->status = *progress;
    snprintf(launch->status.job, sizeof launch->status.job, "%s", launch->options->job_name);
    uint64_t done = progress->stages_tasks_ended + task_counts_ended(&progress->tasks);
    if (!result->has_progress)
        result->tasks_at_first = done;
    if (!result->has_progress || done > result->tasks_done)
        result->tasks_done = done;
    result->has_progress = true;
    progress_display_update(launch->options->display, &launch->status, launch->now_ns);
}

static void take_message(struct launch *launch, const struct control_line *line)
{
    static const char *const prefixes[] = {
        [CONTROL_INFO] = "sheaf: ",
        [CONTROL_WARNING] = "sheaf: warning: ",
        [CONTROL_ERROR] = "sheaf: error: ",
        [CONTROL_NOTE] = "sheaf: ",
    };
    const struct run_options *options = launch->options->options;
    enum control_level level = line->as.message.level;
    if ((level == CONTROL_INFO && options->is_quiet) ||
        (level == CONTROL_NOTE && !options->is_verbose))
        return;
    const char *text = line->as.message.text;
    progress_display_say(launch->options->display, prefixes[level], text, strlen(text));
}

static void believe_end(struct launch *launch, const struct control_line *line)
{
    conclude(launch, LAUNCH_ENDED, "%s", line->as.end.text);
    launch->result.exit_status = line->as.end.exit_status;
    launch->result.has_output = line->as.end.has_output;
    launch->result.is_worth_restarting = line->as.end.is_worth_restarting;
    if (launch->stage < STAGE_TERMINATING)
        enter(launch, STAGE_ENDING, END_TIMEOUT_NS);
}

/* Others than the master may hold this stream, and say what they like: user code, for one. That
 * there is a result is believed when the run directory says so, too; which may take a moment on a
 * network file system. */
static void follow_claim(struct launch *launch)
{
    struct status status;
    if (!launch->has_claim || launch->result.how != 0 ||
        !status_find_end(launch->options->dir, &launch->options->status_before, &status) ||
        status.exit_status != launch->claim.as.end.exit_status)
        return;
    launch->claim.as.end.has_output =
        status.exit_status == EXIT_DONE && strcmp(status.output, "-") == 0;
    believe_end(launch, &launch->claim);
}

static void take_end(struct launch *launch, const struct control_line *line)
{
    int exit_status = line->as.end.exit_status;
    bool is_claim = (exit_status == EXIT_DONE || exit_status == EXIT_FAILED) &&
                    !line->as.end.is_worth_restarting;
    if (launch->result.how != 0)
        return;
    if (!is_claim) {
        believe_end(launch, line);
        return;
    }
    launch->has_claim = true;
    launch->claim = *line;
    follow_claim(launch);
}

static void take_line(void *context, const struct control_line *line)
{
    struct launch *launch = context;
    bool is_of_start = line->kind == CONTROL_MPI_UP || line->kind == CONTROL_RANK_ENDED;
    if (!is_of_start && (launch->stage == STAGE_STARTING || launch->stage == STAGE_RUNNING))
        enter(launch, STAGE_RUNNING, launch->options->options->silence_timeout_ns);
    switch (line->kind) {
    case CONTROL_STARTED:
        take_started(launch, line);
        break;
    case CONTROL_PROGRESS:
        take_progress(launch, &line->as.progress);
        break;
    case CONTROL_MESSAGE:
        take_message(launch, line);
        break;
    case CONTROL_END:
        take_end(launch, line);
        break;
    case CONTROL_MPI_UP:
        take_master(launch, line->as.mpi_up.host, (pid_t)line->as.mpi_up.process_id);
        break;
    case CONTROL_RANK_ENDED:
        take_rank_ended(launch, line);
        break;
    }
}

static void say(struct launch *launch, const char *text)
{
    progress_display_say(launch->options->display, "sheaf: ", text, strlen(text));
}

static void show(void *context, const char *text, size_t size)
{
    struct launch *launch = context;
    progress_display_say(launch->options->display, "", text, size);
}

/* Reads what is there; true if there was anything. */
static bool read_stream(struct launch *launch, enum mpirun_stream stream)
{
    static char bytes[READ_BYTES];
    if (launch->streams[stream] < 0)
        return false;
    ssize_t got = read(launch->streams[stream], bytes, sizeof bytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        close(launch->streams[stream]);
        launch->streams[stream] = -1;
        return false;
    }
    launch->now_ns = clock_monotonic_ns();
    mpirun_output_feed(launch->output, stream, bytes, (size_t)got);
    return true;
}

/* What waits to be read may say that nothing is overdue, so all of it is read before deadlines are
 * looked at; but no more than a full pipe: somebody may print for ever. */
static void read_streams(struct launch *launch)
{
    enum { ROUNDS_MAX = 16 };
    bool has_read = true;
    for (int round = 0; has_read && round < ROUNDS_MAX; round++) {
        has_read = read_stream(launch, MPIRUN_STREAM_OUT);
        has_read |= read_stream(launch, MPIRUN_STREAM_ERROR);
    }
}

/* Reads until both streams have ended or nothing more comes for a moment. */
static void drain(struct launch *launch)
{
    uint64_t end_ns = clock_monotonic_ns() + DRAIN_MS * SHEAF_NS_PER_MS;
    while (clock_monotonic_ns() < end_ns) {
        struct pollfd polled[MPIRUN_STREAMS];
        for (int i = 0; i < MPIRUN_STREAMS; i++)
            polled[i] = (struct pollfd){.fd = launch->streams[i], .events = POLLIN};
        if (launch->streams[MPIRUN_STREAM_OUT] < 0 && launch->streams[MPIRUN_STREAM_ERROR] < 0)
            return;
        poll(polled, MPIRUN_STREAMS, DRAIN_MS / 4);
        read_streams(launch);
    }
}

/* Asks the master to stop, by a file that it looks for wherever it runs, and at once by a signal if
 * it is on this host. */
static void pass_stop_on(struct launch *launch)
{
    launch->has_passed_stop_on = true;
    struct sheaf_error error;
    if (run_directory_request_stop(launch->options->dir, &error) != 0)
        mpirun_output_note(launch->output, "%s", error.text);
    process_watch_signal(&launch->master, SIGUSR1);
}

static void follow_stop_request(struct launch *launch)
{
    struct stop_request *stop = launch->options->stop;
    stop_request_update(stop, launch->now_ns);
    if (!stop->is_asked || launch->stage >= STAGE_ENDING)
        return;
    if (launch->result.was_started && !launch->has_passed_stop_on) {
        launch->stop_deadline_ns =
            launch->now_ns + launch->options->options->grace_ns + STOP_MARGIN_NS;
        if (!stop->is_urgent)
            say(launch, "asking the run to stop (Ctrl-C again: at once)");
        pass_stop_on(launch);
    }
    if (!launch->result.was_started)
        conclude(launch, LAUNCH_STOPPED, "stopped before the run had begun");
    else if (stop->is_urgent)
        conclude(launch, LAUNCH_STOPPED, "stopped at once");
    else if (launch->now_ns >= launch->stop_deadline_ns)
        conclude(launch, LAUNCH_STOPPED, "stopped; running tasks did not end in time");
    if (launch->result.how == LAUNCH_STOPPED)
        terminate(launch);
}

/* The master should have ended long before. */
static void follow_walltime(struct launch *launch)
{
    if (launch->now_ns < launch->options->leave_ns || launch->stage >= STAGE_ENDING)
        return;
    conclude(launch, LAUNCH_STOPPED, "stopped, as the time limit is near");
    terminate(launch);
}

/* The master may end without a word while mpirun waits for the other ranks. */
static void follow_master(struct launch *launch)
{
    if (launch->stage > STAGE_RUNNING || !process_watch_has_ended(&launch->master))
        return;
    enter(launch, STAGE_ENDING, LAST_WORDS_NS);
}

/* Here a rank's end is seen even if it had no time to say that it had begun. */
static void follow_start(struct launch *launch)
{
    if (launch->is_mpi_up || launch->stage > STAGE_RUNNING ||
        !start_watch_look(&launch->start, &launch->tree, launch->now_ns))
        return;
    conclude(launch, LAUNCH_NO_START, "a rank on this host ended while MPI started");
    terminate(launch);
}

/* mpirun hangs after some of its own errors. */
static void follow_complaint(struct launch *launch)
{
    if (launch->is_mpi_up || launch->stage > STAGE_RUNNING ||
        !mpirun_output_complaint(launch->output)->is_fatal)
        return;
    conclude(launch, LAUNCH_NO_START, "mpirun cannot start the ranks");
    terminate(launch);
}

static void follow_mpirun(struct launch *launch)
{
    if (process_tree_reap(&launch->tree) || launch->tree.has_leader_ended)
        launch->stage = STAGE_OVER;
}

static void follow_deadline(struct launch *launch)
{
    const struct run_options *options = launch->options->options;
    if (launch->now_ns < launch->deadline_ns)
        return;
    char limit[PROGRESS_DURATION_BYTES];
    progress_format_duration((launch->stage == STAGE_STARTING ? options->start_timeout_ns
                                                              : options->silence_timeout_ns) /
                                 SHEAF_NS_PER_MS,
                             limit);
    switch (launch->stage) {
    case STAGE_STARTING:
        conclude(launch, LAUNCH_NO_START, "the master did not start within %s (--start-timeout)",
                 limit);
        break;
    case STAGE_RUNNING:
        conclude(launch, LAUNCH_SILENT, "the master said nothing for %s (--silence-timeout)",
                 limit);
        break;
    case STAGE_ENDING:
        conclude(launch, LAUNCH_DIED, "the master ended unexpectedly");
        break;
    case STAGE_TERMINATING:
        launch->stage = STAGE_OVER;
        return;
    case STAGE_OVER:
        return;
    }
    terminate(launch);
}

static int poll_timeout_ms(const struct launch *launch)
{
    uint64_t end_ns = launch->deadline_ns;
    if (launch->stop_deadline_ns > launch->now_ns && launch->stop_deadline_ns < end_ns)
        end_ns = launch->stop_deadline_ns;
    uint64_t left_ns = end_ns > launch->now_ns ? end_ns - launch->now_ns : 0;
    int poll_ms_max = !launch->is_mpi_up ? POLL_MS_START : POLL_MS_MAX;
    return left_ns < (uint64_t)poll_ms_max * SHEAF_NS_PER_MS ? (int)(left_ns / SHEAF_NS_PER_MS) + 1
                                                             : poll_ms_max;
}

static void watch(struct launch *launch)
{
    while (launch->stage != STAGE_OVER) {
        struct pollfd polled[] = {
            {.fd = launch->streams[MPIRUN_STREAM_OUT], .events = POLLIN},
            {.fd = launch->streams[MPIRUN_STREAM_ERROR], .events = POLLIN},
            {.fd = launch->options->stop->descriptor, .events = POLLIN},
            {.fd = launch->stage <= STAGE_RUNNING ? launch->master.descriptor : -1,
             .events = POLLIN},
        };
        poll(polled, sizeof polled / sizeof *polled, poll_timeout_ms(launch));
        launch->now_ns = clock_monotonic_ns();
        read_streams(launch);
        follow_stop_request(launch);
        follow_walltime(launch);
        follow_claim(launch);
        follow_mpirun(launch);
        follow_start(launch);
        follow_complaint(launch);
        follow_master(launch);
        follow_deadline(launch);
    }
}

/* All went well, and the run directory does not say so: another start would not mend that. */
static void conclude_unconfirmed(struct launch *launch)
{
    conclude(launch, LAUNCH_ENDED,
             "a rank said that the job has ended with status %d, but %s/status.json does not: see "
             "that the directory can be written to and that this is a file there, or delete it, "
             "and repeat the command",
             launch->claim.as.end.exit_status, launch->options->dir);
    launch->result.exit_status = EXIT_CANNOT_GO_ON;
}

static void conclude_from_status(struct launch *launch)
{
    int status = launch->tree.leader_status;
    launch->result.was_killed = launch->tree.has_leader_ended && WIFSIGNALED(status);
    launch->result.has_mpirun_exited = launch->tree.has_leader_ended && WIFEXITED(status);
    if (launch->options->stop->is_asked)
        conclude(launch, LAUNCH_STOPPED, "stopped");
    else if (!launch->tree.has_leader_ended)
        conclude(launch, LAUNCH_DIED, "mpirun did not end by itself");
    else if (launch->has_claim && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
             launch->result.how == 0)
        conclude_unconfirmed(launch);
    else if (WIFSIGNALED(status))
        conclude(launch, LAUNCH_DIED, "mpirun was ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        conclude(launch, LAUNCH_DIED, "mpirun ended early, with status %d", WEXITSTATUS(status));
}

/* A start that failed is told with what mpirun has said about it. */
static void add_complaint(struct launch *launch)
{
    struct launch_result *result = &launch->result;
    const struct mpirun_complaint *complaint = mpirun_output_complaint(launch->output);
    bool is_failed_start =
        result->how == LAUNCH_NO_START ||
        (result->how == LAUNCH_DIED && !result->was_started && !result->was_killed);
    size_t length = strlen(result->text);
    if (is_failed_start && result->failed_host[0] == '\0' && !complaint->has_several_hosts)
        snprintf(result->failed_host, sizeof result->failed_host, "%s", complaint->host);
    if (is_failed_start && complaint->grade != COMPLAINT_NONE)
        snprintf(result->text + length, sizeof result->text - length,
                 ": \"%s\" (-v shows all that it says)", complaint->text);
}

static void end_everything(struct launch *launch)
{
    drain(launch);
    if (!process_tree_kill(&launch->tree, KILL_PATIENCE_MS))
        say(launch, "warning: a process of the run hangs in the kernel and cannot be ended");
    drain(launch);
    mpirun_output_flush(launch->output);
    follow_claim(launch);
    launch->result.has_lost_host = mpirun_output_has_lost_host(launch->output);
    conclude_from_status(launch);
    add_complaint(launch);
    mpirun_output_note(launch->output, "nothing of this mpirun is left");
}

/* In mpirun, before it is that. */
static void note_mpirun(void *context)
{
    const struct launch_options *options = ((const struct launch *)context)->options;
    if (options->world != NULL)
        world_files_note_mpirun(options->world, mpirun_session_base(options->options));
}

static int open_streams(struct launch *launch, struct process_streams *streams,
                        struct sheaf_error *error)
{
    int out[2];
    int err[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        return sheaf_error_set_errno(error, errno, "cannot make a pipe");
    if (pipe2(err, O_CLOEXEC) != 0) {
        int code = sheaf_error_set_errno(error, errno, "cannot make a pipe");
        close(out[0]);
        close(out[1]);
        return code;
    }
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    launch->streams[MPIRUN_STREAM_OUT] = out[0];
    launch->streams[MPIRUN_STREAM_ERROR] = err[0];
    *streams = (struct process_streams){
        .out = out[1], .error = err[1], .begin = note_mpirun, .context = launch};
    return 0;
}

static void guard_mpirun(struct launch *launch)
{
    struct sheaf_error error;
    if (mpirun_guard_start(launch->tree.leader, launch->options->dir, &error) < 0)
        mpirun_output_note(launch->output, "nobody will end mpirun if the launcher is killed: %s",
                           error.text);
}

int launch_run(const struct launch_options *options, struct launch_result *result,
               struct sheaf_error *error)
{
    struct launch *launch = memory_allocate_zeroed(1, sizeof *launch);
    launch->options = options;
    launch->master.descriptor = -1; /* polled before there is one */
    launch->start.program = options->program;
    launch->start.rank_count = options->rank_count;
    rank_deaths_forget(options->dir);
    launch->output = mpirun_output_create(&(struct mpirun_output_events){take_line, show, launch},
                                          options->options->is_verbose);
    struct process_streams streams;
    int code = open_streams(launch, &streams, error);
    if (code != 0)
        goto out;
    code = process_tree_start(&launch->tree, options->arguments, &streams, error);
    close(streams.out);
    close(streams.error);
    if (code == 0) {
        mpirun_output_note(launch->output, "mpirun started as process %d",
                           (int)launch->tree.leader);
        guard_mpirun(launch);
        launch->now_ns = clock_monotonic_ns();
        enter(launch, STAGE_STARTING, options->options->start_timeout_ns);
        watch(launch);
        end_everything(launch);
        *result = launch->result;
    }
    for (int i = 0; i < MPIRUN_STREAMS; i++)
        if (launch->streams[i] >= 0)
            close(launch->streams[i]);
    process_watch_close(&launch->master);
    start_watch_close(&launch->start);
    if (launch->deaths.count > 0)
        rank_deaths_forget(options->dir);
    rank_deaths_close(&launch->deaths);
out:
    mpirun_output_destroy(launch->output);
    free(launch);
    return code;
}
