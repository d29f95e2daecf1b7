/* test_parameter.c - typed parameters and the numbers that people write. */
#include "../../jobs/parameter.h"
#include "../../jobs/quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sheaf_error error;

static enum parameter_type type_of(const char *text)
{
    struct parameter_list list = {0};
    assert_int_equal(parameter_list_set(&list, "p", text, &error), 0);
    enum parameter_type type = list.items[0].type;
    parameter_list_close(&list);
    return type;
}

static void new_parameter_takes_the_type_its_text_looks_like(void **state)
{
    (void)state;
    static const char *const integers[] = {"0", "42", "-7", "+7", "1_000", "1e9", "-1e2", "120e-1"};
    static const char *const reals[] = {"0.5", ".5", "5.", "1e-9", "1.0e9", "1e30", "-2.5e3"};
    static const char *const strings[] = {"",    "abc",  "007",  "1__0", "_1",  "1_",   "True",
                                          "yes", "null", "0x1f", "1e",   "1 2", "nan",  "inf",
                                          "-",   ".",    "e9",   "10s",  " 1",  "1.2.3"};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        assert_int_equal(type_of(integers[i]), PARAMETER_INTEGER);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        assert_int_equal(type_of(reals[i]), PARAMETER_REAL);
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        assert_int_equal(type_of(strings[i]), PARAMETER_STRING);
    assert_int_equal(type_of("true"), PARAMETER_BOOLEAN);
    assert_int_equal(type_of("false"), PARAMETER_BOOLEAN);
}

static void existing_parameter_keeps_its_type(void **state)
{
    (void)state;
    struct parameter_list list = {0};
    assert_int_equal(parameter_list_set(&list, "limit", "5", &error), 0);
    assert_int_equal(parameter_list_set(&list, "limit", "2.5e3", &error), 0);
    assert_int_equal(parameter_list_find(&list, "limit")->integer, 2500);
    assert_int_equal(parameter_list_set(&list, "limit", "0.5", &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "\"limit\" is an integer"));
    assert_non_null(strstr(error.text, "\"0.5\""));
    assert_int_equal(parameter_list_find(&list, "limit")->integer, 2500);

    assert_int_equal(parameter_list_set(&list, "x", "0.5", &error), 0);
    assert_int_equal(parameter_list_set(&list, "x", "1_0", &error), 0);
    assert_int_equal(parameter_list_find(&list, "x")->type, PARAMETER_REAL);
    assert_true(parameter_list_find(&list, "x")->real == 10.0);

    assert_int_equal(parameter_list_set_string(&list, "s", "5", &error), 0);
    assert_int_equal(parameter_list_set(&list, "s", "6", &error), 0);
    assert_string_equal(parameter_list_find(&list, "s")->string, "6");

    assert_int_equal(parameter_list_set(&list, "b", "true", &error), 0);
    assert_int_equal(parameter_list_set(&list, "b", "yes", &error), SHEAF_ERROR_JOB);
    assert_int_equal(parameter_list_find(&list, "b")->integer, 1);
    parameter_list_close(&list);
}

static void list_is_sorted_and_finds_each_name(void **state)
{
    (void)state;
    static const char *const names[] = {"m", "a", "z", "b", "aa", "_x", "A"};
    enum { COUNT = sizeof names / sizeof *names };
    struct parameter_list list = {0};
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(parameter_list_set_string(&list, names[i], names[i], &error), 0);
    assert_int_equal(list.count, COUNT);
    for (size_t i = 1; i < list.count; i++)
        assert_true(strcmp(list.items[i - 1].name, list.items[i].name) < 0);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(parameter_list_find(&list, names[i])->string, names[i]);
    assert_null(parameter_list_find(&list, "nobody"));
    parameter_list_close(&list);
}

