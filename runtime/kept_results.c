/* kept_results.c - writes and reads DIR/kept: magic, identity of the commands, entries.
 *
 * An entry is a hash, the size of the record, its CRC-32, the CRC-32 of all these, the record. */
#include "kept_results.h"

#include "../scheduler/memory.h"
#include "disk.h"
#include "run_directory.h"
#include "run_place.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MAGIC "SHEAFKP1"

enum {
    KEPT_MAGIC_BYTES = sizeof KEPT_MAGIC - 1,
    FILE_HEAD_BYTES = KEPT_MAGIC_BYTES + JOB_IDENTITY_BYTES,
    ENTRY_CHECKED_BYTES = JOB_TASK_HASH_BYTES + 4 + 4,
    ENTRY_HEAD_BYTES = ENTRY_CHECKED_BYTES + 4,
    BUFFER_BYTES = 1 << 20,
};

/* ---- reading ---- */

struct kept_result {
    unsigned char hash[JOB_TASK_HASH_BYTES];
    uint64_t offset_bytes; /* of the record */
    uint32_t size_bytes;
    uint32_t crc;
};

struct kept_results {
    char *path;
    int descriptor; /* -1: there is no file */
    struct kept_result *items;
    size_t count;
    size_t capacity;
};

/* 1 with the entry at *at, behind which *at then is; 0 at the end; -1 when it makes no sense. */
static int read_entry(const struct kept_results *kept, uint64_t size_bytes, uint64_t *at,
                      struct kept_result *entry)
{
    unsigned char head[ENTRY_HEAD_BYTES];
    if (*at == size_bytes)
        return 0;
    if (disk_read_all(disk_system(), kept->descriptor, head, sizeof head, (off_t)*at) !=
        (ssize_t)sizeof head)
        return -1;
    struct byte_reader reader = byte_reader_of(head, sizeof head);
    memcpy(entry->hash, byte_reader_get(&reader, JOB_TASK_HASH_BYTES), JOB_TASK_HASH_BYTES);
    entry->size_bytes = byte_reader_get_u32(&reader);
    entry->crc = byte_reader_get_u32(&reader);
    entry->offset_bytes = *at + sizeof head;
    if (byte_reader_get_u32(&reader) != block_crc(head, ENTRY_CHECKED_BYTES) ||
        entry->size_bytes > size_bytes - entry->offset_bytes)
        return -1;
    *at = entry->offset_bytes + entry->size_bytes;
    return 1;
}

/* False when the file was damaged. */
static bool read_entries(struct kept_results *kept, const unsigned char *commands)
{
    unsigned char head[FILE_HEAD_BYTES];
    off_t size = lseek(kept->descriptor, 0, SEEK_END);
    ssize_t got = disk_read_all(disk_system(), kept->descriptor, head, sizeof head, 0);
    if (size < FILE_HEAD_BYTES || got != FILE_HEAD_BYTES ||
        memcmp(head, KEPT_MAGIC, KEPT_MAGIC_BYTES) != 0)
        return false;
    if (memcmp(head + KEPT_MAGIC_BYTES, commands, JOB_IDENTITY_BYTES) != 0)
        return true;
    uint64_t at = FILE_HEAD_BYTES;
    struct kept_result entry;
    int found;
    while (kept->count < KEPT_COUNT_MAX &&
           (found = read_entry(kept, (uint64_t)size, &at, &entry)) == 1) {
        void *items = kept->items;
        memory_grow(&items, &kept->capacity, kept->count + 1, sizeof *kept->items);
        kept->items = items;
        kept->items[kept->count++] = entry;
    }
    return at == (uint64_t)size;
}

int kept_results_open(const char *dir, const unsigned char commands[JOB_IDENTITY_BYTES],
                      struct kept_results **kept, bool *is_damaged, struct sheaf_error *error)
{
    struct kept_results *opened = memory_allocate_zeroed(1, sizeof *opened);
    opened->path = run_directory_join(dir, KEPT_RESULTS_NAME);
    opened->descriptor = run_place_open_file(opened->path, O_RDONLY, 0);
    *is_damaged = false;
    if (opened->descriptor < 0 && errno != ENOENT) {
        int code = sheaf_error_set_errno(error, errno, "cannot read %s", opened->path);
        kept_results_close(opened);
        return code;
    }
    if (opened->descriptor >= 0)
        *is_damaged = !read_entries(opened, commands);
    *kept = opened;
    return 0;
}

