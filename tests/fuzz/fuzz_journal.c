/* fuzz_journal.c - the journal's reader meets any bytes as its segments: it gives back facts and
 * messages, and nothing else happens; read for one task, it gives no more.
 *
 * The first byte says how the rest is used: bit 0, the checksums of what looks like a header are
 * made right, so that mutations reach the code behind them; bit 1, the second half is a segment of
 * its own, with a snapshot. */
#include "../../runtime/journal.h"
#include "../../runtime/segment_file.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"
#include "folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    TASK = 2,
    SECOND_START_SEQ = 16,
    STORED_BYTES_AT = 16,
    STORED_CRC_AT = 68,
    SEGMENT_START_AT = 48
};

/* What has been replayed. */
struct fuzz_run {
    uint64_t last_seq;
    uint64_t fact_count;
    bool is_damaged;
};

static void put(unsigned char *bytes, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
}

static void mend_block(unsigned char *bytes, size_t left, struct block_location location)
{
    struct byte_reader reader = byte_reader_of(bytes + STORED_BYTES_AT, 8);
    uint64_t stored = byte_reader_get_u64(&reader);
    if (stored > left - BLOCK_HEADER_BYTES)
        stored = left - BLOCK_HEADER_BYTES;
    put(bytes + STORED_BYTES_AT, stored, 8);
    put(bytes + STORED_CRC_AT, block_crc(bytes + BLOCK_HEADER_BYTES, stored), 4);
    struct byte_writer covered = {0};
    byte_writer_put_u64(&covered, location.start_seq);
    byte_writer_put_u64(&covered, location.offset_bytes);
    byte_writer_put(&covered, bytes, BLOCK_HEADER_BYTES - 4);
    put(bytes + BLOCK_HEADER_BYTES - 4, block_crc(covered.data, covered.size), 4);
    byte_writer_close(&covered);
}

/* Gives the segment header and all block headers the checksums that go with their bytes. */
static void mend(unsigned char *bytes, size_t size, uint64_t start_seq)
{
    if (size >= SEGMENT_HEADER_BYTES) {
        put(bytes + SEGMENT_START_AT, start_seq, 8);
        put(bytes + SEGMENT_HEADER_BYTES - 4, block_crc(bytes, SEGMENT_HEADER_BYTES - 4), 4);
    }
    for (size_t at = SEGMENT_HEADER_BYTES; at < size && size - at >= BLOCK_HEADER_BYTES;
         at += BLOCK_ALIGNMENT) {
        if (block_header_has_magic(bytes + at))
            mend_block(bytes + at, size - at, (struct block_location){start_seq, at});
    }
}

static void write_segment(uint64_t start_seq, const uint8_t *data, size_t size, bool is_mended)
{
    unsigned char *bytes = memory_copy(data, size);
    if (is_mended)
        mend(bytes, size, start_seq);
    char *path = segment_path(fuzz_folder(), start_seq, SEGMENT_SUFFIX);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    free(path);
    free(bytes);
}

static void remove_segment(uint64_t start_seq)
{
    char *path = segment_path(fuzz_folder(), start_seq, SEGMENT_SUFFIX);
    unlink(path);
    free(path);
}

/* What the state relies on: seqs rise, but within a snapshot. */
static void replay(void *context, const struct fact *fact)
{
    struct fuzz_run *run = context;
    CHECK(fact->seq > run->last_seq ||
          (fact->seq == run->last_seq && fact->seq == SECOND_START_SEQ));
    run->last_seq = fact->seq;
    run->fact_count++;
    char line[256];
    fact_describe(fact, line, sizeof line);
}

static void damaged(void *context, const struct journal_damage *damage)
{
    struct fuzz_run *run = context;
    run->is_damaged = true;
    CHECK(damage->text[0] != '\0' && strlen(damage->text) < sizeof damage->text - 1);
}

static bool matters(void *context, struct range tasks)
{
    (void)context;
    return range_contains(tasks, (struct range){TASK, 1});
}

/* Reads all, then what matters to one task. */
static void scan(void)
{
    struct fuzz_run run = {0};
    struct fuzz_run part = {0};
    struct journal_recovery recovery = {.replay = replay, .damaged = damaged, .context = &run};
    int code = journal_scan(fuzz_folder(), &recovery, NULL);
    CHECK(code == 0 || code == SHEAF_ERROR_IDENTITY);
    CHECK(code != 0 || recovery.last_seq == run.last_seq);
    recovery = (struct journal_recovery){
        .replay = replay, .damaged = damaged, .matters = matters, .context = &part};
    CHECK(journal_scan(fuzz_folder(), &recovery, NULL) == code);
    CHECK(part.is_damaged || part.fact_count <= run.fact_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    if (nowhere == NULL) {
        nowhere = fopen("/dev/null", "w");
        CHECK(nowhere != NULL);
    }
    if (size == 0)
        return 0;
    bool is_mended = (data[0] & 1) != 0;
    size_t first_size = (data[0] & 2) != 0 ? (size - 1) / 2 : size - 1;
    write_segment(0, data + 1, first_size, is_mended);
    if (first_size < size - 1)
        write_segment(SECOND_START_SEQ, data + 1 + first_size, size - 1 - first_size, is_mended);
    scan();
    int code = journal_verify(fuzz_folder(), nowhere, NULL);
    CHECK(code == 0 || code == SHEAF_ERROR_DAMAGED || code == SHEAF_ERROR_IDENTITY);
    remove_segment(0);
    remove_segment(SECOND_START_SEQ);
    return 0;
}
