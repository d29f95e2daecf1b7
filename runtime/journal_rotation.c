/* journal_rotation.c - the writer's side of a snapshot: a new segment, then old ones dropped. */
#include "journal_internal.h"

#include "../scheduler/check.h"

#include <stdlib.h>

enum { MAP_ENTRIES_MAX = 4096 }; /* in one block */

/* The new segment while it is written. */
struct rotation_output {
    struct journal *journal;
    struct rotation *rotation;
    struct segment_output segment;
    struct block_bytes block; /* of carriers or map entries */
};

static void start_block(struct rotation_output *output, uint32_t flags)
{
    block_bytes_start(&output->block, output->rotation->seq, 0);
    output->block.header.flags = flags;
}

static int write_block(struct rotation_output *output, bool may_compress, struct sheaf_error *error)
{
    return segment_output_write(&output->segment, &output->block, may_compress, error);
}

static void put_record(struct rotation_output *output, const struct record *record)
{
    record_put(&output->block.bytes, record);
    block_bytes_pad(&output->block);
    output->block.header.record_count++;
}

/* Adds up what of each segment is live. */
static void measure_segments(struct journal_writer *writer, const struct rotation *rotation)
{
    for (size_t i = 0; i < writer->segment_count; i++) {
        struct segment_entry *entry = &writer->segments[i];
        entry->live_bytes = 0;
        entry->is_damaged =
            range_set_contains(&rotation->damaged, (struct range){entry->start_seq, 1});
    }
    for (size_t i = 0; i < rotation->live_count; i++) {
        const struct payload *payload = &rotation->live[i];
        struct segment_entry *entry =
            journal_writer_find_segment(writer, payload->block->location.start_seq);
        if (entry != NULL)
            entry->live_bytes += payload->size_bytes;
    }
}

/* Copying what is live in a segment that is mostly dead, or damaged, lets the segment go. */
static bool is_to_be_carried(const struct journal_writer *writer, const struct payload *payload)
{
    const struct segment_entry *entry =
        journal_writer_find_segment(writer, payload->block->location.start_seq);
    return entry != NULL && (entry->is_damaged || entry->live_bytes < entry->size_bytes / 2);
}

static void put_carried(struct rotation_output *output, struct payload *payload,
                        struct journal_block *carrier)
{
    const unsigned char *bytes;
    if (payload_reader_find(&output->journal->writer.reader, payload, &bytes, NULL) != 0)
        return;
    struct byte_writer base = {0};
    byte_writer_put_u64(&base, payload->base_bytes);
    struct record record = {
        .kind = RECORD_PAYLOAD,
        .seq = payload->seq,
        .fact = base.data,
        .fact_bytes = base.size,
        .payload = bytes,
        .payload_bytes = payload->size_bytes,
    };
    payload->record_offset_bytes = block_bytes_raw_size(&output->block);
    payload->block = carrier;
    put_record(output, &record);
    byte_writer_close(&base);
}

/* Fills one carrier block with payloads from *next on. Payloads that cannot be read stay where they
 * are: who needs them is told. */
static int write_carrier(struct rotation_output *output, size_t *next, struct sheaf_error *error)
{
    struct rotation *rotation = output->rotation;
    struct journal_writer *writer = &output->journal->writer;
    struct block_location location = {output->segment.start_seq, output->segment.size_bytes};
    struct journal_block *carrier = journal_block_create_on_disk(location);
    start_block(output, BLOCK_CARRIER);
    for (; *next < rotation->live_count; ++*next) {
        if (output->block.bytes.size >= JOURNAL_BLOCK_BYTES)
            break;
        struct payload *payload = &rotation->live[*next];
        if (!is_to_be_carried(writer, payload))
            continue;
        put_carried(output, payload, carrier);
    }
    if (output->block.header.record_count == 0) {
        journal_block_destroy(carrier);
        return 0;
    }
    TAILQ_INSERT_TAIL(&rotation->carriers, carrier, in_queue);
    return write_block(output, false, error);
}

static int write_carriers(struct rotation_output *output, struct sheaf_error *error)
{
    measure_segments(&output->journal->writer, output->rotation);
    int code = 0;
    for (size_t next = 0; code == 0 && next < output->rotation->live_count;)
        code = write_carrier(output, &next, error);
    return code;
}

