/* split.c - walks the tasks of a built-in split. */
#include "split.h"

#include "../scheduler/check.h"
#include "../scheduler/fact.h"
#include "../scheduler/memory.h"
#include "input_files.h"
#include "split_blocks.h"
#include "split_lines.h"

#include <stdlib.h>
#include <string.h>

/* Size and time of change of a file, behind its path: another version of it is another input. */
enum { FILE_VERSION_BYTES = 3 * sizeof(uint64_t) };

struct split_walk {
    const struct split *split;
    uint64_t task_count;
    uint64_t next_task;
    struct input_files files;    /* LINES, FILES, ITEMS, BLOCKS */
    size_t file;                 /* of the next task */
    struct item_list *list;      /* ITEMS: the file before it; NULL before the first */
    struct block_cutter *cutter; /* BLOCKS: likewise */
    uint64_t offset_bytes;       /* LINES: of the next task */
    size_t *digits;              /* PRODUCT: the next task's value on each axis */
    struct byte_writer input;
};

static int too_many(const char *what, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                           "the job would have more than 2^62 tasks; make %s", what);
}

static uint64_t block_count(const struct split *split, const struct input_file *file)
{
    return file->size_bytes / split->block_bytes + (file->size_bytes % split->block_bytes != 0);
}

static int count_lines(struct split_walk *walk, struct sheaf_error *error)
{
    CHECK(walk->split->block_bytes > 0);
    uint64_t count = 0;
    for (size_t i = 0; i < walk->files.count; i++) {
        uint64_t blocks = block_count(walk->split, &walk->files.items[i]);
        if (blocks > SHEAF_TASKS_MAX - count)
            return too_many("\"block\" larger", error);
        count += blocks;
    }
    walk->task_count = count;
    return 0;
}

/* 1 with the next item of any of the files, 0 after the last one. */
static int read_item(struct split_walk *walk, struct byte_reader *item, struct sheaf_error *error)
{
    for (;;) {
        int code = walk->list != NULL ? item_list_next(walk->list, item, error) : 0;
        if (code == 1 && item_list_is_barrier(walk->list))
            return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                                   "a BARRIER came into %s while it was read: repeat the command",
                                   walk->files.items[walk->file - 1].path);
        if (code != 0)
            return code;
        item_list_close(walk->list);
        walk->list = NULL;
        if (walk->file == walk->files.count)
            return 0;
        code = item_list_open(walk->files.items[walk->file++].path, walk->split->item_form,
                              &walk->list, error);
        if (code != 0)
            return code;
    }
}

static int count_items(struct split_walk *walk, struct sheaf_error *error)
{
    struct byte_reader item;
    int code;
    while ((code = read_item(walk, &item, error)) == 1)
        walk->task_count++;
    walk->file = 0;
    return code;
}

/* 1 with the next block of any of the files, 0 after the last one. */
static int read_block(struct split_walk *walk, struct line_block *block, struct sheaf_error *error)
{
    for (;;) {
        int code = walk->cutter != NULL ? block_cutter_next(walk->cutter, block, error) : 0;
        if (code != 0)
            return code;
        block_cutter_close(walk->cutter);
        walk->cutter = NULL;
        if (walk->file == walk->files.count)
            return 0;
        code = block_cutter_open(&walk->files.items[walk->file++], walk->split->block_bytes,
                                 &walk->cutter, error);
        if (code != 0)
            return code;
    }
}

static int count_blocks(struct split_walk *walk, struct sheaf_error *error)
{
    CHECK(walk->split->block_bytes > 0);
    struct line_block block;
    int code;
    while ((code = read_block(walk, &block, error)) == 1)
        walk->task_count++;
    walk->file = 0;
    return code;
}

static int count_product(struct split_walk *walk, struct sheaf_error *error)
{
    const struct split *split = walk->split;
    uint64_t count = 1;
    for (size_t i = 0; i < split->axis_count; i++) {
        CHECK(split->axes[i].value_count > 0);
        if (__builtin_mul_overflow(count, split->axes[i].value_count, &count) ||
            count > SHEAF_TASKS_MAX)
            return too_many("the lists of \"product\" shorter", error);
    }
    walk->digits = memory_allocate_zeroed(split->axis_count, sizeof *walk->digits);
    walk->task_count = count;
    return 0;
}

int split_walk_create(const struct split *split, struct split_walk **walk,
                      struct sheaf_error *error)
{
    CHECK(split->kind != SPLIT_PLUGIN);
    struct split_walk *created = memory_allocate_zeroed(1, sizeof *created);
    created->split = split;
    int code = 0;
    switch (split->kind) {
    case SPLIT_RANGE:
        created->task_count = split->tasks;
        break;
    case SPLIT_LINES:
        code = input_files_match(split, &created->files, error);
        if (code == 0)
            code = count_lines(created, error);
        break;
    case SPLIT_FILES:
        code = input_files_match(split, &created->files, error);
        created->task_count = created->files.count;
        break;
    case SPLIT_ITEMS:
        code = input_files_match(split, &created->files, error);
        if (code == 0)
            code = count_items(created, error);
        break;
    case SPLIT_TASKS:
        created->task_count = split->table->count;
        break;
    case SPLIT_BLOCKS:
    case SPLIT_STORED_BLOCKS:
        code = input_files_match(split, &created->files, error);
        if (code == 0)
            code = count_blocks(created, error);
        break;
    case SPLIT_PRODUCT:
        code = count_product(created, error);
        break;
    case SPLIT_PLUGIN:
        break;
    }
    if (code != 0) {
        split_walk_destroy(created);
        return code;
    }
    *walk = created;
    return 0;
}

