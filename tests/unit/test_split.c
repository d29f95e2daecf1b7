/* test_split.c - the built-in splits: each line, file and combination becomes part of one task. */
#include "../../jobs/split.h"
#include "../../jobs/split_lines.h"
#include "../../scheduler/fact.h"
#include "../../scheduler/memory.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct sheaf_error error;

/* A split whose patterns are literals of the test; the paths are kept beside. */
struct given_files {
    struct scratch scratch;
    struct scratch_path paths[4];
    char *patterns[4];
    struct split split;
};

static void given_patterns(struct given_files *given, enum split_kind kind)
{
    *given = (struct given_files){.scratch = given_scratch()};
    given->split = (struct split){.kind = kind, .patterns = given->patterns, .block_bytes = 7};
}

static void add_pattern(struct given_files *given, const char *pattern)
{
    size_t i = given->split.pattern_count++;
    given->paths[i] = scratch_path(&given->scratch, pattern);
    given->patterns[i] = given->paths[i].text;
}

static struct split_walk *walk_of(const struct split *split)
{
    struct split_walk *walk;
    assert_int_equal(split_walk_create(split, &walk, &error), 0);
    return walk;
}

static int failed_walk(const struct split *split)
{
    struct split_walk *walk = NULL;
    int code = split_walk_create(split, &walk, &error);
    assert_null(walk);
    return code;
}

/* Reads all blocks one after the other: each but the last that is not empty must end with a
 * newline. Returns the number of tasks. */
static uint64_t read_all_blocks(const struct split *split, struct byte_writer *text)
{
    struct split_walk *walk = walk_of(split);
    struct byte_writer scratch = {0};
    struct byte_reader input;
    uint64_t count = 0;
    bool was_open = false;
    byte_writer_clear(text);
    for (; split_walk_next(walk, &input, NULL) == 1; count++) {
        struct byte_reader bytes;
        assert_int_equal(split_materialize(SPLIT_LINES, input, &scratch, &bytes, &error), 0);
        byte_writer_put(text, bytes.data, bytes.size);
        assert_false(was_open && bytes.size > 0);
        was_open = was_open || (bytes.size > 0 && bytes.data[bytes.size - 1] != '\n');
    }
    assert_int_equal(count, split_walk_task_count(walk));
    byte_writer_close(&scratch);
    split_walk_destroy(walk);
    return count;
}

static void blocks_of_any_size_hold_each_line_once(void **state)
{
    (void)state;
#define CONTENT(text)                                                                              \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
    static const struct {
        const char *text;
        size_t size;
    } contents[] = {
        CONTENT("a\nbb\nccc\n"),
        CONTENT("no newline at all"),
        CONTENT("one\ntwo\nlast is open"),
        CONTENT("\n"),
        CONTENT("\n\n\n\n"),
        CONTENT("\na\n\n\nb\n"),
        CONTENT("x"),
        CONTENT("a line longer than many blocks put together\nb\nc"),
        CONTENT("b\nc\na line longer than many blocks put together"),
        CONTENT("cr\r\nlf\r\n\r\n"),
        CONTENT("nul\0inside\0\n\0\n\0"),
        CONTENT("a\n\nb"),
    };
    struct byte_writer text = {0};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct given_files given;
        given_patterns(&given, SPLIT_LINES);
        scratch_write(&given.scratch, "text", contents[i].text, contents[i].size);
        add_pattern(&given, "text");
        for (size_t block = 1; block <= contents[i].size + 2; block++) {
            given.split.block_bytes = block;
            uint64_t count = read_all_blocks(&given.split, &text);
            assert_int_equal(count, (contents[i].size + block - 1) / block);
            assert_int_equal(text.size, contents[i].size);
            assert_memory_equal(text.data, contents[i].text, contents[i].size);
        }
        scratch_remove(&given.scratch);
    }
    byte_writer_close(&text);
}

