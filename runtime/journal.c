/* journal.c - the caller's side of the journal: opens it, queues records, reads payloads back. */
#include "journal_internal.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_BYTES_DEFAULT = 64 << 20,
    SEGMENT_BYTES_DEFAULT = 256 << 10,
};

/* Adds a block to the end of the queue. Under the mutex. */
static void queue_block(struct journal *journal, struct journal_block *block)
{
    TAILQ_INSERT_TAIL(&journal->queue, block, in_queue);
    TAILQ_INSERT_TAIL(&journal->unwritten, block, in_memory);
}

static void remember_job(struct journal *journal, const struct fact *fact)
{
    struct byte_writer encoded = {0};
    fact_encode(fact, &encoded);
    struct record copy = {
        .kind = RECORD_JOB,
        .seq = fact->seq,
        .fact = encoded.data,
        .fact_bytes = encoded.size,
    };
    byte_writer_clear(&journal->job);
    record_put(&journal->job, &copy);
    byte_writer_close(&encoded);
}

/* The block that the fact was put into, and the offset of its record there. */
struct placed_record {
    struct journal_block *block;
    size_t offset_bytes;
    bool is_first; /* the block is new */
};

static size_t record_offset(const struct journal_block *block)
{
    return block_bytes_raw_size(&block->content);
}

/* A large payload is copied before the mutex is taken, so that the writer is not held up. */
static struct placed_record append_large(struct journal *journal, const struct fact *fact,
                                         const void *payload, size_t payload_size)
{
    size_t fact_room = RECORD_HEADER_BYTES + JOURNAL_BLOCK_BYTES_FIRST;
    struct journal_block *block = journal_block_start(journal, fact->seq, payload_size + fact_room);
    struct placed_record placed = {block, record_offset(block), true};
    journal_block_put(block, fact, payload, payload_size);
    block->is_sealed = true;
    atomic_fetch_add(&journal->queue_bytes, block->content.bytes.size);
    pthread_mutex_lock(&journal->mutex);
    journal_seal_open_block(journal);
    queue_block(journal, block);
    pthread_cond_signal(&journal->condition);
    pthread_mutex_unlock(&journal->mutex);
    return placed;
}

static struct placed_record append_small(struct journal *journal, const struct fact *fact,
                                         const void *payload, size_t payload_size)
{
    pthread_mutex_lock(&journal->mutex);
    struct journal_block *block = journal->open;
    bool is_first = block == NULL;
    size_t before = 0;
    if (is_first) {
        block = journal_block_start(journal, fact->seq, JOURNAL_BLOCK_BYTES_FIRST);
        queue_block(journal, block);
        journal->open = block;
    } else {
        before = block->content.bytes.size;
    }
    struct placed_record placed = {block, record_offset(block), is_first};
    journal_block_put(block, fact, payload, payload_size);
    atomic_fetch_add_explicit(&journal->queue_bytes, block->content.bytes.size - before,
                              memory_order_relaxed);
    bool is_full = block->content.bytes.size >= JOURNAL_BLOCK_BYTES;
    if (is_full)
        journal_seal_open_block(journal);
    if (is_first || is_full)
        pthread_cond_signal(&journal->condition);
    pthread_mutex_unlock(&journal->mutex);
    return placed;
}

void journal_append(struct journal *journal, const struct fact *fact, const void *payload,
                    size_t payload_size)
{
    CHECK(fact->seq == journal->last_seq + 1);
    journal->last_seq = fact->seq;
    if (atomic_load_explicit(&journal->has_failed, memory_order_relaxed))
        return;
    struct placed_record placed = payload_size >= JOURNAL_LARGE_BYTES
                                      ? append_large(journal, fact, payload, payload_size)
                                      : append_small(journal, fact, payload, payload_size);
    if (payload_size > 0) {
        struct payload live = {
            .seq = fact->seq,
            .size_bytes = payload_size,
            .record_offset_bytes = placed.offset_bytes,
            .block = placed.block,
        };
        payload_table_add(&journal->payloads, &live);
        placed.block->payload_count++;
    }
    if (fact->kind == FACT_JOB_ACCEPTED)
        remember_job(journal, fact);
    if (placed.is_first)
        journal_sweep(journal);
}

bool journal_is_congested(const struct journal *journal)
{
    return atomic_load_explicit(&journal->queue_bytes, memory_order_relaxed) >
           journal->options.queue_bytes_max;
}

uint64_t journal_durable_seq(const struct journal *journal)
{
    return atomic_load(&journal->durable_seq);
}

void journal_want_durable(struct journal *journal, uint64_t seq)
{
    CHECK(seq <= journal->last_seq);
    if (seq <= journal_durable_seq(journal))
        return;
    pthread_mutex_lock(&journal->mutex);
    if (seq > journal->want_seq) {
        journal->want_seq = seq;
        pthread_cond_signal(&journal->condition);
    }
    pthread_mutex_unlock(&journal->mutex);
}

