/* explain_command.c - tells the story of one task from the journal. */
#include "explain_command.h"

#include "../jobs/command_record.h"
#include "../jobs/task_list.h"
#include "../scheduler/state.h"
#include "command_line.h"
#include "failed_output.h"
#include "graph_file.h"
#include "journal.h"
#include "print_foreign.h"
#include "run_directory.h"
#include "run_identity.h"
#include "stage_list.h"
#include "status.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVENTS_MAX = 12, EVENT_BYTES = 512, TIME_BYTES = 32, TASKS_TOLD_MAX = 8 };

static const char usage[] = "Usage: sheaf explain DIR [--stage NAME] --task I\n\n"
                            "Says what became of a task of the run in DIR, and why it waits.\n\n"
                            "  --stage NAME   of this stage of a job in stages\n"
                            "  --shared-dir   believe a directory in which other users may write\n";

struct explanation {
    const char *run_dir;
    const char *stage; /* NULL: the job is one */
    const char *dir;   /* of the stage, or of the run */
    uint64_t task;
    struct graph_file graph;
    bool is_stage; /* the job is one of others */
    struct state *state;
    char *journal;
    struct journal_view *view;
    struct failed_outputs *failed;
    uint64_t assignment;                  /* the last one that held the task */
    char events[EVENTS_MAX][EVENT_BYTES]; /* the last ones, in a ring */
    size_t event_count;
    bool is_alive;
};

static int parse(int argc, char **argv, struct explanation *explanation, struct sheaf_error *error)
{
    static const struct option names[] = {{"stage", required_argument, NULL, 's'},
                                          {"task", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct task_list tasks = {0};
    int code = 0;
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (int name; code == 0 && (name = getopt_long(argc, argv, "h", names, NULL)) != -1;) {
        if (name == 'h')
            return 1;
        if (name == 's') {
            explanation->stage = optarg;
            continue;
        }
        if (name != 't')
            return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "%.100s is no option, or lacks its value (`sheaf explain "
                                   "--help` lists them)",
                                   argv[optind - 1]);
        task_list_close(&tasks);
        code = task_list_parse(optarg, &tasks, error);
    }
    bool is_one = tasks.count == 1 && tasks.ranges[0].count == 1;
    if (is_one)
        explanation->task = tasks.ranges[0].first;
    task_list_close(&tasks);
    if (code == 0 && (!is_one || optind + 1 != argc))
        code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "name one run directory and one task: sheaf explain DIR --task 17");
    explanation->run_dir = argv[optind];
    return code;
}

/* ---- reading ---- */

static bool is_told(enum fact_kind kind)
{
    return kind == FACT_ASSIGNED || kind == FACT_ATTEMPT_FAILED || kind == FACT_RESULT ||
           kind == FACT_RETURNED || kind == FACT_RESULT_LOST || kind == FACT_FAILED_REOPENED;
}

/* What a snapshot says is the state, and no event. */
static void take(void *context, const struct fact *fact)
{
    struct explanation *explanation = context;
    bool is_event = fact->seq > state_last_seq(explanation->state);
    state_apply(explanation->state, fact);
    if (fact->kind == FACT_JOB_ACCEPTED) /* tasks were other ones before, if there were any */
        explanation->event_count = 0;
    if (!is_event || !is_told(fact->kind) ||
        !range_contains(fact_range(fact), (struct range){explanation->task, 1}))
        return;
    if (fact->kind == FACT_ASSIGNED && fact->as.assigned.work == WORK_RUN)
        explanation->assignment = fact->seq;
    fact_describe(fact, explanation->events[explanation->event_count++ % EVENTS_MAX], EVENT_BYTES);
}

