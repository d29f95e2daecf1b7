/* failure_table.h - counts failures in groups of one cause on one host, with the first few of each.
 *
 * A part of the state: it depends on the facts alone, and a snapshot of it gives it again. Its
 * memory is bounded, its counts are exact: where there are too many groups, those that come last
 * are counted without their host. */
#ifndef SHEAF_FAILURE_TABLE_H
#define SHEAF_FAILURE_TABLE_H

#include "fact.h"

enum {
    FAILURE_GROUPS_MAX = 128, /* with a host; the rest has a group for each work and cause */
    FAILURE_EXAMPLES_MAX = 3,
    FAILURE_TEXT_BYTES_MAX = 256, /* of an example; longer texts are cut */
};

/* Stands for the hosts of all groups that found no place. */
#define FAILURE_OTHER_HOSTS "(other hosts)"

struct failure_group {
    enum work work; /* 0: workers that were lost or left */
    enum cause cause;
    int32_t detail;
    uint64_t count; /* attempts or workers */
    uint64_t final_count;
    uint64_t order_count;
    char host[FACT_HOST_BYTES_MAX + 1]; /* empty when unknown */
    uint32_t example_count;
    struct failure_example examples[FAILURE_EXAMPLES_MAX]; /* texts are those below */
    char texts[FAILURE_EXAMPLES_MAX][FAILURE_TEXT_BYTES_MAX];
    uint32_t log_size; /* of the first attempt that had one */
    char log[FACT_LOG_BYTES_MAX];
};

/* All zero is valid and empty. Owns the groups, which are in the order of their first failures. */
struct failure_table {
    struct failure_group **groups;
    size_t count;
    size_t capacity;
    size_t last; /* the one that was added to last: the next failure is often like it */
};

void failure_table_close(struct failure_table *table);
void failure_table_add(struct failure_table *table, const struct fact_failures *failures);
/* Of the failures so far none is the last of its work any more: it is tried again. */
void failure_table_reopen(struct failure_table *table);
/* The facts that give a group again, one by one: `part` counts from 0. False after the last. */
bool failure_group_part(const struct failure_group *group, uint32_t part,
                        struct fact_failures *failures);

#endif
