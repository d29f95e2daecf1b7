/* task_keys.h - the contents of all tasks of a list, sorted, so that two lists can be compared. */
#ifndef SHEAF_TASK_KEYS_H
#define SHEAF_TASK_KEYS_H

#include "../jobs/job.h"
#include "../scheduler/task_graph.h"

struct task_key {
    unsigned char hash[JOB_TASK_HASH_BYTES];
    uint64_t task;
};

/* All zero is empty. Owns. */
struct task_keys {
    struct task_key *items;
    size_t count;
    size_t capacity;
};

/* Adds the key of the next task; the caller sets its hash. */
struct task_key *task_keys_add(struct task_keys *keys);
/* To be called before they are sorted: makes the content of each task that of all that it comes
 * after as well. NULL is fine. */
void task_keys_add_order(struct task_keys *keys, const struct task_graph *graph);
/* By content, and within one content by the order in the list. */
void task_keys_sort(struct task_keys *keys);
/* Where the first key from `at` on is whose content is not below `hash`. */
size_t task_keys_seek(const struct task_keys *keys, size_t at, const unsigned char *hash);
/* Whether the key at `at` is there, and has this content. */
bool task_keys_match(const struct task_keys *keys, size_t at, const unsigned char *hash);
void task_keys_close(struct task_keys *keys);

#endif
