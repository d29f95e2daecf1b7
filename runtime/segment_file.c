/* segment_file.c - finds segments in a directory and walks their blocks, past damaged ones. */
#include "segment_file.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "compress.h"
#include "run_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_PREFIX "segment-"

enum {
    NAME_DIGITS = 16,
    PAGE_BYTES = 4096,
    SEARCH_BYTES = 64 << 10,
    WINDOW_BYTES = 256 << 10,
};

void segment_name(uint64_t start_seq, char name[SEGMENT_NAME_BYTES])
{
    snprintf(name, SEGMENT_NAME_BYTES, NAME_PREFIX "%016" PRIx64 SEGMENT_SUFFIX, start_seq);
}

char *segment_path(const char *dir, uint64_t start_seq, const char *suffix)
{
    size_t size = strlen(dir) + 1 + strlen(NAME_PREFIX) + NAME_DIGITS + strlen(suffix) + 1;
    char *path = memory_allocate(size);
    snprintf(path, size, "%s/" NAME_PREFIX "%016" PRIx64 "%s", dir, start_seq, suffix);
    return path;
}

static bool parse_name(const char *name, const char *suffix, uint64_t *start_seq)
{
    size_t prefix_size = strlen(NAME_PREFIX);
    if (strncmp(name, NAME_PREFIX, prefix_size) != 0)
        return false;
    const char *digits = name + prefix_size;
    if (strspn(digits, "0123456789abcdef") != NAME_DIGITS ||
        strcmp(digits + NAME_DIGITS, suffix) != 0)
        return false;
    uint64_t value = strtoull(digits, NULL, 16);
    if (value >= SEGMENT_SEQ_MAX)
        return false;
    *start_seq = value;
    return true;
}

static int compare_starts(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

int segment_list_read(const char *dir, const char *suffix, struct segment_list *list,
                      struct sheaf_error *error)
{
    DIR *directory = run_place_list(dir);
    if (directory == NULL)
        return sheaf_error_set_errno(error, errno, "cannot read the journal directory %s", dir);
    struct segment_list found = {0};
    const struct dirent *entry;
    uint64_t start_seq;
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        if (!parse_name(entry->d_name, suffix, &start_seq))
            continue;
        void *starts = found.starts;
        memory_grow(&starts, &found.capacity, found.count + 1, sizeof *found.starts);
        found.starts = starts;
        found.starts[found.count++] = start_seq;
    }
    int read_errno = errno;
    closedir(directory);
    if (read_errno != 0) {
        segment_list_close(&found);
        return sheaf_error_set_errno(error, read_errno, "cannot read the journal directory %s",
                                     dir);
    }
    if (found.count > 0)
        qsort(found.starts, found.count, sizeof *found.starts, compare_starts);
    *list = found;
    return 0;
}

void segment_list_close(struct segment_list *list)
{
    free(list->starts);
    *list = (struct segment_list){0};
}

/* False with errno when neither end of the file can be read: then it is not a few bad sectors, and
 * what is in the file must not be taken for lost. */
static bool is_readable(const struct segment_file *file)
{
    unsigned char byte;
    off_t last = file->size_bytes > 0 ? (off_t)file->size_bytes - 1 : 0;
    return disk_read_all(file->disk, file->descriptor, &byte, 1, 0) >= 0 ||
           disk_read_all(file->disk, file->descriptor, &byte, 1, last) >= 0;
}

int segment_file_open(const struct disk *disk, const char *dir, uint64_t start_seq,
                      struct segment_file *file, struct sheaf_error *error)
{
    char *path = segment_path(dir, start_seq, SEGMENT_SUFFIX);
    int code = 0;
    int descriptor = disk->open(disk->context, path, O_RDONLY | O_CLOEXEC, 0);
    off_t size = descriptor < 0 ? -1 : disk->size(disk->context, descriptor);
    struct segment_file opened = {
        .disk = disk,
        .descriptor = descriptor,
        .start_seq = start_seq,
        .size_bytes = size < 0 ? 0 : (uint64_t)size,
    };
    if (size < 0 || !is_readable(&opened)) {
        code = sheaf_error_set_errno(error, errno,
                                     "cannot read the journal segment %s (see to the file system "
                                     "and repeat the command)",
                                     path);
        if (descriptor >= 0)
            disk->close(disk->context, descriptor);
    } else {
        *file = opened;
    }
    free(path);
    return code;
}

