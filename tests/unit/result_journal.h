/* result_journal.h - a journal with the state that its facts make, snapshots included, as the
 * master writes it. */
#ifndef SHEAF_TEST_RESULT_JOURNAL_H
#define SHEAF_TEST_RESULT_JOURNAL_H

#include "../../runtime/journal.h"
#include "../../scheduler/state.h"

/* Owns both. */
struct result_journal {
    struct journal *journal;
    struct state *state;
};

/* Starts a run in what is there, or in a new journal. */
struct result_journal result_journal_open(const struct journal_options *options);
void result_journal_close(struct result_journal *journal);
/* The next fact; waits while the queue is full. */
void result_journal_append(struct result_journal *journal, struct fact fact, const void *payload,
                           size_t payload_size);
/* A result of the tasks of `range`. */
void result_journal_append_result(struct result_journal *journal, struct range range,
                                  const void *payload, size_t payload_size);
void result_journal_snapshot(struct result_journal *journal);

#endif
