/* test_segment.c - the format of segments: headers, blocks, records, compression, and the walk past
 * damage. */
#include "../../runtime/compress.h"
#include "../../runtime/segment_file.h"
#include "../../runtime/segment_output.h"
#include "../../scheduler/memory.h"
#include "disk_fake.h"
#include "disk_unsynced.h"
#include "scratch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct block_header some_block_header(void)
{
    return (struct block_header){
        .flags = BLOCK_SNAPSHOT,
        .identity_tag = 0x0123456789abcdef,
        .stored_bytes = 777,
        .raw_bytes = 777,
        .first_seq = 40,
        .last_seq = 50,
        .tasks = {7, 9},
        .record_count = 11,
        .stored_crc = 0xdeadbeef,
    };
}

static void segment_header_comes_back_and_every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct segment_header header = {.identity = {3, 1, 4, 1, 5}, .start_seq = 926};
    struct segment_header decoded;
    unsigned char bytes[SEGMENT_HEADER_BYTES];
    segment_header_encode(&header, bytes);
    assert_int_equal(segment_header_decode(bytes, &decoded, NULL), 0);
    assert_int_equal(decoded.start_seq, 926);
    assert_memory_equal(decoded.identity, header.identity, sizeof header.identity);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(segment_header_decode(bytes, &decoded, NULL), SHEAF_ERROR_DAMAGED);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

static void another_format_version_is_refused_by_name(void **state)
{
    (void)state;
    struct segment_header header = {.start_seq = 1};
    unsigned char bytes[SEGMENT_HEADER_BYTES];
    segment_header_encode(&header, bytes);
    bytes[8] = SEGMENT_FORMAT_VERSION + 1;
    uint32_t crc = block_crc(bytes, SEGMENT_HEADER_BYTES - 4);
    for (size_t i = 0; i < 4; i++)
        bytes[SEGMENT_HEADER_BYTES - 4 + i] = (unsigned char)(crc >> (8 * i));
    struct sheaf_error error = {0};
    assert_int_equal(segment_header_decode(bytes, &header, &error), SHEAF_ERROR_IDENTITY);
    assert_non_null(strstr(error.text, "format version 3"));
    assert_null(strstr(error.text, "--fresh"));
}

static void block_header_comes_back_and_every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct block_header header = some_block_header();
    struct block_location location = {12, 4096};
    unsigned char bytes[BLOCK_HEADER_BYTES];
    block_header_encode(&header, location, bytes);
    struct block_header decoded;
    assert_true(block_header_decode(bytes, location, &decoded));
    assert_memory_equal(&decoded, &header, sizeof header);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_false(block_header_decode(bytes, location, &decoded));
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

static void block_header_is_good_for_its_own_place_alone(void **state)
{
    (void)state;
    struct block_header header = some_block_header();
    unsigned char bytes[BLOCK_HEADER_BYTES];
    block_header_encode(&header, (struct block_location){12, 4096}, bytes);
    assert_false(block_header_decode(bytes, (struct block_location){12, 4104}, &header));
    assert_false(block_header_decode(bytes, (struct block_location){13, 4096}, &header));
    assert_true(block_header_decode(bytes, (struct block_location){12, 4096}, &header));
}

static void block_headers_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct block_location location = {0, 64};
    struct block_header wrong[5];
    for (size_t i = 0; i < 5; i++)
        wrong[i] = some_block_header();
    wrong[0].flags = 1U << 31;
    wrong[1].raw_bytes = 778;
    wrong[2].flags = BLOCK_COMPRESSED;
    wrong[2].raw_bytes = (uint64_t)1 << 40;
    wrong[3].first_seq = 51;
    wrong[4].tasks.first = UINT64_MAX;
    for (size_t i = 0; i < 5; i++) {
        unsigned char bytes[BLOCK_HEADER_BYTES];
        struct block_header decoded;
        block_header_encode(&wrong[i], location, bytes);
        assert_false(block_header_decode(bytes, location, &decoded));
    }
}

