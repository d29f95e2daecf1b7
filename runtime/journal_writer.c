/* journal_writer.c - the writer thread: writes queued blocks soon, and syncs them as late as it
 * may. */
#include "journal_internal.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000 };

enum writer_step {
    STEP_WAIT,
    STEP_WRITE, /* the first block of the queue */
    STEP_SYNC,
    STEP_END,
};

uint64_t journal_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void journal_writer_add_segment(struct journal_writer *writer, const struct segment_entry *entry)
{
    void *segments = writer->segments;
    memory_grow(&segments, &writer->segment_capacity, writer->segment_count + 1,
                sizeof *writer->segments);
    writer->segments = segments;
    writer->segments[writer->segment_count++] = *entry;
}

struct segment_entry *journal_writer_find_segment(const struct journal_writer *writer,
                                                  uint64_t start_seq)
{
    size_t low = 0;
    size_t high = writer->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (writer->segments[middle].start_seq < start_seq)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_found = low < writer->segment_count && writer->segments[low].start_seq == start_seq;
    return is_found ? &writer->segments[low] : NULL;
}

void journal_writer_publish_sizes(struct journal *journal)
{
    struct journal_writer *writer = &journal->writer;
    struct segment_entry *current = &writer->segments[writer->segment_count - 1];
    current->size_bytes = writer->output.size_bytes;
    uint64_t total = 0;
    for (size_t i = 0; i < writer->segment_count; i++)
        total += writer->segments[i].size_bytes;
    atomic_store(&journal->size_bytes, total);
    atomic_store(&journal->growth_bytes, writer->output.size_bytes - writer->head_bytes);
}

/* A rotation costs what is live; growing by as much before the next keeps that cost a fixed part
 * of what is written, and the directory a fixed multiple of what is live. */
void journal_writer_limit_growth(struct journal *journal, uint64_t live_bytes)
{
    uint64_t limit = journal->options.segment_bytes_min;
    uint64_t head = journal->writer.head_bytes;
    uint64_t payloads = live_bytes < JOURNAL_GROWTH_BYTES ? live_bytes : JOURNAL_GROWTH_BYTES;
    limit = head > limit ? head : limit;
    limit = payloads > limit ? payloads : limit;
    atomic_store(&journal->growth_bytes_max, limit);
}

/* Tells the caller, who may be asleep. An eventfd that is full wakes as well. */
static void wake_caller(const struct journal *journal)
{
    uint64_t one = 1;
    if (journal->options.wake_descriptor >= 0 &&
        write(journal->options.wake_descriptor, &one, sizeof one) < 0)
        return;
}

int journal_writer_sync(struct journal *journal, struct sheaf_error *error)
{
    struct journal_writer *writer = &journal->writer;
    if (writer->written_seq == atomic_load(&journal->durable_seq))
        return 0;
    int code = segment_output_sync(&writer->output, error);
    if (code != 0)
        return code;
    writer->unsynced_since_ns = 0;
    atomic_store(&journal->durable_seq, writer->written_seq);
    wake_caller(journal);
    return 0;
}

/* Blocks are compressed when they are facts for the most part, and nobody waits in the queue:
 * payloads rarely shrink, and no core must be kept busy by them. */
static bool may_compress(const struct journal *journal, const struct journal_block *block)
{
    size_t raw_size = block_bytes_raw_size(&block->content);
    return block->payload_bytes <= raw_size / 2 &&
           atomic_load(&journal->queue_bytes) <= raw_size + 4 * JOURNAL_BLOCK_BYTES;
}

static int write_block(struct journal *journal, struct journal_block *block,
                       struct sheaf_error *error)
{
    struct journal_writer *writer = &journal->writer;
    struct block_location location = {writer->output.start_seq, writer->output.size_bytes};
    uint64_t last_seq = block->content.header.last_seq;
    size_t size = block->content.bytes.size;
    int code =
        segment_output_write(&writer->output, &block->content, may_compress(journal, block), error);
    if (code != 0)
        return code;
    CHECK(last_seq > writer->written_seq);
    writer->written_seq = last_seq;
    if (writer->unsynced_since_ns == 0)
        writer->unsynced_since_ns = journal_now_ns();
    block->location = location;
    journal_writer_publish_sizes(journal);
    atomic_fetch_sub(&journal->queue_bytes, size);
    /* From here on the block may be gone. */
    atomic_store_explicit(&block->is_written, true, memory_order_release);
    return 0;
}