/* The blocks that BLOCKS or STORED_BLOCKS makes of the text, each ended by '|'. */
static void assert_blocks(enum split_kind kind, uint64_t block_bytes, const char *text,
                          const char *expected)
{
    struct given_files given;
    given_patterns(&given, kind);
    given.split.block_bytes = block_bytes;
    scratch_write(&given.scratch, "text", text, strlen(text));
    add_pattern(&given, "text");
    struct split_walk *walk = walk_of(&given.split);
    struct byte_writer seen = {0};
    struct byte_writer scratch = {0};
    struct byte_reader input;
    uint64_t count = 0;
    for (; split_walk_next(walk, &input, &error) == 1; count++) {
        struct byte_reader bytes;
        assert_int_equal(split_materialize(kind, input, &scratch, &bytes, &error), 0);
        byte_writer_put(&seen, bytes.data, bytes.size);
        byte_writer_put_u8(&seen, '|');
    }
    byte_writer_put_u8(&seen, '\0');
    assert_string_equal((char *)seen.data, expected);
    assert_int_equal(split_walk_task_count(walk), count);
    split_walk_destroy(walk);
    byte_writer_close(&seen);
    byte_writer_close(&scratch);
    scratch_remove(&given.scratch);
}

static void block_for_a_pipe_is_whole_lines_and_never_empty(void **state)
{
    (void)state;
    static const enum split_kind kinds[] = {SPLIT_BLOCKS, SPLIT_STORED_BLOCKS};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_blocks(kinds[i], 4, "a\nb\nc\n", "a\nb\n|c\n|");
        assert_blocks(kinds[i], 5, "a\nb\nc\n", "a\nb\n|c\n|");
        assert_blocks(kinds[i], 6, "a\nb\nc\n", "a\nb\nc\n|");
        assert_blocks(kinds[i], 1, "a\n\nb", "a\n|\n|b|");
        assert_blocks(kinds[i], 3, "a\nlong line\nb\nc\n", "a\n|long line\n|b\n|c\n|");
        assert_blocks(kinds[i], 3, "no end at all", "no end at all|");
        assert_blocks(kinds[i], 9, "", "");
    }
}

/* Lines much longer than what the cutter looks at in one go. */
static void long_line_is_a_block_for_a_pipe(void **state)
{
    (void)state;
    enum { LINE = 100000, LINES = 5, BLOCK = 50000 };
    struct given_files given;
    given_patterns(&given, SPLIT_BLOCKS);
    given.split.block_bytes = BLOCK;
    struct byte_writer text = {0};
    for (size_t i = 0; i < LINES; i++) {
        size_t size = i % 2 == 0 ? LINE : 1;
        memset(byte_writer_reserve(&text, size), 'a' + (int)i, size);
        byte_writer_put_u8(&text, '\n');
    }
    scratch_write(&given.scratch, "text", text.data, text.size);
    add_pattern(&given, "text");
    struct split_walk *walk = walk_of(&given.split);
    assert_int_equal(split_walk_task_count(walk), LINES);
    struct byte_writer scratch = {0};
    struct byte_reader input;
    for (size_t i = 0; i < LINES; i++) {
        struct byte_reader bytes;
        assert_int_equal(split_walk_next(walk, &input, &error), 1);
        assert_int_equal(split_materialize(SPLIT_BLOCKS, input, &scratch, &bytes, &error), 0);
        assert_int_equal(bytes.size, i % 2 == 0 ? LINE + 1 : 2);
        assert_int_equal(bytes.data[0], 'a' + i);
    }
    split_walk_destroy(walk);
    byte_writer_close(&text);
    byte_writer_close(&scratch);
    scratch_remove(&given.scratch);
}

static void random_texts_hold_each_line_once(void **state)
{
    (void)state;
    const char *setting = getenv("SHEAF_TEST_SEED");
    unsigned seed = setting != NULL ? (unsigned)strtoul(setting, NULL, 10) : (unsigned)getpid();
    print_message("# SHEAF_TEST_SEED=%u\n", seed);
    srandom(seed);
    struct byte_writer text = {0};
    for (int round = 0; round < 30; round++) {
        struct given_files given;
        given_patterns(&given, SPLIT_LINES);
        char content[300];
        size_t size = 1 + (size_t)random() % (sizeof content - 1);
        long rarity = 1 + random() % 40;
        for (size_t i = 0; i < size; i++)
            content[i] = random() % rarity == 0 ? '\n' : (char)('a' + i % 26);
        scratch_write(&given.scratch, "text", content, size);
        add_pattern(&given, "text");
        for (int i = 0; i < 20; i++) {
            given.split.block_bytes = 1 + (uint64_t)random() % (size + 1);
            read_all_blocks(&given.split, &text);
            assert_int_equal(text.size, size);
            assert_memory_equal(text.data, content, size);
        }
        scratch_remove(&given.scratch);
    }
    byte_writer_close(&text);
}

