/* journal_snapshot.c - the caller's side of a rotation: what is live, and where it lies after. */
#include "journal_internal.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <stdlib.h>
#include <time.h>

enum { ROTATION_POLL_NS = 1000000 };

/* What a snapshot refers to of one payload. */
struct reference {
    uint64_t seq;
    uint64_t first_bytes;
    uint64_t end_bytes;
};

struct reference_list {
    struct reference *items;
    size_t count;
    size_t capacity;
};

static void add_references(struct reference_list *list, const struct fact_result *result)
{
    for (uint32_t i = 0; i < result->partial_count; i++) {
        const struct partial *partial = &result->partials[i];
        if (partial->payload_seq == 0 || partial->size_bytes == 0)
            continue;
        void *items = list->items;
        memory_grow(&items, &list->capacity, list->count + 1, sizeof *list->items);
        list->items = items;
        list->items[list->count++] =
            (struct reference){partial->payload_seq, partial->offset_bytes,
                               partial->offset_bytes + partial->size_bytes};
    }
}

static int compare_references(const void *left, const void *right)
{
    const struct reference *a = left;
    const struct reference *b = right;
    return (a->seq > b->seq) - (a->seq < b->seq);
}

/* Cuts the payload to the hull of the references to it; false when there are none. *next moves
 * behind them. */
static bool cut_payload(struct payload *payload, const struct reference_list *list, size_t *next)
{
    uint64_t held_end = payload->base_bytes + payload->size_bytes;
    uint64_t first = UINT64_MAX;
    uint64_t end = 0;
    while (*next < list->count && list->items[*next].seq < payload->seq)
        ++*next;
    for (; *next < list->count && list->items[*next].seq == payload->seq; ++*next) {
        const struct reference *reference = &list->items[*next];
        first = reference->first_bytes < first ? reference->first_bytes : first;
        end = reference->end_bytes > end ? reference->end_bytes : end;
    }
    first = first < payload->base_bytes ? payload->base_bytes : first;
    end = end > held_end ? held_end : end;
    if (first >= end)
        return false;
    payload->base_bytes = first;
    payload->size_bytes = end - first;
    return true;
}

/* Lets go of all payloads that the snapshot does not refer to. */
static void keep_live(struct journal *journal, const struct fact *facts, size_t count)
{
    struct reference_list list = {0};
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_RESULT)
            add_references(&list, &facts[i].as.result);
    }
    if (list.count > 0)
        qsort(list.items, list.count, sizeof *list.items, compare_references);
    struct payload_table *table = &journal->payloads;
    size_t kept = 0;
    size_t next = 0;
    for (size_t i = 0; i < table->count; i++) {
        struct payload payload = table->items[i];
        if (cut_payload(&payload, &list, &next))
            table->items[kept++] = payload;
        else
            journal_block_release(journal, payload.block);
    }
    table->count = kept;
    free(list.items);
}

static struct rotation *create_rotation(const struct journal *journal)
{
    const struct payload_table *table = &journal->payloads;
    struct rotation *rotation = memory_allocate_zeroed(1, sizeof *rotation);
    rotation->seq = journal->last_seq;
    TAILQ_INIT(&rotation->snapshot);
    TAILQ_INIT(&rotation->carriers);
    rotation->live = memory_copy(table->items, table->count * sizeof *table->items);
    rotation->live_count = table->count;
    for (size_t i = 0; i < table->count; i++)
        rotation->live_bytes += table->items[i].size_bytes;
    rotation->mark.rotation = rotation;
    rotation->mark.is_sealed = true;
    return rotation;
}

static void destroy_queued(struct block_queue *blocks)
{
    struct journal_block *block;
    while ((block = TAILQ_FIRST(blocks)) != NULL) {
        TAILQ_REMOVE(blocks, block, in_queue);
        journal_block_destroy(block);
    }
}

void rotation_destroy(struct rotation *rotation)
{
    destroy_queued(&rotation->snapshot);
    destroy_queued(&rotation->carriers);
    free(rotation->live);
    range_set_close(&rotation->damaged);
    free(rotation);
}

void journal_collect_rotation(struct journal *journal)
{
    struct rotation *rotation = journal->rotation;
    if (rotation == NULL || !atomic_load_explicit(&rotation->is_done, memory_order_acquire))
        return;
    for (size_t i = 0; i < rotation->live_count; i++) {
        struct payload *payload = &journal->payloads.items[i];
        struct journal_block *before = payload->block;
        CHECK(payload->seq == rotation->live[i].seq);
        if (rotation->live[i].block == before)
            continue;
        *payload = rotation->live[i];
        payload->block->payload_count++;
        journal_block_release(journal, before);
    }
    TAILQ_INIT(&rotation->carriers); /* each has a payload that keeps it now */
    rotation_destroy(rotation);
    journal->rotation = NULL;
}

bool journal_wants_snapshot(const struct journal *journal)
{
    bool is_rotating = journal->rotation != NULL && !atomic_load(&journal->rotation->is_done);
    if (is_rotating || journal->last_seq == journal->snapshot_seq)
        return false;
    return journal->is_healing ||
           atomic_load_explicit(&journal->growth_bytes, memory_order_relaxed) >
               atomic_load_explicit(&journal->growth_bytes_max, memory_order_relaxed);
}

bool journal_must_heal(struct journal *journal)
{
    const struct timespec pause = {.tv_nsec = ROTATION_POLL_NS};
    while (journal->rotation != NULL && !atomic_load(&journal->rotation->is_done) &&
           !atomic_load(&journal->has_failed))
        nanosleep(&pause, NULL);
    journal_collect_rotation(journal);
    return journal->is_healing && journal->last_seq != journal->snapshot_seq &&
           !atomic_load(&journal->has_failed);
}

/* The facts of a snapshot, in blocks. */
static void encode_snapshot(const struct journal *journal, const struct fact *facts, size_t count,
                            struct block_queue *blocks)
{
    struct journal_block *block = NULL;
    for (size_t i = 0; i < count; i++) {
        if (block == NULL || block->content.bytes.size >= JOURNAL_BLOCK_BYTES) {
            block = journal_block_start(journal, journal->last_seq, JOURNAL_BLOCK_BYTES_FIRST);
            block->content.header.flags = BLOCK_SNAPSHOT;
            TAILQ_INSERT_TAIL(blocks, block, in_queue);
        }
        CHECK(facts[i].seq == journal->last_seq);
        journal_block_put(block, &facts[i], NULL, 0);
    }
}

void journal_snapshot(struct journal *journal, const struct fact *facts, size_t count)
{
    CHECK(count > 0 && facts[count - 1].kind == FACT_SNAPSHOT_END);
    journal_sweep(journal);
    if (journal->rotation != NULL || journal->last_seq == journal->snapshot_seq ||
        atomic_load(&journal->has_failed))
        return;
    keep_live(journal, facts, count);
    struct rotation *rotation = create_rotation(journal);
    rotation->damaged = journal->damaged;
    journal->damaged = (struct range_set){0};
    encode_snapshot(journal, facts, count, &rotation->snapshot);
    journal->rotation = rotation;
    journal->snapshot_seq = journal->last_seq;
    journal->is_healing = false;
    pthread_mutex_lock(&journal->mutex);
    journal_seal_open_block(journal);
    TAILQ_INSERT_TAIL(&journal->queue, &rotation->mark, in_queue);
    pthread_cond_signal(&journal->condition);
    pthread_mutex_unlock(&journal->mutex);
}