static struct fact a_result(struct partial *partial)
{
    *partial = (struct partial){.range = {64, 64}, .size_bytes = 5};
    return (struct fact){
        .kind = FACT_RESULT,
        .seq = 9,
        .as.result = {.work = WORK_RUN, .partial_count = 1, .partials = partial},
    };
}

static void records_come_back_and_a_cut_one_is_refused(void **state)
{
    (void)state;
    struct partial partial;
    struct fact result = a_result(&partial);
    struct fact run = {.kind = FACT_RUN_STARTED, .seq = 10, .as.run_started = {7}};
    struct byte_writer writer = {0};
    record_put_fact(&writer, &result, "12345", 5);
    size_t first_size = writer.size;
    record_put_fact(&writer, &run, NULL, 0);
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    struct record record;
    assert_true(record_next(&reader, &record));
    assert_int_equal(record.kind, FACT_RESULT);
    assert_int_equal(record.seq, 9);
    assert_int_equal(record.payload_bytes, 5);
    assert_memory_equal(record.payload, "12345", 5);
    assert_true(record_next(&reader, &record));
    assert_int_equal(record.kind, FACT_RUN_STARTED);
    assert_int_equal(record.offset_bytes, first_size);
    assert_int_equal(record.payload_bytes, 0);
    assert_false(record_next(&reader, &record));
    assert_false(reader.failed);
    for (size_t size = 1; size < first_size; size++) {
        reader = byte_reader_of(writer.data, size);
        assert_false(record_next(&reader, &record));
        assert_true(reader.failed);
    }
    byte_writer_close(&writer);
}

static void block_names_the_tasks_whose_results_it_holds(void **state)
{
    (void)state;
    struct block_header header = {0};
    struct partial partial;
    struct fact fact = a_result(&partial);
    struct fact assigned = {
        .kind = FACT_ASSIGNED,
        .seq = 8,
        .as.assigned = {.work = WORK_RUN, .range = {0, 1000}, .attempt = 1},
    };
    block_header_add_fact(&header, &assigned);
    assert_true(range_is_empty(header.tasks));
    block_header_add_fact(&header, &fact);
    assert_int_equal(header.tasks.first, 64);
    assert_int_equal(header.tasks.count, 64);
    partial.range = (struct range){512, 8};
    block_header_add_fact(&header, &fact);
    assert_int_equal(header.tasks.first, 64);
    assert_int_equal(range_end(header.tasks), 520);
    fact.as.result.work = WORK_FINISH;
    partial.range = (struct range){0, 100000};
    block_header_add_fact(&header, &fact);
    assert_int_equal(header.tasks.first, 64);
}

static unsigned char *random_bytes(size_t size)
{
    unsigned char *bytes = memory_allocate(size);
    uint64_t value = 1;
    for (size_t i = 0; i < size; i++) {
        value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
        bytes[i] = (unsigned char)(value >> 56);
    }
    return bytes;
}

static void compression_is_used_only_where_it_pays(void **state)
{
    (void)state;
    struct compressor *compressor = compressor_create();
    struct byte_writer writer = {0};
    size_t size = 200 << 10;
    unsigned char *noise = random_bytes(size);
    assert_false(compressor_try(compressor, noise, size, &writer));
    assert_false(compressor_try(compressor, noise, 1000, &writer));
    assert_int_equal(writer.size, 0);
    for (size_t i = 0; i < size; i++)
        noise[i] &= 3;
    assert_true(compressor_try(compressor, noise, size, &writer));
    assert_true(writer.size < size / 2);
    unsigned char *restored = memory_allocate(size);
    assert_true(compress_restore(writer.data, writer.size, restored, size));
    assert_memory_equal(restored, noise, size);
    assert_false(compress_restore(writer.data, writer.size, restored, size - 1));
    assert_false(compress_restore(writer.data, writer.size - 1, restored, size));
    writer.data[writer.size / 2] ^= 1;
    assert_false(compress_restore(writer.data, writer.size, restored, size));
    free(restored);
    free(noise);
    byte_writer_close(&writer);
    compressor_destroy(compressor);
}