static void line_that_starts_in_a_block_belongs_to_it(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_LINES);
    scratch_write(&given.scratch, "text", "aaa\nbbb\nccc\n", 12);
    add_pattern(&given, "text");
    static const char *const blocks[] = {"aaa\nbbb\n", "ccc\n", ""};
    given.split.block_bytes = 5;
    struct split_walk *walk = walk_of(&given.split);
    struct byte_writer scratch = {0};
    for (size_t i = 0; i < 3; i++) {
        struct byte_reader input;
        struct byte_reader bytes;
        assert_int_equal(split_walk_next(walk, &input, NULL), 1);
        assert_int_equal(split_materialize(SPLIT_LINES, input, &scratch, &bytes, &error), 0);
        assert_int_equal(bytes.size, strlen(blocks[i]));
        assert_memory_equal(bytes.data, blocks[i], bytes.size);
    }
    byte_writer_close(&scratch);
    split_walk_destroy(walk);
    scratch_remove(&given.scratch);
}

/* The end of the last line lies beyond what is read at a time. */
static void long_line_is_read_to_its_end(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    char *content = memory_allocate(SIZE);
    memset(content, 'x', SIZE);
    content[10] = '\n';
    content[SIZE - 20] = '\n';
    struct given_files given;
    given_patterns(&given, SPLIT_LINES);
    scratch_write(&given.scratch, "text", content, SIZE);
    add_pattern(&given, "text");
    static const uint64_t blocks[] = {65536, 99999, SIZE - 20, SIZE - 19};
    struct byte_writer text = {0};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        given.split.block_bytes = blocks[i];
        read_all_blocks(&given.split, &text);
        assert_int_equal(text.size, SIZE);
        assert_memory_equal(text.data, content, SIZE);
    }
    struct line_block block = {given.paths[0].text, strlen(given.paths[0].text), 5, 7, SIZE};
    assert_int_equal(line_block_read(&block, SIZE, &text, &error), 0);
    assert_int_equal(text.size, SIZE - 20 - 10);
    byte_writer_close(&text);
    free(content);
    scratch_remove(&given.scratch);
}

static void line_without_end_is_refused(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_LINES);
    struct scratch_path path = scratch_write(&given.scratch, "text", "", 0);
    enum { BYTES_MAX = 200000 };
    assert_int_equal(truncate(path.text, BYTES_MAX + 1), 0);
    struct line_block block = {path.text, strlen(path.text), 0, 1, BYTES_MAX + 1};
    struct byte_writer text = {0};
    assert_int_equal(line_block_read(&block, BYTES_MAX + 1, &text, &error), 0);
    assert_int_equal(text.size, BYTES_MAX + 1);
    assert_int_equal(line_block_read(&block, BYTES_MAX, &text, &error), SHEAF_ERROR_LIMIT);
    assert_non_null(strstr(error.text, path.text));
    byte_writer_close(&text);
    scratch_remove(&given.scratch);
}

static void empty_files_give_no_task(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_LINES);
    scratch_write(&given.scratch, "a", "", 0);
    scratch_write(&given.scratch, "b", "12345678", 8);
    scratch_write(&given.scratch, "c", "", 0);
    add_pattern(&given, "*");
    struct byte_writer text = {0};
    assert_int_equal(read_all_blocks(&given.split, &text), 2);
    assert_int_equal(text.size, 8);
    given.split.pattern_count = 0;
    add_pattern(&given, "[ac]");
    assert_int_equal(read_all_blocks(&given.split, &text), 0);
    byte_writer_close(&text);
    scratch_remove(&given.scratch);
}

