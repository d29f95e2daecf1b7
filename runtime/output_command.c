/* output_command.c - prints what is kept of the commands of a run. */
#include "output_command.h"

#include "../jobs/command_record.h"
#include "../jobs/task_list.h"
#include "../scheduler/memory.h"
#include "../scheduler/state.h"
#include "../scheduler/scheduler.h"
#include "clock.h"
#include "command_line.h"
#include "failed_output.h"
#include "job_log.h"
#include "journal.h"
#include "print_foreign.h"
#include "run_directory.h"
#include "run_identity.h"
#include "status.h"
#include "stage_list.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_INCOMPLETE = 1, VIEWS_MAX = 10, LOOK_SHARE = 4 };

#define PAUSE_NS_MIN (200 * SHEAF_NS_PER_MS)

static const char usage[] =
    "Usage: sheaf output [options] DIR\n\n"
    "Prints what the commands of the run in DIR have written, in the order of the tasks.\n\n"
    "  --task LIST    only these tasks, such as 3-10,17 (from 0)\n"
    "  --stage NAME   only this stage of a job in stages\n"
    "  --shared-dir   believe a directory in which other users may write\n"
    "  --stderr       what they wrote to standard error\n"
    "  --failed       the last attempts of tasks that failed for good, instead of the others;\n"
    "                 behind a line ==> task I <== each, where they are several\n"
    "  --follow       goes on until the job ends, in the order of the tasks\n"
    "  --joblog       a line for each task, as GNU parallel's --joblog\n";

struct output_options {
    const char *dir;
    const char *stage;      /* NULL: all, where there are any */
    struct task_list tasks; /* empty: all */
    bool is_stderr;
    bool is_failed;
    bool is_log;
    bool is_following;
};

struct output_request {
    const struct output_options *options;
    bool is_incomplete;
    bool has_separated; /* a header was printed: another has a line before it */
};

/* All that is read of a run. */
struct run_view {
    const struct output_options *options;
    const char *dir; /* of the run, or of the stage */
    struct journal_view *journal;
    struct state *state;
    struct failed_outputs *failed;
    struct byte_writer bytes; /* of one partial */
    uint64_t next_task;       /* of the range being printed: before it all is printed */
    const char *stage;        /* one of several that are printed; NULL: there is one */
    bool separates;           /* a header stands before what a task wrote */
    bool has_separated;       /* at least once */
    bool is_within_line;      /* what was printed last did not end with a line feed */
    bool is_damaged;          /* the journal, as far as it was read */
    bool is_incomplete;       /* a task that was asked for has nothing to print */
};

static int parse(int argc, char **argv, struct output_options *options, struct sheaf_error *error)
{
    static const struct option names[] = {
        {"task", required_argument, NULL, 't'}, {"stderr", no_argument, NULL, 'e'},
        {"failed", no_argument, NULL, 'f'},     {"joblog", no_argument, NULL, 'l'},
        {"follow", no_argument, NULL, 'w'},     {"stage", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (int name; (name = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        int code = 0;
        switch (name) {
        case 't':
            task_list_close(&options->tasks);
            code = task_list_parse(optarg, &options->tasks, error);
            break;
        case 'e':
            options->is_stderr = true;
            break;
        case 'f':
            options->is_failed = true;
            break;
        case 'l':
            options->is_log = true;
            break;
        case 'w':
            options->is_following = true;
            break;
        case 's':
            options->stage = optarg;
            break;
        case 'h':
            return 1;
        default:
            code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "%.100s is no option, or lacks its value (`sheaf output --help` "
                                   "lists them)",
                                   argv[optind - 1]);
        }
        if (code != 0)
            return code;
    }
    if (optind + 1 != argc)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "name one run directory (`sheaf output --help` says more)");
    if (options->is_following && options->tasks.count > 0)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "--follow prints all tasks in order: leave --task or --follow out");
    options->dir = argv[optind];
    return 0;
}

/* ---- printing ---- */

