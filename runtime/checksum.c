/* checksum.c - CRC-32 by slicing: one table look-up a byte, eight of them at once.
 *
 * After Kounavis and Berry, Novel table lookup-based algorithms for high-performance CRC
 * generation, IEEE Transactions on Computers 57 (2008). tables[k][b] is the CRC of byte b followed
 * by k zero bytes. */
#include "checksum.h"

#include <endian.h>
#include <string.h>
#include <zlib.h>

/* From here on zlib is faster. */
enum { SMALL_BYTES_MAX = 1024 };

void checksum_init(struct checksum *checksum)
{
    const z_crc_t *first = get_crc_table();
    for (int i = 0; i < 256; i++) {
        uint32_t value = first[i];
        checksum->tables[0][i] = value;
        for (int k = 1; k < CHECKSUM_SLICES; k++) {
            value = (value >> 8) ^ first[value & 0xff];
            checksum->tables[k][i] = value;
        }
    }
}

uint32_t checksum_of(const struct checksum *checksum, const void *data, size_t size)
{
    const unsigned char *at = data;
    const uint32_t(*tables)[256] = checksum->tables;
    if (size > SMALL_BYTES_MAX)
        return (uint32_t)crc32_z(0, at, size);
    uint32_t crc = UINT32_MAX;
    for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), at += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word = le64toh(word) ^ crc;
        crc = tables[7][word & 0xff] ^ tables[6][word >> 8 & 0xff] ^ tables[5][word >> 16 & 0xff] ^
              tables[4][word >> 24 & 0xff] ^ tables[3][word >> 32 & 0xff] ^
              tables[2][word >> 40 & 0xff] ^ tables[1][word >> 48 & 0xff] ^ tables[0][word >> 56];
    }
    for (; size > 0; size--, at++)
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xff];
    return ~crc;
}
