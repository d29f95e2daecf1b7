/* journal_model.c - makes facts, folds them, and checks what a journal gives back. */
#include "journal_model.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <stdlib.h>
#include <string.h>

/* A fact with what it borrows. */
struct model_fact {
    struct fact fact;
    struct partial partial;
    unsigned char *payload;
    size_t payload_size;
};

static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static size_t payload_size_of(const struct journal_model *model, uint64_t seq)
{
    return 1 + (size_t)(mix(seq) % model->payload_bytes_max);
}

static void fill_payload(unsigned char *payload, size_t size, uint64_t seq, uint8_t salt)
{
    for (size_t i = 0; i < size; i++)
        payload[i] = (unsigned char)mix(seq * 1000003 + salt + i / 8 * 7919) ^ (unsigned char)i;
}

static bool is_result(uint64_t seq)
{
    return seq > 2 && seq % 4 != 3;
}

static uint64_t slot_of(uint64_t seq)
{
    return mix(seq + 17) % MODEL_SLOTS;
}

static struct fact job_fact(uint64_t seq)
{
    return (struct fact){
        .kind = FACT_JOB_ACCEPTED,
        .seq = seq,
        .as.job_accepted = {.task_count = MODEL_SLOTS, .input_bytes = 1234, .has_merge = true},
    };
}

static void make_fact(const struct journal_model *model, uint64_t seq, uint8_t salt,
                      struct model_fact *made)
{
    *made = (struct model_fact){.fact = {.kind = FACT_ASSIGNED, .seq = seq}};
    struct range range = {slot_of(seq), 1};
    if (seq == 1) {
        made->fact.kind = FACT_RUN_STARTED;
        made->fact.as.run_started.incarnation = 1;
    } else if (seq == 2) {
        made->fact = job_fact(seq);
    } else if (is_result(seq)) {
        made->payload_size = payload_size_of(model, seq);
        made->partial = (struct partial){.range = range, .size_bytes = made->payload_size};
        made->fact.kind = FACT_RESULT;
        made->fact.as.result = (struct fact_result){
            .worker = salt,
            .assignment = seq,
            .work = WORK_RUN,
            .tasks_run = 1,
            .partial_count = 1,
            .partials = &made->partial,
        };
    } else {
        made->fact.as.assigned =
            (struct fact_assigned){.worker = salt, .work = WORK_RUN, .range = range, .attempt = 1};
    }
    made->payload = memory_allocate(made->payload_size);
    fill_payload(made->payload, made->payload_size, seq, salt);
}

void journal_model_init(struct journal_model *model)
{
    *model = (struct journal_model){.payload_bytes_max = 64, .salt = 1};
}

void journal_model_close(struct journal_model *model)
{
    free(model->salts);
}

static void fold(struct journal_model *model, const struct fact *fact)
{
    model->last_seq = fact->seq;
    if (fact->kind == FACT_JOB_ACCEPTED)
        model->has_job = true;
    if (fact->kind != FACT_RESULT)
        return;
    const struct partial *partial = &fact->as.result.partials[0];
    CHECK(fact->as.result.partial_count == 1 && partial->range.first < MODEL_SLOTS);
    struct partial *slot = &model->slots[partial->range.first];
    *slot = *partial;
    if (slot->payload_seq == 0)
        slot->payload_seq = fact->seq;
}

void journal_model_append(struct journal_model *model, struct journal *journal)
{
    uint64_t seq = model->last_seq + 1;
    void *salts = model->salts;
    size_t before = model->salt_capacity;
    memory_grow(&salts, &model->salt_capacity, seq + 1, 1);
    model->salts = salts;
    memset(model->salts + before, 0, model->salt_capacity - before);
    model->salts[seq] = model->salt;
    struct model_fact made;
    make_fact(model, seq, model->salt, &made);
    journal_append(journal, &made.fact, made.payload, made.payload_size);
    fold(model, &made.fact);
    free(made.payload);
}

void journal_model_append_many(struct journal_model *model, struct journal *journal, size_t count)
{
    for (size_t i = 0; i < count; i++)
        journal_model_append(model, journal);
}

void journal_model_snapshot(const struct journal_model *model, struct journal *journal)
{
    struct fact facts[MODEL_SLOTS + 3];
    struct partial partials[MODEL_SLOTS];
    size_t count = 0;
    uint64_t seq = model->last_seq;
    facts[count++] =
        (struct fact){.kind = FACT_RUN_STARTED, .seq = seq, .as.run_started = {.incarnation = 1}};
    if (model->has_job)
        facts[count++] = job_fact(seq);
    for (size_t i = 0; i < MODEL_SLOTS; i++) {
        if (model->slots[i].payload_seq == 0)
            continue;
        partials[i] = model->slots[i];
        facts[count++] = (struct fact){
            .kind = FACT_RESULT,
            .seq = seq,
            .as.result = {.work = WORK_RUN, .partial_count = 1, .partials = &partials[i]},
        };
    }
    facts[count++] = (struct fact){.kind = FACT_SNAPSHOT_END, .seq = seq};
    journal_snapshot(journal, facts, count);
}

static bool facts_are_equal(const struct fact *a, const struct fact *b)
{
    struct byte_writer first = {0};
    struct byte_writer second = {0};
    fact_encode(a, &first);
    fact_encode(b, &second);
    bool are_equal = a->kind == b->kind && a->seq == b->seq && first.size == second.size &&
                     (first.size == 0 || memcmp(first.data, second.data, first.size) == 0);
    byte_writer_close(&first);
    byte_writer_close(&second);
    return are_equal;
}