static void print_record(const struct run_view *view, const struct command_record *record)
{
    if (view->options->is_log)
        job_log_add(stdout, record);
    else if (view->options->is_stderr)
        fwrite(record->err, 1, record->err_bytes, stdout);
    else
        fwrite(record->out, 1, record->out_bytes, stdout);
}

/* As head(1) and tail(1) do for several files. */
static void print_header(struct run_view *view, const struct command_record *record)
{
    if (view->has_separated)
        fputs(view->is_within_line ? "\n\n" : "\n", stdout);
    if (view->stage != NULL)
        printf("==> stage %s, task %" PRIu64 " <==\n", view->stage, record->task);
    else
        printf("==> task %" PRIu64 " <==\n", record->task);
    const unsigned char *bytes = view->options->is_stderr ? record->err : record->out;
    size_t size = view->options->is_stderr ? record->err_bytes : record->out_bytes;
    view->is_within_line = size > 0 && bytes[size - 1] != '\n';
    view->has_separated = true;
}

/* Whether there is more than one task in it that failed, and is asked for. */
static bool has_several_failed(const struct run_view *view)
{
    const struct task_list *list = &view->options->tasks;
    uint64_t count = 0;
    struct range failed = {0, 0};
    while (range_set_find_from(state_failed(view->state), range_end(failed), &failed)) {
        if (list->count == 0)
            count += failed.count;
        for (size_t i = 0; i < list->count; i++)
            count += range_overlap(list->ranges[i], failed).count;
    }
    return count > 1;
}

/* The part of `range` that failed for good. */
static void print_failed(struct run_view *view, struct range range)
{
    bool is_wanted = view->options->is_failed || view->options->is_log;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        const struct command_record *record = failed_outputs_find(view->failed, task);
        if (record != NULL && is_wanted && view->separates)
            print_header(view, record);
        if (record != NULL && is_wanted)
            print_record(view, record);
        else if (view->options->tasks.count > 0 && !view->options->is_failed)
            print_harmless(
                stderr, "sheaf: task %" PRIu64 " failed; --failed prints its last attempt\n", task);
        view->is_incomplete |= view->options->tasks.count > 0 && !is_wanted;
    }
}

static int print_done(struct run_view *view, const struct partial *partial, struct range range,
                      struct sheaf_error *error)
{
    if (view->options->is_failed)
        return 0;
    byte_writer_clear(&view->bytes);
    int code = journal_view_read(view->journal, partial, &view->bytes, error);
    if (code != 0)
        return code;
    struct byte_reader reader = byte_reader_of(view->bytes.data, view->bytes.size);
    struct command_record record;
    while (byte_reader_left(&reader) > 0) {
        if (!command_record_get(&reader, &record))
            return sheaf_error_set(error, SHEAF_ERROR_JOB,
                                   "the tasks of %s are no commands: `sheaf status` tells where "
                                   "their output is",
                                   view->options->dir);
        if (range_contains(range, (struct range){record.task, 1}))
            print_record(view, &record);
    }
    return 0;
}

/* Prints what there is of `range` from view->next_task on. */
static int print_range(struct run_view *view, struct range range, struct sheaf_error *error)
{
    const struct partial *partial = state_find_partial(view->state, view->next_task);
    uint64_t told_end = view->next_task;
    bool is_whole = true;
    for (; partial != NULL && partial->range.first < range_end(range);
         partial = state_next_partial(partial)) {
        struct range part =
            range_overlap(partial->range, range_between(view->next_task, range_end(range)));
        int code = 0;
        is_whole &= part.first == told_end;
        if (partial->is_absent)
            print_failed(view, part);
        else
            code = print_done(view, partial, part, error);
        if (code != 0)
            return code;
        view->next_task = told_end = range_end(part);
    }
    if (view->options->tasks.count > 0 && (!is_whole || told_end < range_end(range))) {
        print_harmless(stderr, "sheaf: some tasks of %" PRIu64 "-%" PRIu64 " are not done\n",
                       range.first, range_end(range) - 1);
        view->is_incomplete = true;
    }
    return 0;
}

/* ---- reading ---- */

