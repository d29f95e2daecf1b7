/* test_job.c - a job as a value: encoded, overridden, checked, identified. */
#include "../../jobs/job.h"
#include "../../jobs/suggest.h"
#include "../../scheduler/fact.h"
#include "scratch.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct sheaf_error error;

static struct scratch given_folder(void)
{
    struct scratch scratch = given_scratch();
    scratch_write(&scratch, "p.so", "plug-in", 7);
    scratch_write(&scratch, "a.txt", "a\n", 2);
    return scratch;
}

/* The job of a job file with `plugin: p.so` and `lines`. */
static struct job given_job(const struct scratch *scratch, const char *lines)
{
    char text[500];
    snprintf(text, sizeof text, "plugin: p.so\n%s\n", lines);
    struct scratch_path path = scratch_write(scratch, "j.yaml", text, strlen(text));
    struct job job;
    if (job_read(path.text, &job, &error) != 0)
        fail_msg("%s", error.text);
    return job;
}

static void encoded_job_decodes_to_the_same(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "split: {range: 5}\nparameters: {a: 1, b: x, c: 0.5, d: true}\nname: n\noutput: o",
        "split: {lines: {files: [a.txt, \"*.c\"], block: 3}}\nlimits: {timeout: 1s, memory: 2G}",
        "split: {product: {x: [1, 2], y: z}}\nlimits: {attempts: 4, crashes: 5, max_failures: 6}",
        "split: plugin\nranges: {min: 6, max: 7}",
    };
    struct scratch scratch = given_folder();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct job job = given_job(&scratch, lines[i]);
        struct byte_writer first = {0};
        job_encode(&job, &first);
        struct byte_reader reader = byte_reader_of(first.data, first.size);
        struct job decoded;
        assert_int_equal(job_decode(&reader, &decoded, &error), 0);
        assert_true(byte_reader_is_complete(&reader));
        assert_string_equal(decoded.plugin_path, job.plugin_path);
        assert_int_equal(decoded.split.kind, job.split.kind);
        assert_true(decoded.limits.task_memory_bytes == job.limits.task_memory_bytes);
        assert_int_equal(decoded.limits.range_count_max, job.limits.range_count_max);
        struct byte_writer second = {0};
        job_encode(&decoded, &second);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        job_close(&decoded);
        job_close(&job);
        byte_writer_close(&first);
        byte_writer_close(&second);
    }
    scratch_remove(&scratch);
}

static void empty_job_is_valid(void **state)
{
    (void)state;
    struct job job = {0};
    job_close(&job);
    assert_null(job.name);
    job.split.kind = SPLIT_RANGE;
    struct byte_writer writer = {0};
    job_encode(&job, &writer);
    struct byte_reader reader = byte_reader_of(writer.data, writer.size);
    struct job decoded;
    assert_int_equal(job_decode(&reader, &decoded, &error), 0);
    assert_null(decoded.plugin_path);
    job_close(&decoded);
    byte_writer_close(&writer);
}

static void damaged_job_never_decodes_past_its_end(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = given_job(
        &scratch, "split: {product: {x: [1, 2], y: z}}\nparameters: {a: 1, b: text, c: 0.5}");
    struct byte_writer writer = {0};
    job_encode(&job, &writer);
    for (size_t size = 0; size < writer.size; size++) {
        struct byte_reader reader = byte_reader_of(writer.data, size);
        struct job decoded;
        assert_int_equal(job_decode(&reader, &decoded, &error), SHEAF_ERROR_MALFORMED);
    }
    for (size_t i = 0; i < writer.size; i++) {
        writer.data[i] ^= 0xff;
        struct byte_reader reader = byte_reader_of(writer.data, writer.size);
        struct job decoded;
        int code = job_decode(&reader, &decoded, &error);
        assert_true(code == 0 || code == SHEAF_ERROR_MALFORMED);
        if (code == 0)
            job_close(&decoded);
        writer.data[i] ^= 0xff;
    }
    job_close(&job);
    byte_writer_close(&writer);
    scratch_remove(&scratch);
}

static void tasks_are_overridden_for_range_only(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = given_job(&scratch, "split: {range: 5}");
    assert_int_equal(job_set_tasks(&job, "2e3", &error), 0);
    assert_int_equal(job.split.tasks, 2000);
    static const char *const bad[] = {"0", "-5", "x", "", "1.5", "5e18"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(job_set_tasks(&job, bad[i], &error), SHEAF_ERROR_USAGE);
        assert_non_null(strstr(error.text, "--tasks"));
    }
    assert_int_equal(job.split.tasks, 2000);
    job_close(&job);
    job = given_job(&scratch, "split: {files: [a.txt]}");
    assert_int_equal(job_set_tasks(&job, "5", &error), SHEAF_ERROR_USAGE);
    assert_non_null(strstr(error.text, "\"files\""));
    job_close(&job);
    scratch_remove(&scratch);
}

