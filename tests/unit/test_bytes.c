/* test_bytes.c - what was written is read back, and no reader goes past the end. */
#include "../../scheduler/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void integers_are_little_endian(void **state)
{
    (void)state;
    static const unsigned char expected[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                             0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22};
    struct byte_writer writer = {0};
    byte_writer_put_u8(&writer, 0x01);
    byte_writer_put_u16(&writer, 0x4523);
    byte_writer_put_u32(&writer, 0xcdab8967);
    byte_writer_put_u64(&writer, UINT64_C(0x22334455667788ef));
    assert_int_equal(writer.size, sizeof expected);
    assert_memory_equal(writer.data, expected, sizeof expected);
    byte_writer_close(&writer);
}

static void fields_come_back_in_order(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put_u8(&writer, UINT8_MAX);
    byte_writer_put_u16(&writer, UINT16_MAX - 1);
    byte_writer_put_u32(&writer, UINT32_MAX - 2);
    byte_writer_put_u64(&writer, UINT64_MAX - 3);
    byte_writer_put_blob(&writer, "a\0b", 3);
    byte_writer_put_string(&writer, "name");
    byte_writer_put(&writer, "raw", 3);

    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    assert_int_equal(byte_reader_get_u8(&reader), UINT8_MAX);
    assert_int_equal(byte_reader_get_u16(&reader), UINT16_MAX - 1);
    assert_int_equal(byte_reader_get_u32(&reader), UINT32_MAX - 2);
    assert_int_equal(byte_reader_get_u64(&reader), UINT64_MAX - 3);
    size_t size = 0;
    const unsigned char *blob = byte_reader_get_blob(&reader, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(blob, "a\0b", 3);
    char *string = byte_reader_get_string(&reader);
    assert_string_equal(string, "name");
    assert_int_equal(byte_reader_left(&reader), 3);
    assert_false(byte_reader_is_complete(&reader));
    assert_memory_equal(byte_reader_get(&reader, 3), "raw", 3);
    assert_true(byte_reader_is_complete(&reader));
    free(string);
    byte_writer_close(&writer);
}

static void writer_grows_to_what_is_put(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct byte_writer writer = {0};
    for (uint32_t i = 0; i < COUNT; i++)
        byte_writer_put_u32(&writer, i);
    assert_int_equal(writer.size, (size_t)COUNT * 4);
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(byte_reader_get_u32(&reader), i);
    assert_true(byte_reader_is_complete(&reader));
    byte_writer_close(&writer);
}

static void cleared_writer_keeps_its_memory(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put(&writer, "0123456789", 10);
    const unsigned char *data = writer.data;
    byte_writer_clear(&writer);
    assert_int_equal(writer.size, 0);
    byte_writer_put_u8(&writer, 'x');
    assert_ptr_equal(writer.data, data);
    assert_int_equal(writer.data[0], 'x');
    byte_writer_close(&writer);
    assert_null(writer.data);
    assert_int_equal(writer.capacity, 0);
}

static void reserved_bytes_are_the_callers_to_fill(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put_u8(&writer, 'a');
    memcpy(byte_writer_reserve(&writer, 2), "bc", 2);
    byte_writer_put_u8(&writer, 'd');
    assert_int_equal(writer.size, 4);
    assert_memory_equal(writer.data, "abcd", 4);
    byte_writer_close(&writer);
}

static void read_past_the_end_fails_for_good(void **state)
{
    (void)state;
    static const unsigned char data[] = {1, 2, 3};
    struct byte_reader reader = byte_reader_of(data, sizeof data);
    assert_int_equal(byte_reader_get_u8(&reader), 1);
    assert_int_equal(byte_reader_get_u32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(byte_reader_get_u8(&reader), 0);
    assert_null(byte_reader_get(&reader, 1));
    assert_int_equal(byte_reader_left(&reader), 0);
    assert_false(byte_reader_is_complete(&reader));
}

/* Every field, cut at every byte: zero or NULL comes back and the reader says that it failed. */
static void truncated_fields_fail(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put_string(&writer, "twelve bytes");
    for (size_t size = 0; size < writer.size; size++) {
        unsigned char *cut = malloc(size + 1);
        memcpy(cut, writer.data, size);
        struct byte_reader reader = byte_reader_of(cut, size);
        size_t blob_size = 1;
        assert_null(byte_reader_get_blob(&reader, &blob_size));
        assert_int_equal(blob_size, 0);
        assert_true(reader.failed);
        free(cut);
    }
    byte_writer_close(&writer);
}

static void blob_longer_than_input_fails(void **state)
{
    (void)state;
    static const unsigned char data[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    struct byte_reader reader = byte_reader_of(data, sizeof data);
    size_t size = 1;
    assert_null(byte_reader_get_blob(&reader, &size));
    assert_int_equal(size, 0);
    assert_true(reader.failed);
}

static void empty_blob_is_not_a_failure(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put_blob(&writer, NULL, 0);
    byte_writer_put_string(&writer, "");
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    size_t size = 1;
    byte_reader_get_blob(&reader, &size);
    assert_int_equal(size, 0);
    char *string = byte_reader_get_string(&reader);
    assert_string_equal(string, "");
    assert_true(byte_reader_is_complete(&reader));
    free(string);
    byte_writer_close(&writer);
}

static void string_with_nul_inside_fails(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put_blob(&writer, "a\0b", 3);
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    assert_null(byte_reader_get_string(&reader));
    assert_true(reader.failed);
    byte_writer_close(&writer);
}

static void empty_input_is_complete(void **state)
{
    (void)state;
    struct byte_reader reader = byte_reader_of(NULL, 0);
    assert_true(byte_reader_is_complete(&reader));
    assert_int_equal(byte_reader_get_u64(&reader), 0);
    assert_false(byte_reader_is_complete(&reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(fields_come_back_in_order),
        cmocka_unit_test(writer_grows_to_what_is_put),
        cmocka_unit_test(cleared_writer_keeps_its_memory),
        cmocka_unit_test(reserved_bytes_are_the_callers_to_fill),
        cmocka_unit_test(read_past_the_end_fails_for_good),
        cmocka_unit_test(truncated_fields_fail),
        cmocka_unit_test(blob_longer_than_input_fails),
        cmocka_unit_test(empty_blob_is_not_a_failure),
        cmocka_unit_test(string_with_nul_inside_fails),
        cmocka_unit_test(empty_input_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
