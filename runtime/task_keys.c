/* task_keys.c - sorts the tasks of a list by their contents. */
#include "task_keys.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <sha2.h>
#include <stdlib.h>
#include <string.h>

struct task_key *task_keys_add(struct task_keys *keys)
{
    void *items = keys->items;
    memory_grow(&items, &keys->capacity, keys->count + 1, sizeof *keys->items);
    keys->items = items;
    struct task_key *key = &keys->items[keys->count];
    key->task = keys->count++;
    return key;
}

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, JOB_TASK_HASH_BYTES);
}

/* Its own content, then those of the tasks before it, in an order that no list decides. */
static void add_predecessors(struct task_key *key, unsigned char *hashes, uint32_t count)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;
    if (count == 0)
        return;
    qsort(hashes, count, JOB_TASK_HASH_BYTES, compare_hashes);
    SHA256Init(&context);
    SHA256Update(&context, key->hash, sizeof key->hash);
    SHA256Update(&context, hashes, (size_t)count * JOB_TASK_HASH_BYTES);
    SHA256Final(digest, &context);
    memcpy(key->hash, digest, sizeof key->hash);
}

/* Task after task, each when all before it are done with: a graph has no circles. */
void task_keys_add_order(struct task_keys *keys, const struct task_graph *graph)
{
    if (graph == NULL || graph->edge_count == 0)
        return;
    CHECK(graph->task_count == keys->count);
    uint32_t count = graph->task_count;
    uint32_t *ready = memory_allocate_zeroed(count, sizeof *ready);
    size_t *starts = memory_allocate_zeroed(count, sizeof *starts);
    uint32_t *known = memory_allocate_zeroed(count, sizeof *known); /* of its predecessors */
    unsigned char(*hashes)[JOB_TASK_HASH_BYTES] =
        memory_allocate_zeroed(graph->edge_count, sizeof *hashes);
    uint32_t ready_count = 0;
    size_t start = 0;
    for (uint32_t task = 0; task < count; task++) {
        starts[task] = start;
        start += graph->predecessor_counts[task];
        if (graph->predecessor_counts[task] == 0)
            ready[ready_count++] = task;
    }
    for (uint32_t i = 0; i < ready_count; i++) {
        struct task_key *key = &keys->items[ready[i]];
        add_predecessors(key, hashes[starts[ready[i]]], known[ready[i]]);
        for (uint32_t at = graph->successor_starts[ready[i]];
             at < graph->successor_starts[ready[i] + 1]; at++) {
            uint32_t after = graph->successors[at];
            memcpy(hashes[starts[after] + known[after]], key->hash, sizeof key->hash);
            if (++known[after] == graph->predecessor_counts[after])
                ready[ready_count++] = after;
        }
    }
    free(ready);
    free(starts);
    free(known);
    free(hashes);
}

static int compare(const void *a, const void *b)
{
    const struct task_key *left = a;
    const struct task_key *right = b;
    int order = memcmp(left->hash, right->hash, sizeof left->hash);
    return order != 0 ? order : (left->task > right->task) - (left->task < right->task);
}

void task_keys_sort(struct task_keys *keys)
{
    if (keys->count > 0)
        qsort(keys->items, keys->count, sizeof *keys->items, compare);
}

size_t task_keys_seek(const struct task_keys *keys, size_t at, const unsigned char *hash)
{
    while (at < keys->count && memcmp(keys->items[at].hash, hash, JOB_TASK_HASH_BYTES) < 0)
        at++;
    return at;
}

bool task_keys_match(const struct task_keys *keys, size_t at, const unsigned char *hash)
{
    return at < keys->count && memcmp(keys->items[at].hash, hash, JOB_TASK_HASH_BYTES) == 0;
}

void task_keys_close(struct task_keys *keys)
{
    free(keys->items);
    *keys = (struct task_keys){0};
}