void kept_results_close(struct kept_results *kept)
{
    if (kept == NULL)
        return;
    if (kept->descriptor >= 0)
        close(kept->descriptor);
    free(kept->items);
    free(kept->path);
    free(kept);
}

size_t kept_results_count(const struct kept_results *kept)
{
    return kept->count;
}

const unsigned char *kept_results_hash(const struct kept_results *kept, size_t i)
{
    return kept->items[i].hash;
}

int kept_results_read(const struct kept_results *kept, size_t i, struct byte_writer *writer,
                      struct sheaf_error *error)
{
    const struct kept_result *item = &kept->items[i];
    size_t size_before = writer->size;
    unsigned char *record = byte_writer_reserve(writer, item->size_bytes);
    ssize_t got = disk_read_all(disk_system(), kept->descriptor, record, item->size_bytes,
                                (off_t)item->offset_bytes);
    if (got == (ssize_t)item->size_bytes && block_crc(record, item->size_bytes) == item->crc)
        return 0;
    writer->size = size_before;
    return sheaf_error_set(error, SHEAF_ERROR_DAMAGED, "%s, byte %llu: a kept result is damaged",
                           kept->path, (unsigned long long)item->offset_bytes);
}

/* ---- writing ---- */

struct kept_writer {
    char *path;
    int descriptor;
    struct byte_writer buffer;
    uint64_t count;
    uint64_t size_bytes; /* of the records */
};

static int write_error(const struct kept_writer *writer, struct sheaf_error *error)
{
    return sheaf_error_set_errno(error, errno, "cannot write %s", writer->path);
}

static int flush(struct kept_writer *writer, struct sheaf_error *error)
{
    int result =
        disk_write_all(disk_system(), writer->descriptor, writer->buffer.data, writer->buffer.size);
    byte_writer_clear(&writer->buffer);
    return result == 0 ? 0 : write_error(writer, error);
}

int kept_writer_create(const char *dir, const unsigned char commands[JOB_IDENTITY_BYTES],
                       struct kept_writer **writer, struct sheaf_error *error)
{
    struct kept_writer *created = memory_allocate_zeroed(1, sizeof *created);
    created->path = run_directory_join(dir, KEPT_RESULTS_NAME);
    created->descriptor = run_place_open_file(created->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (created->descriptor < 0) {
        int code = write_error(created, error);
        kept_writer_destroy(created);
        return code;
    }
    byte_writer_put(&created->buffer, KEPT_MAGIC, KEPT_MAGIC_BYTES);
    byte_writer_put(&created->buffer, commands, JOB_IDENTITY_BYTES);
    *writer = created;
    return 0;
}

int kept_writer_add(struct kept_writer *writer, const unsigned char hash[JOB_TASK_HASH_BYTES],
                    struct byte_reader record, struct sheaf_error *error)
{
    if (writer->count == KEPT_COUNT_MAX || record.size > KEPT_BYTES_MAX - writer->size_bytes)
        return 0;
    struct byte_writer *buffer = &writer->buffer;
    size_t start = buffer->size;
    byte_writer_put(buffer, hash, JOB_TASK_HASH_BYTES);
    byte_writer_put_u32(buffer, (uint32_t)record.size);
    byte_writer_put_u32(buffer, block_crc(record.data, record.size));
    byte_writer_put_u32(buffer, block_crc(buffer->data + start, ENTRY_CHECKED_BYTES));
    byte_writer_put(buffer, record.data, record.size);
    writer->count++;
    writer->size_bytes += record.size;
    int code = buffer->size >= BUFFER_BYTES ? flush(writer, error) : 0;
    return code == 0 ? 1 : code;
}

uint64_t kept_writer_count(const struct kept_writer *writer)
{
    return writer->count;
}

int kept_writer_finish(struct kept_writer *writer, struct sheaf_error *error)
{
    int code = flush(writer, error);
    if (code == 0 && fdatasync(writer->descriptor) != 0)
        code = write_error(writer, error);
    return code;
}

void kept_writer_destroy(struct kept_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->descriptor >= 0)
        close(writer->descriptor);
    byte_writer_close(&writer->buffer);
    free(writer->path);
    free(writer);
}
