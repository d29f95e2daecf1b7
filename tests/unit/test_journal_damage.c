/* test_journal_damage.c - bytes of a journal go bad: what is sound comes back, and what is lost is
 * told. */
#include "../../scheduler/memory.h"
#include "disk_unsynced.h"
#include "journal_fixture.h"
#include "journal_image.h"

#include <string.h>

static void given_unsynced_folder(struct journal_fixture *fixture)
{
    given_folder(fixture);
    fixture->options.disk = disk_unsynced();
}

/* Two generations: an older segment, and the last one with a snapshot and records in several
 * blocks. The journal is closed. Returns the seq of the snapshot. */
static uint64_t given_two_generations(struct journal_fixture *fixture)
{
    given_unsynced_folder(fixture);
    fixture->model.payload_bytes_max = 2000;
    open_journal(fixture);
    for (int i = 0; i < 5; i++)
        append_durably(fixture, 20);
    uint64_t snapshot_seq = fixture->model.last_seq;
    take_snapshot(fixture);
    for (int i = 0; i < 5; i++)
        append_durably(fixture, 20);
    close_journal(fixture);
    return snapshot_seq;
}

/* Opens what was damaged. Whatever is lost must have been told, and the journal must be good for
 * more. Returns how many payloads are damaged. */
static size_t check_recovery(struct journal_fixture *fixture)
{
    open_journal(fixture);
    struct journal_model *model = &fixture->model;
    assert_true(model->gap_count == 0 || model->damage_count > 0);
    size_t damaged_count = journal_model_check_payloads(model, fixture->journal);
    uint64_t last_seq = model->last_seq;
    append(fixture, 10);
    reopen_journal(fixture);
    assert_int_equal(model->last_seq, last_seq + 10);
    assert_int_equal(journal_model_check_payloads(model, fixture->journal), damaged_count);
    close_journal(fixture);
    return damaged_count;
}