static void parameter_is_overridden_in_its_type(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = given_job(&scratch, "parameters: {limit: 10, title: x}");
    assert_int_equal(job_set_parameter(&job, "limit=1e3", &error), 0);
    assert_int_equal(parameter_list_find(&job.parameters, "limit")->integer, 1000);
    assert_int_equal(job_set_parameter(&job, "title=a=b", &error), 0);
    assert_string_equal(parameter_list_find(&job.parameters, "title")->string, "a=b");
    assert_int_equal(job_set_parameter(&job, "title=", &error), 0);
    assert_int_equal(job_set_parameter(&job, "limit=x", &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "\"limit\" is an integer"));
    static const char *const bad[] = {"limit", "=5", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(job_set_parameter(&job, bad[i], &error), SHEAF_ERROR_USAGE);
        assert_non_null(strstr(error.text, "name=value"));
    }
    job_close(&job);
    scratch_remove(&scratch);
}

static void unknown_parameter_is_an_error_for_a_job_file(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = given_job(&scratch, "parameters: {limit: 10, title: x}");
    assert_int_equal(job_set_parameter(&job, "limt=5", &error), SHEAF_ERROR_USAGE);
    assert_non_null(strstr(error.text, "did you mean \"limit\"?"));
    assert_non_null(strstr(error.text, "limit, title"));
    assert_int_equal(job_set_parameter(&job, "zzzzzz=5", &error), SHEAF_ERROR_USAGE);
    assert_null(strstr(error.text, "did you mean"));
    assert_non_null(strstr(error.text, "limit, title"));
    job_close(&job);
    job = given_job(&scratch, "");
    assert_int_equal(job_set_parameter(&job, "limit=5", &error), SHEAF_ERROR_USAGE);
    assert_non_null(strstr(error.text, "lists no parameters"));
    job_close(&job);
    assert_int_equal(job_read(scratch_path(&scratch, "p.so").text, &job, &error), 0);
    assert_int_equal(job_set_parameter(&job, "limit=5", &error), 0);
    assert_int_equal(parameter_list_find(&job.parameters, "limit")->integer, 5);
    job_close(&job);
    scratch_remove(&scratch);
}

static void check_says_what_is_missing(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = given_job(&scratch, "split: {range: 5}");
    assert_int_equal(job_check(&job, &error), 0);
    job_close(&job);

    job = given_job(&scratch, "");
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "--tasks"));
    job_close(&job);

    assert_int_equal(job_read(scratch_path(&scratch, "p.so").text, &job, &error), 0);
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "--tasks"));
    job_close(&job);

    job = given_job(&scratch, "split: {files: [a.txt, b.txt]}");
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "b.txt"));
    job_close(&job);

    job = given_job(&scratch, "split: plugin");
    assert_int_equal(job_check(&job, &error), 0);
    assert_int_equal(unlink(job.plugin_path), 0);
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_PLUGIN);
    assert_non_null(strstr(error.text, job.plugin_path));
    job_close(&job);
    scratch_remove(&scratch);
}

static void check_refuses_an_output_that_cannot_be_written(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    char lines[600];
    snprintf(lines, sizeof lines, "split: plugin\noutput: %s", scratch.path);
    struct job job = given_job(&scratch, lines);
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "is a directory"));
    job_close(&job);
    struct scratch_path folder = scratch_path(&scratch, "folder");
    assert_int_equal(mkdir(folder.text, 0700), 0);
    snprintf(lines, sizeof lines, "split: plugin\noutput: %s/out", folder.text);
    job = given_job(&scratch, lines);
    assert_int_equal(job_check(&job, &error), 0);
    assert_int_equal(rmdir(folder.text), 0);
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.text, "output"));
    job_close(&job);
    scratch_remove(&scratch);
}

struct identity {
    unsigned char bytes[JOB_IDENTITY_BYTES];
};

static struct identity identity_of(const struct scratch *scratch, const char *lines)
{
    struct job job = given_job(scratch, lines);
    struct identity identity;
    assert_int_equal(job_identity(&job, identity.bytes, &error), 0);
    job_close(&job);
    return identity;
}