static int read_run(struct explanation *explanation, struct sheaf_error *error)
{
    struct run_identity identity;
    struct journal_recovery recovery = {.replay = take, .context = explanation};
    int code = run_identity_read(explanation->dir, &identity, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE, "%s is not a run directory (NAME.sheaf)",
                               explanation->dir);
    explanation->is_alive = run_directory_is_alive(explanation->run_dir);
    explanation->journal = run_directory_join(explanation->dir, "journal");
    explanation->state = state_create();
    /* There may be none, and without it the rest is told. */
    if (code == 0 && graph_file_read(explanation->dir, &explanation->graph, NULL) == 0)
        state_set_graph(explanation->state, explanation->graph.graph);
    if (code == 0)
        code = journal_view_open(explanation->journal, &recovery, &explanation->view, error);
    if (code == 0)
        code = failed_outputs_read(explanation->dir, &explanation->failed, error);
    const struct fact_job_accepted *job = state_job(explanation->state);
    if (code == 0 && job != NULL && explanation->task >= job->task_count)
        code =
            sheaf_error_set(error, SHEAF_ERROR_USAGE,
                            "there is no task %" PRIu64 ": the job has %" PRIu64 " tasks, from 0",
                            explanation->task, job->task_count);
    return code;
}

/* ---- telling ---- */

/* How the run goes, for a task that waits. */
static void print_run(const struct explanation *explanation)
{
    struct status status;
    if (!explanation->is_alive) {
        char *line = command_line_to_continue_run(explanation->run_dir);
        print_harmless(stdout, "run        nothing goes on here: `%s` continues the job\n", line);
        free(line);
        return;
    }
    if (status_read(explanation->dir, &status, NULL) != 0)
        return;
    printf("run        %s, %u workers with %" PRIu64 " slots\n", status_state_word(status.state),
           status.workers, status.slots);
    if (status.slots == 0)
        print_harmless(stdout,
                       "           it waits for a worker that can hold it: what was said of hosts "
                       "without a slot is in %s/logs/mpirun.log (cores, memory, GPUs)\n",
                       explanation->dir);
}

static void print_open(const struct explanation *explanation)
{
    const struct range_set *open = state_open(explanation->state);
    uint64_t before = 0;
    struct range range = {0, 0};
    while (range_set_find_from(open, range_end(range), &range) && range.first < explanation->task)
        before +=
            range_end(range) <= explanation->task ? range.count : explanation->task - range.first;
    printf("state      open: not started; %" PRIu64 " open tasks come before it\n", before);
    print_run(explanation);
}

/* " (NAME)", or nothing where the task has no name. */
static void print_name(const struct explanation *explanation, uint64_t task)
{
    const struct task_graph *graph = state_graph(explanation->state);
    if (graph != NULL && graph->names != NULL && graph->names[task][0] != '\0')
        print_harmless(stdout, " (%s)", graph->names[task]);
}

static const char *word_for(const struct explanation *explanation, uint32_t task)
{
    const struct range one = {task, 1};
    const struct state *state = explanation->state;
    if (range_set_contains(state_failed(state), one))
        return "has failed for good";
    if (range_set_contains(state_open(state), one))
        return "not started";
    if (state_has_waiting(state, one))
        return "waits for others itself";
    if (state_find_trouble(state, WORK_RUN, one) != NULL)
        return "is tried again";
    return explanation->is_alive ? "under way" : "was under way when the run ended";
}

/* Whether `before` keeps the task waiting. */
static bool is_held_by(const struct explanation *explanation, uint32_t before)
{
    const struct range one = {before, 1};
    const struct task_graph *graph = state_graph(explanation->state);
    bool has_ended = range_set_contains(state_done(explanation->state), one);
    bool has_succeeded = has_ended && !range_set_contains(state_failed(explanation->state), one);
    uint32_t end = graph->successor_starts[before + 1];
    for (uint32_t at = graph->successor_starts[before]; at < end; at++)
        if (graph->successors[at] == explanation->task &&
            !(graph->is_for_end[at] ? has_ended : has_succeeded))
            return true;
    return false;
}

