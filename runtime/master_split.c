/* master_split.c - turns the job into stored tasks: by a built-in split, or from the plug-in's. */
#include "master_private.h"

#include "run_place.h"
#include "run_swap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Tasks stored in one step of the loop, so that the master stays responsive. */
enum { TASKS_PER_STEP = 20000 };

const struct task_graph *master_find_graph(const struct master *master)
{
    const struct split *split = &master->job.split;
    if (master->needs_stored_tasks)
        return master->stored_graph.graph;
    return split->kind == SPLIT_TASKS ? split->table->graph : NULL;
}

uint64_t master_graph_fingerprint(const struct master *master)
{
    const struct task_graph *graph = master_find_graph(master);
    return graph != NULL ? graph->fingerprint : 0;
}

static void accept_job(struct master *master, uint64_t task_count, uint64_t input_bytes,
                       uint32_t input_crc)
{
    struct input input = {.kind = INPUT_JOB_ACCEPTED, .now_ns = master->now_ns};
    input.as.job_accepted = (struct fact_job_accepted){
        .task_count = task_count,
        .input_bytes = input_bytes,
        .input_crc = input_crc,
        .has_merge = master->hooks.has_merge,
        .has_finish = master->hooks.has_finish,
        .graph_fingerprint = master_graph_fingerprint(master),
    };
    struct sheaf_error error;
    master_step(master, &input, NULL, 0);
    if (master_inputs_open(master, &error) < 0 || master_check_selection(master, &error) < 0)
        master_fail(master, &error);
}

static int open_inputs(struct master *master, struct sheaf_error *error)
{
    const struct fact_job_accepted *job = state_job(scheduler_state(master->scheduler));
    return input_store_open(run_directory_path(master->directory), job->task_count,
                            job->input_bytes, job->input_crc, &master->inputs, error);
}

int master_inputs_open(struct master *master, struct sheaf_error *error)
{
    const struct fact_job_accepted *job = state_job(scheduler_state(master->scheduler));
    if (job == NULL || job->input_bytes == 0)
        return 0;
    int code = open_inputs(master, error);
    return code == SHEAF_ERROR_DAMAGED ? master_inputs_make_again(master, error) : code;
}

/* Splits into `folder`; DAMAGED when that does not give the inputs that the journal knows. */
static int split_again(const struct master *master, const char *folder, struct sheaf_error *error)
{
    const struct fact_job_accepted *job = state_job(scheduler_state(master->scheduler));
    struct split_walk *walk;
    struct input_writer *writer = NULL;
    uint64_t input_bytes = 0;
    uint32_t index_crc = 0;
    int code = split_walk_create(&master->job.split, &walk, error);
    if (code != 0)
        return code;
    struct byte_reader input;
    code = input_writer_create(folder, &writer, error);
    while (code == 0 && (code = split_walk_next(walk, &input, error)) == 1)
        code = input_writer_add(writer, input.data, input.size, error);
    uint64_t task_count = writer != NULL ? input_writer_task_count(writer) : 0;
    if (code == 0)
        code = input_writer_finish(writer, &input_bytes, &index_crc, error);
    input_writer_destroy(writer);
    split_walk_destroy(walk);
    bool is_same = task_count == job->task_count && input_bytes == job->input_bytes &&
                   index_crc == job->input_crc;
    if (code != 0 || is_same)
        return code;
    return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                           "the stored inputs of the tasks in %s are damaged, and what the job "
                           "names now are not those inputs: repeat the command with the inputs as "
                           "they were when it ran last. The results are safe",
                           run_directory_path(master->directory));
}

int master_inputs_move(const char *folder, const char *dir, struct sheaf_error *error)
{
    static const char *const names[] = {INPUT_DATA_NAME, INPUT_INDEX_NAME};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof names / sizeof *names; i++) {
        char *from = run_directory_join(folder, names[i]);
        char *to = run_directory_join(dir, names[i]);
        if (run_place_rename(from, to) != 0)
            code = sheaf_error_set_errno(error, errno, "cannot rename %s to %s", from, to);
        free(from);
        free(to);
    }
    return code;
}

int master_inputs_make_again(struct master *master, struct sheaf_error *error)
{
    const char *dir = run_directory_path(master->directory);
    if (master->job.split.kind == SPLIT_PLUGIN)
        return master_split_want_again(master, error);
    char *folder = run_directory_join(dir, INPUTS_AGAIN_NAME);
    int code = master_split_make_folder(master, error);
    if (code == 0)
        code = split_again(master, folder, error);
    if (code == 0)
        code = master_inputs_move(folder, dir, error);
    run_swap_remove(dir, INPUTS_AGAIN_NAME, NULL); /* in the way of nobody if it stays */
    free(folder);
    if (code != 0)
        return code;
    if (master->inputs != NULL)
        input_store_close(master->inputs);
    master->inputs = NULL;
    master_tell(master, CONTROL_WARNING,
                "the stored inputs of the tasks were damaged: they are made again from what the "
                "job names");
    return open_inputs(master, error);
}

