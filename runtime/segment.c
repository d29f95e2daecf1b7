/* segment.c - encodes and decodes segment headers, block headers and records. */
#include "segment.h"

#include "../scheduler/check.h"
#include "compress.h"

#include <string.h>
#include <zlib.h>

/* Both read as text in a dump of the file. */
#define SEGMENT_MAGIC "SHEAFJNL"
#define BLOCK_MAGIC   "ShBl"

enum {
    SEGMENT_MAGIC_BYTES = sizeof SEGMENT_MAGIC - 1,
    BLOCK_MAGIC_BYTES = sizeof BLOCK_MAGIC - 1,
    CRC_BYTES = 4,
    BLOCK_FLAGS = BLOCK_COMPRESSED | BLOCK_SNAPSHOT | BLOCK_CARRIER | BLOCK_MAP | BLOCK_REVISES,
};

uint32_t block_crc(const void *data, size_t size)
{
    return (uint32_t)crc32_z(0, data, size);
}

void segment_header_encode(const struct segment_header *header,
                           unsigned char bytes[SEGMENT_HEADER_BYTES])
{
    struct byte_writer writer = {0};
    byte_writer_put(&writer, SEGMENT_MAGIC, SEGMENT_MAGIC_BYTES);
    byte_writer_put_u32(&writer, SEGMENT_FORMAT_VERSION);
    byte_writer_put_u32(&writer, 0);
    byte_writer_put(&writer, header->identity, sizeof header->identity);
    byte_writer_put_u64(&writer, header->start_seq);
    byte_writer_put_u32(&writer, 0);
    byte_writer_put_u32(&writer, block_crc(writer.data, writer.size));
    CHECK(writer.size == SEGMENT_HEADER_BYTES);
    memcpy(bytes, writer.data, SEGMENT_HEADER_BYTES);
    byte_writer_close(&writer);
}

int segment_header_decode(const unsigned char bytes[SEGMENT_HEADER_BYTES],
                          struct segment_header *header, struct sheaf_error *error)
{
    struct byte_reader reader = byte_reader_of(bytes, SEGMENT_HEADER_BYTES);
    const unsigned char *magic = byte_reader_get(&reader, SEGMENT_MAGIC_BYTES);
    uint32_t version = byte_reader_get_u32(&reader);
    byte_reader_get_u32(&reader);
    const unsigned char *identity = byte_reader_get(&reader, SEGMENT_IDENTITY_BYTES);
    uint64_t start_seq = byte_reader_get_u64(&reader);
    byte_reader_get_u32(&reader);
    uint32_t crc = byte_reader_get_u32(&reader);
    CHECK(byte_reader_is_complete(&reader));
    if (memcmp(magic, SEGMENT_MAGIC, SEGMENT_MAGIC_BYTES) != 0 ||
        crc != block_crc(bytes, SEGMENT_HEADER_BYTES - CRC_BYTES))
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED, "the segment header is damaged");
    if (version != SEGMENT_FORMAT_VERSION)
        return sheaf_error_set(
            error, SHEAF_ERROR_IDENTITY,
            "the journal has format version %u and this sheaf reads version %d: "
            "continue with the version that wrote it, or run the job in another directory (--dir)",
            version, SEGMENT_FORMAT_VERSION);
    memcpy(header->identity, identity, SEGMENT_IDENTITY_BYTES);
    header->start_seq = start_seq;
    return 0;
}

uint64_t segment_identity_tag(const unsigned char identity[SEGMENT_IDENTITY_BYTES])
{
    struct byte_reader reader = byte_reader_of(identity, SEGMENT_IDENTITY_BYTES);
    return byte_reader_get_u64(&reader);
}

static uint32_t block_header_crc(const unsigned char *bytes, struct block_location location)
{
    struct byte_writer place = {0};
    byte_writer_put_u64(&place, location.start_seq);
    byte_writer_put_u64(&place, location.offset_bytes);
    uLong crc = crc32_z(0, place.data, place.size);
    byte_writer_close(&place);
    return (uint32_t)crc32_z(crc, bytes, BLOCK_HEADER_BYTES - CRC_BYTES);
}

void block_header_encode(const struct block_header *header, struct block_location location,
                         unsigned char bytes[BLOCK_HEADER_BYTES])
{
    struct byte_writer writer = {0};
    byte_writer_put(&writer, BLOCK_MAGIC, BLOCK_MAGIC_BYTES);
    byte_writer_put_u32(&writer, header->flags);
    byte_writer_put_u64(&writer, header->identity_tag);
    byte_writer_put_u64(&writer, header->stored_bytes);
    byte_writer_put_u64(&writer, header->raw_bytes);
    byte_writer_put_u64(&writer, header->first_seq);
    byte_writer_put_u64(&writer, header->last_seq);
    byte_writer_put_u64(&writer, header->tasks.first);
    byte_writer_put_u64(&writer, header->tasks.count);
    byte_writer_put_u32(&writer, header->record_count);
    byte_writer_put_u32(&writer, header->stored_crc);
    byte_writer_put_u32(&writer, 0);
    byte_writer_put_u32(&writer, block_header_crc(writer.data, location));
    CHECK(writer.size == BLOCK_HEADER_BYTES);
    memcpy(bytes, writer.data, BLOCK_HEADER_BYTES);
    byte_writer_close(&writer);
}

bool block_header_has_magic(const unsigned char *bytes)
{
    return memcmp(bytes, BLOCK_MAGIC, BLOCK_MAGIC_BYTES) == 0;
}