static void changed_file_is_an_error_that_names_it(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_LINES);
    struct scratch_path path = scratch_write(&given.scratch, "text", "one\ntwo\nthree\n", 14);
    add_pattern(&given, "text");
    struct split_walk *walk = walk_of(&given.split);
    struct byte_reader input;
    assert_int_equal(split_walk_next(walk, &input, NULL), 1);
    struct byte_writer scratch = {0};
    struct byte_reader bytes;
    scratch_write(&given.scratch, "text", "one\n", 4);
    assert_int_equal(split_materialize(SPLIT_LINES, input, &scratch, &bytes, &error),
                     SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, path.text));
    assert_non_null(strstr(error.text, "another directory"));
    assert_null(strstr(error.text, "--fresh"));
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(split_materialize(SPLIT_LINES, input, &scratch, &bytes, &error),
                     SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, path.text));
    byte_writer_close(&scratch);
    split_walk_destroy(walk);
    scratch_remove(&given.scratch);
}

static void damaged_descriptor_is_malformed(void **state)
{
    (void)state;
    struct line_block block = {"path", 4, 10, 20, 30};
    struct byte_writer writer = {0};
    line_block_encode(&block, &writer);
    struct byte_writer scratch = {0};
    struct byte_reader bytes;
    for (size_t size = 0; size < writer.size; size++)
        assert_int_equal(split_materialize(SPLIT_LINES, byte_reader_of(writer.data, size), &scratch,
                                           &bytes, &error),
                         SHEAF_ERROR_MALFORMED);
    byte_writer_clear(&writer);
    block.size_bytes = 21;
    line_block_encode(&block, &writer);
    assert_int_equal(split_materialize(SPLIT_LINES, byte_reader_of(writer.data, writer.size),
                                       &scratch, &bytes, &error),
                     SHEAF_ERROR_MALFORMED);
    byte_writer_close(&writer);
}

static void assert_next(struct split_walk *walk, enum split_kind kind, const char *expected)
{
    struct byte_reader input;
    struct byte_reader bytes;
    assert_int_equal(split_walk_next(walk, &input, NULL), 1);
    assert_int_equal(split_materialize(kind, input, NULL, &bytes, &error), 0);
    assert_int_equal(bytes.size, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.size);
}

static void files_come_in_the_order_of_patterns_and_bytes(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_FILES);
    static const char *const names[] = {"z", "b.txt", "B.txt", "_.txt", "a.txt"};
    for (size_t i = 0; i < 5; i++)
        scratch_write(&given.scratch, names[i], "", 0);
    add_pattern(&given, "z");
    add_pattern(&given, "*.txt");
    struct split_walk *walk = walk_of(&given.split);
    assert_int_equal(split_walk_task_count(walk), 5);
    assert_true(split_walk_has_input(walk));
    static const char *const expected[] = {"z", "B.txt", "_.txt", "a.txt", "b.txt"};
    for (size_t i = 0; i < 5; i++)
        assert_next(walk, SPLIT_FILES, scratch_path(&given.scratch, expected[i]).text);
    struct byte_reader input;
    assert_int_equal(split_walk_next(walk, &input, NULL), 0);
    split_walk_destroy(walk);
    scratch_remove(&given.scratch);
}

static void pattern_without_a_usable_file_is_named(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_FILES);
    scratch_write(&given.scratch, "there", "", 0);
    add_pattern(&given, "there");
    add_pattern(&given, "no*match");
    assert_int_equal(failed_walk(&given.split), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "no file matches the input pattern"));
    assert_non_null(strstr(error.text, given.paths[1].text));

    given.split.pattern_count = 1;
    add_pattern(&given, "absent");
    assert_int_equal(failed_walk(&given.split), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "there is no input file"));

    assert_int_equal(mkdir(scratch_path(&given.scratch, "directory").text, 0700), 0);
    given.split.pattern_count = 1;
    add_pattern(&given, "d*");
    assert_int_equal(failed_walk(&given.split), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "a directory"));

    assert_int_equal(symlink("gone", scratch_path(&given.scratch, "link").text), 0);
    given.split.pattern_count = 1;
    add_pattern(&given, "l*");
    assert_int_equal(failed_walk(&given.split), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "link"));
    scratch_remove(&given.scratch);
}