int master_split_begin(struct master *master, struct sheaf_error *error)
{
    const struct split *split = &master->job.split;
    if (split->kind == SPLIT_PLUGIN)
        return 0;
    if (split->kind == SPLIT_RANGE) {
        accept_job(master, split->tasks, 0, 0);
        return 0;
    }
    struct splitting *splitting = &master->splitting;
    int code = split_walk_create(split, &splitting->walk, error);
    if (code < 0)
        return code;
    return input_writer_create(run_directory_path(master->directory), &splitting->writer, error);
}

void master_split_close(struct master *master)
{
    struct splitting *splitting = &master->splitting;
    if (splitting->walk != NULL)
        split_walk_destroy(splitting->walk);
    if (splitting->writer != NULL)
        input_writer_destroy(splitting->writer);
    *splitting = (struct splitting){0};
}

/* Syncs what was written and makes it the job's tasks. */
static void finish_inputs(struct master *master)
{
    struct splitting *splitting = &master->splitting;
    uint64_t task_count = splitting->plain_count;
    uint64_t input_bytes = 0;
    uint32_t index_crc = 0;
    struct sheaf_error error;
    if (splitting->writer != NULL) {
        task_count = input_writer_task_count(splitting->writer);
        if (input_writer_finish(splitting->writer, &input_bytes, &index_crc, &error) < 0) {
            master_fail(master, &error);
            return;
        }
    }
    master_split_close(master);
    const struct fact_job_accepted named = {
        .task_count = task_count, .input_bytes = input_bytes, .input_crc = index_crc};
    if (master->split_again == SPLIT_AGAIN_ASKED)
        master_split_end_again(master, &named);
    else
        accept_job(master, task_count, input_bytes, index_crc);
}

bool master_split_continue(struct master *master)
{
    struct splitting *splitting = &master->splitting;
    if (splitting->walk == NULL)
        return false;
    struct sheaf_error error;
    for (int i = 0; i < TASKS_PER_STEP; i++) {
        struct byte_reader input;
        int code = split_walk_next(splitting->walk, &input, &error);
        if (code == 0) {
            finish_inputs(master);
            return true;
        }
        if (code > 0)
            code = input_writer_add(splitting->writer, input.data, input.size, &error);
        if (code < 0) {
            master_fail(master, &error);
            return false;
        }
    }
    return true;
}

void master_split_restart(struct master *master, uint64_t assignment)
{
    struct sheaf_error error;
    master_split_close(master);
    master->splitting.assignment = assignment;
    if (master->split_again == SPLIT_AGAIN_ASKED && master_split_make_folder(master, &error) < 0)
        master_fail(master, &error);
}

/* The first task with input bytes needs the store; those before it had none. */
static int need_writer(struct master *master, struct sheaf_error *error)
{
    struct splitting *splitting = &master->splitting;
    if (splitting->writer != NULL)
        return 0;
    char *folder =
        run_directory_join(run_directory_path(master->directory),
                           master->split_again == SPLIT_AGAIN_ASKED ? INPUTS_AGAIN_NAME : ".");
    int code = input_writer_create(folder, &splitting->writer, error);
    free(folder);
    for (uint64_t i = 0; code == 0 && i < splitting->plain_count; i++)
        code = input_writer_add(splitting->writer, NULL, 0, error);
    return code;
}

static int add_batch(struct master *master, struct byte_reader *reader, struct sheaf_error *error)
{
    uint64_t count = byte_reader_get_u64(reader);
    bool has_input = byte_reader_get_bool(reader);
    struct splitting *splitting = &master->splitting;
    if (count > SHEAF_TASKS_MAX - splitting->plain_count)
        return sheaf_error_set(error, SHEAF_ERROR_LIMIT, "split named more than 2^62 tasks");
    if (!has_input && splitting->writer == NULL) {
        splitting->plain_count += count;
        return 0;
    }
    int code = need_writer(master, error);
    for (uint64_t i = 0; code == 0 && i < count; i++) {
        size_t size = 0;
        const unsigned char *data = has_input ? byte_reader_get_blob(reader, &size) : NULL;
        if (reader->failed)
            return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                                   "a batch of tasks from split cannot be decoded");
        code = input_writer_add(splitting->writer, data, size, error);
    }
    return code;
}

void master_split_batch(struct master *master, const unsigned char *body, size_t body_size)
{
    struct byte_reader reader = byte_reader_of(body, body_size);
    struct sheaf_error error;
    if (add_batch(master, &reader, &error) < 0)
        master_fail(master, &error);
}

void master_split_end(struct master *master)
{
    finish_inputs(master);
}