void split_walk_destroy(struct split_walk *walk)
{
    if (walk == NULL)
        return;
    item_list_close(walk->list);
    block_cutter_close(walk->cutter);
    input_files_close(&walk->files);
    free(walk->digits);
    byte_writer_close(&walk->input);
    free(walk);
}

uint64_t split_walk_task_count(const struct split_walk *walk)
{
    return walk->task_count;
}

bool split_walk_has_input(const struct split_walk *walk)
{
    return walk->split->kind != SPLIT_RANGE;
}

static void next_lines(struct split_walk *walk)
{
    while (walk->offset_bytes >= walk->files.items[walk->file].size_bytes) {
        walk->file++;
        walk->offset_bytes = 0;
    }
    const struct input_file *file = &walk->files.items[walk->file];
    uint64_t left = file->size_bytes - walk->offset_bytes;
    uint64_t size = left < walk->split->block_bytes ? left : walk->split->block_bytes;
    struct line_block block = {
        .path = file->path,
        .path_bytes = strlen(file->path),
        .offset_bytes = walk->offset_bytes,
        .size_bytes = size,
        .file_bytes = file->size_bytes,
    };
    line_block_encode(&block, &walk->input);
    walk->offset_bytes += size;
}

static void next_file(struct split_walk *walk)
{
    const struct input_file *file = &walk->files.items[walk->file++];
    byte_writer_put(&walk->input, file->path, strlen(file->path));
    byte_writer_put_u64(&walk->input, file->size_bytes);
    byte_writer_put_u64(&walk->input, (uint64_t)file->changed_s);
    byte_writer_put_u64(&walk->input, (uint64_t)file->changed_ns);
}

static void next_combination(struct split_walk *walk)
{
    const struct split *split = walk->split;
    for (size_t i = 0; i < split->axis_count; i++) {
        const struct split_axis *axis = &split->axes[i];
        const char *value = axis->values[walk->digits[i]];
        byte_writer_put(&walk->input, axis->name, strlen(axis->name));
        byte_writer_put_u8(&walk->input, '=');
        byte_writer_put(&walk->input, value, strlen(value));
        byte_writer_put_u8(&walk->input, '\n');
    }
    for (size_t i = split->axis_count; i-- > 0;) {
        if (++walk->digits[i] < split->axes[i].value_count)
            break;
        walk->digits[i] = 0;
    }
}

static void next_listed(struct split_walk *walk, struct byte_reader *input)
{
    const char *command = walk->split->table->commands[walk->next_task - 1];
    *input = byte_reader_of(command, strlen(command));
}

static int became_shorter(const struct split_walk *walk, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "%s became shorter while it was read: repeat the command",
                           walk->files.items[walk->files.count - 1].path);
}

static int next_item(struct split_walk *walk, struct byte_reader *input, struct sheaf_error *error)
{
    int code = read_item(walk, input, error);
    return code == 0 ? became_shorter(walk, error) : code;
}

/* A descriptor, or the lines themselves. */
static int next_block(struct split_walk *walk, struct byte_reader *input, struct sheaf_error *error)
{
    struct line_block block;
    int code = read_block(walk, &block, error);
    if (code == 0)
        return became_shorter(walk, error);
    if (code == 1 && walk->split->kind == SPLIT_BLOCKS)
        line_block_encode(&block, &walk->input);
    else if (code == 1)
        code = line_block_read(&block, SPLIT_STORED_BYTES_MAX, &walk->input, error);
    if (code < 0)
        return code;
    *input = byte_reader_of(walk->input.data, walk->input.size);
    return 1;
}

int split_walk_next(struct split_walk *walk, struct byte_reader *input, struct sheaf_error *error)
{
    if (walk->next_task == walk->task_count)
        return 0;
    walk->next_task++;
    byte_writer_clear(&walk->input);
    switch (walk->split->kind) {
    case SPLIT_ITEMS:
        return next_item(walk, input, error);
    case SPLIT_TASKS:
        next_listed(walk, input);
        return 1;
    case SPLIT_BLOCKS:
    case SPLIT_STORED_BLOCKS:
        return next_block(walk, input, error);
    case SPLIT_LINES:
        next_lines(walk);
        break;
    case SPLIT_FILES:
        next_file(walk);
        break;
    case SPLIT_PRODUCT:
        next_combination(walk);
        break;
    case SPLIT_RANGE:
    case SPLIT_PLUGIN:
        break;
    }
    *input = byte_reader_of(walk->input.data, walk->input.size);
    return 1;
}

struct byte_reader split_input_name(enum split_kind kind, struct byte_reader stored)
{
    size_t size = stored.size;
    if (kind == SPLIT_FILES && size >= FILE_VERSION_BYTES)
        size -= FILE_VERSION_BYTES;
    return byte_reader_of(stored.data, size);
}

int split_materialize(enum split_kind kind, struct byte_reader stored, struct byte_writer *scratch,
                      struct byte_reader *bytes, struct sheaf_error *error)
{
    if (kind == SPLIT_FILES) {
        if (stored.size < FILE_VERSION_BYTES)
            return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "the task's input is no file");
        *bytes = byte_reader_of(stored.data, stored.size - FILE_VERSION_BYTES);
        return 0;
    }
    if (kind != SPLIT_LINES && kind != SPLIT_BLOCKS) {
        *bytes = stored;
        return 0;
    }
    struct line_block block;
    int code = line_block_decode(&stored, &block, error);
    if (code == 0)
        code = line_block_read(&block, SPLIT_LINES_BYTES_MAX, scratch, error);
    if (code == 0)
        *bytes = byte_reader_of(scratch->data, scratch->size);
    return code;
}
