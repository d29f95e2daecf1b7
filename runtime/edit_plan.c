/* edit_plan.c - compares two lists of tasks by their contents. */
#include "edit_plan.h"

#include "../jobs/command_record.h"
#include "../scheduler/memory.h"
#include "task_keys.h"

#include <stdlib.h>
#include <string.h>

/* Inputs read from the store at a time. */
enum { TASKS_PER_READ = 256 };

/* What is compared of a task. */
typedef void hash_function(const struct job *job, const struct job_task *task,
                           unsigned char hash[JOB_TASK_HASH_BYTES]);

static void add(struct task_keys *keys, const struct job *job, struct byte_reader input,
                hash_function *hash)
{
    struct task_key *key = task_keys_add(keys);
    const struct job_task task = {.index = key->task, .has_input = true, .input = input};
    hash(job, &task, key->hash);
}

static int read_old(const struct edit_lists *lists, hash_function *hash, struct task_keys *keys,
                    struct sheaf_error *error)
{
    struct byte_writer buffer = {0};
    int code = 0;
    for (uint64_t task = 0; code == 0 && task < lists->old_count; task += TASKS_PER_READ) {
        uint64_t left = lists->old_count - task;
        uint64_t count = left < TASKS_PER_READ ? left : TASKS_PER_READ;
        byte_writer_clear(&buffer);
        code = input_store_read(lists->old_inputs, (struct range){task, count}, &buffer, error);
        struct byte_reader reader = byte_reader_of(buffer.data, buffer.size);
        for (uint64_t i = 0; code == 0 && i < count; i++) {
            size_t size;
            const unsigned char *data = byte_reader_get_blob(&reader, &size);
            add(keys, lists->job, byte_reader_of(data, size), hash);
        }
    }
    byte_writer_close(&buffer);
    return code;
}

static int read_new(const struct edit_lists *lists, hash_function *hash,
                    struct input_writer *writer, struct task_keys *keys, struct sheaf_error *error)
{
    struct split_walk *walk;
    int code = split_walk_create(&lists->job->split, &walk, error);
    if (code != 0)
        return code;
    struct byte_reader input;
    while ((code = split_walk_next(walk, &input, error)) == 1) {
        add(keys, lists->job, input, hash);
        if (writer != NULL)
            code = input_writer_add(writer, input.data, input.size, error);
        if (code < 0)
            break;
    }
    split_walk_destroy(walk);
    return code;
}

/* The n-th of its like goes to the n-th of its like. */
static bool match(const struct task_keys *old, const struct task_keys *fresh, uint64_t *targets)
{
    size_t at = 0;
    bool is_any = false;
    for (size_t i = 0; i < old->count; i++) {
        const struct task_key *key = &old->items[i];
        at = task_keys_seek(fresh, at, key->hash);
        bool is_found = task_keys_match(fresh, at, key->hash);
        targets[key->task] = is_found ? fresh->items[at].task : EDIT_PLAN_GONE;
        at += is_found;
        is_any |= is_found;
    }
    return is_any;
}

/* Whether there is a line that is in both lists. A pass of its own, for lists with no task in
 * common: all files have changed, or all lines have moved, and the command knows their places. */
static int look_for_common_line(const struct edit_lists *lists, struct edit_plan *plan,
                                struct sheaf_error *error)
{
    struct task_keys old = {0};
    struct task_keys fresh = {0};
    int code = read_old(lists, job_line_hash, &old, error);
    if (code == 0)
        code = read_new(lists, job_line_hash, NULL, &fresh, error);
    task_keys_sort(&old);
    task_keys_sort(&fresh);
    size_t at = 0;
    for (size_t i = 0; code == 0 && i < old.count && !plan->has_common_line; i++) {
        at = task_keys_seek(&fresh, at, old.items[i].hash);
        plan->has_common_line = task_keys_match(&fresh, at, old.items[i].hash);
    }
    task_keys_close(&old);
    task_keys_close(&fresh);
    return code;
}

/* ---- results of lines that were gone before ---- */

/* The tasks that have a result from the list before. */
static void mark_filled(const struct edit_lists *lists, const struct edit_plan *plan,
                        struct range_set *filled)
{
    struct range done = {0, 0};
    while (range_set_find_from(lists->succeeded, range_end(done), &done)) {
        for (uint64_t task = done.first; !plan->is_by_index && task < range_end(done); task++)
            if (edit_plan_target(plan, task) != EDIT_PLAN_GONE)
                range_set_add(filled, (struct range){edit_plan_target(plan, task), 1});
        if (plan->is_by_index)
            range_set_add(filled, done);
    }
}

static bool is_free(const struct range_set *filled, uint64_t task)
{
    return !range_set_contains(filled, (struct range){task, 1});
}

static void match_kept(const struct edit_lists *lists, const struct task_keys *fresh,
                       struct edit_plan *plan, const struct range_set *filled)
{
    struct task_keys kept = {0};
    for (size_t i = 0; i < kept_results_count(lists->kept); i++)
        memcpy(task_keys_add(&kept)->hash, kept_results_hash(lists->kept, i), JOB_TASK_HASH_BYTES);
    task_keys_sort(&kept);
    size_t at = 0;
    for (size_t i = 0; i < kept.count; i++) {
        const unsigned char *hash = kept.items[i].hash;
        at = task_keys_seek(fresh, at, hash);
        while (task_keys_match(fresh, at, hash) && !is_free(filled, fresh->items[at].task))
            at++;
        if (task_keys_match(fresh, at, hash))
            plan->kept_targets[kept.items[i].task] = fresh->items[at++].task;
    }
    task_keys_close(&kept);
}

