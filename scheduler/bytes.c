/* bytes.c - little-endian fields in a growing buffer, and their bounded reader. */
#include "bytes.h"

#include "check.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

void byte_writer_close(struct byte_writer *writer)
{
    free(writer->data);
    *writer = (struct byte_writer){0};
}

void byte_writer_clear(struct byte_writer *writer)
{
    writer->size = 0;
}

unsigned char *byte_writer_reserve(struct byte_writer *writer, size_t size)
{
    CHECK(size <= SIZE_MAX / 4 - writer->size);
    void *data = writer->data;
    size_t wanted = writer->size + size;
    memory_grow(&data, &writer->capacity, wanted > 0 ? wanted : 1, 1); /* there is a place for 0 */
    writer->data = data;
    unsigned char *reserved = writer->data + writer->size;
    writer->size += size;
    return reserved;
}

static void put_integer(struct byte_writer *writer, uint64_t value, size_t size)
{
    unsigned char *target = byte_writer_reserve(writer, size);
    for (size_t i = 0; i < size; i++)
        target[i] = (unsigned char)(value >> (8 * i));
}

void byte_writer_put_u8(struct byte_writer *writer, uint8_t value)
{
    put_integer(writer, value, 1);
}

void byte_writer_put_u16(struct byte_writer *writer, uint16_t value)
{
    put_integer(writer, value, 2);
}

void byte_writer_put_u32(struct byte_writer *writer, uint32_t value)
{
    put_integer(writer, value, 4);
}

void byte_writer_put_u64(struct byte_writer *writer, uint64_t value)
{
    put_integer(writer, value, 8);
}

void byte_writer_put(struct byte_writer *writer, const void *data, size_t size)
{
    unsigned char *target = byte_writer_reserve(writer, size);
    if (size > 0)
        memcpy(target, data, size);
}

void byte_writer_put_blob(struct byte_writer *writer, const void *data, size_t size)
{
    CHECK(size <= UINT32_MAX);
    byte_writer_put_u32(writer, (uint32_t)size);
    byte_writer_put(writer, data, size);
}

void byte_writer_put_string(struct byte_writer *writer, const char *string)
{
    byte_writer_put_blob(writer, string, strlen(string));
}

struct byte_reader byte_reader_of(const void *data, size_t size)
{
    return (struct byte_reader){.data = data, .size = size};
}

size_t byte_reader_left(const struct byte_reader *reader)
{
    return reader->failed ? 0 : reader->size - reader->position;
}

bool byte_reader_is_complete(const struct byte_reader *reader)
{
    return !reader->failed && reader->position == reader->size;
}

const unsigned char *byte_reader_get(struct byte_reader *reader, size_t size)
{
    if (size > byte_reader_left(reader)) {
        reader->failed = true;
        return NULL;
    }
    const unsigned char *start = reader->data + reader->position;
    reader->position += size;
    return start;
}

static uint64_t get_integer(struct byte_reader *reader, size_t size)
{
    if (size > byte_reader_left(reader)) {
        reader->failed = true;
        return 0;
    }
    const unsigned char *source = byte_reader_get(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)source[i] << (8 * i);
    return value;
}

uint8_t byte_reader_get_u8(struct byte_reader *reader)
{
    return (uint8_t)get_integer(reader, 1);
}

bool byte_reader_get_bool(struct byte_reader *reader)
{
    uint8_t value = byte_reader_get_u8(reader);
    if (value > 1)
        reader->failed = true;
    return value == 1;
}

uint16_t byte_reader_get_u16(struct byte_reader *reader)
{
    return (uint16_t)get_integer(reader, 2);
}

uint32_t byte_reader_get_u32(struct byte_reader *reader)
{
    return (uint32_t)get_integer(reader, 4);
}

uint64_t byte_reader_get_u64(struct byte_reader *reader)
{
    return get_integer(reader, 8);
}

const unsigned char *byte_reader_get_blob(struct byte_reader *reader, size_t *size)
{
    size_t wanted = byte_reader_get_u32(reader);
    const unsigned char *data = reader->failed ? NULL : byte_reader_get(reader, wanted);
    *size = data != NULL ? wanted : 0;
    return data;
}

char *byte_reader_get_string(struct byte_reader *reader)
{
    size_t size;
    const unsigned char *data = byte_reader_get_blob(reader, &size);
    if (data == NULL || memchr(data, '\0', size) != NULL) {
        reader->failed = true;
        return NULL;
    }
    char *string = memory_allocate(size + 1);
    memcpy(string, data, size);
    string[size] = '\0';
    return string;
}