static void listing_finds_segments_in_order_and_nothing_else(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    static const char *const names[] = {
        "segment-00000000000000ff.log", "segment-0000000000000000.log", "segment-00.log",
        "segment-00000000000000ff.tmp", "segment-000000000000000g.log", "notes",
        "segment-ffffffffffffffff.log", "segment-0000000000000010.log",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        scratch_write(&scratch, names[i], "", 0);
    struct segment_list list = {0};
    assert_int_equal(segment_list_read(scratch.path, SEGMENT_SUFFIX, &list, NULL), 0);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.starts[0], 0);
    assert_int_equal(list.starts[1], 0x10);
    assert_int_equal(list.starts[2], 0xff);
    segment_list_close(&list);
    scratch_remove(&scratch);
}

/* A segment of blocks with one RUN_STARTED each: block i has seq i + 1 and lies at offsets[i]. */
enum { WALK_BLOCKS = 6 };

struct walk_fixture {
    struct scratch scratch;
    uint64_t offsets[WALK_BLOCKS + 1];
    struct segment_place place;
};

static void given_segment(struct walk_fixture *fixture)
{
    *fixture = (struct walk_fixture){.scratch = given_scratch()};
    fixture->place.dir = fixture->scratch.path;
    fixture->place.disk = disk_unsynced();
    struct segment_output output;
    struct block_bytes block = {0};
    CHECK(segment_output_create(&fixture->place, 0, &output, NULL) == 0);
    for (uint64_t i = 0; i < WALK_BLOCKS; i++) {
        struct fact fact = {.kind = FACT_RUN_STARTED, .seq = i + 1, .as.run_started = {i}};
        fixture->offsets[i] = output.size_bytes;
        block_bytes_start(&block, i + 1, 100);
        record_put_fact(&block.bytes, &fact, NULL, 0);
        block_bytes_pad(&block);
        CHECK(segment_output_write(&output, &block, true, NULL) == 0);
    }
    fixture->offsets[WALK_BLOCKS] = output.size_bytes;
    CHECK(segment_output_publish(&output, NULL) == 0);
    segment_output_close(&output);
    byte_writer_close(&block.bytes);
}

static void walk_fixture_close(struct walk_fixture *fixture)
{
    segment_place_close(&fixture->place);
    scratch_remove(&fixture->scratch);
}

