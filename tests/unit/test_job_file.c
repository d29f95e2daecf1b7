/* test_job_file.c - what a job file says becomes the job, and what is wrong is named by its line.
 */
#include "../../jobs/job.h"
#include "../../scheduler/fact.h"
#include "../../scheduler/memory.h"
#include "job_scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void whole_job_is_read(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_good(&scratch, "# a comment\n"
                                         "plugin: p.so\n"
                                         "name: my job\n"
                                         "split: {range: 1e5}\n"
                                         "parameters:\n"
                                         "  limit: 1e9\n"
                                         "  ratio: 0.5\n"
                                         "  is_fast: true\n"
                                         "  title: two words\n"
                                         "  zip: \"0123\"\n"
                                         "  digits: '42'\n"
                                         "resources: {cores: 4, memory: 8G, gpus: 1}\n"
                                         "limits: {timeout: 10s, memory: 1G, attempts: 5,\n"
                                         "         crashes: 2, max_failures: 9}\n"
                                         "ranges: {min: 2, max: 10000}\n"
                                         "output: out.txt\n");
    assert_string_equal(job.name, "my job");
    assert_string_equal(job.source_path, scratch_path(&scratch, "j.yaml").text);
    assert_string_equal(job.plugin_path, scratch_path(&scratch, "p.so").text);
    assert_int_equal(job.split.kind, SPLIT_RANGE);
    assert_int_equal(job.split.tasks, 100000);
    assert_int_equal(job.parameters.count, 6);
    assert_int_equal(parameter_list_find(&job.parameters, "limit")->integer, 1000000000);
    assert_true(parameter_list_find(&job.parameters, "ratio")->real == 0.5);
    assert_int_equal(parameter_list_find(&job.parameters, "is_fast")->integer, 1);
    assert_string_equal(parameter_list_find(&job.parameters, "title")->string, "two words");
    assert_string_equal(parameter_list_find(&job.parameters, "zip")->string, "0123");
    assert_string_equal(parameter_list_find(&job.parameters, "digits")->string, "42");
    assert_true(job.limits.task_timeout_ns == 10000000000);
    assert_true(job.limits.task_memory_bytes == 1 << 30);
    assert_int_equal(job.limits.attempts_max, 5);
    assert_int_equal(job.limits.crashes_max, 2);
    assert_int_equal(job.limits.failures_max, 9);
    assert_int_equal(job.limits.range_count_min, 2);
    assert_int_equal(job.limits.range_count_max, 10000);
    assert_int_equal(job.resources.cores, 4);
    assert_int_equal(job.resources.gpus, 1);
    assert_true(job.resources.memory_bytes == (uint64_t)8 << 30);
    char *directory = realpath(".", NULL);
    assert_memory_equal(job.output_path, directory, strlen(directory));
    assert_string_equal(job.output_path + strlen(directory), "/out.txt");
    free(directory);
    job_close(&job);
    scratch_remove(&scratch);
}

static void short_job_has_defaults(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job = read_good(&scratch, "plugin: p.so\nparameters:\nlimits:\nranges:\n");
    assert_string_equal(job.name, "j");
    assert_string_equal(job.output_path, "-");
    assert_int_equal(job.split.kind, SPLIT_RANGE);
    assert_int_equal(job.split.tasks, 0);
    assert_int_equal(job.parameters.count, 0);
    assert_int_equal(job.limits.task_timeout_ns, 0);
    assert_int_equal(job.limits.range_count_max, 0);
    job_close(&job);
    scratch_remove(&scratch);
}

static void splits_are_read(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job =
        read_good(&scratch, "plugin: p.so\nsplit: {lines: {files: [a, /b/*.c], block: 64K}}\n");
    assert_int_equal(job.split.kind, SPLIT_LINES);
    assert_int_equal(job.split.block_bytes, 65536);
    assert_int_equal(job.split.pattern_count, 2);
    assert_string_equal(job.split.patterns[0], scratch_path(&scratch, "a").text);
    assert_string_equal(job.split.patterns[1], "/b/*.c");
    job_close(&job);

    job = read_good(&scratch, "plugin: p.so\nsplit: {lines: [a]}\n");
    assert_int_equal(job.split.kind, SPLIT_LINES);
    assert_true(job.split.block_bytes == SPLIT_BLOCK_BYTES_DEFAULT);
    job_close(&job);

    job = read_good(&scratch, "plugin: p.so\nsplit:\n  files: data/*.txt\n");
    assert_int_equal(job.split.kind, SPLIT_FILES);
    assert_string_equal(job.split.patterns[0], scratch_path(&scratch, "data/*.txt").text);
    job_close(&job);

    job = read_good(&scratch, "plugin: p.so\nsplit: {product: {a: [1, 2], b: [x, 'y z'], c: 3}}\n");
    assert_int_equal(job.split.kind, SPLIT_PRODUCT);
    assert_int_equal(job.split.axis_count, 3);
    assert_string_equal(job.split.axes[0].name, "a");
    assert_int_equal(job.split.axes[1].value_count, 2);
    assert_string_equal(job.split.axes[1].values[1], "y z");
    assert_string_equal(job.split.axes[2].values[0], "3");
    job_close(&job);

    job = read_good(&scratch, "split: plugin\nplugin: p.so\n");
    assert_int_equal(job.split.kind, SPLIT_PLUGIN);
    job_close(&job);
    scratch_remove(&scratch);
}

