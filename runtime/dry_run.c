/* dry_run.c - goes through a job as a run would, and only tells. */
#include "dry_run.h"

#include "../jobs/split.h"
#include "../jobs/task_list.h"
#include "command_plugin.h"
#include "input_store.h"
#include "mpirun.h"
#include "placement.h"
#include "print_foreign.h"
#include "run_job.h"
#include "run_open.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dry_run {
    const struct dry_run_options *options;
    struct run_look look;
    struct range_set only;
    uint64_t task_count;
    uint64_t run_count; /* tasks that would run */
};

static int read_selection(struct dry_run *dry, struct sheaf_error *error)
{
    const char *only = dry->options->options->only;
    struct task_list list = {0};
    int code = only != NULL ? task_list_parse(only, &list, error) : 0;
    for (size_t i = 0; i < list.count; i++)
        range_set_add(&dry->only, list.ranges[i]);
    task_list_close(&list);
    return code;
}

static bool would_run(const struct dry_run *dry, uint64_t task)
{
    const struct run_options *options = dry->options->options;
    const struct range one = {task, 1};
    if (options->only != NULL && !range_set_contains(&dry->only, one))
        return false;
    return !range_set_contains(&dry->look.done, one) ||
           (options->retries_failed && range_set_contains(&dry->look.failed, one));
}

static int print_command(const struct dry_run *dry, uint64_t task, struct byte_reader stored,
                         struct sheaf_error *error)
{
    const struct job *job = dry->options->job;
    const struct command_setup setup = {.job = job, .slot_number = 1};
    struct byte_writer scratch = {0};
    struct byte_reader input = {0};
    char *text;
    int code = job->split.kind == SPLIT_RANGE
                   ? 0
                   : split_materialize(job->split.kind, stored, &scratch, &input, error);
    const struct sheaf_task named = {.index = task, .input = {input.data, input.size}};
    if (code == 0)
        code = command_plugin_type(&setup, &named, &text, error);
    byte_writer_close(&scratch);
    if (code != 0)
        return code;
    print_content(stdout, text, strlen(text));
    putchar('\n');
    free(text);
    return 0;
}

static int check_selection(const struct dry_run *dry, struct sheaf_error *error)
{
    struct range beyond;
    if (!range_set_find_from(&dry->only, dry->task_count, &beyond))
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "--only: there is no task %" PRIu64 ": the job has %" PRIu64
                           " tasks, from 0",
                           beyond.first, dry->task_count);
}

static int print_task(struct dry_run *dry, uint64_t task, struct byte_reader input,
                      struct sheaf_error *error)
{
    if (!would_run(dry, task))
        return 0;
    dry->run_count++;
    return print_command(dry, task, input, error);
}

static int print_tasks(struct dry_run *dry, struct sheaf_error *error)
{
    const struct job *job = dry->options->job;
    struct split_walk *walk;
    int code = split_walk_create(&job->split, &walk, error);
    if (code != 0)
        return code;
    dry->task_count = split_walk_task_count(walk);
    code = check_selection(dry, error);
    struct byte_reader input;
    for (uint64_t task = 0;
         code == 0 && job->command.is_there && (code = split_walk_next(walk, &input, error)) == 1;
         task++)
        code = print_task(dry, task, input, error);
    split_walk_destroy(walk);
    return code;
}

/* Tasks without stored inputs are numbers. */
static int print_stored_task(struct dry_run *dry, struct input_store *inputs, uint64_t task,
                             struct sheaf_error *error)
{
    struct byte_writer bytes = {0};
    struct byte_reader input = {0};
    int code = 0;
    if (inputs != NULL)
        code = input_store_read(inputs, (struct range){task, 1}, &bytes, error);
    if (code == 0 && inputs != NULL) {
        struct byte_reader reader = byte_reader_of(bytes.data, bytes.size);
        size_t size;
        const unsigned char *data = byte_reader_get_blob(&reader, &size);
        input = byte_reader_of(data, size);
    }
    if (code == 0)
        code = print_task(dry, task, input, error);
    byte_writer_close(&bytes);
    return code;
}

/* The list is not what it was when the run began, or is gone: the run goes on without it. */
static int print_stored_tasks(struct dry_run *dry, struct sheaf_error *error)
{
    const struct fact_job_accepted *tasks = &dry->look.tasks;
    struct input_store *inputs = NULL;
    int code = 0;
    if (!dry->look.has_tasks)
        return run_open_refuse_unstored(dry->options->options->dir, error);
    dry->task_count = tasks->task_count;
    if (tasks->input_bytes > 0)
        code = input_store_open(dry->options->options->dir, tasks->task_count, tasks->input_bytes,
                                tasks->input_crc, &inputs, error);
    if (code == 0)
        code = check_selection(dry, error);
    for (uint64_t task = 0; code == 0 && task < tasks->task_count; task++)
        code = print_stored_task(dry, inputs, task, error);
    input_store_close(inputs);
    return code;
}

