/* compress.c - deflates and inflates journal blocks with zlib. */
#include "compress.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"

#define ZLIB_CONST
#include <stdlib.h>
#include <zlib.h>

enum {
    SAMPLE_BYTES = 8 << 10,
    SAMPLED_BYTES_MIN = 64 << 10, /* smaller input is its own sample */
};

struct compressor {
    z_stream stream;
    unsigned char sample[SAMPLE_BYTES];
};

struct compressor *compressor_create(void)
{
    struct compressor *compressor = memory_allocate_zeroed(1, sizeof *compressor);
    /* The only failures are out of memory and a zlib of another major version. */
    CHECK(deflateInit(&compressor->stream, Z_BEST_SPEED) == Z_OK);
    return compressor;
}

void compressor_destroy(struct compressor *compressor)
{
    if (compressor == NULL)
        return;
    deflateEnd(&compressor->stream);
    free(compressor);
}

/* The compressed size, or 0 when it does not fit into target_size bytes. */
static size_t deflate_into(z_stream *stream, const void *data, size_t size, unsigned char *target,
                           size_t target_size)
{
    CHECK(deflateReset(stream) == Z_OK);
    stream->next_in = data;
    stream->avail_in = (uInt)size;
    stream->next_out = target;
    stream->avail_out = (uInt)target_size;
    return deflate(stream, Z_FINISH) == Z_STREAM_END ? target_size - stream->avail_out : 0;
}

static size_t four_fifths(size_t size)
{
    return size - size / 5;
}

bool compressor_try(struct compressor *compressor, const void *data, size_t size,
                    struct byte_writer *writer)
{
    if (size > COMPRESS_BYTES_MAX)
        return false;
    if (size >= SAMPLED_BYTES_MIN) {
        const unsigned char *middle = (const unsigned char *)data + size / 2;
        if (deflate_into(&compressor->stream, middle, SAMPLE_BYTES, compressor->sample,
                         four_fifths(SAMPLE_BYTES)) == 0)
            return false;
    }
    size_t before = writer->size;
    size_t room = four_fifths(size);
    unsigned char *target = byte_writer_reserve(writer, room);
    size_t compressed = deflate_into(&compressor->stream, data, size, target, room);
    writer->size = before + compressed;
    return compressed > 0;
}

bool compress_restore(const void *data, size_t size, void *raw, size_t raw_size)
{
    CHECK(raw_size <= COMPRESS_BYTES_MAX);
    if (size > COMPRESS_BYTES_MAX)
        return false;
    z_stream stream = {
        .next_in = data,
        .avail_in = (uInt)size,
        .next_out = raw,
        .avail_out = (uInt)raw_size,
    };
    CHECK(inflateInit(&stream) == Z_OK);
    int result = inflate(&stream, Z_FINISH);
    bool is_exact = result == Z_STREAM_END && stream.avail_out == 0 && stream.avail_in == 0;
    inflateEnd(&stream);
    return is_exact;
}