static void file_matched_twice_is_an_error(void **state)
{
    (void)state;
    struct given_files given;
    given_patterns(&given, SPLIT_FILES);
    scratch_write(&given.scratch, "a", "", 0);
    scratch_write(&given.scratch, "b", "", 0);
    add_pattern(&given, "b");
    add_pattern(&given, "*");
    assert_int_equal(failed_walk(&given.split), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "matched twice"));
    assert_non_null(strstr(error.text, given.paths[0].text));
    scratch_remove(&given.scratch);
}

static void product_varies_its_last_axis_fastest(void **state)
{
    (void)state;
    char *a_values[] = {"1", "2"};
    char *b_values[] = {"x", "y z", "="};
    struct split_axis axes[] = {{"a", a_values, 2}, {"b", b_values, 3}};
    struct split split = {.kind = SPLIT_PRODUCT, .axes = axes, .axis_count = 2};
    struct split_walk *walk = walk_of(&split);
    assert_int_equal(split_walk_task_count(walk), 6);
    assert_next(walk, SPLIT_PRODUCT, "a=1\nb=x\n");
    assert_next(walk, SPLIT_PRODUCT, "a=1\nb=y z\n");
    assert_next(walk, SPLIT_PRODUCT, "a=1\nb==\n");
    assert_next(walk, SPLIT_PRODUCT, "a=2\nb=x\n");
    assert_next(walk, SPLIT_PRODUCT, "a=2\nb=y z\n");
    assert_next(walk, SPLIT_PRODUCT, "a=2\nb==\n");
    struct byte_reader input;
    assert_int_equal(split_walk_next(walk, &input, NULL), 0);
    assert_int_equal(split_walk_next(walk, &input, NULL), 0);
    split_walk_destroy(walk);
}

static void product_with_too_many_combinations_is_refused(void **state)
{
    (void)state;
    char *values[] = {"0", "1"};
    struct split_axis axes[64];
    for (size_t i = 0; i < 64; i++)
        axes[i] = (struct split_axis){"bit", values, 2};
    struct split split = {.kind = SPLIT_PRODUCT, .axes = axes, .axis_count = 64};
    assert_int_equal(failed_walk(&split), SHEAF_ERROR_LIMIT);
    split.axis_count = 63;
    assert_int_equal(failed_walk(&split), SHEAF_ERROR_LIMIT);
    split.axis_count = 62;
    struct split_walk *walk = walk_of(&split);
    assert_true(split_walk_task_count(walk) == SHEAF_TASKS_MAX);
    split_walk_destroy(walk);
}

static void range_has_tasks_without_input(void **state)
{
    (void)state;
    struct split split = {.kind = SPLIT_RANGE, .tasks = 3};
    struct split_walk *walk = walk_of(&split);
    assert_int_equal(split_walk_task_count(walk), 3);
    assert_false(split_walk_has_input(walk));
    for (int i = 0; i < 3; i++)
        assert_next(walk, SPLIT_RANGE, "");
    struct byte_reader input;
    assert_int_equal(split_walk_next(walk, &input, NULL), 0);
    split_walk_destroy(walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_any_size_hold_each_line_once),
        cmocka_unit_test(block_for_a_pipe_is_whole_lines_and_never_empty),
        cmocka_unit_test(long_line_is_a_block_for_a_pipe),
        cmocka_unit_test(random_texts_hold_each_line_once),
        cmocka_unit_test(line_that_starts_in_a_block_belongs_to_it),
        cmocka_unit_test(long_line_is_read_to_its_end),
        cmocka_unit_test(line_without_end_is_refused),
        cmocka_unit_test(empty_files_give_no_task),
        cmocka_unit_test(changed_file_is_an_error_that_names_it),
        cmocka_unit_test(damaged_descriptor_is_malformed),
        cmocka_unit_test(files_come_in_the_order_of_patterns_and_bytes),
        cmocka_unit_test(pattern_without_a_usable_file_is_named),
        cmocka_unit_test(file_matched_twice_is_an_error),
        cmocka_unit_test(product_varies_its_last_axis_fastest),
        cmocka_unit_test(product_with_too_many_combinations_is_refused),
        cmocka_unit_test(range_has_tasks_without_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