static void say_tasks(const struct dry_run *dry)
{
    const struct dry_run_options *options = dry->options;
    char *dir = run_job_directory(options->options, options->job->name);
    uint64_t done = dry->look.done.task_count - dry->look.failed.task_count;
    print_harmless(stderr, "sheaf: in %s: ", dir);
    if (options->job->split.kind == SPLIT_PLUGIN)
        print_harmless(stderr, "the plug-in names the tasks; %" PRIu64 " are done\n", done);
    else if (options->job->command.is_there)
        print_harmless(stderr,
                       "%" PRIu64 " tasks, of which %" PRIu64 " are done and %" PRIu64
                       " have failed; %" PRIu64 " would run\n",
                       dry->task_count, done, dry->look.failed.task_count, dry->run_count);
    else
        print_harmless(stderr,
                       "%" PRIu64 " tasks, of which %" PRIu64 " are done and %" PRIu64
                       " have failed\n",
                       dry->task_count, done, dry->look.failed.task_count);
    if (options->job->command.is_there)
        print_harmless(stderr, "sheaf: %s runs what needs a shell\n", options->job->command.shell);
    free(dir);
}

static int say_slots_here(const struct dry_run *dry, struct sheaf_error *error)
{
    const struct dry_run_options *options = dry->options;
    struct topology topology;
    int code = topology_discover(&topology, error);
    if (code != 0)
        return code;
    struct placement_request request = {
        .worker_count = options->ranks > 1 ? options->ranks - 1 : 1,
        .slot_count = options->options->slots_per_worker,
        .has_master = true,
        .needs = options->job->resources,
    };
    for (; request.worker_index < request.worker_count; request.worker_index++) {
        char slots[1024];
        struct placement placement;
        placement_make(&topology, request, &placement);
        placement_describe(&placement, slots, sizeof slots);
        print_harmless(stderr, "sheaf: worker %u on %s%s:%s\n",
                       request.worker_index + (options->ranks > 1), topology.host,
                       placement.is_shared ? ", cores shared" : "",
                       placement.slot_count > 0 ? slots : " no slot: it can hold no task");
        placement_close(&placement);
    }
    topology_close(&topology);
    return 0;
}

static void say_host(const struct host *host, bool is_dealt)
{
    uint32_t workers = host->ranks - host->has_master;
    print_harmless(stderr, "%s", host->name);
    if (is_dealt && host->ranks == 0)
        print_harmless(stderr, " (no rank)");
    else if (is_dealt)
        print_harmless(stderr, " (%s%u worker%s%s", host->has_master ? "master, " : "", workers,
                       workers == 1 ? "" : "s", host->has_slots ? "" : ")");
    if (host->has_slots && (!is_dealt || host->ranks > 0))
        print_harmless(stderr, "%s%u slot%s)", is_dealt ? ", " : " (", host->slots,
                       host->slots == 1 ? "" : "s");
}

/* What cores another host has is known once a worker runs there. */
static int say_slots(const struct dry_run *dry, struct sheaf_error *error)
{
    const struct host_list *hosts = dry->options->hosts;
    if (hosts->count == 0 && hosts->unnamed_count == 0)
        return say_slots_here(dry, error);
    print_harmless(stderr, "sheaf: %u ranks on", dry->options->ranks);
    bool is_dealt = !mpirun_is_mapped_by_user(dry->options->options);
    bool are_all_said = hosts->count > 0;
    for (size_t i = 0; i < hosts->count; i++) {
        fputs(i > 0 ? ", " : " ", stderr);
        say_host(&hosts->hosts[i], is_dealt);
        are_all_said &= hosts->hosts[i].has_slots;
    }
    if (hosts->unnamed_count > 0)
        print_harmless(stderr, " %u hosts", hosts->unnamed_count);
    if (are_all_said)
        print_harmless(stderr, "\n");
    else if (dry->options->options->slots_per_worker > 0)
        print_harmless(stderr, "; else %u slots in each worker\n",
                       dry->options->options->slots_per_worker);
    else
        print_harmless(stderr,
                       "; else as many slots on each as its cores, memory and GPUs allow\n");
    return 0;
}

int dry_run(const struct dry_run_options *options, struct sheaf_error *error)
{
    struct dry_run dry = {.options = options};
    struct run_opening opening = {.options = options->options, .job = options->job};
    int code = run_open_look(&opening, &dry.look, error);
    if (code == 0)
        code = read_selection(&dry, error);
    if (code == 0 && opening.needs_stored_tasks)
        code = print_stored_tasks(&dry, error);
    else if (code == 0 && options->job->split.kind != SPLIT_PLUGIN)
        code = print_tasks(&dry, error);
    if (code == 0) {
        fflush(stdout);
        say_tasks(&dry);
        code = say_slots(&dry, error);
    }
    run_look_close(&dry.look);
    range_set_close(&dry.only);
    return code;
}
