/* segment_file.h - reads segments: finds them in the journal's directory and walks their blocks,
 * past damaged ones. */
#ifndef SHEAF_SEGMENT_FILE_H
#define SHEAF_SEGMENT_FILE_H

#include "disk.h"
#include "segment.h"

#define SEGMENT_SUFFIX           ".log"
#define SEGMENT_SUFFIX_TEMPORARY ".tmp" /* being written; meaningless after a crash */

enum { SEGMENT_NAME_BYTES = 32 };

/* Writes "segment-%016llx.log" into `name`. */
void segment_name(uint64_t start_seq, char name[SEGMENT_NAME_BYTES]);
/* Returns the path of a segment, which the caller owns. */
char *segment_path(const char *dir, uint64_t start_seq, const char *suffix);

/* Start seqs, ascending. All zero is a valid empty list. Owns `starts`. */
struct segment_list {
    uint64_t *starts;
    size_t count;
    size_t capacity;
};

/* Fills an empty list with the segments of a directory whose names end in `suffix`; other files
 * are passed over. */
int segment_list_read(const char *dir, const char *suffix, struct segment_list *list,
                      struct sheaf_error *error);
void segment_list_close(struct segment_list *list);

/* Bytes of a file that were read at once, as a walk asks for many small pieces in a row. All zero
 * is valid and empty. Owns `bytes`. */
struct segment_window {
    unsigned char *bytes;
    uint64_t offset_bytes;
    size_t size_bytes;
    uint64_t bad_end_bytes; /* a window that began before could not be read as a whole */
};

/* A segment opened for reading. What is appended after the opening is not seen. */
struct segment_file {
    const struct disk *disk; /* kept */
    int descriptor;
    uint64_t start_seq;
    uint64_t size_bytes;
    uint64_t unreadable_end_bytes; /* behind the last bytes that a read failed on; 0: none so far */
    struct segment_window *window; /* borrowed; of the walk under way, or NULL */
};

/* Fails when nothing of the file can be read. */
int segment_file_open(const struct disk *disk, const char *dir, uint64_t start_seq,
                      struct segment_file *file, struct sheaf_error *error);
void segment_file_close(struct segment_file *file);
/* DAMAGED when the header is damaged, too short, or of another segment; IDENTITY when it is of
 * another format version. */
int segment_file_read_header(struct segment_file *file, struct segment_header *header,
                             struct sheaf_error *error);

enum block_state {
    BLOCK_SOUND = 0,
    BLOCK_BAD_HEADER,
    BLOCK_BAD_BYTES, /* sound header, damaged contents */
    BLOCK_CUT,       /* sound header, but the file ends before the block does */
};

/* A buffer for one block. All zero is valid and empty. */
struct block_buffer {
    struct block_header header; /* valid unless BLOCK_BAD_HEADER */
    const unsigned char *raw;   /* header.raw_bytes records of a sound block; borrowed from below */
    struct byte_writer stored;
    struct byte_writer restored;
};

void block_buffer_close(struct block_buffer *buffer);
/* Reads the block at `offset` and restores its raw bytes. Bytes that cannot be read count as
 * zeros, page by page, so that one bad sector costs one block. */
enum block_state segment_file_read_block(struct segment_file *file, uint64_t offset,
                                         struct block_buffer *buffer);

/* One step of a walk: a sound block, or a damaged stretch up to the next sound block. */
struct segment_piece {
    enum block_state state;
    uint64_t offset_bytes;
    uint64_t end_bytes;
    bool has_header; /* of the first block in a damaged stretch */
};

/* Borrows `file`, for no more than one walk at a time. Owns the rest; the buffer holds the block of
 * the last piece. */
struct segment_walk {
    struct segment_file *file;
    struct segment_window window;
    uint64_t offset_bytes;
    struct block_buffer block;
};

void segment_walk_init(struct segment_walk *walk, struct segment_file *file);
void segment_walk_close(struct segment_walk *walk);
/* False at the end of the file. */
bool segment_walk_next(struct segment_walk *walk, struct segment_piece *piece);
/* True when the next block has a sound header, which *header takes, and ends within the file; its
 * bytes have not been looked at. */
bool segment_walk_peek(struct segment_walk *walk, struct block_header *header);
/* Passes over the block that was peeked at. */
void segment_walk_skip(struct segment_walk *walk, const struct block_header *header);

#endif
