/* result_journal.c - appends facts, folds them, and writes snapshots of the fold. */
#include "result_journal.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>
#include <time.h>

static void apply(void *context, const struct fact *fact)
{
    state_apply(context, fact);
}

struct result_journal result_journal_open(const struct journal_options *options)
{
    struct result_journal opened = {.state = state_create()};
    struct journal_recovery recovery = {.replay = apply, .context = opened.state};
    CHECK(journal_open(options, &recovery, &opened.journal, NULL) == 0);
    const struct fact started = {.kind = FACT_RUN_STARTED,
                                 .as.run_started = {state_incarnation(opened.state) + 1}};
    result_journal_append(&opened, started, NULL, 0);
    return opened;
}

void result_journal_close(struct result_journal *journal)
{
    CHECK(journal_close(journal->journal, NULL) == 0);
    state_destroy(journal->state);
}

void result_journal_append(struct result_journal *journal, struct fact fact, const void *payload,
                           size_t payload_size)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    fact.seq = state_last_seq(journal->state) + 1;
    journal_append(journal->journal, &fact, payload, payload_size);
    state_apply(journal->state, &fact);
    while (journal_is_congested(journal->journal))
        nanosleep(&pause, NULL);
}

void result_journal_append_result(struct result_journal *journal, struct range range,
                                  const void *payload, size_t payload_size)
{
    const struct partial partial = {.range = range, .size_bytes = payload_size};
    const struct fact fact = {.kind = FACT_RESULT,
                              .as.result = {.worker = 1,
                                            .work = WORK_RUN,
                                            .tasks_run = range.count,
                                            .partial_count = 1,
                                            .partials = &partial}};
    result_journal_append(journal, fact, payload, payload_size);
}

struct fact_list {
    struct fact *items;
    size_t count;
    size_t capacity;
};

static void add_fact(void *context, const struct fact *fact)
{
    struct fact_list *list = context;
    void *items = list->items;
    memory_grow(&items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items = items;
    struct fact *added = &list->items[list->count++];
    *added = *fact;
    if (fact->kind == FACT_RESULT)
        added->as.result.partials =
            memory_copy(fact->as.result.partials,
                        fact->as.result.partial_count * sizeof *fact->as.result.partials);
}

void result_journal_snapshot(struct result_journal *journal)
{
    struct fact_list list = {0};
    state_snapshot(journal->state, add_fact, &list);
    journal_snapshot(journal->journal, list.items, list.count);
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].kind == FACT_RESULT)
            free((void *)(uintptr_t)list.items[i].as.result.partials);
    }
    free(list.items);
}
