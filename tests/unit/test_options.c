/* test_options.c - the command line of `sheaf run` is understood, or refused with a clear text. */
#include "../../runtime/command_line.h"
#include "../../runtime/options.h"
#include "../../runtime/run_job.h"
#include "../../scheduler/memory.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 16 };

/* What was parsed, with the words that it borrows. */
struct parsing {
    char *words[WORDS_MAX];
    int word_count;
    struct run_options options;
    struct sheaf_error error;
    int code;
};

/* Parses "run" and the words, up to NULL. */
static struct parsing *given_words(const char *first, ...)
{
    struct parsing *parsing = memory_allocate_zeroed(1, sizeof *parsing);
    parsing->words[parsing->word_count++] = memory_copy_string("run");
    va_list words;
    va_start(words, first);
    for (const char *word = first; word != NULL; word = va_arg(words, const char *)) {
        assert_in_range(parsing->word_count, 1, WORDS_MAX - 2);
        parsing->words[parsing->word_count++] = memory_copy_string(word);
    }
    va_end(words);
    parsing->code =
        options_parse(parsing->word_count, parsing->words, &parsing->options, &parsing->error);
    return parsing;
}

static void parsing_destroy(struct parsing *parsing)
{
    if (parsing->code == 0)
        options_close(&parsing->options);
    for (int i = 0; i < parsing->word_count; i++)
        free(parsing->words[i]);
    free(parsing);
}