static void names_are_words(void **state)
{
    (void)state;
    char long_name[PARAMETER_NAME_BYTES_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_false(parameter_name_is_valid(long_name));
    long_name[sizeof long_name - 2] = '\0';
    assert_true(parameter_name_is_valid(long_name));
    assert_true(parameter_name_is_valid("a.b-c_1"));
    static const char *const bad[] = {"", "1a", "a b", "a=b", "-a", "\xc3\xa4", "a\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct parameter_list list = {0};
        assert_int_equal(parameter_list_set(&list, bad[i], "1", &error), SHEAF_ERROR_JOB);
        assert_int_equal(list.count, 0);
    }
}

static void number_of_parameters_is_limited(void **state)
{
    (void)state;
    struct parameter_list list = {0};
    char name[16];
    for (int i = 0; i < PARAMETER_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(parameter_list_set(&list, name, "1", &error), 0);
    }
    assert_int_equal(parameter_list_set(&list, "more", "1", &error), SHEAF_ERROR_LIMIT);
    assert_int_equal(parameter_list_set(&list, "p7", "2", &error), 0);
    parameter_list_close(&list);
}

static struct parameter_list given_all_types(void)
{
    struct parameter_list list = {0};
    assert_int_equal(parameter_list_set(&list, "integer", "-9223372036854775808", &error), 0);
    assert_int_equal(parameter_list_set(&list, "real", "-0.1", &error), 0);
    assert_int_equal(parameter_list_set(&list, "boolean", "true", &error), 0);
    assert_int_equal(parameter_list_set(&list, "string", "two\nlines", &error), 0);
    return list;
}

static void encoded_list_decodes_to_the_same(void **state)
{
    (void)state;
    struct parameter_list list = given_all_types();
    struct byte_writer writer = {0};
    parameter_list_encode(&list, &writer);
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    struct parameter_list decoded;
    assert_int_equal(parameter_list_decode(&reader, &decoded, &error), 0);
    assert_true(byte_reader_is_complete(&reader));
    assert_int_equal(decoded.count, 4);
    assert_true(parameter_list_find(&decoded, "integer")->integer == INT64_MIN);
    assert_true(parameter_list_find(&decoded, "real")->real == -0.1);
    assert_int_equal(parameter_list_find(&decoded, "boolean")->integer, 1);
    assert_string_equal(parameter_list_find(&decoded, "string")->string, "two\nlines");
    parameter_list_close(&decoded);
    parameter_list_close(&list);
    byte_writer_close(&writer);
}

static void cut_list_is_malformed(void **state)
{
    (void)state;
    struct parameter_list list = given_all_types();
    struct byte_writer writer = {0};
    parameter_list_encode(&list, &writer);
    for (size_t size = 0; size < writer.size; size++) {
        struct byte_reader reader = byte_reader_of(writer.data, size);
        struct parameter_list decoded;
        assert_int_equal(parameter_list_decode(&reader, &decoded, &error), SHEAF_ERROR_MALFORMED);
    }
    parameter_list_close(&list);
    byte_writer_close(&writer);
}

static void unsorted_list_is_malformed(void **state)
{
    (void)state;
    struct byte_writer writer = {0};
    byte_writer_put_u32(&writer, 2);
    for (int i = 0; i < 2; i++) {
        byte_writer_put_string(&writer, "same");
        byte_writer_put_u8(&writer, PARAMETER_INTEGER);
        byte_writer_put_u64(&writer, 1);
    }
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    struct parameter_list decoded;
    assert_int_equal(parameter_list_decode(&reader, &decoded, &error), SHEAF_ERROR_MALFORMED);
    byte_writer_close(&writer);
}

static void integers_are_exact_up_to_their_limits(void **state)
{
    (void)state;
    int64_t value;
    assert_int_equal(parse_integer("9223372036854775807", &value, &error), 0);
    assert_true(value == INT64_MAX);
    assert_int_equal(parse_integer("-9223372036854775808", &value, &error), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(parse_integer("9e18", &value, &error), 0);
    assert_true(value == 9000000000000000000);
    static const char *const bad[] = {"9223372036854775808",
                                      "-9223372036854775809",
                                      "1e19",
                                      "1e99999999999",
                                      "0.5",
                                      "1e-1",
                                      "99999999999999999999",
                                      "",
                                      "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        value = 77;
        assert_int_equal(parse_integer(bad[i], &value, &error), SHEAF_ERROR_JOB);
        assert_int_equal(value, 77);
    }
    assert_int_equal(parse_integer("0e99999999999", &value, &error), 0);
    assert_int_equal(value, 0);
}

static void reals_are_finite(void **state)
{
    (void)state;
    double value = 0;
    assert_int_equal(parse_real("0.1234567890123456789012345", &value, &error), 0);
    assert_true(value == 0.1234567890123456789012345);
    assert_int_equal(parse_real("1e-999", &value, &error), 0);
    assert_true(value == 0);
    assert_int_equal(parse_real("1e999", &value, &error), SHEAF_ERROR_JOB);
    assert_int_equal(parse_real("nan", &value, &error), SHEAF_ERROR_JOB);
    assert_int_equal(parse_real("0x1p3", &value, &error), SHEAF_ERROR_JOB);
}

static void counts_are_whole_and_not_negative(void **state)
{
    (void)state;
    uint64_t count;
    assert_int_equal(parse_count("1e6", &count, &error), 0);
    assert_int_equal(count, 1000000);
    assert_int_equal(parse_count("18446744073709551615", &count, &error), 0);
    assert_true(count == UINT64_MAX);
    static const char *const bad[] = {"-5", "1.5", "18446744073709551616", "", "5 tasks", "1K"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse_count(bad[i], &count, &error), SHEAF_ERROR_JOB);
        assert_non_null(strstr(error.text, bad[i]));
    }
}

static void sizes_are_powers_of_1024(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{"0", 0},        {"4096", 4096},     {"64K", 65536},           {"64kib", 65536},
                {"1M", 1 << 20}, {"1 MiB", 1 << 20}, {"1.5G", 3 << 29},        {"10B", 10},
                {"0.5K", 512},   {"1e3", 1000},      {"2T", (uint64_t)2 << 40}};
    uint64_t size;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse_size(good[i].text, &size, &error), 0);
        assert_true(size == good[i].size);
    }
    static const char *const bad[] = {"", "-1", "K", "1X", "1 M B", "99999999T", "1e30"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_size(bad[i], &size, &error), SHEAF_ERROR_JOB);
}