static void folder_with_pattern_characters_stands_for_itself(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch inner = {""};
    struct scratch_path folder = scratch_path(&scratch, "run[1]*");
    assert_int_equal(mkdir(folder.text, 0700), 0);
    assert_true(strlen(folder.text) < sizeof inner.path);
    memcpy(inner.path, folder.text, strlen(folder.text) + 1);
    scratch_write(&inner, "p.so", "", 0);
    scratch_write(&inner, "a.txt", "", 0);
    struct job job = read_good(&inner, "plugin: p.so\nsplit: {files: [\"*.txt\"]}\n");
    assert_int_equal(job_check(&job, &error), 0);
    job_close(&job);
    scratch_remove(&scratch);
}

static void wrong_keys_are_named_with_the_nearest(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    assert_refused(&scratch, "plugin: p.so\nparametrs: {a: 1}\n",
                   "2: unknown key \"parametrs\" in the job; did you mean \"parameters\"?");
    assert_refused(&scratch, "plugin: p.so\nxyzzy: 1\n",
                   "2: unknown key \"xyzzy\" in the job; it can have plugin, command, shell, pipe, "
                   "merge_command, outputs, split, "
                   "parameters, limits, ranges, resources, name, output, stages, tasks");
    assert_refused(&scratch, "plugin: p.so\nlimits:\n  attempts: 2\n  time_out: 3s\n",
                   "4: unknown key \"time_out\" in limits; did you mean \"timeout\"?");
    assert_refused(&scratch, "plugin: p.so\nsplit: {line: [a]}\n",
                   "2: unknown key \"line\" in split; did you mean \"lines\"?");
    assert_refused(&scratch, "plugin: p.so\nsplit: {lines: {files: [a], blocks: 1M}}\n",
                   "2: unknown key \"blocks\" in split.lines; did you mean \"block\"?");
    assert_refused(&scratch, "plugin: p.so\n<<: {range: 5}\n",
                   "2: unknown key \"<<\" in the job; it can have plugin, command, shell, pipe, "
                   "merge_command, outputs, split, "
                   "parameters, limits, ranges, resources, name, output, stages, tasks");
    scratch_remove(&scratch);
}

static void double_keys_are_named_with_both_lines(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    assert_refused(&scratch, "plugin: p.so\nname: a\nplugin: p.so\n",
                   "3: the key \"plugin\" is there twice (first on line 1); remove one");
    assert_refused(&scratch, "plugin: p.so\nparameters:\n  a: 1\n  b: 2\n  a: 3\n",
                   "5: the key \"a\" is there twice (first on line 3); remove one");
    assert_refused(&scratch, "plugin: p.so\nsplit:\n  product:\n    a: [1]\n    a: [2]\n",
                   "5: the key \"a\" is there twice (first on line 4); remove one");
    scratch_remove(&scratch);
}