/* Which tasks it waits for. */
static void print_waiting(const struct explanation *explanation)
{
    const struct state *state = explanation->state;
    const struct task_graph *graph = state_graph(state);
    uint32_t count = 0;
    printf("state      waits for tasks that it comes after\n");
    for (uint32_t task = 0; task < graph->task_count; task++) {
        if (!is_held_by(explanation, task))
            continue;
        if (count++ >= TASKS_TOLD_MAX)
            continue;
        printf("after      task %" PRIu32, task);
        print_name(explanation, task);
        printf(": %s\n", word_for(explanation, task));
    }
    if (count > TASKS_TOLD_MAX)
        printf("           and %" PRIu32 " more\n", count - TASKS_TOLD_MAX);
    print_run(explanation);
}

static void print_trouble(const struct explanation *explanation, const struct trouble *trouble)
{
    if (trouble->assignment != 0 && explanation->is_alive)
        printf("state      under way again, after %u failed attempts\n", trouble->attempts);
    else
        printf("state      waits for another attempt, after %u failed ones\n", trouble->attempts);
    print_run(explanation);
}

static void print_flight(const struct explanation *explanation)
{
    const struct assignment *flight =
        state_find_assignment(explanation->state, explanation->assignment);
    if (!explanation->is_alive)
        printf("state      was under way when the run ended; it runs again\n");
    else if (flight != NULL)
        printf("state      at worker %u, with tasks %" PRIu64 " to %" PRIu64 "\n", flight->worker,
               flight->range.first, range_end(flight->range) - 1);
    else
        printf("state      at a worker\n");
    print_run(explanation);
}

static void print_state(const struct explanation *explanation)
{
    const struct range one = {explanation->task, 1};
    const struct state *state = explanation->state;
    const struct trouble *trouble = state_find_trouble(state, WORK_RUN, one);
    if (state_job(state) == NULL) {
        printf("state      the tasks of the job are not known yet\n");
        print_run(explanation);
    } else if (range_set_contains(state_failed(state), one)) {
        printf("state      failed for good\n");
    } else if (range_set_contains(state_done(state), one)) {
        printf("state      done\n");
    } else if (trouble != NULL) {
        print_trouble(explanation, trouble);
    } else if (range_set_contains(state_open(state), one)) {
        print_open(explanation);
    } else if (state_has_waiting(state, one)) {
        print_waiting(explanation);
    } else {
        print_flight(explanation);
    }
}

static void print_record(const struct command_record *record)
{
    char when[TIME_BYTES] = "";
    time_t start = (time_t)(record->start_unix_us / 1000000);
    struct tm parts;
    if (localtime_r(&start, &parts) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &parts);
    fputs("command    ", stdout);
    print_foreign(stdout, record->command, record->command_bytes);
    putchar('\n');
    print_harmless(
        stdout, "attempt    %u, on %.*s, %s, for %" PRIu64 ".%03u s, %" PRIu64 " KiB of memory\n",
        record->attempt, (int)record->host_bytes, record->host, when, record->duration_us / 1000000,
        (unsigned)(record->duration_us / 1000 % 1000), record->memory_bytes >> 10);
    if (record->signal != 0)
        printf("end        signal %" PRId32 " (%s)\n", record->signal, strsignal(record->signal));
    else
        printf("end        exit status %" PRId32 "\n", record->exit_status);
    printf("output     %zu bytes, and %zu on standard error\n", record->out_bytes,
           record->err_bytes);
}

