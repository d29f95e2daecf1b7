/* split_lines.c - reads the lines that start within a block of a text file. */
#include "split_lines.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much is read at a time to find the end of the last line. */
#define READ_ON_BYTES ((uint64_t)1 << 16)

void line_block_encode(const struct line_block *block, struct byte_writer *writer)
{
    byte_writer_put_blob(writer, block->path, block->path_bytes);
    byte_writer_put_u64(writer, block->offset_bytes);
    byte_writer_put_u64(writer, block->size_bytes);
    byte_writer_put_u64(writer, block->file_bytes);
}

int line_block_decode(struct byte_reader *reader, struct line_block *block,
                      struct sheaf_error *error)
{
    struct line_block decoded = {0};
    decoded.path = (const char *)byte_reader_get_blob(reader, &decoded.path_bytes);
    decoded.offset_bytes = byte_reader_get_u64(reader);
    decoded.size_bytes = byte_reader_get_u64(reader);
    decoded.file_bytes = byte_reader_get_u64(reader);
    if (!byte_reader_is_complete(reader) || decoded.path_bytes == 0 ||
        memchr(decoded.path, '\0', decoded.path_bytes) != NULL || decoded.size_bytes == 0 ||
        decoded.size_bytes > SPLIT_LINES_BYTES_MAX || decoded.file_bytes > INT64_MAX ||
        decoded.offset_bytes > decoded.file_bytes ||
        decoded.size_bytes > decoded.file_bytes - decoded.offset_bytes)
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                               "the description of a block of lines cannot be understood");
    *block = decoded;
    return 0;
}

struct line_file {
    int descriptor;
    const char *path;
    uint64_t size_bytes;
    uint64_t lines_bytes_max;
};

static int changed(const struct line_file *file, uint64_t now_bytes, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "the input file %s was changed while the job ran: it had %llu bytes and "
                           "has %llu now. Put back what it held, and "
                           "go on; or run the job on what it holds now in another directory "
                           "(--dir)",
                           file->path, (unsigned long long)file->size_bytes,
                           (unsigned long long)now_bytes);
}

/* Appends exactly [offset, offset + size) of the file. */
static int append(const struct line_file *file, uint64_t offset, uint64_t size,
                  struct byte_writer *lines, struct sheaf_error *error)
{
    unsigned char *target = byte_writer_reserve(lines, (size_t)size);
    uint64_t done = 0;
    while (done < size) {
        ssize_t got =
            pread(file->descriptor, target + done, (size_t)(size - done), (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the input file %s: %s",
                                   file->path, strerror(errno));
        if (got == 0)
            return changed(file, offset + done, error);
        done += (uint64_t)got;
    }
    return 0;
}

/* Appends from `offset` up to the end of the line there, or of the file. */
static int append_line_rest(const struct line_file *file, uint64_t offset,
                            struct byte_writer *lines, struct sheaf_error *error)
{
    while (offset < file->size_bytes) {
        uint64_t left = file->size_bytes - offset;
        uint64_t size = left < READ_ON_BYTES ? left : READ_ON_BYTES;
        size_t start = lines->size;
        if (start + size > file->lines_bytes_max)
            return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                                   "the input file %s has a line that does not end within %llu "
                                   "bytes (before offset %llu); split by \"files\" instead",
                                   file->path, (unsigned long long)file->lines_bytes_max,
                                   (unsigned long long)offset);
        int code = append(file, offset, size, lines, error);
        if (code != 0)
            return code;
        const unsigned char *newline = memchr(lines->data + start, '\n', (size_t)size);
        if (newline != NULL) {
            lines->size = (size_t)(newline - lines->data) + 1;
            return 0;
        }
        offset += size;
    }
    return 0;
}

/* A line starts at offset 0 and after each newline. So the byte before the block decides whether
 * its first byte starts a line, and its last byte starts none after it. */
static int read_lines(const struct line_file *file, const struct line_block *block,
                      struct byte_writer *lines, struct sheaf_error *error)
{
    uint64_t before = block->offset_bytes > 0 ? 1 : 0;
    uint64_t end = block->offset_bytes + block->size_bytes;
    int code = append(file, block->offset_bytes - before, block->size_bytes + before, lines, error);
    if (code != 0)
        return code;
    if (before > 0) {
        const unsigned char *newline = memchr(lines->data, '\n', lines->size - 1);
        if (newline == NULL) {
            lines->size = 0;
            return 0;
        }
        size_t skipped = (size_t)(newline - lines->data) + 1;
        lines->size -= skipped;
        memmove(lines->data, lines->data + skipped, lines->size);
    }
    bool is_open = lines->data[lines->size - 1] != '\n';
    return is_open ? append_line_rest(file, end, lines, error) : 0;
}

int line_block_read(const struct line_block *block, uint64_t bytes_max, struct byte_writer *lines,
                    struct sheaf_error *error)
{
    byte_writer_clear(lines);
    char *path = memory_allocate(block->path_bytes + 1);
    memcpy(path, block->path, block->path_bytes);
    path[block->path_bytes] = '\0';
    struct line_file file = {
        .path = path, .size_bytes = block->file_bytes, .lines_bytes_max = bytes_max};
    struct stat status;
    int code = 0;
    file.descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file.descriptor < 0 || fstat(file.descriptor, &status) != 0)
        code = sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the input file %s: %s", path,
                               strerror(errno));
    else if (!S_ISREG(status.st_mode))
        code = sheaf_error_set(error, SHEAF_ERROR_INPUT, "the input %s is no longer a file", path);
    else if ((uint64_t)status.st_size != block->file_bytes)
        code = changed(&file, (uint64_t)status.st_size, error);
    else
        code = read_lines(&file, block, lines, error);
    if (file.descriptor >= 0)
        close(file.descriptor);
    free(path);
    return code;
}
