/* journal_image.h - the bytes of a closed journal, to be damaged and put back again and again. */
#ifndef SHEAF_TEST_JOURNAL_IMAGE_H
#define SHEAF_TEST_JOURNAL_IMAGE_H

#include "../../runtime/segment_file.h"
#include "journal_fixture.h"

enum { JOURNAL_IMAGE_PAGE_BYTES = 4096, JOURNAL_IMAGE_SEGMENTS_MAX = 16 };

/* A copy of all segments, to damage them again and again. */
struct journal_image {
    struct segment_list list;
    unsigned char *bytes[JOURNAL_IMAGE_SEGMENTS_MAX];
    size_t sizes[JOURNAL_IMAGE_SEGMENTS_MAX];
    uint8_t *salts; /* of the facts in it */
    size_t salt_count;
};

struct journal_image journal_image_take(const struct journal_fixture *fixture);
void journal_image_close(struct journal_image *image);
/* Makes the journal's files those of the image, and the model expect its facts. */
void journal_image_restore(struct journal_fixture *fixture, const struct journal_image *image);
/* Index of the last segment. */
size_t journal_image_last(const struct journal_image *image);

/* Flips a bit in the first block of the last segment that has `flag`, and restores that. */
void journal_image_damage_block(struct journal_fixture *fixture, const struct journal_image *image,
                                enum block_flag flag);

/* Pages are counted through all segments. */
size_t journal_image_page_count(const struct journal_image *image);
void journal_image_zero_page(struct journal_image *image, size_t page,
                             unsigned char kept[JOURNAL_IMAGE_PAGE_BYTES]);
void journal_image_restore_page(struct journal_image *image, size_t page,
                                const unsigned char kept[JOURNAL_IMAGE_PAGE_BYTES]);

#endif