int journal_failure(const struct journal *journal, struct sheaf_error *error)
{
    if (!atomic_load(&journal->has_failed))
        return 0;
    return sheaf_error_set(error, journal->failure.code, "%s", journal->failure.text);
}

int journal_read_payload(struct journal *journal, const struct partial *partial,
                         struct byte_writer *writer, struct sheaf_error *error)
{
    journal_collect_rotation(journal);
    if (partial->is_absent || partial->size_bytes == 0)
        return 0;
    const struct payload *held = payload_table_find_slice(&journal->payloads, partial);
    if (held == NULL) {
        int failure = journal_failure(journal, error);
        return failure != 0 ? failure : payload_is_lost(partial, error);
    }
    int code = payload_reader_copy(&journal->reader, held, partial, writer, error);
    if (code == SHEAF_ERROR_DAMAGED) {
        journal->is_healing = true;
        range_set_add(&journal->damaged, (struct range){held->block->location.start_seq, 1});
    }
    return code;
}

uint64_t journal_size_bytes(const struct journal *journal)
{
    return atomic_load_explicit(&journal->size_bytes, memory_order_relaxed);
}

/* Tries to make the directory durable in its parent; the caller that made the parent syncs that. */
static int make_directory(const struct journal_options *options, struct sheaf_error *error)
{
    const struct disk *disk = options->disk;
    if (disk->make_directory(disk->context, options->dir, 0700) != 0) {
        if (errno == EEXIST)
            return 0;
        return sheaf_error_set_errno(error, errno, "cannot make the journal directory %s",
                                     options->dir);
    }
    size_t size = strlen(options->dir) + sizeof "/..";
    char *parent = memory_allocate(size);
    snprintf(parent, size, "%s/..", options->dir);
    int code = 0;
    if (disk->sync_directory(disk->context, parent) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot sync the directory of %s", options->dir);
    free(parent);
    return code;
}

static void remove_temporary_segments(const struct journal *journal)
{
    const struct disk *disk = journal->options.disk;
    struct segment_list list = {0};
    if (segment_list_read(journal->dir, SEGMENT_SUFFIX_TEMPORARY, &list, NULL) != 0)
        return;
    for (size_t i = 0; i < list.count; i++) {
        char *path = segment_path(journal->dir, list.starts[i], SEGMENT_SUFFIX_TEMPORARY);
        disk->unlink(disk->context, path); /* in the way of nobody if it stays */
        free(path);
    }
    segment_list_close(&list);
}

/* Segments before the base hold payloads, and what the snapshot before needs: those stay until
 * the next snapshot is durable. */
static void list_segments(struct journal *journal, const struct journal_recovered *recovered)
{
    for (size_t i = 0; i < recovered->segments.count; i++) {
        struct segment_entry entry = {
            .start_seq = recovered->segments.starts[i],
            .is_needed = i >= recovered->base,
            .was_needed = true,
        };
        struct segment_file file;
        if (segment_file_open(journal->options.disk, journal->dir, entry.start_seq, &file, NULL) ==
            0) {
            entry.size_bytes = file.size_bytes;
            segment_file_close(&file);
        }
        journal_writer_add_segment(&journal->writer, &entry);
    }
    for (size_t i = 0; i < recovered->payloads.count; i++) {
        struct segment_entry *entry = journal_writer_find_segment(
            &journal->writer, recovered->payloads.items[i].block->location.start_seq);
        if (entry != NULL)
            entry->is_needed = true;
    }
}

static int open_output(struct journal *journal, const struct journal_recovered *recovered,
                       struct sheaf_error *error)
{
    struct journal_writer *writer = &journal->writer;
    size_t count = recovered->segments.count;
    if (count > 0)
        return segment_output_open(&writer->place, recovered->segments.starts[count - 1],
                                   recovered->tail_bytes, &writer->output, error);
    int code = segment_output_create(&writer->place, 0, &writer->output, error);
    if (code != 0)
        return code;
    code = segment_output_publish(&writer->output, error);
    if (code != 0) {
        segment_output_abandon(&writer->output);
        return code;
    }
    struct segment_entry entry = {.start_seq = 0, .is_needed = true};
    journal_writer_add_segment(writer, &entry);
    return 0;
}

/* Takes over what was recovered; the output is open. */
static void adopt(struct journal *journal, struct journal_recovered *recovered)
{
    struct journal_writer *writer = &journal->writer;
    journal->last_seq = recovered->last_seq;
    journal->snapshot_seq = writer->output.start_seq;
    journal->is_healing = recovered->is_damaged;
    journal->damaged = recovered->damaged;
    recovered->damaged = (struct range_set){0};
    journal->job = recovered->job;
    recovered->job = (struct byte_writer){0};
    journal->payloads = recovered->payloads;
    recovered->payloads = (struct payload_table){0};
    writer->written_seq = journal->last_seq;
    atomic_store(&journal->durable_seq, journal->last_seq);
    writer->head_bytes = recovered->head_bytes > 0 ? recovered->head_bytes : SEGMENT_HEADER_BYTES;
    uint64_t live_bytes = 0;
    for (size_t i = 0; i < journal->payloads.count; i++)
        live_bytes += journal->payloads.items[i].size_bytes;
    journal_writer_limit_growth(journal, live_bytes);
    journal_writer_publish_sizes(journal);
}

static struct journal *create(const struct journal_options *options)
{
    struct journal *journal = memory_allocate_zeroed(1, sizeof *journal);
    journal->dir = memory_copy_string(options->dir);
    journal->options = *options;
    if (journal->options.queue_bytes_max == 0)
        journal->options.queue_bytes_max = QUEUE_BYTES_DEFAULT;
    if (journal->options.segment_bytes_min == 0)
        journal->options.segment_bytes_min = SEGMENT_BYTES_DEFAULT;
    TAILQ_INIT(&journal->unwritten);
    TAILQ_INIT(&journal->recent);
    TAILQ_INIT(&journal->queue);
    journal->reader.disk = options->disk;
    journal->reader.dir = journal->dir;
    journal->writer.reader = journal->reader;
    struct segment_place *place = &journal->writer.place;
    place->dir = journal->dir;
    place->disk = options->disk;
    memcpy(place->identity, options->identity, sizeof place->identity);
    return journal;
}

static void destroy_blocks(struct block_queue *blocks)
{
    struct journal_block *block;
    while ((block = TAILQ_FIRST(blocks)) != NULL) {
        TAILQ_REMOVE(blocks, block, in_memory);
        journal_block_destroy(block);
    }
}

/* The writer has ended, or never started. */
static void destroy(struct journal *journal)
{
    journal_collect_rotation(journal);
    for (size_t i = 0; i < journal->payloads.count; i++)
        journal_block_release(journal, journal->payloads.items[i].block);
    payload_table_close(&journal->payloads);
    destroy_blocks(&journal->unwritten);
    destroy_blocks(&journal->recent);
    if (journal->rotation != NULL)
        rotation_destroy(journal->rotation);
    byte_writer_close(&journal->job);
    range_set_close(&journal->damaged);
    payload_reader_close(&journal->reader);
    payload_reader_close(&journal->writer.reader);
    segment_place_close(&journal->writer.place);
    free(journal->writer.segments);
    free(journal->dir);
    free(journal);
}

/* Signals are the caller's business: the writer takes none. */
static int start_writer(struct journal *journal, struct sheaf_error *error)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&journal->condition, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&journal->mutex, NULL);
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&journal->thread, NULL, journal_writer_run, journal);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0)
        return 0;
    pthread_cond_destroy(&journal->condition);
    pthread_mutex_destroy(&journal->mutex);
    return sheaf_error_set_errno(error, failure,
                                 "cannot start the journal's thread (raise the limit on processes, "
                                 "ulimit -u, and repeat the command)");
}

