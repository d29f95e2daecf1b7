/* segment_output.h - writes a segment: its header, its blocks, and the steps that make a new one
 * appear whole or not at all. */
#ifndef SHEAF_SEGMENT_OUTPUT_H
#define SHEAF_SEGMENT_OUTPUT_H

#include "compress.h"
#include "disk.h"
#include "segment.h"

/* What all segments of a journal share. Keeps dir and disk; owns the rest. */
struct segment_place {
    const char *dir;
    const struct disk *disk;
    unsigned char identity[SEGMENT_IDENTITY_BYTES];
    struct compressor *compressor;
    struct byte_writer packed; /* the last compressed block */
};

void segment_place_close(struct segment_place *place);

/* A segment open for appending. Keeps place. */
struct segment_output {
    struct segment_place *place;
    int descriptor;
    uint64_t start_seq;
    uint64_t size_bytes;
};

/* Creates a segment under its temporary name, and writes the header. */
int segment_output_create(struct segment_place *place, uint64_t start_seq,
                          struct segment_output *output, struct sheaf_error *error);
/* Syncs the new segment, gives it its name, and syncs the directory. From then on it is found. */
int segment_output_publish(struct segment_output *output, struct sheaf_error *error);
/* Closes and removes a segment that was not published. */
void segment_output_abandon(struct segment_output *output);

/* Opens a published segment for appending at size_bytes and durably cuts off what lies behind.
 * A size that does not even hold the header has it written anew. */
int segment_output_open(struct segment_place *place, uint64_t start_seq, uint64_t size_bytes,
                        struct segment_output *output, struct sheaf_error *error);
void segment_output_close(struct segment_output *output);

/* A block to be written: its bytes begin with BLOCK_HEADER_BYTES of room, and BLOCK_ALIGNMENT zero
 * bytes lie behind `size` within the capacity. See block_bytes_pad. */
struct block_bytes {
    struct byte_writer bytes;
    struct block_header header;
};

/* Empties the block and makes room for the header and size_bytes of records. */
void block_bytes_start(struct block_bytes *block, uint64_t first_seq, size_t size_bytes);
/* Puts the zeros behind the bytes. To be called after each addition. */
void block_bytes_pad(struct block_bytes *block);
size_t block_bytes_raw_size(const struct block_bytes *block);

/* Appends a block, compressed where allowed and worth while. Fills in what was left open in
 * block->header, and writes the header into the room before the bytes; the records' bytes are
 * only read. */
int segment_output_write(struct segment_output *output, struct block_bytes *block,
                         bool may_compress, struct sheaf_error *error);
int segment_output_sync(struct segment_output *output, struct sheaf_error *error);

#endif