static bool is_same(struct identity a, struct identity b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static void identity_ignores_what_the_output_does_not_depend_on(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct identity identity = identity_of(&scratch, "split: {range: 5}");
    static const char *const lines[] = {
        "split: {range: 5}",
        "split: {range: 5}\nname: other",
        "split: {range: 5}\nlimits: {timeout: 1s, memory: 1G, attempts: 1, crashes: 1}",
        "split: {range: 5}\nranges: {min: 1, max: 1}",
        "split: {range: 5}\noutput: other",
        "# comment\nsplit:\n  range: 5\nparameters: {}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_true(is_same(identity, identity_of(&scratch, lines[i])));
    assert_true(is_same(identity_of(&scratch, "split: plugin\nparameters: {a: 1, b: 2}"),
                        identity_of(&scratch, "split: plugin\nparameters: {b: 2, a: 1}")));
    scratch_remove(&scratch);
}

static void identity_tells_jobs_with_other_outputs_apart(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    static const char *const lines[] = {
        "split: {range: 5}",
        "split: {range: 6}",
        "split: plugin",
        "split: {range: 5}\nparameters: {a: 1}",
        "split: {range: 5}\nparameters: {a: 2}",
        "split: {range: 5}\nparameters: {a: '1'}",
        "split: {range: 5}\nparameters: {a: 1.0}",
        "split: {range: 5}\nparameters: {b: 1}",
        "split: {files: [a.txt]}",
        "split: {lines: [a.txt]}",
        "split: {lines: {files: [a.txt], block: 5}}",
        "split: {product: {a: [1, 2]}}",
        "split: {product: {a: [2, 1]}}",
        "split: {product: {a: [1], b: [2]}}",
        "split: {product: {b: [2], a: [1]}}",
    };
    enum { COUNT = sizeof lines / sizeof *lines };
    struct identity identities[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        identities[i] = identity_of(&scratch, lines[i]);
        for (size_t j = 0; j < i; j++)
            assert_false(is_same(identities[i], identities[j]));
    }
    scratch_write(&scratch, "p.so", "Plug-in", 7);
    for (size_t i = 0; i < COUNT; i++)
        assert_false(is_same(identities[i], identity_of(&scratch, lines[i])));
    scratch_remove(&scratch);
}

static void identity_changes_with_the_input_files(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    static const char *const lines[] = {"split: {files: ['*.txt']}", "split: {lines: ['*.txt']}"};
    for (size_t i = 0; i < 2; i++) {
        struct scratch_path path = scratch_write(&scratch, "a.txt", "abc", 3);
        struct timespec then[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        assert_int_equal(utimensat(AT_FDCWD, path.text, then, 0), 0);
        struct identity identity = identity_of(&scratch, lines[i]);
        assert_true(is_same(identity, identity_of(&scratch, lines[i])));

        then[1].tv_nsec = 1;
        assert_int_equal(utimensat(AT_FDCWD, path.text, then, 0), 0);
        assert_false(is_same(identity, identity_of(&scratch, lines[i])));
        then[1].tv_nsec = 0;

        scratch_write(&scratch, "a.txt", "abcd", 4);
        assert_int_equal(utimensat(AT_FDCWD, path.text, then, 0), 0);
        assert_false(is_same(identity, identity_of(&scratch, lines[i])));

        scratch_write(&scratch, "a.txt", "abc", 3);
        assert_int_equal(utimensat(AT_FDCWD, path.text, then, 0), 0);
        assert_true(is_same(identity, identity_of(&scratch, lines[i])));
        struct scratch_path more = scratch_write(&scratch, "b.txt", "", 0);
        assert_false(is_same(identity, identity_of(&scratch, lines[i])));
        assert_int_equal(unlink(more.text), 0);
    }
    scratch_remove(&scratch);
}

static void identity_needs_the_plugin(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = given_job(&scratch, "split: plugin");
    assert_int_equal(unlink(job.plugin_path), 0);
    struct identity identity;
    assert_int_equal(job_identity(&job, identity.bytes, &error), SHEAF_ERROR_PLUGIN);
    assert_non_null(strstr(error.text, job.plugin_path));
    job_close(&job);
    scratch_remove(&scratch);
}

static void nearest_word_is_suggested(void **state)
{
    (void)state;
    static const char *const words[] = {"plugin", "name", "split", "parameters", "limits", "x"};
    enum { COUNT = sizeof words / sizeof *words };
    assert_string_equal(suggest_nearest("parametrs", words, COUNT), "parameters");
    assert_string_equal(suggest_nearest("pulgin", words, COUNT), "plugin");
    assert_string_equal(suggest_nearest("PLUGIN", words, COUNT), "plugin");
    assert_string_equal(suggest_nearest("plug-in", words, COUNT), "plugin");
    assert_string_equal(suggest_nearest("limit", words, COUNT), "limits");
    assert_string_equal(suggest_nearest("nmae", words, COUNT), "name");
    assert_null(suggest_nearest("output", words, COUNT));
    assert_null(suggest_nearest("y", words, COUNT));
    assert_null(suggest_nearest("", words, COUNT));
    assert_null(suggest_nearest("plugin", words, 0));
    char long_word[200];
    memset(long_word, 'p', sizeof long_word);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(suggest_nearest(long_word, words, COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoded_job_decodes_to_the_same),
        cmocka_unit_test(empty_job_is_valid),
        cmocka_unit_test(damaged_job_never_decodes_past_its_end),
        cmocka_unit_test(tasks_are_overridden_for_range_only),
        cmocka_unit_test(parameter_is_overridden_in_its_type),
        cmocka_unit_test(unknown_parameter_is_an_error_for_a_job_file),
        cmocka_unit_test(check_says_what_is_missing),
        cmocka_unit_test(check_refuses_an_output_that_cannot_be_written),
        cmocka_unit_test(identity_ignores_what_the_output_does_not_depend_on),
        cmocka_unit_test(identity_tells_jobs_with_other_outputs_apart),
        cmocka_unit_test(identity_changes_with_the_input_files),
        cmocka_unit_test(identity_needs_the_plugin),
        cmocka_unit_test(nearest_word_is_suggested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
