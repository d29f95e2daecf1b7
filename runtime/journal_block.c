/* journal_block.c - fills blocks with records, and keeps them in memory within a bound. */
#include "journal_internal.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <stdlib.h>

struct journal_block *journal_block_create_on_disk(struct block_location location)
{
    struct journal_block *block = memory_allocate_zeroed(1, sizeof *block);
    block->location = location;
    atomic_store(&block->is_written, true);
    block->is_sealed = true;
    block->residence = BLOCK_ON_DISK;
    return block;
}

struct journal_block *journal_block_start(const struct journal *journal, uint64_t first_seq,
                                          size_t size_bytes)
{
    size_t room = journal->job.size + size_bytes;
    struct journal_block *block = memory_allocate_zeroed(1, sizeof *block);
    block_bytes_start(&block->content, first_seq, room);
    block->opened_ns = journal_now_ns();
    byte_writer_put(&block->content.bytes, journal->job.data, journal->job.size);
    block->content.header.record_count = journal->job.size > 0 ? 1 : 0;
    block_bytes_pad(&block->content);
    return block;
}

void journal_block_put(struct journal_block *block, const struct fact *fact, const void *payload,
                       size_t payload_size)
{
    struct block_header *header = &block->content.header;
    record_put_fact(&block->content.bytes, fact, payload, payload_size);
    block_bytes_pad(&block->content);
    header->last_seq = fact->seq;
    header->record_count++;
    block_header_add_fact(header, fact);
    block->payload_bytes += payload_size;
}

void journal_block_destroy(struct journal_block *block)
{
    byte_writer_close(&block->content.bytes);
    free(block);
}

void journal_seal_open_block(struct journal *journal)
{
    if (journal->open != NULL)
        journal->open->is_sealed = true;
    journal->open = NULL;
}

static void leave_memory(struct journal *journal, struct journal_block *block)
{
    CHECK(block->residence == BLOCK_RECENT);
    TAILQ_REMOVE(&journal->recent, block, in_memory);
    journal->recent_bytes -= block->content.bytes.capacity;
    byte_writer_close(&block->content.bytes);
    block->residence = BLOCK_ON_DISK;
}

void journal_block_release(struct journal *journal, struct journal_block *block)
{
    CHECK(block->payload_count > 0);
    block->payload_count--;
    if (block->payload_count > 0 || block->residence == BLOCK_UNWRITTEN)
        return;
    if (block->residence == BLOCK_RECENT)
        leave_memory(journal, block);
    journal_block_destroy(block);
}

void journal_sweep(struct journal *journal)
{
    journal_collect_rotation(journal);
    if (journal->rotation != NULL)
        return;
    struct journal_block *block;
    while ((block = TAILQ_FIRST(&journal->unwritten)) != NULL &&
           atomic_load_explicit(&block->is_written, memory_order_acquire)) {
        TAILQ_REMOVE(&journal->unwritten, block, in_memory);
        if (block->payload_count == 0) {
            journal_block_destroy(block);
            continue;
        }
        block->residence = BLOCK_RECENT;
        TAILQ_INSERT_TAIL(&journal->recent, block, in_memory);
        journal->recent_bytes += block->content.bytes.capacity;
    }
    while (journal->recent_bytes > JOURNAL_MEMORY_BYTES &&
           (block = TAILQ_FIRST(&journal->recent)) != NULL)
        leave_memory(journal, block);
}