static bool block_header_is_plausible(const struct block_header *header)
{
    bool is_compressed = (header->flags & BLOCK_COMPRESSED) != 0;
    return (header->flags & ~(uint32_t)BLOCK_FLAGS) == 0 && header->stored_bytes < SIZE_MAX / 4 &&
           (is_compressed ? header->raw_bytes <= COMPRESS_BYTES_MAX
                          : header->raw_bytes == header->stored_bytes) &&
           header->first_seq <= header->last_seq && header->last_seq < SEGMENT_SEQ_MAX &&
           header->tasks.count <= SHEAF_TASKS_MAX &&
           header->tasks.first <= SHEAF_TASKS_MAX - header->tasks.count;
}

bool block_header_decode(const unsigned char bytes[BLOCK_HEADER_BYTES],
                         struct block_location location, struct block_header *header)
{
    struct byte_reader reader = byte_reader_of(bytes, BLOCK_HEADER_BYTES);
    byte_reader_get(&reader, BLOCK_MAGIC_BYTES);
    struct block_header decoded = {.flags = byte_reader_get_u32(&reader)};
    decoded.identity_tag = byte_reader_get_u64(&reader);
    decoded.stored_bytes = byte_reader_get_u64(&reader);
    decoded.raw_bytes = byte_reader_get_u64(&reader);
    decoded.first_seq = byte_reader_get_u64(&reader);
    decoded.last_seq = byte_reader_get_u64(&reader);
    decoded.tasks.first = byte_reader_get_u64(&reader);
    decoded.tasks.count = byte_reader_get_u64(&reader);
    decoded.record_count = byte_reader_get_u32(&reader);
    decoded.stored_crc = byte_reader_get_u32(&reader);
    byte_reader_get_u32(&reader);
    uint32_t crc = byte_reader_get_u32(&reader);
    CHECK(byte_reader_is_complete(&reader));
    if (!block_header_has_magic(bytes) || crc != block_header_crc(bytes, location) ||
        !block_header_is_plausible(&decoded))
        return false;
    *header = decoded;
    return true;
}

uint64_t block_extent_bytes(const struct block_header *header)
{
    const uint64_t mask = BLOCK_ALIGNMENT - 1;
    return (BLOCK_HEADER_BYTES + header->stored_bytes + mask) & ~mask;
}

bool block_is_intact(const struct block_header *header, const unsigned char *stored)
{
    return header->stored_crc == block_crc(stored, header->stored_bytes);
}

/* Only what makes tasks done counts: losing an assignment, or the output of finish, costs none. A
 * task that has failed for good takes the results of others with it when it is opened again: those
 * that were merged without it. */
void block_header_add_fact(struct block_header *header, const struct fact *fact)
{
    bool is_failure = fact->kind == FACT_ATTEMPT_FAILED && fact->as.attempt_failed.is_final;
    if (fact->kind == FACT_JOB_ACCEPTED || fact->kind == FACT_RESULT_LOST ||
        fact->kind == FACT_FAILED_REOPENED || is_failure)
        header->flags |= BLOCK_REVISES;
    bool counts = (fact->kind == FACT_RESULT &&
                   (fact->as.result.work == WORK_RUN || fact->as.result.work == WORK_MERGE)) ||
                  is_failure;
    struct range added = counts ? fact_range(fact) : (struct range){0, 0};
    if (range_is_empty(added))
        return;
    if (range_is_empty(header->tasks)) {
        header->tasks = added;
        return;
    }
    uint64_t first = added.first < header->tasks.first ? added.first : header->tasks.first;
    uint64_t end =
        range_end(added) > range_end(header->tasks) ? range_end(added) : range_end(header->tasks);
    header->tasks = range_between(first, end);
}

/* A record's header is written over bytes reserved for it once the size of the fact is known. */
static void put_record_header(struct byte_writer *writer, size_t position,
                              const struct record *record)
{
    size_t end = writer->size;
    CHECK(record->fact_bytes <= UINT32_MAX);
    writer->size = position;
    byte_writer_put_u32(writer, (uint32_t)record->fact_bytes);
    byte_writer_put_u8(writer, record->kind);
    byte_writer_put_u64(writer, record->seq);
    byte_writer_put_u64(writer, record->payload_bytes);
    CHECK(writer->size == position + RECORD_HEADER_BYTES);
    writer->size = end;
}

void record_put(struct byte_writer *writer, const struct record *record)
{
    size_t position = writer->size;
    byte_writer_reserve(writer, RECORD_HEADER_BYTES);
    put_record_header(writer, position, record);
    byte_writer_put(writer, record->fact, record->fact_bytes);
    byte_writer_put(writer, record->payload, record->payload_bytes);
}

void record_put_fact(struct byte_writer *writer, const struct fact *fact, const void *payload,
                     size_t payload_size)
{
    size_t position = writer->size;
    byte_writer_reserve(writer, RECORD_HEADER_BYTES);
    fact_encode(fact, writer);
    struct record record = {
        .kind = (uint8_t)fact->kind,
        .seq = fact->seq,
        .fact_bytes = writer->size - position - RECORD_HEADER_BYTES,
        .payload_bytes = payload_size,
    };
    put_record_header(writer, position, &record);
    byte_writer_put(writer, payload, payload_size);
}

bool record_next(struct byte_reader *reader, struct record *record)
{
    if (byte_reader_left(reader) == 0)
        return false;
    struct record next = {.offset_bytes = reader->position};
    next.fact_bytes = byte_reader_get_u32(reader);
    next.kind = byte_reader_get_u8(reader);
    next.seq = byte_reader_get_u64(reader);
    next.payload_bytes = byte_reader_get_u64(reader);
    next.fact = byte_reader_get(reader, next.fact_bytes);
    next.payload = byte_reader_get(reader, next.payload_bytes);
    if (reader->failed)
        return false;
    *record = next;
    return true;
}