/* Where tasks are numbers each result knows its own. */
static void match_kept_numbers(const struct edit_lists *lists, struct edit_plan *plan,
                               const struct range_set *filled)
{
    struct byte_writer bytes = {0};
    for (size_t i = 0; i < kept_results_count(lists->kept); i++) {
        struct command_record record;
        unsigned char hash[JOB_TASK_HASH_BYTES];
        byte_writer_clear(&bytes);
        if (kept_results_read(lists->kept, i, &bytes, NULL) != 0)
            continue;
        struct byte_reader reader = byte_reader_of(bytes.data, bytes.size);
        if (!command_record_get(&reader, &record))
            continue;
        job_task_hash(lists->job, &(struct job_task){.index = record.task}, hash);
        if (memcmp(hash, kept_results_hash(lists->kept, i), sizeof hash) == 0 &&
            record.task < plan->new_count && is_free(filled, record.task))
            plan->kept_targets[i] = record.task;
    }
    byte_writer_close(&bytes);
}

static void plan_kept(const struct edit_lists *lists, const struct task_keys *fresh,
                      struct edit_plan *plan)
{
    struct range_set filled = {0};
    size_t count = kept_results_count(lists->kept);
    plan->kept_targets = memory_allocate(count * sizeof *plan->kept_targets);
    for (size_t i = 0; i < count; i++)
        plan->kept_targets[i] = EDIT_PLAN_GONE;
    if (count > 0)
        mark_filled(lists, plan, &filled);
    if (count > 0 && lists->job->split.kind == SPLIT_RANGE)
        match_kept_numbers(lists, plan, &filled);
    else if (count > 0)
        match_kept(lists, fresh, plan, &filled);
    range_set_close(&filled);
}

/* ---- both ---- */

static const struct task_graph *graph_of(const struct job *job)
{
    return job->split.kind == SPLIT_TASKS ? job->split.table->graph : NULL;
}

static int compare(const struct edit_lists *lists, struct edit_plan *plan,
                   struct sheaf_error *error)
{
    struct task_keys old = {0};
    struct task_keys fresh = {0};
    int code = 0;
    if (lists->job->split.kind != SPLIT_RANGE)
        code = read_new(lists, job_task_hash, lists->writer, &fresh, error);
    if (code == 0 && lists->old_inputs != NULL)
        code = read_old(lists, job_task_hash, &old, error);
    if (code == 0) {
        task_keys_add_order(&old, lists->old_graph);
        task_keys_add_order(&fresh, graph_of(lists->job));
        plan->targets = memory_allocate_zeroed(old.count, sizeof *plan->targets);
        plan->hashes = memory_allocate_zeroed(old.count, sizeof *plan->hashes);
        for (size_t i = 0; i < old.count; i++)
            memcpy(plan->hashes[i], old.items[i].hash, sizeof *plan->hashes);
        plan->old_count = old.count;
        if (lists->job->split.kind != SPLIT_RANGE)
            plan->new_count = fresh.count;
        task_keys_sort(&old);
        task_keys_sort(&fresh);
        plan->has_common_line = match(&old, &fresh, plan->targets);
        plan_kept(lists, &fresh, plan);
    }
    task_keys_close(&old);
    task_keys_close(&fresh);
    return code;
}

int edit_plan_make(const struct edit_lists *lists, struct edit_plan *plan,
                   struct sheaf_error *error)
{
    bool is_range = lists->job->split.kind == SPLIT_RANGE;
    *plan = (struct edit_plan){.new_count = is_range ? lists->job->split.tasks : 0};
    if (is_range && lists->old_inputs == NULL) {
        plan->is_by_index = true;
        plan->old_count = lists->old_count;
        plan->has_common_line = plan->old_count > 0 && plan->new_count > 0;
        plan_kept(lists, NULL, plan);
        return 0;
    }
    int code = compare(lists, plan, error);
    if (code == 0 && !plan->has_common_line && !is_range && lists->old_inputs != NULL)
        code = look_for_common_line(lists, plan, error);
    if (code != 0)
        edit_plan_close(plan);
    return code;
}

uint64_t edit_plan_target(const struct edit_plan *plan, uint64_t old_task)
{
    if (old_task >= plan->old_count)
        return EDIT_PLAN_GONE;
    if (!plan->is_by_index)
        return plan->targets[old_task];
    return old_task < plan->new_count ? old_task : EDIT_PLAN_GONE;
}

bool edit_plan_moves(const struct edit_plan *plan, struct range range, uint64_t *first)
{
    *first = edit_plan_target(plan, range.first);
    if (*first == EDIT_PLAN_GONE)
        return false;
    if (plan->is_by_index)
        return range_end(range) <= plan->new_count;
    for (uint64_t i = 1; i < range.count; i++)
        if (edit_plan_target(plan, range.first + i) != *first + i)
            return false;
    return true;
}

void edit_plan_hash(const struct edit_plan *plan, const struct job *job, uint64_t old_task,
                    unsigned char hash[JOB_TASK_HASH_BYTES])
{
    if (plan->hashes != NULL && old_task < plan->old_count)
        memcpy(hash, plan->hashes[old_task], JOB_TASK_HASH_BYTES);
    else
        job_task_hash(job, &(struct job_task){.index = old_task}, hash);
}

void edit_plan_close(struct edit_plan *plan)
{
    free(plan->targets);
    free(plan->hashes);
    free(plan->kept_targets);
    *plan = (struct edit_plan){0};
}
