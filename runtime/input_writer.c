/* input_writer.c - writes the inputs of all tasks while the job is split. */
#include "input_store.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "checksum.h"
#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* Synced in steps: at the end of a large split, on a slow disk, the master would otherwise wait for
 * all of it at once, for longer than others believe that it lives. */
enum { BUFFER_BYTES = 1 << 20, UNSYNCED_BYTES_MAX = 32 << 20 };

/* A file of the store, with what is to be appended to it next. */
struct output {
    char *path;
    int descriptor;
    size_t unsynced_bytes;
    struct byte_writer buffer;
};

struct input_writer {
    char *dir;
    struct output data;
    struct output index;
    uint64_t task_count;
    uint64_t input_bytes;
    uint32_t index_crc;
    struct checksum checksum;
    bool has_failed;
};

static int write_error(const struct output *output, int errno_value, struct sheaf_error *error)
{
    const char *advice = errno_value == ENOSPC || errno_value == EDQUOT
                             ? " (free space there, or choose another run directory with --dir, "
                               "and repeat the command)"
                             : "";
    return sheaf_error_set_errno(error, errno_value, "cannot write the tasks' input to %s%s",
                                 output->path, advice);
}

static int sync_written(struct output *output, struct sheaf_error *error)
{
    output->unsynced_bytes = 0;
    return fdatasync(output->descriptor) == 0 ? 0 : write_error(output, errno, error);
}

static int write_all(struct output *output, const void *data, size_t size,
                     struct sheaf_error *error)
{
    const unsigned char *at = data;
    output->unsynced_bytes += size;
    while (size > 0) {
        ssize_t written = write(output->descriptor, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return write_error(output, errno, error);
        at += written;
        size -= (size_t)written;
    }
    return output->unsynced_bytes < UNSYNCED_BYTES_MAX ? 0 : sync_written(output, error);
}

static int output_flush(struct output *output, struct sheaf_error *error)
{
    int code = write_all(output, output->buffer.data, output->buffer.size, error);
    byte_writer_clear(&output->buffer);
    return code;
}

static int output_sync(struct output *output, struct sheaf_error *error)
{
    int code = output_flush(output, error);
    return code == 0 ? sync_written(output, error) : code;
}

/* A new file: one left behind may have other permissions, or still be mapped by a process that is
 * about to end. */
static int output_open(struct output *output, const char *dir, const char *name,
                       struct sheaf_error *error)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    output->path = memory_allocate(size);
    snprintf(output->path, size, "%s/%s", dir, name);
    if (run_place_unlink(output->path) != 0 && errno != ENOENT)
        return write_error(output, errno, error);
    output->descriptor = run_place_open_file(output->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (output->descriptor < 0)
        return write_error(output, errno, error);
    byte_writer_reserve(&output->buffer, BUFFER_BYTES);
    byte_writer_clear(&output->buffer);
    return 0;
}

static void output_close(struct output *output)
{
    if (output->descriptor >= 0)
        close(output->descriptor);
    byte_writer_close(&output->buffer);
    free(output->path);
}

int input_writer_create(const char *dir, struct input_writer **writer, struct sheaf_error *error)
{
    struct input_writer *created = memory_allocate_zeroed(1, sizeof *created);
    created->dir = memory_copy_string(dir);
    created->data.descriptor = -1;
    created->index.descriptor = -1;
    checksum_init(&created->checksum);
    int code = output_open(&created->data, dir, INPUT_DATA_NAME, error);
    if (code == 0)
        code = output_open(&created->index, dir, INPUT_INDEX_NAME, error);
    if (code != 0) {
        input_writer_destroy(created);
        return code;
    }
    *writer = created;
    return 0;
}

static int flush_index(struct input_writer *writer, struct sheaf_error *error)
{
    writer->index_crc =
        (uint32_t)crc32_z(writer->index_crc, writer->index.buffer.data, writer->index.buffer.size);
    return output_flush(&writer->index, error);
}

static int add(struct input_writer *writer, const void *data, size_t size,
               struct sheaf_error *error)
{
    int code = 0;
    if (writer->data.buffer.size + size > BUFFER_BYTES)
        code = output_flush(&writer->data, error);
    if (code == 0 && size > BUFFER_BYTES)
        code = write_all(&writer->data, data, size, error);
    else if (code == 0)
        byte_writer_put(&writer->data.buffer, data, size);
    if (code == 0 && writer->index.buffer.size + INPUT_ENTRY_BYTES > BUFFER_BYTES)
        code = flush_index(writer, error);
    if (code != 0)
        return code;
    byte_writer_put_u64(&writer->index.buffer, writer->input_bytes);
    byte_writer_put_u32(&writer->index.buffer, (uint32_t)size);
    byte_writer_put_u32(&writer->index.buffer, checksum_of(&writer->checksum, data, size));
    writer->input_bytes += size;
    writer->task_count++;
    return 0;
}

int input_writer_add(struct input_writer *writer, const void *data, size_t size,
                     struct sheaf_error *error)
{
    CHECK(!writer->has_failed);
    if (size > UINT32_MAX)
        return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                               "task %llu has %zu bytes of input, and 4 GiB is the limit; give "
                               "tasks the path of a file instead",
                               (unsigned long long)writer->task_count, size);
    int code = add(writer, data, size, error);
    writer->has_failed = code != 0;
    return code;
}

uint64_t input_writer_task_count(const struct input_writer *writer)
{
    return writer->task_count;
}

static int sync_directory(const struct input_writer *writer, struct sheaf_error *error)
{
    int descriptor = run_place_open_folder(writer->dir);
    if (descriptor < 0)
        return sheaf_error_set_errno(error, errno, "cannot open the run directory %s", writer->dir);
    int code = 0;
    if (fsync(descriptor) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot sync the run directory %s", writer->dir);
    close(descriptor);
    return code;
}

int input_writer_finish(struct input_writer *writer, uint64_t *input_bytes, uint32_t *index_crc,
                        struct sheaf_error *error)
{
    CHECK(!writer->has_failed);
    int code = output_sync(&writer->data, error);
    if (code == 0)
        code = flush_index(writer, error);
    if (code == 0)
        code = output_sync(&writer->index, error);
    if (code == 0)
        code = sync_directory(writer, error);
    if (code != 0) {
        writer->has_failed = true;
        return code;
    }
    *input_bytes = writer->input_bytes;
    *index_crc = writer->index_crc;
    return 0;
}

void input_writer_destroy(struct input_writer *writer)
{
    if (writer == NULL)
        return;
    output_close(&writer->data);
    output_close(&writer->index);
    free(writer->dir);
    free(writer);
}
