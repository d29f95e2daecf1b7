/* edit_plan.c - compares two lists of tasks by their contents. */
#include "edit_plan.h"

#include "../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

/* Inputs read from the store at a time. */
enum { TASKS_PER_READ = 256 };

struct task_key {
    unsigned char hash[JOB_TASK_HASH_BYTES];
    uint64_t task;
};

struct task_keys {
    struct task_key *items;
    size_t count;
    size_t capacity;
};

static void add(struct task_keys *keys, const struct job *job, struct byte_reader input)
{
    void *items = keys->items;
    memory_grow(&items, &keys->capacity, keys->count + 1, sizeof *keys->items);
    keys->items = items;
    struct task_key *key = &keys->items[keys->count];
    key->task = keys->count++;
    job_task_hash(job, key->task, input, key->hash);
}

/* By content, and within one content by the order in the list. */
static int compare(const void *a, const void *b)
{
    const struct task_key *left = a;
    const struct task_key *right = b;
    int order = memcmp(left->hash, right->hash, sizeof left->hash);
    return order != 0 ? order : (left->task > right->task) - (left->task < right->task);
}

static void sort(struct task_keys *keys)
{
    if (keys->count > 0)
        qsort(keys->items, keys->count, sizeof *keys->items, compare);
}

static int read_old(const struct edit_lists *lists, struct task_keys *keys,
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
            add(keys, lists->job, byte_reader_of(data, size));
        }
    }
    byte_writer_close(&buffer);
    return code;
}

static int read_new(const struct edit_lists *lists, struct task_keys *keys,
                    struct sheaf_error *error)
{
    struct split_walk *walk;
    int code = split_walk_create(&lists->job->split, &walk, error);
    if (code != 0)
        return code;
    struct byte_reader input;
    while ((code = split_walk_next(walk, &input, error)) == 1) {
        add(keys, lists->job, input);
        if (lists->writer != NULL)
            code = input_writer_add(lists->writer, input.data, input.size, error);
        if (code < 0)
            break;
    }
    split_walk_destroy(walk);
    return code;
}

static void match(const struct task_keys *old, const struct task_keys *fresh, uint64_t *targets)
{
    size_t at = 0;
    size_t group = SIZE_MAX; /* where the old tasks of this content begin */
    for (size_t i = 0; i < old->count; i++) {
        const struct task_key *key = &old->items[i];
        bool is_first =
            group == SIZE_MAX || memcmp(key->hash, old->items[group].hash, sizeof key->hash) != 0;
        if (is_first)
            group = i;
        while (is_first && at < fresh->count &&
               memcmp(fresh->items[at].hash, key->hash, sizeof key->hash) < 0)
            at++;
        bool is_found =
            at < fresh->count && memcmp(fresh->items[at].hash, key->hash, sizeof key->hash) == 0;
        targets[key->task] = is_found ? fresh->items[at].task : EDIT_PLAN_GONE;
        at += is_found;
    }
}

int edit_plan_make(const struct edit_lists *lists, struct edit_plan *plan,
                   struct sheaf_error *error)
{
    struct task_keys old = {0};
    struct task_keys fresh = {0};
    if (lists->job->split.kind == SPLIT_RANGE) {
        *plan = (struct edit_plan){.old_count = lists->old_inputs == NULL ? lists->old_count : 0,
                                   .new_count = lists->job->split.tasks,
                                   .is_by_index = true};
        return 0;
    }
    int code = read_new(lists, &fresh, error);
    if (code == 0 && lists->old_inputs != NULL)
        code = read_old(lists, &old, error);
    if (code == 0) {
        sort(&old);
        sort(&fresh);
        *plan = (struct edit_plan){
            .targets = memory_allocate_zeroed(old.count, sizeof *plan->targets),
            .old_count = old.count,
            .new_count = fresh.count,
        };
        match(&old, &fresh, plan->targets);
    }
    free(old.items);
    free(fresh.items);
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

void edit_plan_close(struct edit_plan *plan)
{
    free(plan->targets);
    *plan = (struct edit_plan){0};
}
