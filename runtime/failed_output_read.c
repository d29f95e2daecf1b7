/* failed_output_read.c - finds again what failed commands wrote. */
#include "failed_output.h"

#include "../scheduler/memory.h"
#include "run_directory.h"
#include "run_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file is mapped: only what is printed is read into memory. */
struct mapping {
    void *data;
    size_t size;
};

struct failed_outputs {
    struct mapping *mappings;
    size_t mapping_count;
    size_t mapping_capacity;
    struct command_record *records; /* borrow from the mappings; by task, then by time */
    size_t count;
    size_t capacity;
};

static void add_records(struct failed_outputs *outputs, const struct mapping *mapping)
{
    struct byte_reader reader = byte_reader_of(mapping->data, mapping->size);
    struct command_record record;
    /* The last record may be being written. */
    while (byte_reader_left(&reader) > 0 && command_record_get(&reader, &record)) {
        void *records = outputs->records;
        memory_grow(&records, &outputs->capacity, outputs->count + 1, sizeof record);
        outputs->records = records;
        outputs->records[outputs->count++] = record;
    }
}

static int read_file(struct failed_outputs *outputs, const char *path, struct sheaf_error *error)
{
    int file = run_place_open_file(path, O_RDONLY, 0);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        int code = sheaf_error_set_errno(error, errno, "cannot read %s", path);
        if (file >= 0)
            close(file);
        return code;
    }
    struct mapping mapping = {.size = (size_t)status.st_size};
    if (mapping.size == 0) {
        close(file);
        return 0;
    }
    mapping.data = mmap(NULL, mapping.size, PROT_READ, MAP_PRIVATE, file, 0);
    int map_errno = errno;
    close(file);
    if (mapping.data == MAP_FAILED)
        return sheaf_error_set_errno(error, map_errno, "cannot read %s", path);
    void *mappings = outputs->mappings;
    memory_grow(&mappings, &outputs->mapping_capacity, outputs->mapping_count + 1, sizeof mapping);
    outputs->mappings = mappings;
    outputs->mappings[outputs->mapping_count++] = mapping;
    add_records(outputs, &mapping);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct command_record *left = a;
    const struct command_record *right = b;
    if (left->task != right->task)
        return left->task < right->task ? -1 : 1;
    return (left->start_unix_us > right->start_unix_us) -
           (left->start_unix_us < right->start_unix_us);
}

int failed_outputs_read(const char *run_dir, struct failed_outputs **outputs,
                        struct sheaf_error *error)
{
    char *folder = run_directory_join(run_dir, FAILED_OUTPUT_FOLDER);
    struct failed_outputs *read = memory_allocate_zeroed(1, sizeof *read);
    DIR *stream = run_place_list(folder);
    int code = 0;
    if (stream == NULL && errno != ENOENT)
        code = sheaf_error_set_errno(error, errno, "cannot read %s", folder);
    for (const struct dirent *entry;
         code == 0 && stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = run_directory_join(folder, entry->d_name);
        code = read_file(read, path, error);
        free(path);
    }
    if (stream != NULL)
        closedir(stream);
    free(folder);
    if (code != 0) {
        failed_outputs_close(read);
        return code;
    }
    if (read->count > 0)
        qsort(read->records, read->count, sizeof *read->records, compare);
    *outputs = read;
    return 0;
}

void failed_outputs_close(struct failed_outputs *outputs)
{
    if (outputs == NULL)
        return;
    for (size_t i = 0; i < outputs->mapping_count; i++)
        munmap(outputs->mappings[i].data, outputs->mappings[i].size);
    free(outputs->mappings);
    free(outputs->records);
    free(outputs);
}

const struct command_record *failed_outputs_find(const struct failed_outputs *outputs,
                                                 uint64_t task)
{
    size_t low = 0;
    size_t high = outputs->count;
    while (low < high) { /* the first record of a later task */
        size_t middle = low + (high - low) / 2;
        if (outputs->records[middle].task <= task)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && outputs->records[low - 1].task == task ? &outputs->records[low - 1] : NULL;
}