static void assert_refused(struct parsing *parsing, const char *text)
{
    assert_int_equal(parsing->code, SHEAF_ERROR_USAGE);
    assert_int_equal(sheaf_error_exit_status(parsing->code), 2);
    if (strstr(parsing->error.text, text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, parsing->error.text);
    parsing_destroy(parsing);
}

static void job_alone_has_the_documented_defaults(void **state)
{
    (void)state;
    struct parsing *parsing = given_words("job.yaml", NULL);
    const struct run_options *options = &parsing->options;
    assert_int_equal(parsing->code, 0);
    assert_string_equal(options->job_path, "job.yaml");
    assert_int_equal(options->ranks, 0);
    assert_int_equal(options->restarts_max, 10);
    assert_true(options->checkpoint_ns == UINT64_C(1000000000));
    assert_true(options->lost_after_ns == UINT64_C(5000000000));
    assert_true(options->grace_ns == UINT64_C(10000000000));
    assert_null(options->dir);
    assert_false(options->is_under_launcher);
    parsing_destroy(parsing);
}

static void options_may_stand_before_and_after_the_job(void **state)
{
    (void)state;
    struct parsing *parsing =
        given_words("-n", "4", "job.yaml", "--dir=here", "--quiet", "--tasks", "1e6", NULL);
    assert_int_equal(parsing->code, 0);
    assert_string_equal(parsing->options.job_path, "job.yaml");
    assert_int_equal(parsing->options.ranks, 4);
    assert_string_equal(parsing->options.dir, "here");
    assert_string_equal(parsing->options.tasks, "1e6");
    assert_true(parsing->options.is_quiet);
    parsing_destroy(parsing);
}

static void workers_are_one_less_than_ranks(void **state)
{
    (void)state;
    struct parsing *parsing = given_words("--workers", "7", "job.yaml", NULL);
    assert_int_equal(parsing->options.ranks, 8);
    parsing_destroy(parsing);
}

static void repeated_parameters_keep_their_order(void **state)
{
    (void)state;
    struct parsing *parsing = given_words("-p", "a=1", "job.yaml", "--param", "b=2", "--mpi-option",
                                          "--mca", "--mpi-option=btl", NULL);
    assert_int_equal(parsing->code, 0);
    assert_int_equal(parsing->options.parameter_count, 2);
    assert_string_equal(parsing->options.parameters[0], "a=1");
    assert_string_equal(parsing->options.parameters[1], "b=2");
    assert_int_equal(parsing->options.mpi_option_count, 2);
    assert_string_equal(parsing->options.mpi_options[0], "--mca");
    assert_string_equal(parsing->options.mpi_options[1], "btl");
    parsing_destroy(parsing);
}

static void limits_are_read_with_their_units(void **state)
{
    (void)state;
    struct parsing *parsing =
        given_words("job.yaml", "--timeout", "500ms", "--memory", "2G", "--attempts", "5",
                    "--range-min=10", "--range-max=10", "--lost-after", "1min", NULL);
    assert_int_equal(parsing->code, 0);
    const struct run_options *options = &parsing->options;
    assert_true(options->limits.task_timeout_ns == UINT64_C(500000000));
    assert_true(options->limits.task_memory_bytes == UINT64_C(2) << 30);
    assert_int_equal(options->limits.attempts_max, 5);
    assert_int_equal(options->limits.crashes_max, 0);
    assert_int_equal(options->limits.range_count_min, 10);
    assert_true(options->lost_after_ns == UINT64_C(60000000000));
    parsing_destroy(parsing);
}

static void restarted_run_is_not_fresh_again(void **state)
{
    (void)state;
    struct parsing *parsing =
        given_words("--under-launcher", "--restart", "--fresh", "job.yaml", NULL);
    assert_true(parsing->options.is_restart);
    assert_false(parsing->options.is_fresh);
    parsing_destroy(parsing);
}

static void launcher_and_ranks_read_the_same(void **state)
{
    (void)state;
    struct parsing *parsing = given_words("job.yaml", "-p", "a=1", "--", NULL);
    assert_int_equal(parsing->code, 0);
    /* getopt has put the words in another order; the ranks get them so. */
    char *words[WORDS_MAX] = {parsing->words[0]};
    int count = 1;
    for (int i = 0; i < parsing->options.argument_count; i++)
        words[count++] = parsing->options.arguments[i];
    struct run_options again;
    assert_int_equal(options_parse(count, words, &again, NULL), 0);
    assert_string_equal(again.job_path, "job.yaml");
    assert_string_equal(again.parameters[0], "a=1");
    options_close(&again);
    parsing_destroy(parsing);
}

static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    assert_refused(given_words(NULL), "which job?");
    assert_refused(given_words("a.yaml", "b.yaml", NULL), "b.yaml");
    assert_refused(given_words("a.yaml", "--tassks", "3", NULL), "did you mean --tasks?");
    assert_refused(given_words("a.yaml", "--workres=3", NULL), "did you mean --workers?");
    assert_refused(given_words("a.yaml", "--zzzzzzzzz", NULL), "--zzzzzzzzz");
    assert_refused(given_words("a.yaml", "-Z", NULL), "-Z");
    assert_refused(given_words("a.yaml", "--dir", NULL), "argument is missing after --dir");
    assert_refused(given_words("a.yaml", "--fresh=yes", NULL), "--fresh=yes");
    assert_refused(given_words("a.yaml", "--fresh", "--force", NULL), "choose one");
    assert_refused(given_words("a.yaml", "--range-min", "5", "--range-max=4", NULL), "--range-min");
    assert_refused(given_words("a.yaml", "--host", "a", "--hostfile", "b", NULL), "not both");
    assert_refused(given_words("a.yaml", "--pipe", NULL), "pipe: true");
    assert_refused(given_words("-c", "x", "--block", "1M", "a", NULL), "--block belongs to --pipe");
    assert_refused(given_words("-c", "x", "--pipe", "-0", "a", NULL), "--null is of no use");
    assert_refused(given_words("a.yaml", "-n", "0", NULL), "above 0");
    assert_refused(given_words("a.yaml", "-n", "-3", NULL), "--ranks");
    assert_refused(given_words("a.yaml", "--workers", "many", NULL), "many");
    assert_refused(given_words("a.yaml", "--timeout", "10 parsecs", NULL), "--timeout");
    assert_refused(given_words("a.yaml", "--slots", "1e9", NULL), "--slots");
    assert_refused(given_words("a.yaml", "-s", "5000", NULL), "--slots must be at most 4096");
    assert_refused(given_words("a.yaml", "--block", "2G", "--pipe", "-c", "x", NULL),
                   "--block must be at most");
    assert_refused(given_words("a.yaml", "--memory", "10", NULL), "such as 10M or 10G");
    assert_refused(given_words("a.yaml", "--reserve", "10", NULL), "--reserve must be at least 1M");
    assert_refused(given_words("a.yaml", "--timeout", "100000d", NULL), "at most 13343d");
}