/* The second line of a job file, and what the error says of it. */
static const struct {
    const char *text;
    const char *expected;
} wrong_values[] = {
    {"split: {range: -5}", "split.range must be a count of tasks (1 or more), found \"-5\""},
    {"split: {range: 0}", "split.range must be a count of tasks (1 or more), found \"0\""},
    {"split: {range: [5]}", "split.range must be a count of tasks (1 or more), found a list"},
    {"split: {range: }", "split.range must be a count of tasks (1 or more), found nothing"},
    {"split: {range: 5e18}", "split.range must be at most 2^62 tasks, found \"5e18\""},
    {"split: {files: []}",
     "split.files must be a list of files or patterns such as [a.txt, \"data/*.txt\"], found "
     "an empty list"},
    {"split: {files: [a, '']}",
     "split.files must be a list of files or patterns such as [a.txt, \"data/*.txt\"], found "
     "\"\""},
    {"split: {lines: {block: 1M}}",
     "split.lines needs \"files\", such as {files: [a.txt], block: 1M}"},
    {"split: {lines: {files: [a], block: 2G}}",
     "split.lines.block must be a size from 1 byte to 1G, such as 64K or 1M, found \"2G\""},
    {"split: {lines: {files: [a], block: 0}}",
     "split.lines.block must be a size from 1 byte to 1G, such as 64K or 1M, found \"0\""},
    {"split: {product: {}}", "split.product needs values to combine, such as {a: [1, 2]}"},
    {"split: {product: {a: []}}",
     "split.product.a must be a list of one value or more, such as [1, 2], found an empty "
     "list"},
    {"split: {product: {a: [[1]]}}",
     "each value of split.product.a must be a text of one line, found a list"},
    {"split: {product: {a: [\"x\\ny\"]}}",
     "each value of split.product.a must be a text of one line, found \"x?y\""},
    {"split: {product: {'a b': [1]}}",
     "a name in split.product must be a letter or '_', then letters, digits, '_', '-' or '.', "
     "found \"a b\""},
    {"split: 100",
     "split must be one of {range: N}, {lines: [FILES]}, {files: [FILES]}, {product: {a: [1, "
     "2], ...}} or plugin, found \"100\""},
    {"split: {range: 5, files: [a]}",
     "split must have one key: it is one of {range: N}, {lines: [FILES]}, {files: [FILES]}, "
     "{product: {a: [1, 2], ...}} or plugin"},
    {"parameters: [1]", "parameters must be a mapping (lines of key: value), found a list"},
    {"parameters: {a: [1]}",
     "parameter \"a\" must be a number, true, false or a text (\"\" for an empty one), found a "
     "list"},
    {"parameters: {a: }",
     "parameter \"a\" must be a number, true, false or a text (\"\" for an empty one), found "
     "nothing"},
    {"parameters: {a: 99999999999999999999}",
     "parameter \"a\" is an integer: expected a whole number from -2^63 to 2^63 - 1, such as "
     "42 or 1e9, found \"99999999999999999999\"; in quotes it would be a string"},
    {"parameters: {1a: 1}",
     "\"1a\" cannot name a parameter: start with a letter or '_', go on with letters, digits, "
     "'_', '-' or '.', 255 bytes at most"},
    {"limits: {timeout: 5m}",
     "limits.timeout must be a duration such as 500ms, 10s, 5min or 2h (0 for none), found "
     "\"5m\""},
    {"limits: {memory: -1}",
     "limits.memory must be a size of 1M or more, such as 512M or 2G, found \"-1\""},
    {"limits: {memory: 10}",
     "limits.memory must be a size of 1M or more, such as 512M or 2G, found \"10\""},
    {"limits: {attempts: 0}", "limits.attempts must be a count from 1 to 1000, found \"0\""},
    {"resources: {cores: 0}", "resources.cores must be a count from 1 to 4096, found \"0\""},
    {"resources: {gpus: 17}", "resources.gpus must be a count from 1 to 16, found \"17\""},
    {"resources: {memory: much}",
     "resources.memory must be a size of 1M or more, such as 512M or 2G, found "
     "\"much\""},
    {"limits: {crashes: x}", "limits.crashes must be a count from 1 to 1000, found \"x\""},
    {"ranges: {min: 0}", "ranges.min must be a count of tasks from 1 to 2^40, found \"0\""},
    {"ranges: {min: 5, max: 4}", "ranges.min is 5 and ranges.max is 4; min must not be larger"},
    {"name: a/b",
     "name must be a file name (at most 100 bytes, no '/', no '.' or '-' at the start), found "
     "\"a/b\""},
    {"name: [a]", "name must be a file name (at most 100 bytes, no '/', no '.' or '-' at the "
                  "start), found a list"},
    {"output: ''", "output must be the name of a file, or - for standard output, found \"\""},
    {"? [a]\n: 1", "a key of the job is a list; it must be a word"},
};

static void wrong_values_are_named(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    for (size_t i = 0; i < sizeof wrong_values / sizeof *wrong_values; i++) {
        char text[200];
        char expected[400];
        snprintf(text, sizeof text, "plugin: p.so\n%s\n", wrong_values[i].text);
        snprintf(expected, sizeof expected, "2: %s", wrong_values[i].expected);
        assert_refused(&scratch, text, expected);
    }
    scratch_remove(&scratch);
}