static void cuts_in_the_last_block_cost_that_block_alone(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_unsynced_folder(&fixture);
    open_journal(&fixture);
    append_durably(&fixture, 10);
    append_durably(&fixture, 10);
    close_journal(&fixture);
    struct journal_image before = journal_image_take(&fixture);
    open_journal(&fixture);
    append_durably(&fixture, 5);
    close_journal(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    size_t whole = image.sizes[0];
    assert_true(whole > before.sizes[0]);
    for (size_t size = before.sizes[0]; size < whole; size++) {
        image.sizes[0] = size;
        journal_image_restore(&fixture, &image);
        open_journal(&fixture);
        size_t padding = whole - size;
        uint64_t expected = padding < 8 && fixture.model.last_seq == 25 ? 25 : 20;
        journal_model_check_complete(&fixture.model, expected);
        assert_int_equal(fixture.model.damage_count, 0);
        assert_int_equal(fixture.model.torn_count, size > before.sizes[0] && expected == 20);
        assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
        append(&fixture, 3);
        reopen_journal(&fixture);
        journal_model_check_complete(&fixture.model, expected + 3);
        assert_int_equal(fixture.model.damage_count + fixture.model.torn_count, 0);
        close_journal(&fixture);
    }
    journal_image_close(&before);
    journal_image_close(&image);
    fixture_close(&fixture);
}

static void one_flipped_bit_costs_at_most_its_block(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_two_generations(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    for (size_t i = 0; i < image.list.count; i++) {
        for (size_t at = 0; at < image.sizes[i]; at += 512) {
            unsigned char bit = (unsigned char)(1 << (at / 512 % 8));
            image.bytes[i][at] ^= bit;
            journal_image_restore(&fixture, &image);
            check_recovery(&fixture);
            image.bytes[i][at] ^= bit;
        }
    }
    journal_image_close(&image);
    fixture_close(&fixture);
}

static void a_flipped_bit_in_every_512th_byte_is_survived(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_two_generations(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    for (size_t i = 0; i < image.list.count; i++) {
        for (size_t at = 0; at < image.sizes[i]; at += 512)
            image.bytes[i][at] ^= 16;
    }
    journal_image_restore(&fixture, &image);
    check_recovery(&fixture);
    assert_true(fixture.model.damage_count > 0);
    journal_image_close(&image);
    fixture_close(&fixture);
}

static void two_zeroed_pages_are_survived_wherever_they_are(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_two_generations(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    size_t pages = journal_image_page_count(&image);
    assert_true(pages > 20);
    unsigned char kept_first[JOURNAL_IMAGE_PAGE_BYTES];
    unsigned char kept_second[JOURNAL_IMAGE_PAGE_BYTES];
    for (size_t first = 0; first < pages; first++) {
        for (size_t second = first + 1; second < pages; second += 1 + first % 5) {
            journal_image_zero_page(&image, first, kept_first);
            journal_image_zero_page(&image, second, kept_second);
            journal_image_restore(&fixture, &image);
            check_recovery(&fixture);
            journal_image_restore_page(&image, second, kept_second);
            journal_image_restore_page(&image, first, kept_first);
        }
    }
    journal_image_close(&image);
    fixture_close(&fixture);
}

static void a_damaged_snapshot_costs_nothing_while_the_older_one_is_whole(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    uint64_t snapshot_seq = given_two_generations(&fixture);
    uint64_t last_seq = fixture.model.last_seq;
    struct journal_image image = journal_image_take(&fixture);
    assert_int_equal(image.list.starts[journal_image_last(&image)], snapshot_seq);
    journal_image_damage_block(&fixture, &image, BLOCK_SNAPSHOT);
    open_journal(&fixture);
    assert_true(fixture.model.damage_count > 0);
    assert_int_equal(fixture.model.first_seq, 1);
    assert_int_equal(fixture.model.gap_count, 0);
    journal_model_check_complete(&fixture.model, last_seq);
    assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    fixture_close(&fixture);
    journal_image_close(&image);
}

static void a_new_snapshot_after_damage_ends_the_messages(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_two_generations(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    journal_image_damage_block(&fixture, &image, BLOCK_SNAPSHOT);
    open_journal(&fixture);
    assert_true(fixture.model.damage_count > 0);
    append(&fixture, 1);
    assert_true(journal_wants_snapshot(fixture.journal));
    take_snapshot(&fixture);
    assert_false(journal_wants_snapshot(fixture.journal));
    uint64_t last_seq = fixture.model.last_seq;
    reopen_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 0);
    journal_model_check_complete(&fixture.model, last_seq);
    fixture_close(&fixture);
    journal_image_close(&image);
}

/* From here on: damage to a journal of one segment with blocks of 20 facts. */

static struct journal_image given_one_segment(struct journal_fixture *fixture, int block_count)
{
    given_unsynced_folder(fixture);
    open_journal(fixture);
    for (int i = 0; i < block_count; i++)
        append_durably(fixture, 20);
    close_journal(fixture);
    return journal_image_take(fixture);
}

/* Where each block of the first segment begins. */
static size_t find_blocks(const struct journal_fixture *fixture, uint64_t offsets[], size_t max)
{
    struct segment_file file;
    CHECK(segment_file_open(disk_system(), fixture->dir.text, 0, &file, NULL) == 0);
    struct segment_walk walk;
    segment_walk_init(&walk, &file);
    struct segment_piece piece;
    size_t count = 0;
    while (segment_walk_next(&walk, &piece)) {
        CHECK(count < max && piece.state == BLOCK_SOUND);
        offsets[count++] = piece.offset_bytes;
    }
    segment_walk_close(&walk);
    segment_file_close(&file);
    return count;
}

static void damage_in_the_middle_names_facts_and_tasks(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image image = given_one_segment(&fixture, 4);
    uint64_t offsets[8];
    assert_int_equal(find_blocks(&fixture, offsets, 8), 4);
    image.bytes[0][offsets[1] + BLOCK_HEADER_BYTES + 5] ^= 4;
    journal_image_restore(&fixture, &image);
    open_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 1);
    const struct journal_damage *damage = &fixture.model.damages[0];
    assert_string_equal(damage->segment, "segment-0000000000000000.log");
    assert_int_equal(damage->offset_bytes, offsets[1]);
    assert_int_equal(damage->first_seq, 21);
    assert_int_equal(damage->last_seq, 40);
    assert_true(damage->tasks.count > 0 && range_end(damage->tasks) <= MODEL_SLOTS);
    assert_non_null(strstr(damage->text, "facts 21 to 40 are lost; tasks "));
    assert_int_equal(fixture.model.gap_count, 20);
    assert_int_equal(fixture.model.first_gap_seq, 21);
    assert_int_equal(fixture.model.last_seq, 80);
    fixture_close(&fixture);
    journal_image_close(&image);
}

static void a_lost_block_header_is_told_by_its_neighbours(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image image = given_one_segment(&fixture, 5);
    uint64_t offsets[8];
    assert_int_equal(find_blocks(&fixture, offsets, 8), 5);
    memset(image.bytes[0] + offsets[1], 0, BLOCK_HEADER_BYTES);
    memset(image.bytes[0] + offsets[2], 0, BLOCK_HEADER_BYTES);
    journal_image_restore(&fixture, &image);
    open_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 1);
    assert_int_equal(fixture.model.damages[0].first_seq, 21);
    assert_int_equal(fixture.model.damages[0].last_seq, 60);
    assert_true(range_is_empty(fixture.model.damages[0].tasks));
    assert_int_equal(fixture.model.gap_count, 40);
    assert_int_equal(fixture.model.last_seq, 100);
    fixture_close(&fixture);
    journal_image_close(&image);
}

static void the_job_outlives_the_block_that_held_it(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image image = given_one_segment(&fixture, 3);
    uint64_t offsets[4];
    find_blocks(&fixture, offsets, 4);
    memset(image.bytes[0] + offsets[0], 0xff, offsets[1] - offsets[0]);
    journal_image_restore(&fixture, &image);
    open_journal(&fixture);
    assert_true(fixture.model.has_job);
    assert_int_equal(fixture.model.first_seq, 2); /* the job, in its place */
    assert_int_equal(fixture.model.last_seq, 60);
    fixture_close(&fixture);
    journal_image_close(&image);
}

static void a_lost_segment_header_is_recovered_from_the_name(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image image = given_one_segment(&fixture, 3);
    memset(image.bytes[0], 0, SEGMENT_HEADER_BYTES);
    journal_image_restore(&fixture, &image);
    fixture.options.identity[0]++;
    assert_int_equal(try_open(&fixture, NULL), SHEAF_ERROR_IDENTITY);
    fixture.options.identity[0]--;
    open_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 1);
    journal_model_check_complete(&fixture.model, 60);
    assert_int_equal(journal_model_check_payloads(&fixture.model, fixture.journal), 0);
    append(&fixture, 5);
    reopen_journal(&fixture);
    journal_model_check_complete(&fixture.model, 65);
    fixture_close(&fixture);
    journal_image_close(&image);
}

static void a_journal_of_garbage_is_as_new(void **state)
{
    (void)state;
    static const unsigned char fills[] = {0, 0xff, 'x'};
    struct journal_fixture fixture;
    given_two_generations(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    for (size_t fill = 0; fill < sizeof fills; fill++) {
        for (size_t i = 0; i < image.list.count; i++)
            memset(image.bytes[i], fills[fill], image.sizes[i]);
        journal_image_restore(&fixture, &image);
        open_journal(&fixture);
        assert_true(fixture.recovery.is_new);
        assert_true(fixture.model.damage_count > 0);
        assert_int_equal(fixture.model.fact_count, 0);
        uint64_t last_seq = fixture.model.last_seq;
        append(&fixture, 30);
        reopen_journal(&fixture);
        assert_int_equal(fixture.model.last_seq, last_seq + 30);
        assert_int_equal(fixture.model.fact_count, 30);
        close_journal(&fixture);
    }
    journal_image_close(&image);
    fixture_close(&fixture);
}

static void empty_files_are_as_new(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image image = given_one_segment(&fixture, 3);
    for (size_t size = 0; size <= SEGMENT_HEADER_BYTES; size += 16) {
        image.sizes[0] = size;
        journal_image_restore(&fixture, &image);
        open_journal(&fixture);
        assert_true(fixture.recovery.is_new);
        append(&fixture, 10);
        reopen_journal(&fixture);
        journal_model_check_complete(&fixture.model, 10);
        assert_int_equal(fixture.model.damage_count, 0);
        close_journal(&fixture);
    }
    journal_image_close(&image);
    fixture_close(&fixture);
}

/* A result that is itself a journal, of the same job even: losing the header around it must not
 * bring its facts to life. */
static void a_journal_within_a_payload_is_never_replayed(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image inner = given_one_segment(&fixture, 10);
    open_journal(&fixture);
    size_t size = inner.sizes[0];
    enum { COPIES = 32 }; /* one byte further each: some lie where a block may begin */
    size_t payload_size = COPIES * (size + 1);
    unsigned char *payload = memory_allocate_zeroed(1, payload_size);
    for (size_t i = 0; i < COPIES; i++)
        memcpy(payload + i * (size + 1), inner.bytes[0], size);
    struct partial partial = {.range = {0, 1}, .size_bytes = payload_size};
    struct fact fact = {
        .kind = FACT_RESULT,
        .seq = 201,
        .as.result = {.work = WORK_RUN, .partial_count = 1, .partials = &partial},
    };
    journal_append(fixture.journal, &fact, payload, payload_size);
    fixture.model.last_seq = 201;
    append(&fixture, 20);
    close_journal(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    memset(image.bytes[0] + size, 0, BLOCK_HEADER_BYTES);
    journal_image_restore(&fixture, &image);
    open_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 1);
    assert_int_equal(fixture.model.damages[0].first_seq, 201);
    assert_int_equal(fixture.model.damages[0].last_seq, 201);
    assert_int_equal(fixture.model.fact_count, 220);
    free(payload);
    fixture_close(&fixture);
    journal_image_close(&image);
    journal_image_close(&inner);
}

static void damaged_copies_of_payloads_are_told_when_they_are_read(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_unsynced_folder(&fixture);
    open_journal(&fixture);
    append_durably(&fixture, 200);
    take_snapshot(&fixture);
    close_journal(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    journal_image_damage_block(&fixture, &image, BLOCK_CARRIER);
    open_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 1);
    assert_non_null(strstr(fixture.model.damages[0].text, "copied"));
    assert_int_equal(fixture.model.gap_count, 0);
    journal_model_check_complete(&fixture.model, fixture.recovery.last_seq);
    assert_true(journal_model_check_payloads(&fixture.model, fixture.journal) > 0);
    fixture_close(&fixture);
    journal_image_close(&image);
}

/* The snapshot refers to results in an older segment, which is damaged or gone meanwhile. */
static void damaged_payloads_are_told_when_they_are_read(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    given_unsynced_folder(&fixture);
    fixture.model.payload_bytes_max = 100 << 10;
    open_journal(&fixture);
    append_durably(&fixture, 10);
    take_snapshot(&fixture);
    close_journal(&fixture);
    struct journal_image image = journal_image_take(&fixture);
    assert_int_equal(image.list.count, 2);
    for (size_t at = JOURNAL_IMAGE_PAGE_BYTES; at < image.sizes[0]; at += JOURNAL_IMAGE_PAGE_BYTES)
        image.bytes[0][at] ^= 8;
    journal_image_restore(&fixture, &image);
    open_journal(&fixture);
    assert_int_equal(fixture.model.damage_count, 0); /* nobody has looked */
    assert_true(journal_model_check_payloads(&fixture.model, fixture.journal) > 0);
    close_journal(&fixture);
    char *path = segment_path(fixture.dir.text, 0, SEGMENT_SUFFIX);
    assert_int_equal(unlink(path), 0);
    free(path);
    open_journal(&fixture);
    assert_true(journal_model_check_payloads(&fixture.model, fixture.journal) > 0);
    fixture_close(&fixture);
    journal_image_close(&image);
}

static void reading_leaves_a_damaged_journal_as_it_is(void **state)
{
    (void)state;
    struct journal_fixture fixture;
    struct journal_image image = given_one_segment(&fixture, 4);
    uint64_t offsets[8];
    find_blocks(&fixture, offsets, 8);
    image.sizes[0] -= 9;
    journal_image_restore(&fixture, &image);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(journal_verify(fixture.dir.text, out, NULL), 0); /* a torn tail */
    image.bytes[0][offsets[1] + BLOCK_HEADER_BYTES] ^= 1;
    journal_image_restore(&fixture, &image);
    assert_int_equal(journal_verify(fixture.dir.text, out, NULL), SHEAF_ERROR_DAMAGED);
    assert_int_equal(journal_dump(fixture.dir.text, out, NULL), 0);
    fclose(out);
    assert_non_null(strstr(text, "torn tail at "));
    assert_non_null(strstr(text, "facts 21 to 40"));
    free(text);
    struct journal_recovery recovery = journal_model_recovery(&fixture.model);
    assert_int_equal(journal_scan(fixture.dir.text, &recovery, NULL), 0);
    assert_int_equal(fixture.model.last_seq, 60);
    assert_int_equal(fixture.model.damage_count, 1);
    assert_int_equal(fixture.model.torn_count, 1);
    struct journal_image after = journal_image_take(&fixture);
    assert_int_equal(after.sizes[0], image.sizes[0]);
    assert_memory_equal(after.bytes[0], image.bytes[0], image.sizes[0]);
    journal_image_close(&after);
    journal_image_close(&image);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_in_the_last_block_cost_that_block_alone),
        cmocka_unit_test(one_flipped_bit_costs_at_most_its_block),
        cmocka_unit_test(a_flipped_bit_in_every_512th_byte_is_survived),
        cmocka_unit_test(two_zeroed_pages_are_survived_wherever_they_are),
        cmocka_unit_test(a_damaged_snapshot_costs_nothing_while_the_older_one_is_whole),
        cmocka_unit_test(a_new_snapshot_after_damage_ends_the_messages),
        cmocka_unit_test(damage_in_the_middle_names_facts_and_tasks),
        cmocka_unit_test(a_lost_block_header_is_told_by_its_neighbours),
        cmocka_unit_test(the_job_outlives_the_block_that_held_it),
        cmocka_unit_test(a_lost_segment_header_is_recovered_from_the_name),
        cmocka_unit_test(a_journal_of_garbage_is_as_new),
        cmocka_unit_test(empty_files_are_as_new),
        cmocka_unit_test(a_journal_within_a_payload_is_never_replayed),
        cmocka_unit_test(damaged_copies_of_payloads_are_told_when_they_are_read),
        cmocka_unit_test(damaged_payloads_are_told_when_they_are_read),
        cmocka_unit_test(reading_leaves_a_damaged_journal_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
