/* journal_payload.c - finds the bytes of live payloads, in memory or on disk. */
#include "journal_internal.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#include <stdlib.h>

void payload_table_add(struct payload_table *table, const struct payload *payload)
{
    CHECK(table->count == 0 || table->items[table->count - 1].seq < payload->seq);
    void *items = table->items;
    memory_grow(&items, &table->capacity, table->count + 1, sizeof *table->items);
    table->items = items;
    table->items[table->count++] = *payload;
}

struct payload *payload_table_find(const struct payload_table *table, uint64_t seq)
{
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->items[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < table->count && table->items[low].seq == seq ? &table->items[low] : NULL;
}

void payload_table_close(struct payload_table *table)
{
    free(table->items);
    *table = (struct payload_table){0};
}

void payload_entry_put(struct byte_writer *writer, const struct payload *payload)
{
    byte_writer_put_u64(writer, payload->seq);
    byte_writer_put_u64(writer, payload->base_bytes);
    byte_writer_put_u64(writer, payload->size_bytes);
    byte_writer_put_u64(writer, payload->record_offset_bytes);
    byte_writer_put_u64(writer, payload->block->location.start_seq);
    byte_writer_put_u64(writer, payload->block->location.offset_bytes);
}

void payload_entry_get(struct byte_reader *reader, struct payload *payload,
                       struct block_location *location)
{
    payload->seq = byte_reader_get_u64(reader);
    payload->base_bytes = byte_reader_get_u64(reader);
    payload->size_bytes = byte_reader_get_u64(reader);
    payload->record_offset_bytes = byte_reader_get_u64(reader);
    location->start_seq = byte_reader_get_u64(reader);
    location->offset_bytes = byte_reader_get_u64(reader);
}

static void drop_file(struct payload_reader *reader)
{
    if (reader->has_file)
        segment_file_close(&reader->file);
    reader->has_file = false;
}

void payload_reader_close(struct payload_reader *reader)
{
    drop_file(reader);
    block_buffer_close(&reader->buffer);
}

static bool location_equals(struct block_location a, struct block_location b)
{
    return a.start_seq == b.start_seq && a.offset_bytes == b.offset_bytes;
}

static int open_file(struct payload_reader *reader, uint64_t start_seq, struct sheaf_error *error)
{
    drop_file(reader);
    int code = segment_file_open(reader->disk, reader->dir, start_seq, &reader->file, error);
    reader->has_file = code == 0;
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "a journal segment that holds results is missing");
    return code;
}

/* Reads a whole block: its checksum is over all of it. */
static int read_block(struct payload_reader *reader, struct block_location location,
                      struct sheaf_error *error)
{
    if (reader->has_block && location_equals(reader->location, location))
        return 0;
    reader->has_block = false;
    if (reader->buffer.stored.capacity > JOURNAL_MEMORY_BYTES) {
        block_buffer_close(&reader->buffer);
        reader->buffer = (struct block_buffer){0};
    }
    if (!reader->has_file || reader->file.start_seq != location.start_seq) {
        int code = open_file(reader, location.start_seq, error);
        if (code != 0)
            return code;
    }
    enum block_state state =
        segment_file_read_block(&reader->file, location.offset_bytes, &reader->buffer);
    if (state == BLOCK_BAD_HEADER || state == BLOCK_CUT) {
        /* The segment has grown since it was opened, or the block is gone. */
        int code = open_file(reader, location.start_seq, error);
        if (code != 0)
            return code;
        state = segment_file_read_block(&reader->file, location.offset_bytes, &reader->buffer);
    }
    if (state != BLOCK_SOUND) {
        char name[SEGMENT_NAME_BYTES];
        segment_name(location.start_seq, name);
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "stored results at offset %llu of %s are damaged",
                               (unsigned long long)location.offset_bytes, name);
    }
    reader->location = location;
    reader->has_block = true;
    return 0;
}

/* True when the record is the one that holds the payload. *bytes are those from base_bytes on. */
static bool record_holds(const struct record *record, const struct payload *payload,
                         const unsigned char **bytes)
{
    uint64_t base = 0;
    if (record->kind == RECORD_PAYLOAD) {
        struct byte_reader fields = byte_reader_of(record->fact, record->fact_bytes);
        base = byte_reader_get_u64(&fields);
        if (!byte_reader_is_complete(&fields))
            return false;
    }
    if (record->seq != payload->seq || payload->base_bytes < base ||
        payload->base_bytes - base > record->payload_bytes ||
        payload->size_bytes > record->payload_bytes - (payload->base_bytes - base))
        return false;
    *bytes = record->payload + (payload->base_bytes - base);
    return true;
}

int payload_reader_find(struct payload_reader *reader, const struct payload *payload,
                        const unsigned char **bytes, struct sheaf_error *error)
{
    const struct block_bytes *content = &payload->block->content;
    struct byte_reader records;
    if (content->bytes.size > 0) {
        records =
            byte_reader_of(content->bytes.data + BLOCK_HEADER_BYTES, block_bytes_raw_size(content));
    } else {
        int code = read_block(reader, payload->block->location, error);
        if (code != 0)
            return code;
        records = byte_reader_of(reader->buffer.raw, reader->buffer.header.raw_bytes);
    }
    struct record record;
    bool is_inside = payload->record_offset_bytes < records.size;
    records.position = is_inside ? (size_t)payload->record_offset_bytes : records.size;
    if (!record_next(&records, &record) || !record_holds(&record, payload, bytes))
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "the journal does not hold the results of fact %llu where it says",
                               (unsigned long long)payload->seq);
    return 0;
}

const struct payload *payload_table_find_slice(const struct payload_table *table,
                                               const struct partial *partial)
{
    const struct payload *held = payload_table_find(table, partial->payload_seq);
    if (held == NULL || partial->offset_bytes < held->base_bytes ||
        partial->offset_bytes - held->base_bytes > held->size_bytes ||
        partial->size_bytes > held->size_bytes - (partial->offset_bytes - held->base_bytes))
        return NULL;
    return held;
}

int payload_is_lost(const struct partial *partial, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                           "the journal has lost the results of fact %llu",
                           (unsigned long long)partial->payload_seq);
}

int payload_reader_copy(struct payload_reader *reader, const struct payload *held,
                        const struct partial *partial, struct byte_writer *writer,
                        struct sheaf_error *error)
{
    struct payload slice = *held;
    slice.base_bytes = partial->offset_bytes;
    slice.size_bytes = partial->size_bytes;
    const unsigned char *bytes;
    int code = payload_reader_find(reader, &slice, &bytes, error);
    if (code == 0)
        byte_writer_put(writer, bytes, slice.size_bytes);
    return code;
}