void segment_file_close(struct segment_file *file)
{
    file->disk->close(file->disk->context, file->descriptor);
}

/* Reads up to a page of what could not be read as a whole. */
static void read_page(struct segment_file *file, uint64_t offset, unsigned char *data, size_t size)
{
    ssize_t got = disk_read_all(file->disk, file->descriptor, data, size, (off_t)offset);
    size_t kept = got > 0 ? (size_t)got : 0;
    if (got < 0 && offset + size > file->unreadable_end_bytes)
        file->unreadable_end_bytes = offset + size;
    memset(data + kept, 0, size - kept);
}

/* False where too much is asked for at once, or the disk has bad places: then piece by piece. */
static bool read_from_window(const struct segment_file *file, uint64_t offset, unsigned char *data,
                             size_t size)
{
    struct segment_window *window = file->window;
    if (window == NULL || size > WINDOW_BYTES || offset < window->bad_end_bytes)
        return false;
    bool is_inside = offset >= window->offset_bytes &&
                     offset - window->offset_bytes <= window->size_bytes &&
                     size <= window->size_bytes - (size_t)(offset - window->offset_bytes);
    if (!is_inside) {
        size_t whole = file->size_bytes < WINDOW_BYTES ? (size_t)file->size_bytes : WINDOW_BYTES;
        if (window->bytes == NULL)
            window->bytes = memory_allocate(whole);
        ssize_t got =
            disk_read_all(file->disk, file->descriptor, window->bytes, whole, (off_t)offset);
        window->offset_bytes = offset;
        window->size_bytes = got > 0 ? (size_t)got : 0;
        if (got < 0)
            window->bad_end_bytes = offset + WINDOW_BYTES;
        if (size > window->size_bytes)
            return false;
    }
    memcpy(data, window->bytes + (offset - window->offset_bytes), size);
    return true;
}

static void read_bytes(struct segment_file *file, uint64_t offset, unsigned char *data, size_t size)
{
    if (size == 0 || read_from_window(file, offset, data, size) ||
        disk_read_all(file->disk, file->descriptor, data, size, (off_t)offset) == (ssize_t)size)
        return;
    for (size_t done = 0; done < size;) {
        size_t part = PAGE_BYTES - (size_t)((offset + done) % PAGE_BYTES);
        if (part > size - done)
            part = size - done;
        read_page(file, offset + done, data + done, part);
        done += part;
    }
}

int segment_file_read_header(struct segment_file *file, struct segment_header *header,
                             struct sheaf_error *error)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(file->start_seq, name);
    if (file->size_bytes < SEGMENT_HEADER_BYTES)
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED, "%s has lost its header", name);
    unsigned char bytes[SEGMENT_HEADER_BYTES];
    read_bytes(file, 0, bytes, sizeof bytes);
    struct segment_header decoded;
    int code = segment_header_decode(bytes, &decoded, error);
    if (code != 0)
        return code;
    if (decoded.start_seq != file->start_seq)
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED, "%s holds another segment", name);
    *header = decoded;
    return 0;
}

void block_buffer_close(struct block_buffer *buffer)
{
    byte_writer_close(&buffer->stored);
    byte_writer_close(&buffer->restored);
}

static bool read_block_header(struct segment_file *file, uint64_t offset,
                              struct block_header *header)
{
    unsigned char bytes[BLOCK_HEADER_BYTES];
    if (offset > file->size_bytes || file->size_bytes - offset < sizeof bytes)
        return false;
    read_bytes(file, offset, bytes, sizeof bytes);
    return block_header_decode(bytes, (struct block_location){file->start_seq, offset}, header);
}

