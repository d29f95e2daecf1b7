/* input_store.c - reads the inputs of ranges of tasks from the mapped files. */
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* What was read of the files counts as memory of the process while it is mapped in: after so many
 * bytes it is let go. The system may keep it cached, and give the memory to others. */
#define READ_BYTES_MAX ((uint64_t)16 << 20)
/* Touched by a search in the index, at most: a page for each step, and those that come with it. */
#define SEARCH_BYTES   ((uint64_t)4 << 20)

/* A file mapped for reading; data is NULL when it is empty. */
struct mapping {
    const unsigned char *data;
    size_t size;
};

struct input_store {
    char *dir;
    struct mapping index;
    struct mapping data;
    uint64_t task_count;
    uint64_t read_bytes; /* since the mapped pages were let go */
    struct checksum checksum;
};

struct input_entry {
    uint64_t offset_bytes;
    uint32_t size_bytes;
    uint32_t crc;
};

static int damaged(const char *path, const char *what, struct sheaf_error *error)
{
    return sheaf_error_set(
        error, SHEAF_ERROR_DAMAGED,
        "%s is damaged: %s. Repeat the command with the inputs as they were when "
        "it ran last: that makes the file again",
        path, what);
}

static int map_descriptor(int descriptor, const char *path, struct mapping *mapping,
                          struct sheaf_error *error)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return sheaf_error_set_errno(error, errno, "cannot read the tasks' input from %s", path);
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != mapping->size)
        return damaged(path, "its size is not what the journal says", error);
    if (mapping->size == 0)
        return 0;
    void *data = mmap(NULL, mapping->size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED)
        return sheaf_error_set_errno(error, errno, "cannot map the tasks' input %s", path);
    mapping->data = data;
    return 0;
}

/* Maps the file, which must have mapping->size bytes. */
static int mapping_open(const char *path, struct mapping *mapping, struct sheaf_error *error)
{
    int descriptor = run_place_open_file(path, O_RDONLY, 0);
    if (descriptor < 0 && errno == ENOENT)
        return damaged(path, "the file is gone", error);
    if (descriptor < 0)
        return sheaf_error_set_errno(error, errno, "cannot read the tasks' input from %s", path);
    int code = map_descriptor(descriptor, path, mapping, error);
    close(descriptor);
    return code;
}

static void mapping_close(struct mapping *mapping)
{
    if (mapping->data != NULL)
        munmap((void *)(uintptr_t)mapping->data, mapping->size);
}

static void mapping_let_go(const struct mapping *mapping)
{
    if (mapping->data != NULL)
        madvise((void *)(uintptr_t)mapping->data, mapping->size, MADV_DONTNEED);
}

static void count_read(struct input_store *store, uint64_t size_bytes)
{
    store->read_bytes += size_bytes;
    if (store->read_bytes < READ_BYTES_MAX)
        return;
    store->read_bytes = 0;
    mapping_let_go(&store->index);
    mapping_let_go(&store->data);
}

static uint32_t index_crc_of(struct input_store *store)
{
    const struct mapping *index = &store->index;
    uint32_t crc = 0;
    for (size_t at = 0; at < index->size;) {
        size_t size = index->size - at < READ_BYTES_MAX ? index->size - at : READ_BYTES_MAX;
        crc = (uint32_t)crc32_z(crc, index->data + at, size);
        count_read(store, size);
        at += size;
    }
    return crc;
}

static struct input_entry entry_of(const struct input_store *store, uint64_t task)
{
    struct byte_reader reader =
        byte_reader_of(store->index.data + task * INPUT_ENTRY_BYTES, INPUT_ENTRY_BYTES);
    struct input_entry entry;
    entry.offset_bytes = byte_reader_get_u64(&reader);
    entry.size_bytes = byte_reader_get_u32(&reader);
    entry.crc = byte_reader_get_u32(&reader);
    return entry;
}