int journal_open(const struct journal_options *options, struct journal_recovery *recovery,
                 struct journal **journal, struct sheaf_error *error)
{
    struct journal_reading reading = {options->dir, options->disk, options->identity};
    struct journal_recovered recovered;
    int code = make_directory(options, error);
    if (code == 0)
        code = journal_recover(&reading, recovery, &recovered, error);
    if (code != 0)
        return code;
    struct journal *opened = create(options);
    code = open_output(opened, &recovered, error);
    if (code != 0)
        goto close_recovered;
    list_segments(opened, &recovered);
    adopt(opened, &recovered);
    remove_temporary_segments(opened);
    code = start_writer(opened, error);
    if (code != 0)
        goto close_output;
    recovery->is_new = recovered.fact_count == 0;
    recovery->last_seq = recovered.last_seq;
    *journal = opened;
    opened = NULL;
    goto close_recovered;
close_output:
    segment_output_close(&opened->writer.output);
close_recovered:
    if (opened != NULL)
        destroy(opened);
    journal_recovered_close(&recovered);
    return code;
}

int journal_close(struct journal *journal, struct sheaf_error *error)
{
    pthread_mutex_lock(&journal->mutex);
    journal->is_stopping = true;
    pthread_cond_signal(&journal->condition);
    pthread_mutex_unlock(&journal->mutex);
    pthread_join(journal->thread, NULL);
    int code = journal_failure(journal, error);
    pthread_cond_destroy(&journal->condition);
    pthread_mutex_destroy(&journal->mutex);
    segment_output_close(&journal->writer.output);
    destroy(journal);
    return code;
}