static bool block_is_due(const struct journal *journal, const struct journal_block *block,
                         uint64_t now_ns)
{
    return block->is_sealed || journal->is_stopping ||
           journal->want_seq >= block->content.header.first_seq ||
           now_ns - block->opened_ns >= JOURNAL_GROUP_NS;
}

static bool sync_is_due(const struct journal *journal, bool queue_is_empty, uint64_t now_ns)
{
    const struct journal_writer *writer = &journal->writer;
    if (writer->unsynced_since_ns == 0)
        return false;
    uint64_t durable_seq = atomic_load(&journal->durable_seq);
    bool is_wanted = journal->want_seq > durable_seq && journal->want_seq <= writer->written_seq;
    return is_wanted || (journal->is_stopping && queue_is_empty) ||
           now_ns - writer->unsynced_since_ns >= journal->options.sync_interval_ns;
}

/* What to do next. For STEP_WAIT *deadline_ns is when to look again. Under the mutex. */
static enum writer_step next_step(const struct journal *journal, uint64_t *deadline_ns)
{
    uint64_t now_ns = journal_now_ns();
    const struct journal_writer *writer = &journal->writer;
    const struct journal_block *block = TAILQ_FIRST(&journal->queue);
    if (sync_is_due(journal, block == NULL, now_ns))
        return STEP_SYNC;
    if (block != NULL && block_is_due(journal, block, now_ns))
        return STEP_WRITE;
    if (journal->is_stopping)
        return STEP_END;
    uint64_t deadline = now_ns + NS_PER_S;
    if (block != NULL && block->opened_ns + JOURNAL_GROUP_NS < deadline)
        deadline = block->opened_ns + JOURNAL_GROUP_NS;
    if (writer->unsynced_since_ns > 0 &&
        journal->options.sync_interval_ns < deadline - writer->unsynced_since_ns)
        deadline = writer->unsynced_since_ns + journal->options.sync_interval_ns;
    *deadline_ns = deadline;
    return STEP_WAIT;
}

static void wait_until(struct journal *journal, uint64_t deadline_ns)
{
    struct timespec deadline = {
        .tv_sec = (time_t)(deadline_ns / NS_PER_S),
        .tv_nsec = (long)(deadline_ns % NS_PER_S),
    };
    pthread_cond_timedwait(&journal->condition, &journal->mutex, &deadline);
}

/* Takes the first block out of the queue, open or not. Under the mutex. */
static struct journal_block *take_block(struct journal *journal)
{
    struct journal_block *block = TAILQ_FIRST(&journal->queue);
    TAILQ_REMOVE(&journal->queue, block, in_queue);
    if (block == journal->open)
        journal_seal_open_block(journal);
    return block;
}

static int perform(struct journal *journal, enum writer_step step, struct journal_block *block,
                   struct sheaf_error *error)
{
    if (step == STEP_SYNC)
        return journal_writer_sync(journal, error);
    if (block->rotation != NULL)
        return journal_rotate(journal, block->rotation, error);
    return write_block(journal, block, error);
}

/* Ends at the first failure, for good: after a failed sync nobody knows what is on disk, and a
 * later sync that succeeds would not tell (Rebello et al., "Can Applications Recover from fsync
 * Failures?", USENIX ATC 2020). */
void *journal_writer_run(void *argument)
{
    struct journal *journal = argument;
    int code = 0;
    pthread_mutex_lock(&journal->mutex);
    while (code == 0) {
        uint64_t deadline_ns;
        enum writer_step step = next_step(journal, &deadline_ns);
        if (step == STEP_END)
            break;
        if (step == STEP_WAIT) {
            wait_until(journal, deadline_ns);
            continue;
        }
        struct journal_block *block = step == STEP_WRITE ? take_block(journal) : NULL;
        pthread_mutex_unlock(&journal->mutex);
        code = perform(journal, step, block, &journal->failure);
        pthread_mutex_lock(&journal->mutex);
    }
    pthread_mutex_unlock(&journal->mutex);
    if (code != 0) {
        atomic_store(&journal->queue_bytes, 0);
        atomic_store(&journal->has_failed, true);
        wake_caller(journal);
    }
    return NULL;
}
