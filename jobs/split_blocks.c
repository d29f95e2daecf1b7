/* split_blocks.c - looks for the line ends at which a text file is cut: reads only around them. */
#include "split_blocks.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_BYTES = 8 << 10 }; /* read at once: most lines are shorter */

struct block_cutter {
    int descriptor;
    char *path;
    uint64_t file_bytes;
    uint64_t block_bytes;
    uint64_t offset_bytes; /* of the next block: a line starts here */
    unsigned char looked_at[LOOK_BYTES];
};

int block_cutter_open(const struct input_file *file, uint64_t block_bytes,
                      struct block_cutter **cutter, struct sheaf_error *error)
{
    int descriptor = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the input file %s: %s",
                               file->path, strerror(errno));
    struct block_cutter *opened = memory_allocate_zeroed(1, sizeof *opened);
    opened->descriptor = descriptor;
    opened->path = memory_copy_string(file->path);
    opened->file_bytes = file->size_bytes;
    opened->block_bytes = block_bytes;
    *cutter = opened;
    return 0;
}

void block_cutter_close(struct block_cutter *cutter)
{
    if (cutter == NULL)
        return;
    close(cutter->descriptor);
    free(cutter->path);
    free(cutter);
}

/* Reads `size` bytes, at most LOOK_BYTES. */
static int look_at(struct block_cutter *cutter, uint64_t offset, uint64_t size,
                   struct sheaf_error *error)
{
    for (uint64_t done = 0; done < size;) {
        ssize_t got = pread(cutter->descriptor, cutter->looked_at + done, (size_t)(size - done),
                            (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the input file %s: %s",
                                   cutter->path, strerror(errno));
        if (got == 0)
            return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                                   "the input file %s became shorter while it was read: repeat "
                                   "the command",
                                   cutter->path);
        done += (uint64_t)got;
    }
    return 0;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* *end: behind the last newline within [first, last), or `first` when there is none. */
static int find_last_line_end(struct block_cutter *cutter, uint64_t first, uint64_t last,
                              uint64_t *end, struct sheaf_error *error)
{
    while (last > first) {
        uint64_t size = smaller(last - first, LOOK_BYTES);
        int code = look_at(cutter, last - size, size, error);
        if (code != 0)
            return code;
        const unsigned char *newline = memrchr(cutter->looked_at, '\n', (size_t)size);
        last -= size;
        if (newline != NULL) {
            *end = last + (uint64_t)(newline - cutter->looked_at) + 1;
            return 0;
        }
    }
    *end = first;
    return 0;
}

/* *end: behind the first newline at or after `offset`, or the end of the file. */
static int find_next_line_end(struct block_cutter *cutter, uint64_t offset, uint64_t *end,
                              struct sheaf_error *error)
{
    while (offset < cutter->file_bytes) {
        uint64_t size = smaller(cutter->file_bytes - offset, LOOK_BYTES);
        int code = look_at(cutter, offset, size, error);
        if (code != 0)
            return code;
        const unsigned char *newline = memchr(cutter->looked_at, '\n', (size_t)size);
        if (newline != NULL) {
            *end = offset + (uint64_t)(newline - cutter->looked_at) + 1;
            return 0;
        }
        offset += size;
        if (offset - cutter->offset_bytes > SPLIT_LINES_BYTES_MAX)
            break;
    }
    *end = offset;
    return 0;
}

int block_cutter_next(struct block_cutter *cutter, struct line_block *block,
                      struct sheaf_error *error)
{
    uint64_t start = cutter->offset_bytes;
    uint64_t left = cutter->file_bytes - start;
    if (left == 0)
        return 0;
    uint64_t end = cutter->file_bytes;
    int code = 0;
    if (left > cutter->block_bytes) {
        code = find_last_line_end(cutter, start, start + cutter->block_bytes, &end, error);
        if (code == 0 && end == start)
            code = find_next_line_end(cutter, start + cutter->block_bytes, &end, error);
    }
    if (code != 0)
        return code;
    if (end - start > SPLIT_LINES_BYTES_MAX)
        return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                               "the input file %s has a line of more than %llu bytes, at offset "
                               "%llu: that is more than a task can take",
                               cutter->path, (unsigned long long)SPLIT_LINES_BYTES_MAX,
                               (unsigned long long)start);
    *block = (struct line_block){
        .path = cutter->path,
        .path_bytes = strlen(cutter->path),
        .offset_bytes = start,
        .size_bytes = end - start,
        .file_bytes = cutter->file_bytes,
    };
    cutter->offset_bytes = end;
    return 1;
}
