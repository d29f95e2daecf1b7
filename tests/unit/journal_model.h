/* journal_model.h - facts that a test can tell apart, and the state they make: what a journal must
 * give back.
 *
 * Fact 1 starts a run, fact 2 accepts a job of MODEL_SLOTS tasks, and of the rest most are results,
 * each of which replaces the result of one task. Facts and payloads follow from their seq and from
 * the salt with which they were appended; the salt changes with each run. */
#ifndef SHEAF_TEST_JOURNAL_MODEL_H
#define SHEAF_TEST_JOURNAL_MODEL_H

#include "../../runtime/journal.h"

enum { MODEL_SLOTS = 8, MODEL_DAMAGES_MAX = 64 };

struct journal_model {
    size_t payload_bytes_max; /* 64 unless a test changes it */
    uint8_t salt;
    uint8_t *salts; /* by seq: of the fact appended last under it */
    size_t salt_capacity;

    /* The fold. */
    uint64_t last_seq;
    bool is_snapshot_over;
    bool has_job;
    struct partial slots[MODEL_SLOTS]; /* payload_seq 0: none */

    /* What the last recovery told. */
    uint64_t fact_count;    /* replayed that were appended, not from a snapshot */
    uint64_t gap_count;     /* seqs left out between them */
    uint64_t first_gap_seq; /* the first of these, or 0 */
    uint64_t first_seq;     /* the first fact of any kind */
    size_t damage_count;    /* without torn tails */
    size_t torn_count;
    struct journal_damage damages[MODEL_DAMAGES_MAX];
};

void journal_model_init(struct journal_model *model);
void journal_model_close(struct journal_model *model);

/* Appends the next fact and applies it. */
void journal_model_append(struct journal_model *model, struct journal *journal);
void journal_model_append_many(struct journal_model *model, struct journal *journal, size_t count);
/* Starts a rotation with the facts of the present state. */
void journal_model_snapshot(const struct journal_model *model, struct journal *journal);

/* Empties the fold and returns a recovery that fills it again. Each replayed fact is checked
 * against what was appended. */
struct journal_recovery journal_model_recovery(struct journal_model *model);
/* To be called after the recovery: takes over its last_seq, and begins a new salt. */
void journal_model_continue(struct journal_model *model, const struct journal_recovery *recovery);

/* Checks that the state is exactly that after the first last_seq facts, of which none was lost. */
void journal_model_check_complete(const struct journal_model *model, uint64_t last_seq);
/* Reads all live payloads: each must be the bytes appended, or reported as damaged. Returns how
 * many are damaged. */
size_t journal_model_check_payloads(const struct journal_model *model, struct journal *journal);

#endif
