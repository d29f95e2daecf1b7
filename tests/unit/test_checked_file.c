/* test_checked_file.c - a small file outlives damage to one of its two texts. */
#include "../../runtime/checked_file.h"
#include "../../runtime/run_directory.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "one line\nand another\n";

static int make_folder(void **state)
{
    struct scratch *scratch = malloc(sizeof *scratch);
    assert_non_null(scratch);
    *scratch = given_scratch();
    *state = scratch;
    return 0;
}

static int remove_folder(void **state)
{
    scratch_remove(*state);
    free(*state);
    return 0;
}

static size_t read_raw(const char *dir, unsigned char *bytes, size_t size)
{
    char *path = run_directory_join(dir, "note");
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t got = fread(bytes, 1, size, file);
    fclose(file);
    free(path);
    return got;
}

static void assert_reads(const char *dir, const char *expected)
{
    struct byte_writer found = {0};
    assert_int_equal(checked_file_read(dir, "note", &found, NULL), 0);
    assert_int_equal(found.size, strlen(expected));
    if (found.size > 0)
        assert_memory_equal(found.data, expected, found.size);
    byte_writer_close(&found);
}

static void every_flipped_bit_is_of_no_consequence(void **state)
{
    const char *dir = ((struct scratch *)*state)->path;
    unsigned char bytes[256];
    assert_int_equal(checked_file_write(dir, "note", text, strlen(text), NULL), 0);
    size_t size = read_raw(dir, bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_int_equal(run_directory_write_file(dir, "note", bytes, size, NULL), 0);
        assert_reads(dir, text);
        bytes[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

static void half_a_file_is_enough(void **state)
{
    const char *dir = ((struct scratch *)*state)->path;
    unsigned char bytes[256];
    assert_int_equal(checked_file_write(dir, "note", text, strlen(text), NULL), 0);
    size_t size = read_raw(dir, bytes, sizeof bytes);
    assert_int_equal(run_directory_write_file(dir, "note", bytes, size / 2, NULL), 0);
    assert_reads(dir, text);
}

static void damage_to_both_texts_is_told(void **state)
{
    const char *dir = ((struct scratch *)*state)->path;
    unsigned char bytes[256];
    struct byte_writer found = {0};
    assert_int_equal(checked_file_write(dir, "note", text, strlen(text), NULL), 0);
    size_t size = read_raw(dir, bytes, sizeof bytes);
    bytes[3] ^= 1;
    bytes[size / 2 + 3] ^= 1;
    assert_int_equal(run_directory_write_file(dir, "note", bytes, size, NULL), 0);
    assert_int_equal(checked_file_read(dir, "note", &found, NULL), SHEAF_ERROR_DAMAGED);
    assert_int_equal(found.size, 0);
    byte_writer_close(&found);
}

static void nothing_may_be_kept(void **state)
{
    const char *dir = ((struct scratch *)*state)->path;
    assert_int_equal(checked_file_write(dir, "note", NULL, 0, NULL), 0);
    assert_reads(dir, "");
}

static void text_of_an_earlier_version_is_taken_as_it_is(void **state)
{
    const char *dir = ((struct scratch *)*state)->path;
    assert_int_equal(run_directory_write_file(dir, "note", text, strlen(text), NULL), 0);
    assert_reads(dir, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_of_no_consequence, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(half_a_file_is_enough, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(damage_to_both_texts_is_told, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(nothing_may_be_kept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(text_of_an_earlier_version_is_taken_as_it_is, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
