/* sim_journal.c - a journal in memory that forgets what was not durable, and now and then more. */
#include "sim.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>

enum { DAMAGE_MAX = 50 }; /* found by reading: a job of many results must be able to end */

void journal_init(struct journal *journal)
{
    *journal = (struct journal){0};
    journal->decoded = memory_allocate(FACT_PARTIALS_MAX * sizeof *journal->decoded);
}

static void close_record(struct record *record)
{
    byte_writer_close(&record->fact);
    byte_writer_close(&record->payload);
}

static void close_snapshot(struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->count; i++)
        close_record(&snapshot->records[i]);
    free(snapshot->records);
    *snapshot = (struct snapshot){0};
}

void journal_close(struct journal *journal)
{
    for (size_t i = 0; i < journal->count; i++)
        close_record(&journal->records[i]);
    free(journal->records);
    close_snapshot(&journal->snapshot);
    free(journal->decoded);
    free(journal->damaged);
    *journal = (struct journal){0};
}

void journal_append(struct journal *journal, const struct fact *fact, const void *payload,
                    size_t payload_size)
{
    void *records = journal->records;
    memory_grow(&records, &journal->capacity, journal->count + 1, sizeof *journal->records);
    journal->records = records;
    struct record *record = &journal->records[journal->count++];
    CHECK(fact->seq == journal->count);
    *record = (struct record){.kind = (uint8_t)fact->kind, .seq = fact->seq};
    fact_encode(fact, &record->fact);
    byte_writer_put(&record->payload, payload, payload_size);
}

static void emit_to_snapshot(void *context, const struct fact *fact)
{
    struct snapshot *snapshot = context;
    void *records = snapshot->records;
    memory_grow(&records, &snapshot->capacity, snapshot->count + 1, sizeof *snapshot->records);
    snapshot->records = records;
    struct record *record = &snapshot->records[snapshot->count++];
    *record = (struct record){.kind = (uint8_t)fact->kind, .seq = fact->seq};
    fact_encode(fact, &record->fact);
}

void journal_take_snapshot(struct journal *journal, const struct state *state)
{
    close_snapshot(&journal->snapshot);
    journal->snapshot.seq = state_last_seq(state);
    state_snapshot(state, emit_to_snapshot, &journal->snapshot);
}

void journal_decode(struct world *world, const struct record *record, struct fact *fact)
{
    struct sheaf_error error;
    if (fact_decode(record->kind, record->fact.data, record->fact.size, world->journal.decoded,
                    fact, &error) != 0)
        violate(world, "fact %llu of kind %u cannot be decoded: %s",
                (unsigned long long)record->seq, record->kind, error.text);
    fact->seq = record->seq;
}

void journal_cut(struct journal *journal, uint64_t kept_seq)
{
    while (journal->count > kept_seq)
        close_record(&journal->records[--journal->count]);
    if (journal->snapshot.seq > kept_seq)
        close_snapshot(&journal->snapshot);
    /* What was damaged goes by seq, and these seqs will be used again. */
    size_t kept = 0;
    for (size_t i = 0; i < journal->damaged_count; i++)
        if (journal->damaged[i].payload_seq <= kept_seq)
            journal->damaged[kept++] = journal->damaged[i];
    journal->damaged_count = kept;
    journal->durable_seq = kept_seq;
    journal->syncing_seq = 0;
    journal->is_sync_waiting = false;
}

/* Never the numbers of runs: a real journal has the current one in more than one place. What is
 * lost at the very end is cut off, so that numbers go on without a gap. */
static void lose_records(struct world *world, uint64_t after_seq, uint32_t permille)
{
    struct journal *journal = &world->journal;
    for (size_t i = after_seq; i < journal->count; i++) {
        struct record *record = &journal->records[i];
        if (record->kind != FACT_RUN_STARTED && random_chance(&world->random, permille)) {
            record->is_lost = true;
            journal->has_lost_records = true;
        }
    }
    while (journal->count > 0 && journal->records[journal->count - 1].is_lost)
        journal_cut(journal, journal->count - 1);
}

void journal_crash(struct world *world)
{
    struct journal *journal = &world->journal;
    uint64_t durable_seq = journal->durable_seq;
    uint64_t kept_seq = durable_seq;
    if (random_chance(&world->random, 600))
        kept_seq = random_between(&world->random, kept_seq, journal->count);
    else if (random_chance(&world->random, 500))
        kept_seq = journal->count;
    journal_cut(journal, kept_seq);
    lose_records(world, durable_seq, world->plan.lost_write_permille);
}

void journal_rot(struct world *world)
{
    if (world_has_faults(world))
        lose_records(world, 0, world->plan.lost_record_permille);
}

void journal_replay(struct world *world, bool from_snapshot,
                    void (*apply)(void *context, const struct fact *fact), void *context)
{
    struct journal *journal = &world->journal;
    struct fact fact;
    uint64_t first = 0;
    if (from_snapshot) {
        first = journal->snapshot.seq;
        for (size_t i = 0; i < journal->snapshot.count; i++) {
            journal_decode(world, &journal->snapshot.records[i], &fact);
            apply(context, &fact);
        }
    }
    for (uint64_t i = first; i < journal->count; i++) {
        if (journal->records[i].is_lost)
            continue;
        journal_decode(world, &journal->records[i], &fact);
        apply(context, &fact);
    }
}

static bool is_damaged(const struct journal *journal, const struct partial *partial)
{
    for (size_t i = 0; i < journal->damaged_count; i++)
        if (journal->damaged[i].payload_seq == partial->payload_seq &&
            journal->damaged[i].offset_bytes == partial->offset_bytes)
            return true;
    return false;
}

void journal_damage(struct journal *journal, const struct partial *partial)
{
    journal->damage_count++;
    void *damaged = journal->damaged;
    memory_grow(&damaged, &journal->damaged_capacity, journal->damaged_count + 1, sizeof *partial);
    journal->damaged = damaged;
    journal->damaged[journal->damaged_count++] = *partial;
}

bool journal_read(struct world *world, const struct partial *partial, struct byte_writer *bytes)
{
    struct journal *journal = &world->journal;
    if (partial->is_absent || partial->size_bytes == 0)
        return true;
    if (partial->payload_seq == 0 || partial->payload_seq > journal->count)
        violate(world, "a partial refers to payload %llu, which was never journalled",
                (unsigned long long)partial->payload_seq);
    const struct record *record = &journal->records[partial->payload_seq - 1];
    if (partial->offset_bytes + partial->size_bytes > record->payload.size)
        violate(world, "a partial lies outside of payload %llu",
                (unsigned long long)partial->payload_seq);
    if (journal->damage_count < DAMAGE_MAX && world_has_faults(world) &&
        random_chance(&world->random, world->plan.damage_permille))
        journal_damage(journal, partial);
    if (record->is_lost || is_damaged(journal, partial))
        return false;
    byte_writer_put(bytes, record->payload.data + partial->offset_bytes, partial->size_bytes);
    return true;
}
