/* compress.h - makes journal blocks smaller where that pays, with zlib at its fastest level. */
#ifndef SHEAF_COMPRESS_H
#define SHEAF_COMPRESS_H

#include "../scheduler/bytes.h"

/* Largest input, and largest output of compress_restore: what bounds the memory that a damaged
 * length can ask for. */
enum { COMPRESS_BYTES_MAX = 1 << 20 };

/* No input shrinks more: zlib's technical details, https://zlib.net/zlib_tech.html, say 1032. */
enum { COMPRESS_RATIO_MAX = 1032 };

struct compressor;

/* Returns a compressor, which the caller owns. Its buffers are kept from call to call. */
struct compressor *compressor_create(void);
void compressor_destroy(struct compressor *compressor);

/* Appends the compressed form of `data` to writer and returns true when it is at least a fifth
 * smaller (tried on a sample first when `data` is large); otherwise leaves writer as it was. */
bool compressor_try(struct compressor *compressor, const void *data, size_t size,
                    struct byte_writer *writer);

/* Restores exactly raw_size bytes into `raw`; false when `data` is not the compressed form of that
 * many bytes. raw_size must not exceed COMPRESS_BYTES_MAX. */
bool compress_restore(const void *data, size_t size, void *raw, size_t raw_size);

#endif
