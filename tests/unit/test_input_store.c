/* test_input_store.c - the stored inputs of tasks come back as they were, or not at all. */
#include "../../runtime/checksum.h"
#include "../../runtime/input_store.h"
#include "../../scheduler/fact.h"
#include "../../scheduler/memory.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cmocka.h>

static struct sheaf_error error;

struct stored {
    struct scratch scratch;
    uint64_t task_count;
    uint64_t input_bytes;
    uint32_t index_crc;
};

static size_t size_of_task(uint64_t task)
{
    return (size_t)(task * 37 % 101);
}

static unsigned char byte_of_task(uint64_t task, size_t i)
{
    return (unsigned char)(task * 7 + i);
}

/* Tasks of 0 to 100 bytes. */
static struct stored given_stored(uint64_t task_count)
{
    struct stored stored = {.scratch = given_scratch(), .task_count = task_count};
    struct input_writer *writer;
    assert_int_equal(input_writer_create(stored.scratch.path, &writer, &error), 0);
    for (uint64_t task = 0; task < task_count; task++) {
        unsigned char data[128];
        for (size_t i = 0; i < size_of_task(task); i++)
            data[i] = byte_of_task(task, i);
        assert_int_equal(input_writer_add(writer, data, size_of_task(task), &error), 0);
    }
    assert_int_equal(input_writer_task_count(writer), task_count);
    assert_int_equal(input_writer_finish(writer, &stored.input_bytes, &stored.index_crc, &error),
                     0);
    input_writer_destroy(writer);
    return stored;
}

static int open_stored(const struct stored *stored, struct input_store **store)
{
    return input_store_open(stored->scratch.path, stored->task_count, stored->input_bytes,
                            stored->index_crc, store, &error);
}

static void assert_reads(struct input_store *store, struct range range)
{
    struct byte_writer writer = {0};
    assert_int_equal(input_store_read(store, range, &writer, &error), 0);
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    for (uint64_t task = range.first; task < range_end(range); task++) {
        size_t size;
        const unsigned char *data = byte_reader_get_blob(&reader, &size);
        assert_int_equal(size, size_of_task(task));
        for (size_t i = 0; i < size; i++)
            assert_int_equal(data[i], byte_of_task(task, i));
    }
    assert_true(byte_reader_is_complete(&reader));
    byte_writer_close(&writer);
}

static void inputs_come_back_as_they_were(void **state)
{
    (void)state;
    struct stored stored = given_stored(3000);
    struct input_store *store;
    assert_int_equal(open_stored(&stored, &store), 0);
    assert_reads(store, (struct range){0, 3000});
    assert_reads(store, (struct range){0, 1});
    assert_reads(store, (struct range){2999, 1});
    assert_reads(store, (struct range){1234, 567});
    assert_reads(store, (struct range){3000, 0});
    input_store_close(store);
    scratch_remove(&stored.scratch);
}

static void store_without_tasks_opens(void **state)
{
    (void)state;
    struct stored stored = given_stored(0);
    struct input_store *store;
    assert_int_equal(open_stored(&stored, &store), 0);
    assert_reads(store, (struct range){0, 0});
    input_store_close(store);
    scratch_remove(&stored.scratch);
}

static void inputs_larger_than_the_buffer_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20, 0, 5};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    struct stored stored = {.scratch = given_scratch(), .task_count = COUNT};
    struct input_writer *writer;
    assert_int_equal(input_writer_create(stored.scratch.path, &writer, &error), 0);
    unsigned char *data = memory_allocate(3 << 20);
    for (size_t i = 0; i < COUNT; i++) {
        memset(data, (int)('a' + i), sizes[i]);
        assert_int_equal(input_writer_add(writer, data, sizes[i], &error), 0);
    }
    assert_int_equal(input_writer_finish(writer, &stored.input_bytes, &stored.index_crc, &error),
                     0);
    input_writer_destroy(writer);
    free(data);
    struct input_store *store;
    assert_int_equal(open_stored(&stored, &store), 0);
    struct byte_writer read = {0};
    assert_int_equal(input_store_read(store, (struct range){0, COUNT}, &read, &error), 0);
    struct byte_reader reader = byte_reader_of(read.data, read.size);
    for (size_t i = 0; i < COUNT; i++) {
        size_t size;
        const unsigned char *bytes = byte_reader_get_blob(&reader, &size);
        assert_int_equal(size, sizes[i]);
        if (size > 0) {
            assert_int_equal(bytes[0], 'a' + i);
            assert_int_equal(bytes[size - 1], 'a' + i);
        }
    }
    byte_writer_close(&read);
    input_store_close(store);
    scratch_remove(&stored.scratch);
}