static void apply(void *context, const struct fact *fact)
{
    struct run_view *view = context;
    state_apply(view->state, fact);
}

static void note_damage(void *context, const struct journal_damage *damage)
{
    (void)damage;
    struct run_view *view = context;
    view->is_damaged = true;
}

static bool is_asked_for(void *context, struct range tasks)
{
    const struct run_view *view = context;
    const struct task_list *list = &view->options->tasks;
    for (size_t i = 0; i < list->count; i++) {
        if (range_intersects(list->ranges[i], tasks))
            return true;
    }
    return false;
}

static void close_view(struct run_view *view)
{
    journal_view_close(view->journal);
    state_destroy(view->state);
    view->journal = NULL;
    view->state = NULL;
}

static int read_journal(struct run_view *view, const char *journal, bool is_whole,
                        struct sheaf_error *error)
{
    close_view(view);
    view->state = state_create();
    view->is_damaged = false;
    struct journal_recovery recovery = {
        .replay = apply,
        .damaged = note_damage,
        .matters = is_whole ? NULL : is_asked_for,
        .context = view,
    };
    return journal_view_open(journal, &recovery, &view->journal, error);
}

/* Reads the journal as it is now, for a few tasks only what is about them: a large journal takes
 * long. */
static int open_view(struct run_view *view, const char *journal, struct sheaf_error *error)
{
    bool is_whole = view->options->tasks.count == 0;
    int code = read_journal(view, journal, is_whole, error);
    if (code == 0 && !is_whole && view->is_damaged)
        code = read_journal(view, journal, true, error);
    return code;
}

/* A run that goes on may move results while they are read: then they are looked for again. */
static int print_range_of_run(struct run_view *view, const char *journal, struct range range,
                              struct sheaf_error *error)
{
    view->next_task = range.first;
    int code = print_range(view, range, error);
    for (int i = 1; code == SHEAF_ERROR_DAMAGED && i < VIEWS_MAX; i++) {
        code = open_view(view, journal, error);
        if (code == 0)
            code = print_range(view, range, error);
    }
    return code;
}

/* ---- following ---- */

/* Reads what is new and prints what comes next in order. */
static int print_news(struct run_view *view, const char *journal, struct sheaf_error *error)
{
    failed_outputs_close(view->failed);
    view->failed = NULL;
    int code = open_view(view, journal, error);
    if (code == 0)
        code = failed_outputs_read(view->dir, &view->failed, error);
    struct range next;
    uint64_t task = view->next_task;
    if (code == 0 && range_set_find_from(state_done(view->state), task, &next) &&
        next.first == task)
        code = print_range_of_run(view, journal, next, error);
    return code;
}

static bool is_all_printed(const struct run_view *view)
{
    const struct fact_job_accepted *job = state_job(view->state);
    return job != NULL && view->next_task == job->task_count;
}

/* Waits while the run goes on and has done nothing more. A look at the journal of a large run takes
 * its time, which the run may lack. */
static void await_news(const struct run_view *view, uint64_t look_ns)
{
    struct status before = {0};
    struct status now = {0};
    uint64_t pause_ns = LOOK_SHARE * look_ns > PAUSE_NS_MIN ? LOOK_SHARE * look_ns : PAUSE_NS_MIN;
    const struct timespec pause = {.tv_sec = (time_t)(pause_ns / SHEAF_NS_PER_S),
                                   .tv_nsec = (long)(pause_ns % SHEAF_NS_PER_S)};
    status_read(view->options->dir, &before, NULL);
    do {
        nanosleep(&pause, NULL);
        status_read(view->options->dir, &now, NULL);
    } while (task_counts_ended(&now.tasks) == task_counts_ended(&before.tasks) &&
             now.incarnation == before.incarnation && run_directory_is_alive(view->options->dir));
}