static int open_both(struct input_store *store, uint32_t index_crc, struct sheaf_error *error)
{
    size_t path_bytes = strlen(store->dir) + sizeof "/" INPUT_INDEX_NAME;
    char *path = memory_allocate(path_bytes);
    snprintf(path, path_bytes, "%s/%s", store->dir, INPUT_INDEX_NAME);
    int code = mapping_open(path, &store->index, error);
    if (code == 0 && index_crc_of(store) != index_crc)
        code = damaged(path, "its checksum is wrong", error);
    if (code == 0) {
        snprintf(path, path_bytes, "%s/%s", store->dir, INPUT_DATA_NAME);
        code = mapping_open(path, &store->data, error);
    }
    free(path);
    return code;
}

int input_store_open(const char *dir, uint64_t task_count, uint64_t input_bytes, uint32_t index_crc,
                     struct input_store **store, struct sheaf_error *error)
{
    if (task_count > SIZE_MAX / INPUT_ENTRY_BYTES)
        return sheaf_error_set(error, SHEAF_ERROR_MALFORMED,
                               "%s cannot hold the inputs of %llu "
                               "tasks",
                               dir, (unsigned long long)task_count);
    struct input_store *opened = memory_allocate_zeroed(1, sizeof *opened);
    opened->dir = memory_copy_string(dir);
    opened->task_count = task_count;
    checksum_init(&opened->checksum);
    opened->index.size = (size_t)task_count * INPUT_ENTRY_BYTES;
    opened->data.size = (size_t)input_bytes;
    int code = open_both(opened, index_crc, error);
    if (code != 0) {
        input_store_close(opened);
        return code;
    }
    *store = opened;
    return 0;
}

void input_store_close(struct input_store *store)
{
    if (store == NULL)
        return;
    mapping_close(&store->index);
    mapping_close(&store->data);
    free(store->dir);
    free(store);
}

static bool entry_is_inside(const struct input_store *store, const struct input_entry *entry)
{
    return entry->offset_bytes <= store->data.size &&
           entry->size_bytes <= store->data.size - entry->offset_bytes;
}

int input_store_read(struct input_store *store, struct range range, struct byte_writer *writer,
                     struct sheaf_error *error)
{
    CHECK(range.first <= store->task_count && range.count <= store->task_count - range.first);
    size_t size_before = writer->size;
    for (uint64_t task = range.first; task < range_end(range); task++) {
        struct input_entry entry = entry_of(store, task);
        count_read(store, INPUT_ENTRY_BYTES + (uint64_t)entry.size_bytes);
        bool is_good = entry_is_inside(store, &entry);
        if (is_good && entry.size_bytes > 0) {
            const unsigned char *data = store->data.data + entry.offset_bytes;
            byte_writer_put_blob(writer, data, entry.size_bytes);
            is_good = checksum_of(&store->checksum, data, entry.size_bytes) == entry.crc;
        } else if (is_good) {
            byte_writer_put_u32(writer, 0);
        }
        if (!is_good) {
            writer->size = size_before;
            return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                                   "%s/%s is damaged: the input of task %llu has a wrong checksum",
                                   store->dir, INPUT_DATA_NAME, (unsigned long long)task);
        }
    }
    return 0;
}

/* Inputs lie without gaps, so offsets tell the size of any run of tasks. */
static uint64_t run_bytes(const struct input_store *store, uint64_t first, uint64_t count)
{
    struct input_entry start = entry_of(store, first);
    struct input_entry last = entry_of(store, first + count - 1);
    return last.offset_bytes + last.size_bytes - start.offset_bytes + count * sizeof(uint32_t);
}

uint64_t input_store_fit(struct input_store *store, struct range range, uint64_t size_bytes_max)
{
    CHECK(range.first <= store->task_count && range.count <= store->task_count - range.first);
    if (range_is_empty(range))
        return 0;
    uint64_t fits = 1;
    uint64_t beyond = range.count + 1;
    while (beyond - fits > 1) {
        uint64_t middle = fits + (beyond - fits) / 2;
        if (run_bytes(store, range.first, middle) <= size_bytes_max)
            fits = middle;
        else
            beyond = middle;
    }
    count_read(store, SEARCH_BYTES);
    return fits;
}