enum block_state segment_file_read_block(struct segment_file *file, uint64_t offset,
                                         struct block_buffer *buffer)
{
    if (!read_block_header(file, offset, &buffer->header))
        return BLOCK_BAD_HEADER;
    const struct block_header *header = &buffer->header;
    if (header->stored_bytes > file->size_bytes - offset - BLOCK_HEADER_BYTES)
        return BLOCK_CUT;
    byte_writer_clear(&buffer->stored);
    byte_writer_clear(&buffer->restored);
    unsigned char *stored = byte_writer_reserve(&buffer->stored, header->stored_bytes);
    read_bytes(file, offset + BLOCK_HEADER_BYTES, stored, header->stored_bytes);
    if (!block_is_intact(header, stored))
        return BLOCK_BAD_BYTES;
    buffer->raw = stored;
    if ((header->flags & BLOCK_COMPRESSED) == 0)
        return BLOCK_SOUND;
    unsigned char *restored = byte_writer_reserve(&buffer->restored, header->raw_bytes);
    buffer->raw = restored;
    return compress_restore(stored, header->stored_bytes, restored, header->raw_bytes)
               ? BLOCK_SOUND
               : BLOCK_BAD_BYTES;
}

void segment_walk_init(struct segment_walk *walk, struct segment_file *file)
{
    CHECK(file->window == NULL);
    *walk = (struct segment_walk){.file = file, .offset_bytes = SEGMENT_HEADER_BYTES};
    file->window = &walk->window;
}

void segment_walk_close(struct segment_walk *walk)
{
    walk->file->window = NULL;
    free(walk->window.bytes);
    block_buffer_close(&walk->block);
}

bool segment_walk_peek(struct segment_walk *walk, struct block_header *header)
{
    struct segment_file *file = walk->file;
    return read_block_header(file, walk->offset_bytes, header) &&
           header->stored_bytes <= file->size_bytes - walk->offset_bytes - BLOCK_HEADER_BYTES;
}

void segment_walk_skip(struct segment_walk *walk, const struct block_header *header)
{
    walk->offset_bytes += block_extent_bytes(header);
}

/* The offset of the first sound block header at or after `offset`, or the file's size. */
static uint64_t find_header(struct segment_file *file, uint64_t offset)
{
    unsigned char *bytes = memory_allocate(SEARCH_BYTES);
    uint64_t found = file->size_bytes;
    struct block_header header;
    while (found == file->size_bytes && offset < file->size_bytes &&
           file->size_bytes - offset >= BLOCK_HEADER_BYTES) {
        uint64_t left = file->size_bytes - offset;
        size_t size = left < SEARCH_BYTES ? (size_t)left : SEARCH_BYTES;
        read_bytes(file, offset, bytes, size);
        for (size_t i = 0; i + BLOCK_ALIGNMENT <= size; i += BLOCK_ALIGNMENT) {
            if (block_header_has_magic(bytes + i) && read_block_header(file, offset + i, &header)) {
                found = offset + i;
                break;
            }
        }
        offset += SEARCH_BYTES;
    }
    free(bytes);
    return found;
}

bool segment_walk_next(struct segment_walk *walk, struct segment_piece *piece)
{
    struct segment_file *file = walk->file;
    uint64_t offset = walk->offset_bytes;
    if (offset >= file->size_bytes)
        return false;
    enum block_state state = segment_file_read_block(file, offset, &walk->block);
    /* Not even the length in a sound header is trusted when the bytes are bad: they may have been
     * cut short, and others written behind. */
    uint64_t end = state == BLOCK_SOUND ? offset + block_extent_bytes(&walk->block.header)
                                        : find_header(file, offset + BLOCK_ALIGNMENT);
    *piece = (struct segment_piece){
        .state = state,
        .offset_bytes = offset,
        .end_bytes = end,
        .has_header = state != BLOCK_BAD_HEADER,
    };
    walk->offset_bytes = end;
    return true;
}