static void fit_counts_what_read_appends(void **state)
{
    (void)state;
    struct stored stored = given_stored(300);
    struct input_store *store;
    assert_int_equal(open_stored(&stored, &store), 0);
    for (uint64_t size_max = 0; size_max < 2000; size_max += 13) {
        struct range range = {10, 200};
        uint64_t fits = input_store_fit(store, range, size_max);
        uint64_t size = 0;
        uint64_t expected = 0;
        while (expected < range.count) {
            size += size_of_task(range.first + expected) + sizeof(uint32_t);
            if (size > size_max)
                break;
            expected++;
        }
        assert_int_equal(fits, expected > 0 ? expected : 1);
    }
    assert_int_equal(input_store_fit(store, (struct range){10, 5}, UINT64_MAX), 5);
    assert_int_equal(input_store_fit(store, (struct range){10, 0}, 100), 0);
    input_store_close(store);
    scratch_remove(&stored.scratch);
}

static void flip_byte(const struct stored *stored, const char *name, off_t offset)
{
    struct scratch_path path = scratch_path(&stored->scratch, name);
    int descriptor = open(path.text, O_RDWR);
    assert_true(descriptor >= 0);
    unsigned char byte;
    assert_int_equal(pread(descriptor, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(descriptor, &byte, 1, offset), 1);
    close(descriptor);
}

static void flipped_bit_in_the_index_is_found_when_opening(void **state)
{
    (void)state;
    struct stored stored = given_stored(20);
    for (off_t offset = 0; offset < 20 * INPUT_ENTRY_BYTES; offset += 7) {
        struct input_store *store;
        flip_byte(&stored, INPUT_INDEX_NAME, offset);
        assert_int_equal(open_stored(&stored, &store), SHEAF_ERROR_DAMAGED);
        assert_non_null(strstr(error.text, INPUT_INDEX_NAME));
        flip_byte(&stored, INPUT_INDEX_NAME, offset);
    }
    scratch_remove(&stored.scratch);
}

static void flipped_bit_in_an_input_costs_that_read_only(void **state)
{
    (void)state;
    struct stored stored = given_stored(20);
    off_t offset = 0;
    for (uint64_t task = 0; task < 7; task++)
        offset += (off_t)size_of_task(task);
    assert_true(size_of_task(7) > 3);
    flip_byte(&stored, INPUT_DATA_NAME, offset + 3);
    struct input_store *store;
    assert_int_equal(open_stored(&stored, &store), 0);
    assert_reads(store, (struct range){0, 7});
    assert_reads(store, (struct range){8, 12});
    struct byte_writer writer = {0};
    byte_writer_put_u8(&writer, 1);
    assert_int_equal(input_store_read(store, (struct range){5, 5}, &writer, &error),
                     SHEAF_ERROR_DAMAGED);
    assert_non_null(strstr(error.text, "task 7"));
    assert_int_equal(writer.size, 1);
    byte_writer_close(&writer);
    input_store_close(store);
    scratch_remove(&stored.scratch);
}

static void file_of_another_size_is_damaged(void **state)
{
    (void)state;
    struct stored stored = given_stored(20);
    struct input_store *store;
    struct scratch_path data = scratch_path(&stored.scratch, INPUT_DATA_NAME);
    assert_int_equal(truncate(data.text, (off_t)stored.input_bytes - 1), 0);
    assert_int_equal(open_stored(&stored, &store), SHEAF_ERROR_DAMAGED);
    assert_int_equal(unlink(data.text), 0);
    assert_int_equal(open_stored(&stored, &store), SHEAF_ERROR_DAMAGED);
    assert_non_null(strstr(error.text, INPUT_DATA_NAME));
    struct scratch_path index = scratch_path(&stored.scratch, INPUT_INDEX_NAME);
    assert_int_equal(truncate(index.text, 5), 0);
    assert_int_equal(open_stored(&stored, &store), SHEAF_ERROR_DAMAGED);
    scratch_remove(&stored.scratch);
}

static void unfinished_split_is_overwritten(void **state)
{
    (void)state;
    struct stored stored = given_stored(50);
    struct input_writer *writer;
    assert_int_equal(input_writer_create(stored.scratch.path, &writer, &error), 0);
    assert_int_equal(input_writer_add(writer, "abc", 3, &error), 0);
    input_writer_destroy(writer);
    assert_int_equal(input_writer_create(stored.scratch.path, &writer, &error), 0);
    assert_int_equal(input_writer_add(writer, "", 0, &error), 0);
    stored.task_count = 1;
    assert_int_equal(input_writer_finish(writer, &stored.input_bytes, &stored.index_crc, &error),
                     0);
    input_writer_destroy(writer);
    struct input_store *store;
    assert_int_equal(open_stored(&stored, &store), 0);
    assert_int_equal(stored.input_bytes, 0);
    input_store_close(store);
    scratch_remove(&stored.scratch);
}

static void files_are_for_the_user_only(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    scratch_write(&scratch, INPUT_DATA_NAME, "old", 3);
    struct scratch_path path = scratch_path(&scratch, INPUT_DATA_NAME);
    assert_int_equal(chmod(path.text, 0644), 0);
    struct input_writer *writer;
    assert_int_equal(input_writer_create(scratch.path, &writer, &error), 0);
    input_writer_destroy(writer);
    struct stat status;
    assert_int_equal(stat(path.text, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    scratch_remove(&scratch);
}

static void missing_directory_is_named(void **state)
{
    (void)state;
    struct input_writer *writer;
    assert_int_equal(input_writer_create("/nowhere/at/all", &writer, &error),
                     SHEAF_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
}

/* A full disk: /dev/full behind the name of the data file cannot be had, since files are made
 * anew; so the limit on file sizes stands in for it. */
static void failed_write_names_the_file(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct input_writer *writer;
    assert_int_equal(input_writer_create(scratch.path, &writer, &error), 0);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit tight = {.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    static unsigned char data[100000];
    int code = 0;
    for (int i = 0; code == 0 && i < 100; i++)
        code = input_writer_add(writer, data, sizeof data, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(code, SHEAF_ERROR_IO);
    assert_non_null(strstr(error.text, INPUT_DATA_NAME));
    input_writer_destroy(writer);
    scratch_remove(&scratch);
}

static void checksum_is_that_of_zlib(void **state)
{
    (void)state;
    struct checksum checksum;
    checksum_init(&checksum);
    unsigned char data[2100];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * i >> 3);
    for (size_t size = 0; size < sizeof data; size += size < 70 ? 1 : 97)
        for (size_t start = 0; start < 9 && start + size <= sizeof data; start++)
            assert_int_equal(checksum_of(&checksum, data + start, size),
                             crc32(0, data + start, (uInt)size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_come_back_as_they_were),
        cmocka_unit_test(store_without_tasks_opens),
        cmocka_unit_test(inputs_larger_than_the_buffer_come_back),
        cmocka_unit_test(fit_counts_what_read_appends),
        cmocka_unit_test(flipped_bit_in_the_index_is_found_when_opening),
        cmocka_unit_test(flipped_bit_in_an_input_costs_that_read_only),
        cmocka_unit_test(file_of_another_size_is_damaged),
        cmocka_unit_test(unfinished_split_is_overwritten),
        cmocka_unit_test(files_are_for_the_user_only),
        cmocka_unit_test(missing_directory_is_named),
        cmocka_unit_test(failed_write_names_the_file),
        cmocka_unit_test(checksum_is_that_of_zlib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
