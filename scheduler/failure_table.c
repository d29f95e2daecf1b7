/* failure_table.c - a bounded table of groups of failures. */
#include "failure_table.h"

#include "memory.h"

#include <stdlib.h>
#include <string.h>

void failure_table_close(struct failure_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->groups[i]);
    free(table->groups);
    *table = (struct failure_table){0};
}

static bool is_of_group(const struct failure_group *group, const struct fact_failures *failures)
{
    return group->work == failures->work && group->cause == failures->cause &&
           group->detail == failures->detail &&
           strnlen(group->host, sizeof group->host) == failures->host_size &&
           (failures->host_size == 0 ||
            memcmp(group->host, failures->host, failures->host_size) == 0);
}

static struct failure_group *find(struct failure_table *table, const struct fact_failures *failures)
{
    if (table->last < table->count && is_of_group(table->groups[table->last], failures))
        return table->groups[table->last];
    for (size_t i = 0; i < table->count; i++) {
        if (is_of_group(table->groups[i], failures)) {
            table->last = i;
            return table->groups[i];
        }
    }
    return NULL;
}

static struct failure_group *append(struct failure_table *table,
                                    const struct fact_failures *failures)
{
    struct failure_group *group = memory_allocate_zeroed(1, sizeof *group);
    group->work = failures->work;
    group->cause = failures->cause;
    group->detail = failures->detail;
    if (failures->host_size > 0)
        memcpy(group->host, failures->host, failures->host_size);
    void *groups = table->groups;
    memory_grow(&groups, &table->capacity, table->count + 1, sizeof *table->groups);
    table->groups = groups;
    table->last = table->count;
    table->groups[table->count++] = group;
    return group;
}

/* What finds no place of its own is counted with its like, wherever that was. */
static struct failure_group *find_or_append(struct failure_table *table,
                                            const struct fact_failures *failures)
{
    struct failure_group *group = find(table, failures);
    if (group != NULL)
        return group;
    if (table->count < FAILURE_GROUPS_MAX)
        return append(table, failures);
    struct fact_failures elsewhere = *failures;
    elsewhere.detail = 0;
    elsewhere.host = FAILURE_OTHER_HOSTS;
    elsewhere.host_size = sizeof FAILURE_OTHER_HOSTS - 1;
    group = find(table, &elsewhere);
    return group != NULL ? group : append(table, &elsewhere);
}

static void add_example(struct failure_group *group, const struct failure_example *example)
{
    if (group->example_count == FAILURE_EXAMPLES_MAX)
        return;
    struct failure_example *added = &group->examples[group->example_count];
    char *text = group->texts[group->example_count];
    *added = *example;
    if (added->text_size > FAILURE_TEXT_BYTES_MAX)
        added->text_size = FAILURE_TEXT_BYTES_MAX;
    if (added->text_size > 0)
        memcpy(text, example->text, added->text_size);
    added->text = text;
    group->example_count++;
}

void failure_table_add(struct failure_table *table, const struct fact_failures *failures)
{
    struct failure_group *group = find_or_append(table, failures);
    group->count += failures->count;
    group->final_count += failures->final_count;
    group->order_count += failures->order_count;
    if (failures->has_example)
        add_example(group, &failures->example);
    if (group->log_size == 0 && failures->log_size > 0) {
        group->log_size = failures->log_size;
        memcpy(group->log, failures->log, failures->log_size);
    }
}

void failure_table_reopen(struct failure_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        table->groups[i]->final_count = 0;
}

bool failure_group_part(const struct failure_group *group, uint32_t part,
                        struct fact_failures *failures)
{
    if (part > 0 && part >= group->example_count)
        return false;
    *failures =
        (struct fact_failures){.work = group->work,
                               .cause = group->cause,
                               .detail = group->detail,
                               .host = group->host,
                               .host_size = (uint32_t)strnlen(group->host, sizeof group->host)};
    if (part < group->example_count) {
        failures->has_example = true;
        failures->example = group->examples[part];
    }
    if (part > 0)
        return true;
    failures->count = group->count;
    failures->final_count = group->final_count;
    failures->order_count = group->order_count;
    failures->log = group->log;
    failures->log_size = group->log_size;
    return true;
}