static void durations_have_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t duration_ns;
    } good[] = {{"10", 10000000000},    {"500ms", 500000000},
                {"10s", 10000000000},   {"5min", 300000000000},
                {"2h", 7200000000000},  {"1.5 s", 1500000000},
                {"3us", 3000},          {"7ns", 7},
                {"1d", 86400000000000}, {"0", 0}};
    uint64_t duration_ns;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(parse_duration(good[i].text, &duration_ns, &error), 0);
        assert_true(duration_ns == good[i].duration_ns);
    }
    static const char *const bad[] = {"", "-1s", "5m", "s", "1 hour", "1e20s", "99999999d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_duration(bad[i], &duration_ns, &error), SHEAF_ERROR_JOB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_parameter_takes_the_type_its_text_looks_like),
        cmocka_unit_test(existing_parameter_keeps_its_type),
        cmocka_unit_test(list_is_sorted_and_finds_each_name),
        cmocka_unit_test(names_are_words),
        cmocka_unit_test(number_of_parameters_is_limited),
        cmocka_unit_test(encoded_list_decodes_to_the_same),
        cmocka_unit_test(cut_list_is_malformed),
        cmocka_unit_test(unsorted_list_is_malformed),
        cmocka_unit_test(integers_are_exact_up_to_their_limits),
        cmocka_unit_test(reals_are_finite),
        cmocka_unit_test(counts_are_whole_and_not_negative),
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(durations_have_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