static void text_that_is_no_job_is_named(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    static const char anchors[] = "anchors and aliases (& and *) are not for job files; write the "
                                  "value out, or quote a text that starts with & or *";
    char expected[300];
    snprintf(expected, sizeof expected, "2: %s", anchors);
    assert_refused(&scratch, "plugin: p.so\nname: &a x\n", expected);
    snprintf(expected, sizeof expected, "3: %s", anchors);
    assert_refused(&scratch, "plugin: p.so\nsplit:\n  files: [*a]\n", expected);
    assert_refused(&scratch, "plugin: p.so\nname: !!int 5\n",
                   "2: tags (!) are not for job files; quote a text to make it a string");
    assert_refused(&scratch, "plugin: p.so\n---\nplugin: p.so\n",
                   "2: a second document (after \"---\"); a job file describes one job");
    assert_refused(&scratch, "[[[[[[[[[[[[[[[[[[[[[[\n", "1: nested too deeply for a job file");
    assert_refused(&scratch, "plugin: \"p\\0.so\"\n", "1: a text holds a NUL character");
    assert_refused(&scratch, "- a\n- b\n",
                   "1: the job must be a mapping (lines of key: value), found a list");
    assert_refused(&scratch, "name: x\n",
                   "1: the job needs a plug-in or a command; add a line \"plugin: FILE.so\" or "
                   "\"command: PROGRAM {}\"");
    assert_refused(&scratch, "plugin: p.so\nsplit: {range: 5\nname: x\n",
                   "3: not valid YAML: did not find expected ',' or '}' while parsing a flow "
                   "mapping");
    assert_refused(&scratch, "plugin: p.so\nlimits:\n\tattempts: 3\n",
                   "3: not valid YAML: found character that cannot start any token while scanning "
                   "for the next token; indent by spaces, YAML allows no tabs there");
    assert_refused(&scratch, "plugin: p.so\nname: \xff\xfe\n",
                   "2: not UTF-8 text (invalid leading UTF-8 octet); is this a job file?");
    scratch_remove(&scratch);
}

static void command_may_be_a_filter_and_merge(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    scratch_write(&scratch, "a.txt", "a\n", 2);
    struct job job = read_good(&scratch, "command: sort\npipe: true\nsplit: {lines: {files: a.txt, "
                                         "block: 3}}\nmerge_command: sort -m {left} {right}\n");
    assert_int_equal(job.split.kind, SPLIT_BLOCKS);
    assert_int_equal(job.split.block_bytes, 3);
    assert_true(job.command.is_piped);
    assert_string_equal(job.command.merge_text, "sort -m {left} {right}");
    assert_int_equal(job_check(&job, &error), 0);
    job_close(&job);
    job = read_good(&scratch, "command: sort\nsplit: {files: a.txt}\nmerge_command: cat {left}\n");
    assert_int_equal(job_check(&job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "must read two results, {left} and {right}"));
    job_close(&job);
    job = read_good(&scratch, "command: x {out} {out2}\noutputs: [\"{.}.a\", \"{.}.b\"]\n"
                              "split: {files: a.txt}\n");
    assert_int_equal(job.command.output_count, 2);
    assert_string_equal(job.command.outputs[1], "{.}.b");
    assert_int_equal(job_check(&job, &error), 0);
    job_close(&job);
    assert_refused(&scratch, "command: x\noutputs: []\n",
                   "2: outputs must be a list of paths with replacement strings, such as "
                   "[\"{/.}.png\"], found a list");
    assert_refused(&scratch, "command: sort\npipe: maybe\n",
                   "2: pipe must be true or false, found \"maybe\"");
    assert_refused(&scratch, "command: sort\npipe: true\nsplit: {files: a.txt}\n",
                   "1: \"pipe: true\" needs text to cut into blocks; add \"split: {lines: {files: "
                   "[FILES], block: 1M}}\"");
    assert_refused(&scratch, "plugin: p.so\nmerge_command: x {left} {right}\n",
                   "1: \"merge_command\" belongs to a command, and the job has a plug-in");
    scratch_remove(&scratch);
}

static void empty_and_huge_files_are_refused(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job;
    assert_int_equal(read_text(&scratch, "# nothing\n", &job), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "the job file is empty"));
    assert_int_equal(read_text(&scratch, "", &job), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "the job file is empty"));

    size_t size = JOB_FILE_BYTES_MAX + 1;
    char *text = memory_allocate(size);
    memset(text, 'x', size);
    memcpy(text, "plugin: p.so #", 14);
    struct scratch_path path = scratch_write(&scratch, "j.yaml", text, size - 1);
    assert_int_equal(job_read(path.text, &job, &error), 0);
    job_close(&job);
    scratch_write(&scratch, "j.yaml", text, size);
    assert_int_equal(job_read(path.text, &job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "larger than 64 MiB"));
    free(text);
    scratch_remove(&scratch);
}

