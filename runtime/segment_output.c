/* segment_output.c - writes segments, each made visible only when it is whole. */
#include "segment_output.h"

#include "../scheduler/memory.h"
#include "segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { COMPRESSED_BYTES_MIN = 512 }; /* smaller blocks fit one sector either way */

void segment_place_close(struct segment_place *place)
{
    compressor_destroy(place->compressor);
    byte_writer_close(&place->packed);
}

static const char *remedy(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return "free some space and repeat the command to continue";
    case EACCES:
    case EPERM:
    case EROFS:
        return "make the run directory writable and repeat the command to continue";
    default:
        return "see to the file system and repeat the command to continue";
    }
}

/* Reports errno of a failed `action` on a segment. */
static int output_failed(const struct segment_output *output, const char *action,
                         const char *suffix, struct sheaf_error *error)
{
    int failure = errno;
    char *path = segment_path(output->place->dir, output->start_seq, suffix);
    int code = sheaf_error_set_errno(error, failure, "cannot %s the journal segment %s (%s)",
                                     action, path, remedy(failure));
    free(path);
    return code;
}

static int write_header(struct segment_output *output)
{
    struct segment_header header = {.start_seq = output->start_seq};
    memcpy(header.identity, output->place->identity, sizeof header.identity);
    unsigned char bytes[SEGMENT_HEADER_BYTES];
    segment_header_encode(&header, bytes);
    output->size_bytes = sizeof bytes;
    return disk_write_all(output->place->disk, output->descriptor, bytes, sizeof bytes);
}

static int open_descriptor(const struct segment_output *output, const char *suffix, int flags)
{
    const struct disk *disk = output->place->disk;
    char *path = segment_path(output->place->dir, output->start_seq, suffix);
    int descriptor = disk->open(disk->context, path, flags | O_APPEND | O_CLOEXEC, 0600);
    int open_errno = errno;
    free(path);
    errno = open_errno;
    return descriptor;
}

int segment_output_create(struct segment_place *place, uint64_t start_seq,
                          struct segment_output *output, struct sheaf_error *error)
{
    struct segment_output created = {.place = place, .start_seq = start_seq};
    created.descriptor =
        open_descriptor(&created, SEGMENT_SUFFIX_TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC);
    if (created.descriptor < 0)
        return output_failed(&created, "create", SEGMENT_SUFFIX_TEMPORARY, error);
    if (write_header(&created) != 0) {
        int code = output_failed(&created, "write", SEGMENT_SUFFIX_TEMPORARY, error);
        segment_output_abandon(&created);
        return code;
    }
    *output = created;
    return 0;
}

int segment_output_publish(struct segment_output *output, struct sheaf_error *error)
{
    const struct disk *disk = output->place->disk;
    if (disk->datasync(disk->context, output->descriptor) != 0)
        return output_failed(output, "sync", SEGMENT_SUFFIX_TEMPORARY, error);
    char *temporary = segment_path(output->place->dir, output->start_seq, SEGMENT_SUFFIX_TEMPORARY);
    char *path = segment_path(output->place->dir, output->start_seq, SEGMENT_SUFFIX);
    int result = disk->rename(disk->context, temporary, path);
    int rename_errno = errno;
    free(temporary);
    free(path);
    errno = rename_errno;
    if (result != 0)
        return output_failed(output, "name", SEGMENT_SUFFIX_TEMPORARY, error);
    if (disk->sync_directory(disk->context, output->place->dir) != 0)
        return output_failed(output, "sync the directory of", SEGMENT_SUFFIX, error);
    return 0;
}

void segment_output_close(struct segment_output *output)
{
    const struct disk *disk = output->place->disk;
    disk->close(disk->context, output->descriptor); /* a failure was told by the sync before */
}

void segment_output_abandon(struct segment_output *output)
{
    const struct disk *disk = output->place->disk;
    segment_output_close(output);
    char *path = segment_path(output->place->dir, output->start_seq, SEGMENT_SUFFIX_TEMPORARY);
    disk->unlink(disk->context, path); /* else the next opening removes it */
    free(path);
}

/* The cut is made durable before anything is appended: what was cut off must not come back, not
 * even in part, behind facts that take its seqs. */