/* Where each live payload lies: so that recovery need not read the segments that hold them. */
static int write_map(struct rotation_output *output, struct sheaf_error *error)
{
    const struct rotation *rotation = output->rotation;
    struct byte_writer entries = {0};
    int code = 0;
    for (size_t next = 0; code == 0 && next < rotation->live_count;) {
        uint64_t first_seq = rotation->live[next].seq;
        byte_writer_clear(&entries);
        for (size_t i = 0; i < MAP_ENTRIES_MAX && next < rotation->live_count; i++)
            payload_entry_put(&entries, &rotation->live[next++]);
        struct record record = {
            .kind = RECORD_PAYLOAD_MAP,
            .seq = rotation->seq,
            .payload = entries.data,
            .payload_bytes = entries.size,
        };
        start_block(output, BLOCK_SNAPSHOT | BLOCK_MAP);
        output->block.header.first_seq = first_seq;
        put_record(output, &record);
        code = write_block(output, true, error);
    }
    byte_writer_close(&entries);
    return code;
}

static int write_snapshot(struct rotation_output *output, struct sheaf_error *error)
{
    struct journal_block *block;
    int code = 0;
    TAILQ_FOREACH (block, &output->rotation->snapshot, in_queue) {
        code = segment_output_write(&output->segment, &block->content, true, error);
        if (code != 0)
            break;
    }
    return code;
}

/* The new segment is durable: from here on the journal needs it, what it refers to, and the same
 * of the snapshot before, but for what is damaged of that. */
static void switch_segments(struct rotation_output *output)
{
    struct journal *journal = output->journal;
    struct journal_writer *writer = &journal->writer;
    segment_output_close(&writer->output);
    writer->output = output->segment;
    writer->head_bytes = output->segment.size_bytes;
    for (size_t i = 0; i < writer->segment_count; i++) {
        writer->segments[i].was_needed =
            writer->segments[i].is_needed && !writer->segments[i].is_damaged;
        writer->segments[i].is_needed = false;
    }
    struct segment_entry entry = {.start_seq = output->segment.start_seq, .is_needed = true};
    journal_writer_add_segment(writer, &entry);
    for (size_t i = 0; i < output->rotation->live_count; i++) {
        struct segment_entry *holder = journal_writer_find_segment(
            writer, output->rotation->live[i].block->location.start_seq);
        if (holder != NULL)
            holder->is_needed = true;
    }
}

/* A file that cannot be removed is tried again after the next snapshot. */
static void drop_segments(struct journal *journal)
{
    struct journal_writer *writer = &journal->writer;
    const struct disk *disk = journal->options.disk;
    size_t kept = 0;
    for (size_t i = 0; i < writer->segment_count; i++) {
        struct segment_entry entry = writer->segments[i];
        bool is_kept = entry.is_needed || entry.was_needed;
        if (!is_kept) {
            char *path = segment_path(journal->dir, entry.start_seq, SEGMENT_SUFFIX);
            is_kept = disk->unlink(disk->context, path) != 0;
            free(path);
        }
        if (is_kept)
            writer->segments[kept++] = entry;
    }
    writer->segment_count = kept;
}

static int write_segment(struct rotation_output *output, struct sheaf_error *error)
{
    int code = write_carriers(output, error);
    if (code == 0)
        code = write_map(output, error);
    if (code == 0)
        code = write_snapshot(output, error);
    if (code == 0)
        code = segment_output_publish(&output->segment, error);
    return code;
}

int journal_rotate(struct journal *journal, struct rotation *rotation, struct sheaf_error *error)
{
    struct journal_writer *writer = &journal->writer;
    struct rotation_output output = {.journal = journal, .rotation = rotation};
    CHECK(rotation->seq == writer->written_seq);
    int code = journal_writer_sync(journal, error);
    if (code == 0)
        code = segment_output_create(&writer->place, rotation->seq, &output.segment, error);
    if (code != 0)
        return code;
    code = write_segment(&output, error);
    byte_writer_close(&output.block.bytes);
    if (code != 0) {
        segment_output_abandon(&output.segment);
        return code;
    }
    switch_segments(&output);
    drop_segments(journal);
    journal_writer_limit_growth(journal, rotation->live_bytes);
    journal_writer_publish_sizes(journal);
    atomic_store_explicit(&rotation->is_done, true, memory_order_release);
    return 0;
}