static bool was_appended(const struct journal_model *model, const struct fact *fact)
{
    if (fact->seq == 0 || fact->seq >= model->salt_capacity || model->salts[fact->seq] == 0)
        return false;
    struct model_fact made;
    make_fact(model, fact->seq, model->salts[fact->seq], &made);
    bool was = facts_are_equal(&made.fact, fact);
    free(made.payload);
    return was;
}

/* A snapshot may hold: the run, the job, and results that were appended up to its seq. */
static void check_snapshot_fact(const struct journal_model *model, const struct fact *fact)
{
    CHECK(!model->is_snapshot_over || fact->kind == FACT_SNAPSHOT_END);
    if (fact->kind == FACT_RUN_STARTED || fact->kind == FACT_SNAPSHOT_END)
        return;
    struct fact job = job_fact(fact->seq);
    if (fact->kind == FACT_JOB_ACCEPTED) {
        CHECK(facts_are_equal(fact, &job));
        return;
    }
    CHECK(fact->kind == FACT_RESULT && fact->as.result.partial_count == 1);
    const struct partial *partial = &fact->as.result.partials[0];
    CHECK(partial->payload_seq > 0 && partial->payload_seq <= fact->seq);
    CHECK(is_result(partial->payload_seq));
    CHECK(slot_of(partial->payload_seq) == partial->range.first);
    CHECK(partial->size_bytes == payload_size_of(model, partial->payload_seq));
}

static void note_gap(struct journal_model *model, uint64_t seq)
{
    if (seq <= model->last_seq + 1)
        return;
    model->gap_count += seq - model->last_seq - 1;
    if (model->first_gap_seq == 0)
        model->first_gap_seq = model->last_seq + 1;
}

static void replay(void *context, const struct fact *fact)
{
    struct journal_model *model = context;
    bool may_repeat = !model->is_snapshot_over && fact->seq == model->last_seq;
    CHECK(fact->seq > model->last_seq || may_repeat);
    if (model->first_seq == 0)
        model->first_seq = fact->seq;
    if (was_appended(model, fact)) {
        model->fact_count++;
        note_gap(model, fact->seq);
        model->is_snapshot_over = true;
    } else {
        check_snapshot_fact(model, fact);
        if (model->is_snapshot_over)
            note_gap(model,
                     fact->seq + 1); /* the end mark of a journal whose last facts are lost */
        model->is_snapshot_over |= fact->kind == FACT_SNAPSHOT_END;
    }
    fold(model, fact);
}

static void note_damage(void *context, const struct journal_damage *damage)
{
    struct journal_model *model = context;
    CHECK(damage->text[0] != '\0' && damage->segment[0] != '\0');
    if (strcmp(damage->text, "torn tail") == 0) {
        model->torn_count++;
        return;
    }
    if (model->damage_count < MODEL_DAMAGES_MAX)
        model->damages[model->damage_count] = *damage;
    model->damage_count++;
}

struct journal_recovery journal_model_recovery(struct journal_model *model)
{
    struct journal_model emptied = {
        .payload_bytes_max = model->payload_bytes_max,
        .salt = model->salt,
        .salts = model->salts,
        .salt_capacity = model->salt_capacity,
    };
    *model = emptied;
    return (struct journal_recovery){.replay = replay, .damaged = note_damage, .context = model};
}

void journal_model_continue(struct journal_model *model, const struct journal_recovery *recovery)
{
    CHECK(recovery->last_seq == model->last_seq);
    model->is_snapshot_over = true;
    model->salt = model->salt == UINT8_MAX ? 1 : (uint8_t)(model->salt + 1);
}

void journal_model_check_complete(const struct journal_model *model, uint64_t last_seq)
{
    struct partial expected[MODEL_SLOTS] = {0};
    for (uint64_t seq = 1; seq <= last_seq; seq++) {
        if (is_result(seq))
            expected[slot_of(seq)].payload_seq = seq;
    }
    CHECK(model->last_seq == last_seq);
    CHECK(model->has_job == (last_seq >= 2));
    for (size_t i = 0; i < MODEL_SLOTS; i++)
        CHECK(model->slots[i].payload_seq == expected[i].payload_seq);
}

size_t journal_model_check_payloads(const struct journal_model *model, struct journal *journal)
{
    size_t damaged_count = 0;
    for (size_t i = 0; i < MODEL_SLOTS; i++) {
        const struct partial *slot = &model->slots[i];
        if (slot->payload_seq == 0)
            continue;
        struct byte_writer bytes = {0};
        struct sheaf_error error;
        int code = journal_read_payload(journal, slot, &bytes, &error);
        CHECK(code == 0 || code == SHEAF_ERROR_DAMAGED);
        if (code == SHEAF_ERROR_DAMAGED) {
            CHECK(bytes.size == 0);
            damaged_count++;
        } else {
            unsigned char *expected = memory_allocate(slot->size_bytes);
            fill_payload(expected, slot->size_bytes, slot->payload_seq,
                         model->salts[slot->payload_seq]);
            CHECK(bytes.size == slot->size_bytes);
            CHECK(memcmp(bytes.data, expected, bytes.size) == 0);
            free(expected);
        }
        byte_writer_close(&bytes);
    }
    return damaged_count;
}
