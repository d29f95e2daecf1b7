/* result_journal.c - appends facts, folds them, and writes snapshots of the fold. */
#include "result_journal.h"

#include "../../runtime/journal_state.h"
#include "../../scheduler/check.h"

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

void result_journal_snapshot(struct result_journal *journal)
{
    journal_snapshot_state(journal->journal, journal->state);
}