static void flip_byte(const struct walk_fixture *fixture, uint64_t offset)
{
    char *path = segment_path(fixture->scratch.path, 0, SEGMENT_SUFFIX);
    FILE *file = fopen(path, "r+");
    CHECK(file != NULL && fseek(file, (long)offset, SEEK_SET) == 0);
    int byte = fgetc(file);
    CHECK(fseek(file, (long)offset, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
    CHECK(fclose(file) == 0);
    free(path);
}

/* Walks, and returns the sound seqs as a text, with the damaged stretches as letters: h without a
 * header, b with bad bytes, c cut. */
static void walk_as_text(const struct walk_fixture *fixture, const struct disk *disk, char *text)
{
    struct segment_file file;
    CHECK(segment_file_open(disk, fixture->scratch.path, 0, &file, NULL) == 0);
    struct segment_walk walk;
    segment_walk_init(&walk, &file);
    struct segment_piece piece;
    static const char letters[] = {0, 'h', 'b', 'c'};
    for (; segment_walk_next(&walk, &piece); text++)
        *text = piece.state == BLOCK_SOUND ? (char)('0' + walk.block.header.first_seq)
                                           : letters[piece.state];
    *text = '\0';
    segment_walk_close(&walk);
    segment_file_close(&file);
}

static void walk_passes_over_damage_to_the_next_sound_block(void **state)
{
    (void)state;
    struct walk_fixture fixture;
    char text[32];
    given_segment(&fixture);
    walk_as_text(&fixture, disk_system(), text);
    assert_string_equal(text, "123456");
    flip_byte(&fixture, fixture.offsets[1] + BLOCK_HEADER_BYTES + 3);
    walk_as_text(&fixture, disk_system(), text);
    assert_string_equal(text, "1b3456");
    flip_byte(&fixture, fixture.offsets[3] + 20);
    walk_as_text(&fixture, disk_system(), text);
    assert_string_equal(text, "1b3h56");
    flip_byte(&fixture, fixture.offsets[4]);
    walk_as_text(&fixture, disk_system(), text);
    assert_string_equal(text, "1b3h6");
    char *path = segment_path(fixture.scratch.path, 0, SEGMENT_SUFFIX);
    assert_int_equal(truncate(path, (off_t)fixture.offsets[WALK_BLOCKS] - 9), 0);
    free(path);
    walk_as_text(&fixture, disk_system(), text);
    assert_string_equal(text, "1b3hc");
    walk_fixture_close(&fixture);
}

static void a_block_without_records_is_sound(void **state)
{
    (void)state;
    struct walk_fixture fixture = {.scratch = given_scratch()};
    struct segment_output output;
    struct block_bytes block = {0};
    char text[32];
    fixture.place.dir = fixture.scratch.path;
    fixture.place.disk = disk_unsynced();
    assert_int_equal(segment_output_create(&fixture.place, 0, &output, NULL), 0);
    for (uint64_t seq = 1; seq <= 2; seq++) {
        block_bytes_start(&block, seq, 0);
        block_bytes_pad(&block);
        assert_int_equal(segment_output_write(&output, &block, true, NULL), 0);
    }
    assert_int_equal(segment_output_publish(&output, NULL), 0);
    segment_output_close(&output);
    byte_writer_close(&block.bytes);
    walk_as_text(&fixture, disk_system(), text);
    assert_string_equal(text, "12");
    walk_fixture_close(&fixture);
}

static void a_bad_sector_counts_as_damaged_bytes(void **state)
{
    (void)state;
    struct walk_fixture fixture;
    char text[32];
    given_segment(&fixture);
    struct disk_fake *fake = disk_fake_create(fixture.scratch.path);
    disk_fake_fail(fake, DISK_PREAD, 2, EIO, false); /* recovers on the second try */
    walk_as_text(&fixture, disk_fake_disk(fake), text);
    assert_string_equal(text, "123456");
    assert_true(disk_fake_has_failed(fake));
    off_t block = (off_t)fixture.offsets[2];
    disk_fake_break(fake, block + BLOCK_HEADER_BYTES, block + BLOCK_HEADER_BYTES + 1);
    walk_as_text(&fixture, disk_fake_disk(fake), text);
    assert_string_equal(text, "12b");
    disk_fake_break(fake, block, block + 1);
    walk_as_text(&fixture, disk_fake_disk(fake), text);
    assert_string_equal(text, "12h456");
    disk_fake_destroy(fake);
    walk_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_header_comes_back_and_every_flipped_bit_is_seen),
        cmocka_unit_test(another_format_version_is_refused_by_name),
        cmocka_unit_test(block_header_comes_back_and_every_flipped_bit_is_seen),
        cmocka_unit_test(block_header_is_good_for_its_own_place_alone),
        cmocka_unit_test(block_headers_that_make_no_sense_are_refused),
        cmocka_unit_test(records_come_back_and_a_cut_one_is_refused),
        cmocka_unit_test(block_names_the_tasks_whose_results_it_holds),
        cmocka_unit_test(compression_is_used_only_where_it_pays),
        cmocka_unit_test(listing_finds_segments_in_order_and_nothing_else),
        cmocka_unit_test(walk_passes_over_damage_to_the_next_sound_block),
        cmocka_unit_test(a_block_without_records_is_sound),
        cmocka_unit_test(a_bad_sector_counts_as_damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
