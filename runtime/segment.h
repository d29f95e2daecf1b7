/* segment.h - the format of the journal's files: a header, then blocks of records.
 *
 *     segment   header of SEGMENT_HEADER_BYTES, then blocks
 *     block     header of BLOCK_HEADER_BYTES, the stored bytes, zeros up to BLOCK_ALIGNMENT
 *     record    u32 fact size, u8 kind, u64 seq, u64 payload size, encoded fact, payload
 *
 * A segment is named by the seq at which it starts. All but the very first begin with a snapshot at
 * that seq: carrier blocks (live payloads copied from older segments), then snapshot blocks (where
 * the live payloads lie, and the facts up to FACT_SNAPSHOT_END). Record blocks follow, with the
 * facts after it.
 *
 * Every length and every byte that means anything is under a CRC-32. That of a block header also
 * covers the segment's start and the block's offset, so that a payload which happens to hold a
 * piece of a journal is never taken for a block of the segment around it. */
#ifndef SHEAF_SEGMENT_H
#define SHEAF_SEGMENT_H

#include "../scheduler/fact.h"

enum {
    SEGMENT_FORMAT_VERSION = 2,
    SEGMENT_HEADER_BYTES = 64,
    SEGMENT_IDENTITY_BYTES = 32,
    BLOCK_HEADER_BYTES = 80,
    BLOCK_ALIGNMENT = 8,
    RECORD_HEADER_BYTES = 21,
};

/* Above every seq: leaves room to count on. */
#define SEGMENT_SEQ_MAX ((uint64_t)1 << 62)

enum block_flag {
    BLOCK_COMPRESSED = 1,
    BLOCK_SNAPSHOT = 2,
    BLOCK_CARRIER = 4,
    BLOCK_MAP = 8,      /* of a snapshot: where live payloads lie, and nothing else */
    BLOCK_REVISES = 16, /* has facts that take back what earlier ones said of tasks, or that later
                           ones may use to do so */
};

/* Kinds of records that are not facts. */
enum record_kind {
    RECORD_JOB = 128,         /* a copy of the JOB_ACCEPTED of that seq, first in every later block:
                                 the job outlives the block that held it */
    RECORD_PAYLOAD = 129,     /* the payload of that seq, from a base offset on (u64 in the fact's
                                 place) */
    RECORD_PAYLOAD_MAP = 130, /* where live payloads lie; entries in the payload's place */
};

struct segment_header {
    unsigned char identity[SEGMENT_IDENTITY_BYTES];
    uint64_t start_seq;
};

void segment_header_encode(const struct segment_header *header,
                           unsigned char bytes[SEGMENT_HEADER_BYTES]);
/* DAMAGED when the bytes are no header; IDENTITY when it is one of another format version. */
int segment_header_decode(const unsigned char bytes[SEGMENT_HEADER_BYTES],
                          struct segment_header *header, struct sheaf_error *error);
/* The part of an identity that block headers repeat: tells whose block it is when the segment
 * header is lost. */
uint64_t segment_identity_tag(const unsigned char identity[SEGMENT_IDENTITY_BYTES]);

/* Where a block lies. */
struct block_location {
    uint64_t start_seq; /* of its segment */
    uint64_t offset_bytes;
};

struct block_header {
    uint32_t flags; /* of enum block_flag */
    uint64_t identity_tag;
    uint64_t stored_bytes;
    uint64_t raw_bytes;
    uint64_t first_seq; /* of its facts; in a snapshot both are the snapshot's seq, but for
                           first_seq of a map: that of the first payload in it */
    uint64_t last_seq;
    struct range tasks; /* hull of the tasks whose results are in it */
    uint32_t record_count;
    uint32_t stored_crc;
};

void block_header_encode(const struct block_header *header, struct block_location location,
                         unsigned char bytes[BLOCK_HEADER_BYTES]);
/* False unless the bytes are a header written for this very place. */
bool block_header_decode(const unsigned char bytes[BLOCK_HEADER_BYTES],
                         struct block_location location, struct block_header *header);
/* True when the bytes start like a block header: what a search looks for before it decodes. */
bool block_header_has_magic(const unsigned char *bytes);
/* Bytes from the block's header to the next block's. */
uint64_t block_extent_bytes(const struct block_header *header);
uint32_t block_crc(const void *data, size_t size);
/* True when `stored` is what the header's checksum was made of. */
bool block_is_intact(const struct block_header *header, const unsigned char *stored);
/* Adds the tasks whose results are lost when `fact` is, and whether it takes others back. */
void block_header_add_fact(struct block_header *header, const struct fact *fact);

struct record {
    uint8_t kind; /* enum fact_kind or enum record_kind */
    uint64_t seq;
    const unsigned char *fact;
    size_t fact_bytes;
    const unsigned char *payload;
    size_t payload_bytes;
    size_t offset_bytes; /* of the record in its raw block */
};

/* Appends a record whose fact is encoded already. */
void record_put(struct byte_writer *writer, const struct record *record);
/* Appends a record of a fact and its payload. */
void record_put_fact(struct byte_writer *writer, const struct fact *fact, const void *payload,
                     size_t payload_size);
/* Reads the record at the reader's position; borrows from its data. False at the end of the block,
 * and with reader->failed set when the bytes are no record. */
bool record_next(struct byte_reader *reader, struct record *record);

#endif
