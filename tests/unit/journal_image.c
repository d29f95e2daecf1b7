/* journal_image.c - copies segments, and damages them. */
#include "journal_image.h"

#include "../../scheduler/memory.h"

#include <string.h>

static void write_segment(const struct journal_fixture *fixture, uint64_t start_seq,
                          const void *bytes, size_t size)
{
    char name[SEGMENT_NAME_BYTES];
    segment_name(start_seq, name);
    char path[64];
    snprintf(path, sizeof path, "journal/%s", name);
    scratch_write(&fixture->scratch, path, bytes, size);
}

static void remove_segments(const struct journal_fixture *fixture)
{
    struct segment_list list = {0};
    CHECK(segment_list_read(fixture->dir.text, SEGMENT_SUFFIX, &list, NULL) == 0);
    for (size_t i = 0; i < list.count; i++) {
        char *path = segment_path(fixture->dir.text, list.starts[i], SEGMENT_SUFFIX);
        CHECK(unlink(path) == 0);
        free(path);
    }
    segment_list_close(&list);
}

struct journal_image journal_image_take(const struct journal_fixture *fixture)
{
    struct journal_image image = {0};
    CHECK(segment_list_read(fixture->dir.text, SEGMENT_SUFFIX, &image.list, NULL) == 0);
    CHECK(image.list.count <= JOURNAL_IMAGE_SEGMENTS_MAX);
    for (size_t i = 0; i < image.list.count; i++) {
        struct segment_file file;
        CHECK(segment_file_open(disk_system(), fixture->dir.text, image.list.starts[i], &file,
                                NULL) == 0);
        image.sizes[i] = file.size_bytes;
        image.bytes[i] = memory_allocate(file.size_bytes);
        CHECK(disk_read_all(file.disk, file.descriptor, image.bytes[i], file.size_bytes, 0) ==
              (ssize_t)file.size_bytes);
        segment_file_close(&file);
    }
    image.salt_count = fixture->model.last_seq + 1;
    image.salts = memory_copy(fixture->model.salts, image.salt_count);
    return image;
}

void journal_image_restore(struct journal_fixture *fixture, const struct journal_image *image)
{
    memset(fixture->model.salts, 0, fixture->model.salt_capacity);
    memcpy(fixture->model.salts, image->salts, image->salt_count);
    remove_segments(fixture);
    for (size_t i = 0; i < image->list.count; i++)
        write_segment(fixture, image->list.starts[i], image->bytes[i], image->sizes[i]);
}

void journal_image_close(struct journal_image *image)
{
    for (size_t i = 0; i < image->list.count; i++)
        free(image->bytes[i]);
    free(image->salts);
    segment_list_close(&image->list);
}

size_t journal_image_last(const struct journal_image *image)
{
    return image->list.count - 1;
}

/* Flips a bit in the first block of the last segment that has `flag`. */
void journal_image_damage_block(struct journal_fixture *fixture, const struct journal_image *image,
                                enum block_flag flag)
{
    uint64_t start_seq = image->list.starts[journal_image_last(image)];
    struct segment_file file;
    CHECK(segment_file_open(disk_system(), fixture->dir.text, start_seq, &file, NULL) == 0);
    struct segment_walk walk;
    segment_walk_init(&walk, &file);
    struct segment_piece piece;
    do
        CHECK(segment_walk_next(&walk, &piece));
    while ((walk.block.header.flags & flag) == 0);
    segment_walk_close(&walk);
    segment_file_close(&file);
    image->bytes[journal_image_last(image)][piece.offset_bytes + BLOCK_HEADER_BYTES + 10] ^= 1;
    journal_image_restore(fixture, image);
}

void journal_image_zero_page(struct journal_image *image, size_t page,
                             unsigned char kept[JOURNAL_IMAGE_PAGE_BYTES])
{
    for (size_t i = 0; i < image->list.count; i++) {
        size_t pages = (image->sizes[i] + JOURNAL_IMAGE_PAGE_BYTES - 1) / JOURNAL_IMAGE_PAGE_BYTES;
        if (page >= pages) {
            page -= pages;
            continue;
        }
        size_t first = page * JOURNAL_IMAGE_PAGE_BYTES;
        size_t size = image->sizes[i] - first < JOURNAL_IMAGE_PAGE_BYTES ? image->sizes[i] - first
                                                                         : JOURNAL_IMAGE_PAGE_BYTES;
        memcpy(kept, image->bytes[i] + first, size);
        memset(image->bytes[i] + first, 0, size);
        return;
    }
}

void journal_image_restore_page(struct journal_image *image, size_t page,
                                const unsigned char kept[JOURNAL_IMAGE_PAGE_BYTES])
{
    for (size_t i = 0; i < image->list.count; i++) {
        size_t pages = (image->sizes[i] + JOURNAL_IMAGE_PAGE_BYTES - 1) / JOURNAL_IMAGE_PAGE_BYTES;
        if (page >= pages) {
            page -= pages;
            continue;
        }
        size_t first = page * JOURNAL_IMAGE_PAGE_BYTES;
        size_t size = image->sizes[i] - first < JOURNAL_IMAGE_PAGE_BYTES ? image->sizes[i] - first
                                                                         : JOURNAL_IMAGE_PAGE_BYTES;
        memcpy(image->bytes[i] + first, kept, size);
        return;
    }
}

size_t journal_image_page_count(const struct journal_image *image)
{
    size_t count = 0;
    for (size_t i = 0; i < image->list.count; i++)
        count += (image->sizes[i] + JOURNAL_IMAGE_PAGE_BYTES - 1) / JOURNAL_IMAGE_PAGE_BYTES;
    return count;
}