static int follow(struct run_view *view, const char *journal, struct sheaf_error *error)
{
    if (view->options->is_log)
        job_log_begin(stdout);
    for (;;) {
        /* Asked first: what was done before the end is then in the journal. */
        bool is_alive = run_directory_is_alive(view->options->dir);
        uint64_t start_ns = clock_monotonic_ns();
        int code = print_news(view, journal, error);
        if (fflush(stdout) != 0 && code == 0)
            code = sheaf_error_set_errno(error, errno, "cannot write to standard output");
        if (code != 0 || is_all_printed(view))
            return code;
        if (!is_alive)
            break;
        await_news(view, clock_monotonic_ns() - start_ns);
    }
    char *line = command_line_to_continue_run(view->options->dir);
    print_harmless(stderr,
                   "sheaf: nothing goes on in %s any more, and task %" PRIu64
                   " is not done (`sheaf status %s` says more; `%s` continues)\n",
                   view->options->dir, view->next_task, view->options->dir, line);
    free(line);
    view->is_incomplete = true;
    return 0;
}

static int print_all(struct run_view *view, const char *journal, struct sheaf_error *error)
{
    const struct task_list *tasks = &view->options->tasks;
    const struct fact_job_accepted *job = state_job(view->state);
    uint64_t task_count = job != NULL ? job->task_count : 0;
    if (job != NULL && job->has_merge && !view->options->is_failed)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "the results of this job were merged, so what each task wrote is "
                               "not kept; --failed prints what failed attempts wrote, and the "
                               "folder logs has what others wrote to standard error");
    if (view->options->is_log)
        job_log_begin(stdout);
    view->separates = view->options->is_failed && !view->options->is_log &&
                      (view->stage != NULL || has_several_failed(view));
    if (tasks->count == 0)
        return print_range_of_run(view, journal, (struct range){0, task_count}, error);
    int code = 0;
    for (size_t i = 0; code == 0 && i < tasks->count; i++) {
        if (range_end(tasks->ranges[i]) > task_count)
            return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "there is no task %" PRIu64 ": the job has %" PRIu64
                                   " tasks, from 0",
                                   range_end(tasks->ranges[i]) - 1, task_count);
        code = print_range_of_run(view, journal, tasks->ranges[i], error);
    }
    return code;
}

/* A stage by itself, or the run. */
static int print_run(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    struct output_request *request = context;
    struct run_view view = {.options = request->options,
                            .dir = dir,
                            .stage = request->options->stage == NULL ? stage : NULL,
                            .has_separated = request->has_separated,
                            .separates = request->options->is_failed &&
                                         request->options->is_following &&
                                         !request->options->is_log};
    struct run_identity identity;
    int code = run_identity_read(dir, &identity, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE, "%s is not a run directory (NAME.sheaf)",
                               dir);
    if (code == 0 && stage != NULL && request->options->stage == NULL &&
        request->options->tasks.count > 0)
        code =
            sheaf_error_set(error, SHEAF_ERROR_USAGE,
                            "each stage of this run has tasks of its own: name one with --stage");
    if (code != 0)
        return code;
    char *journal = run_directory_join(dir, "journal");
    code = failed_outputs_read(dir, &view.failed, error);
    if (code == 0)
        code = open_view(&view, journal, error);
    if (code == 0)
        code = request->options->is_following ? follow(&view, journal, error)
                                              : print_all(&view, journal, error);
    request->is_incomplete |= view.is_incomplete;
    request->has_separated |= view.has_separated;
    if (code == SHEAF_ERROR_JOB && stage != NULL && request->options->stage == NULL) {
        print_harmless(stderr, "sheaf: the tasks of stage %s are no commands\n", stage);
        code = 0;
    }
    close_view(&view);
    failed_outputs_close(view.failed);
    byte_writer_close(&view.bytes);
    free(journal);
    return code;
}

int output_command(int argc, char **argv)
{
    struct output_options options = {.dir = NULL};
    struct sheaf_error error;
    struct output_request request = {.options = &options};
    int code = parse(argc, argv, &options, &error);
    if (code == 0)
        code = stage_list_visit(options.dir, options.stage, print_run, &request, &error);
    task_list_close(&options.tasks);
    if (code > 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (code < 0) {
        fflush(stdout);
        return print_failure(&error);
    }
    return request.is_incomplete ? EXIT_INCOMPLETE : 0;
}
