/* split_lines.h - blocks of text files: the descriptor that is stored, and the lines it stands
 * for. */
#ifndef SHEAF_SPLIT_LINES_H
#define SHEAF_SPLIT_LINES_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

/* The longest block with its last line: what an executor holds in memory for one task. */
#define SPLIT_LINES_BYTES_MAX ((uint64_t)1 << 30)

/* A block is the lines that start within [offset, offset + size). path is borrowed. */
struct line_block {
    const char *path;
    size_t path_bytes; /* without NUL; path may be part of a longer text */
    uint64_t offset_bytes;
    uint64_t size_bytes;
    uint64_t file_bytes; /* when the job was split: tells when the file was changed since */
};

void line_block_encode(const struct line_block *block, struct byte_writer *writer);
/* Overwrites *block, which borrows from the reader's bytes. MALFORMED when they make no sense. */
int line_block_decode(struct byte_reader *reader, struct line_block *block,
                      struct sheaf_error *error);

/* Replaces what is in `lines` by the block's lines. LIMIT when the last line makes them longer than
 * bytes_max (SPLIT_LINES_BYTES_MAX but in tests); INPUT when the file cannot be read or was
 * changed. */
int line_block_read(const struct line_block *block, uint64_t bytes_max, struct byte_writer *lines,
                    struct sheaf_error *error);

#endif