/* What is kept of the last attempt, where the task is a command. */
static void print_last_attempt(const struct explanation *explanation)
{
    const struct partial *partial = state_find_partial(explanation->state, explanation->task);
    const struct command_record *failed =
        failed_outputs_find(explanation->failed, explanation->task);
    struct byte_writer bytes = {0};
    struct command_record record;
    bool is_done = partial != NULL && partial->range.first <= explanation->task &&
                   !partial->is_absent &&
                   journal_view_read(explanation->view, partial, &bytes, NULL) == 0;
    struct byte_reader reader = byte_reader_of(bytes.data, bytes.size);
    bool is_found = false;
    while (is_done && !is_found && byte_reader_left(&reader) > 0 &&
           command_record_get(&reader, &record))
        is_found = record.task == explanation->task;
    if (is_found)
        print_record(&record);
    else if (failed != NULL)
        print_record(failed);
    byte_writer_close(&bytes);
}

static void print_events(const struct explanation *explanation)
{
    size_t count = explanation->event_count;
    size_t first = count > EVENTS_MAX ? count - EVENTS_MAX : 0;
    if (count > 0)
        printf("\nwhat happened, as far as the journal still holds it:\n");
    if (first > 0)
        printf("  (%zu events before these)\n", first);
    for (size_t i = first; i < count; i++)
        print_harmless(stdout, "  %s\n", explanation->events[i % EVENTS_MAX]);
}

static void print_advice(const struct explanation *explanation)
{
    const struct range one = {explanation->task, 1};
    if (!range_set_contains(state_failed(explanation->state), one))
        return;
    char *line = command_line_to_continue_run(explanation->run_dir);
    printf("\nwhat to do next:\n");
    if (failed_outputs_find(explanation->failed, explanation->task) != NULL)
        print_harmless(stdout,
                       "  - `sheaf output --failed --stderr --task %" PRIu64 " %s` prints what it "
                       "wrote\n",
                       explanation->task, explanation->dir);
    bool was_run = !range_set_contains(state_not_run(explanation->state), one);
    if (was_run && !explanation->is_stage)
        printf("  - `sheaf try --task %" PRIu64
               "`, with the words behind it that came behind `sheaf "
               "run`, runs it here, alone\n",
               explanation->task);
    if (!was_run)
        print_harmless(stdout,
                       "  - `%s --retry-failed` tries what failed before it again, and then it\n",
                       line);
    else if (explanation->is_stage)
        print_harmless(stdout, "  - `%s --retry-failed` tries what failed again\n", line);
    else
        print_harmless(stdout, "  - `%s --retry-failed --only %" PRIu64 "` tries it again\n", line,
                       explanation->task);
    free(line);
}

static int explain(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    struct explanation *explanation = context;
    explanation->dir = dir;
    explanation->is_stage = stage != NULL;
    int code = read_run(explanation, error);
    if (code != 0)
        return code;
    printf("task       %" PRIu64, explanation->task);
    print_name(explanation, explanation->task);
    print_harmless(stdout, " of %s\n", dir);
    print_state(explanation);
    print_last_attempt(explanation);
    print_events(explanation);
    print_advice(explanation);
    return 0;
}

static int check_stage(const struct explanation *explanation, struct sheaf_error *error)
{
    struct stage_list stages;
    int code = stage_list_read(explanation->run_dir, &stages, error);
    if (code != 0)
        return code;
    if (stages.count > 0 && explanation->stage == NULL)
        code = sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "the job in %s has stages, each with tasks of its own: add --stage "
                               "NAME (`sheaf status %s` lists them)",
                               explanation->run_dir, explanation->run_dir);
    stage_list_close(&stages);
    return code;
}

int explain_command(int argc, char **argv)
{
    struct explanation explanation = {.dir = NULL};
    struct sheaf_error error;
    int code = parse(argc, argv, &explanation, &error);
    if (code > 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (code == 0)
        code = check_stage(&explanation, &error);
    if (code == 0)
        code =
            stage_list_visit(explanation.run_dir, explanation.stage, explain, &explanation, &error);
    int status = code != 0 ? print_failure(&error) : 0;
    failed_outputs_close(explanation.failed);
    journal_view_close(explanation.view);
    state_destroy(explanation.state);
    graph_file_close(&explanation.graph);
    free(explanation.journal);
    return status;
}