static void help_needs_no_job(void **state)
{
    (void)state;
    struct parsing *parsing = given_words("--help", NULL);
    assert_int_equal(parsing->code, 0);
    assert_true(parsing->options.wants_help);
    parsing_destroy(parsing);
}

static void help_names_every_option_but_the_internal_ones(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    options_print_help(out);
    fclose(out);
    assert_non_null(strstr(text, "  -n, --ranks N "));
    assert_non_null(strstr(text, "      --silence-timeout TIME "));
    assert_null(strstr(text, "under-launcher"));
    free(text);
}

static void command_line_changes_the_job(void **state)
{
    (void)state;
    static const char text[] = "plugin: x.so\n"
                               "split: {range: 5}\n"
                               "parameters: {limit: 1}\n"
                               "limits: {timeout: 3s, attempts: 9}\n"
                               "ranges: {min: 50, max: 100}\n";
    struct scratch scratch = given_scratch();
    scratch_write(&scratch, "x.so", "", 0);
    struct scratch_path path = scratch_write(&scratch, "j.yaml", text, strlen(text));
    struct parsing *parsing = given_words(path.text, "--tasks", "7", "-p", "limit=2", "--timeout",
                                          "1s", "--range-max", "10", "--output", "-", NULL);
    struct job job;
    struct sheaf_error error = {.text = ""};
    if (run_job_read(&parsing->options, &job, &error) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(job.split.tasks, 7);
    assert_int_equal(parameter_list_find(&job.parameters, "limit")->integer, 2);
    assert_true(job.limits.task_timeout_ns == UINT64_C(1000000000));
    assert_int_equal(job.limits.attempts_max, 9);
    assert_int_equal(job.limits.range_count_max, 10);
    assert_int_equal(job.limits.range_count_min, 10);
    assert_string_equal(job.output_path, "-");
    char *dir = run_job_directory(&parsing->options, job.name);
    assert_string_equal(dir, "j.sheaf");
    free(dir);
    job_close(&job);
    parsing_destroy(parsing);
    scratch_remove(&scratch);
}

static void command_to_continue_can_be_typed(void **state)
{
    (void)state;
    struct parsing *parsing =
        given_words("it's a job.yaml", "--fresh", "-p", "text=", "-p", "a b", "", NULL);
    char *line = command_line_to_continue(parsing->words + 1, parsing->word_count - 1, false);
    /* In getopt's order or in the user's: both are the same command. */
    assert_non_null(strstr(line, "'it'\\''s a job.yaml'"));
    assert_non_null(strstr(line, "-p text= -p 'a b'"));
    assert_non_null(strstr(line, " ''"));
    assert_null(strstr(line, "--fresh"));
    assert_int_equal(strncmp(line, "sheaf run ", strlen("sheaf run ")), 0);
    free(line);
    parsing_destroy(parsing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_alone_has_the_documented_defaults),
        cmocka_unit_test(options_may_stand_before_and_after_the_job),
        cmocka_unit_test(workers_are_one_less_than_ranks),
        cmocka_unit_test(repeated_parameters_keep_their_order),
        cmocka_unit_test(limits_are_read_with_their_units),
        cmocka_unit_test(restarted_run_is_not_fresh_again),
        cmocka_unit_test(launcher_and_ranks_read_the_same),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(help_needs_no_job),
        cmocka_unit_test(help_names_every_option_but_the_internal_ones),
        cmocka_unit_test(command_line_changes_the_job),
        cmocka_unit_test(command_to_continue_can_be_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
