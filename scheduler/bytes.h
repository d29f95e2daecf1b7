/* bytes.h - writes and reads little-endian fields: the encoding of every record and message. */
#ifndef SHEAF_BYTES_H
#define SHEAF_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing buffer. All zero is a valid empty writer. Owns `data`. */
struct byte_writer {
    unsigned char *data;
    size_t size;
    size_t capacity;
};

void byte_writer_close(struct byte_writer *writer);
/* Empties the writer and keeps its memory. */
void byte_writer_clear(struct byte_writer *writer);
void byte_writer_put_u8(struct byte_writer *writer, uint8_t value);
void byte_writer_put_u16(struct byte_writer *writer, uint16_t value);
void byte_writer_put_u32(struct byte_writer *writer, uint32_t value);
void byte_writer_put_u64(struct byte_writer *writer, uint64_t value);
/* Raw bytes, no length. */
void byte_writer_put(struct byte_writer *writer, const void *data, size_t size);
/* A u32 length and the bytes; size must be below 2^32. */
void byte_writer_put_blob(struct byte_writer *writer, const void *data, size_t size);
/* A blob without its terminating NUL. */
void byte_writer_put_string(struct byte_writer *writer, const char *string);
/* Appends `size` bytes that the caller fills in; the pointer is valid until the next put. */
unsigned char *byte_writer_reserve(struct byte_writer *writer, size_t size);

/* Borrows `data`. A read past the end returns zero and sets `failed`, which stays set: check it
 * once after the last field. */
struct byte_reader {
    const unsigned char *data;
    size_t size;
    size_t position;
    bool failed;
};

struct byte_reader byte_reader_of(const void *data, size_t size);
uint8_t byte_reader_get_u8(struct byte_reader *reader);
/* Another value than 0 and 1 sets `failed`. */
bool byte_reader_get_bool(struct byte_reader *reader);
uint16_t byte_reader_get_u16(struct byte_reader *reader);
uint32_t byte_reader_get_u32(struct byte_reader *reader);
uint64_t byte_reader_get_u64(struct byte_reader *reader);
/* Borrows `size` bytes of the input; NULL when fewer are left. */
const unsigned char *byte_reader_get(struct byte_reader *reader, size_t size);
/* Borrows a blob; *size is 0 and NULL comes back when it does not fit. */
const unsigned char *byte_reader_get_blob(struct byte_reader *reader, size_t *size);
/* Returns a NUL-terminated copy of a blob, which the caller owns; NULL when it does not fit or
 * holds a NUL byte (then `failed` is set). */
char *byte_reader_get_string(struct byte_reader *reader);
size_t byte_reader_left(const struct byte_reader *reader);
/* All was read and nothing failed. */
bool byte_reader_is_complete(const struct byte_reader *reader);

#endif