static void missing_job_and_folder_are_named(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job;
    assert_int_equal(job_read(scratch_path(&scratch, "none.yaml").text, &job, &error),
                     SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "none.yaml"));
    assert_int_equal(job_read(scratch.path, &job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "is not a file"));
    struct scratch_path pipe = scratch_path(&scratch, "pipe");
    assert_int_equal(mkfifo(pipe.text, 0600), 0);
    assert_int_equal(job_read(pipe.text, &job, &error), SHEAF_ERROR_JOB);
    assert_refused(&scratch, "plugin: p.so\noutput: absent/folder/out\n",
                   "2: cannot find the directory absent/folder of absent/folder/out: No such file "
                   "or directory; make the directory, or change \"output\"");
    scratch_remove(&scratch);
}

static void plugin_is_found_along_the_plugin_path(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct scratch_path first = scratch_path(&scratch, "first");
    struct scratch_path second = scratch_path(&scratch, "second");
    assert_int_equal(mkdir(first.text, 0700), 0);
    assert_int_equal(mkdir(second.text, 0700), 0);
    scratch_write(&scratch, "second/q.so", "", 0);
    scratch_write(&scratch, "second/p.so", "", 0);
    char setting[1200];
    snprintf(setting, sizeof setting, "%s::%s", first.text, second.text);
    assert_int_equal(setenv("SHEAF_PLUGIN_PATH", setting, 1), 0);
    struct job job = read_good(&scratch, "plugin: q.so\n");
    assert_string_equal(job.plugin_path, scratch_path(&scratch, "second/q.so").text);
    job_close(&job);
    job = read_good(&scratch, "plugin: p.so\n");
    assert_string_equal(job.plugin_path, scratch_path(&scratch, "p.so").text);
    job_close(&job);

    assert_int_equal(read_text(&scratch, "\nplugin: r.so\n", &job), SHEAF_ERROR_PLUGIN);
    assert_non_null(strstr(error.text, "j.yaml:2: no plug-in \"r.so\" in "));
    assert_non_null(strstr(error.text, first.text));
    assert_non_null(strstr(error.text, second.text));
    assert_non_null(strstr(error.text, "SHEAF_PLUGIN_PATH"));
    assert_int_equal(unsetenv("SHEAF_PLUGIN_PATH"), 0);

    scratch_write(&scratch, "r.c", "", 0);
    assert_int_equal(read_text(&scratch, "plugin: r.so\n", &job), SHEAF_ERROR_PLUGIN);
    assert_non_null(strstr(error.text, "build it, such as by cc "));
    scratch_remove(&scratch);
}

static void plugin_alone_is_a_job(void **state)
{
    (void)state;
    struct scratch scratch = given_folder();
    struct job job;
    struct scratch_path path = scratch_path(&scratch, "p.so");
    assert_int_equal(job_read(path.text, &job, &error), 0);
    assert_true(job_is_plugin_only(&job));
    assert_string_equal(job.name, "p");
    assert_string_equal(job.plugin_path, path.text);
    assert_string_equal(job.output_path, "-");
    assert_int_equal(job.split.kind, SPLIT_RANGE);
    assert_int_equal(job.split.tasks, 0);
    job_close(&job);
    scratch_write(&scratch, "elf", "\177ELF...", 7);
    assert_int_equal(job_read(scratch_path(&scratch, "elf").text, &job, &error), 0);
    assert_true(job_is_plugin_only(&job));
    job_close(&job);
    assert_int_equal(job_read(scratch_path(&scratch, "q.so").text, &job, &error),
                     SHEAF_ERROR_PLUGIN);
    assert_non_null(strstr(error.text, "q.so"));
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_job_is_read),
        cmocka_unit_test(short_job_has_defaults),
        cmocka_unit_test(splits_are_read),
        cmocka_unit_test(folder_with_pattern_characters_stands_for_itself),
        cmocka_unit_test(wrong_keys_are_named_with_the_nearest),
        cmocka_unit_test(double_keys_are_named_with_both_lines),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(text_that_is_no_job_is_named),
        cmocka_unit_test(command_may_be_a_filter_and_merge),
        cmocka_unit_test(empty_and_huge_files_are_refused),
        cmocka_unit_test(missing_job_and_folder_are_named),
        cmocka_unit_test(plugin_is_found_along_the_plugin_path),
        cmocka_unit_test(plugin_alone_is_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