static int cut_output(struct segment_output *output, uint64_t size_bytes)
{
    const struct disk *disk = output->place->disk;
    off_t size = disk->size(disk->context, output->descriptor);
    if (size < 0)
        return -1;
    bool lacks_header = size_bytes < SEGMENT_HEADER_BYTES;
    output->size_bytes = lacks_header ? 0 : size_bytes;
    if ((uint64_t)size == output->size_bytes && !lacks_header)
        return 0;
    if (disk->truncate(disk->context, output->descriptor, (off_t)output->size_bytes) != 0)
        return -1;
    if (lacks_header && write_header(output) != 0)
        return -1;
    return disk->datasync(disk->context, output->descriptor);
}

int segment_output_open(struct segment_place *place, uint64_t start_seq, uint64_t size_bytes,
                        struct segment_output *output, struct sheaf_error *error)
{
    struct segment_output opened = {.place = place, .start_seq = start_seq};
    opened.descriptor = open_descriptor(&opened, SEGMENT_SUFFIX, O_WRONLY);
    if (opened.descriptor < 0)
        return output_failed(&opened, "open for writing", SEGMENT_SUFFIX, error);
    if (cut_output(&opened, size_bytes) != 0) {
        int code = output_failed(&opened, "cut the torn end off", SEGMENT_SUFFIX, error);
        segment_output_close(&opened);
        return code;
    }
    *output = opened;
    return 0;
}

void block_bytes_start(struct block_bytes *block, uint64_t first_seq, size_t size_bytes)
{
    byte_writer_clear(&block->bytes);
    size_t room = BLOCK_HEADER_BYTES + size_bytes + BLOCK_ALIGNMENT;
    if (block->bytes.capacity < room) {
        block->bytes.data = memory_resize(block->bytes.data, room);
        block->bytes.capacity = room;
    }
    byte_writer_reserve(&block->bytes, BLOCK_HEADER_BYTES);
    block->header = (struct block_header){.first_seq = first_seq, .last_seq = first_seq};
    block_bytes_pad(block);
}

void block_bytes_pad(struct block_bytes *block)
{
    memset(byte_writer_reserve(&block->bytes, BLOCK_ALIGNMENT), 0, BLOCK_ALIGNMENT);
    block->bytes.size -= BLOCK_ALIGNMENT;
}

size_t block_bytes_raw_size(const struct block_bytes *block)
{
    return block->bytes.size - BLOCK_HEADER_BYTES;
}

/* True when place->packed holds the block's compressed bytes, with room and zeros around them. */
static bool pack(struct segment_place *place, const struct block_bytes *block)
{
    size_t raw_size = block_bytes_raw_size(block);
    if (raw_size < COMPRESSED_BYTES_MIN)
        return false;
    if (place->compressor == NULL)
        place->compressor = compressor_create();
    byte_writer_clear(&place->packed);
    byte_writer_reserve(&place->packed, BLOCK_HEADER_BYTES);
    if (!compressor_try(place->compressor, block->bytes.data + BLOCK_HEADER_BYTES, raw_size,
                        &place->packed))
        return false;
    memset(byte_writer_reserve(&place->packed, BLOCK_ALIGNMENT), 0, BLOCK_ALIGNMENT);
    place->packed.size -= BLOCK_ALIGNMENT;
    return true;
}

int segment_output_write(struct segment_output *output, struct block_bytes *block,
                         bool may_compress, struct sheaf_error *error)
{
    struct segment_place *place = output->place;
    struct block_header *header = &block->header;
    bool is_packed = may_compress && pack(place, block);
    const struct byte_writer *bytes = is_packed ? &place->packed : &block->bytes;
    if (is_packed)
        header->flags |= BLOCK_COMPRESSED;
    header->identity_tag = segment_identity_tag(place->identity);
    header->raw_bytes = block_bytes_raw_size(block);
    header->stored_bytes = bytes->size - BLOCK_HEADER_BYTES;
    header->stored_crc = block_crc(bytes->data + BLOCK_HEADER_BYTES, header->stored_bytes);
    struct block_location location = {output->start_seq, output->size_bytes};
    block_header_encode(header, location, bytes->data);
    uint64_t extent = block_extent_bytes(header);
    if (disk_write_all(place->disk, output->descriptor, bytes->data, extent) != 0)
        return output_failed(output, "write", SEGMENT_SUFFIX, error);
    output->size_bytes += extent;
    return 0;
}

int segment_output_sync(struct segment_output *output, struct sheaf_error *error)
{
    const struct disk *disk = output->place->disk;
    if (disk->datasync(disk->context, output->descriptor) != 0)
        return output_failed(output, "sync", SEGMENT_SUFFIX, error);
    return 0;
}
