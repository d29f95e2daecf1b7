/* test_command_braces.c - braces in commands: replacement strings that make no sense are refused,
 * mistyped names are warned of, and what is for the shell or another program passes. */
#include "../../jobs/job.h"
#include "../../jobs/job_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sheaf_error error;

/* Of one command with these values (NAME=VALUE, up to two), or with numbers where there are none.
 */
static struct job given_job(const char *command, const char *a, const char *b)
{
    const char *assignments[] = {a, b};
    const struct job_command_line line = {.text = command,
                                          .assignments = assignments,
                                          .assignment_count = (size_t)(a != NULL) + (b != NULL)};
    struct job job;
    if (job_read_command_line(&line, &job, &error) != 0)
        fail_msg("%s", error.text);
    job.split.tasks = 1;
    return job;
}

static int check(const char *command, const char *a, const char *b)
{
    struct job job = given_job(command, a, b);
    struct command_template *parsed = NULL;
    int code = job_command_parse(&job, &parsed, &error);
    command_template_destroy(parsed);
    job_close(&job);
    return code;
}

static void assert_refused(const char *command, const char *why)
{
    if (check(command, "a=1", "b=2") != SHEAF_ERROR_JOB)
        fail_msg("%s was not refused", command);
    if (strstr(error.text, why) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", command, error.text, why);
}

static void what_only_a_replacement_string_can_mean_is_refused(void **state)
{
    (void)state;
    assert_refused("x {##}", "the command has {##}, which is a replacement string of GNU parallel");
    assert_refused("x {..} {+/}", "has {..}, which");
    assert_refused("x {3}", "which is one of several values, and the task has 2, from {1} on");
    assert_refused("x a{3}.txt", "has {3}, which");
    assert_refused("x {-1}", "has {-1}, which");
    assert_refused("x {1/.}", "has {1/.}, which");
    assert_refused("x '{3}'", "write {''3} where it is not to be replaced");
    assert_refused("x \"{3}\"", "write {\"\"3} where it is not to be replaced");
    assert_refused("x '{= s/{.}//; =}' y", "has {= s/{.}//; =}, which is Perl code");
    assert_refused("x >{out}", "which is where an output file is to be written, and no such file");
    assert_refused("x >{out1}", "has {out1}, which");
    assert_int_equal(check("x {1}", NULL, NULL), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "the task has a single input, {}"));
}

static void braces_for_others_pass(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "awk '{print}' x",
        "awk '{ if ($1) {print} else {exit} }' x",
        "echo ${3} \"${out}\" ${x} ${#}",
        "echo {x,y} {1..3} {01..10..2}",
        "echo '{\"k\": 1, \"l\": {\"m\": [2]}}'",
        "grep -E '^[0-9]{4}-(ab){2}.{3}x{4}$' x",
        "sed 's/x\\{3\\}//' x",
        "grep -E [0-9]{3} x",
        "git show HEAD@{3}",
        "find . -exec rm '{''}' \\;",
        "echo {''##} '{''3}' \"{\"\"out}\" \\{3}",
        "printf '%s' {0} {=x}",
        "f() { x; }; f # {##} and {3}",
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        if (check(fine[i], "a=1", "b=2") != 0)
            fail_msg("%s: %s", fine[i], error.text);
}

static void assert_unused(const char *command, const char *expected)
{
    struct job job = given_job(command, "rate=1", "b=2");
    int code = job_check_use(&job, &error);
    assert_int_equal(code, expected != NULL ? SHEAF_ERROR_JOB : 0);
    if (expected != NULL && strstr(error.text, expected) == NULL)
        fail_msg("%s: \"%s\" does not say \"%s\"", command, error.text, expected);
    job_close(&job);
}

static void value_that_nothing_uses_is_refused(void **state)
{
    (void)state;
    assert_unused("x {rate} {b}", NULL);
    assert_unused("x {1} \"{2}\"", NULL);
    assert_unused("x {}", NULL);
    assert_unused("x {rate}", "nothing uses the parameter \"b\": write {b} where");
    assert_unused("x {rat} {b}", "parameter \"rate\": write {rate} where the command is to have "
                                 "its value (it has {rat}), or leave it out");
    assert_unused("x ${rate} {b}", "nothing uses the parameter \"rate\"");
    assert_unused("awk '{print ${rate}}' {b}", NULL);
}

static void parameter_of_a_job_file_may_be_used_anywhere(void **state)
{
    (void)state;
    static const char used[] = "command: \"x >{out}\"\n"
                               "split: {lines: job_list}\n"
                               "merge_command: \"y {m} {left} {right}\"\n"
                               "outputs: [\"{o}/{#}\"]\n"
                               "parameters: {m: 1, o: 2}\n";
    static const char in_stages[] = "parameters: {p: 1, q: 2}\n"
                                    "stages:\n"
                                    "  - {name: a, command: \"x {p}\"}\n"
                                    "  - {name: b, command: \"x {q}\", after: a}\n";
    static const char unused[] = "parameters: {p: 1}\n"
                                 "stages:\n"
                                 "  - {name: a, command: x}\n"
                                 "  - {name: b, command: x, after: a}\n";
    struct job job;
    assert_int_equal(job_parse(used, strlen(used), "j.yaml", &job, &error), 0);
    assert_int_equal(job_check_use(&job, &error), 0);
    job_close(&job);
    assert_int_equal(job_parse(in_stages, strlen(in_stages), "j.yaml", &job, &error), 0);
    assert_int_equal(job_check_use(&job, &error), 0);
    job_close(&job);
    assert_int_equal(job_parse(unused, strlen(unused), "j.yaml", &job, &error), 0);
    assert_int_equal(job_check_use(&job, &error), SHEAF_ERROR_JOB);
    assert_non_null(strstr(error.text, "nothing uses the parameter \"p\""));
    job_close(&job);
}

static void keep_warning(void *context, const char *text)
{
    char *kept = context;
    snprintf(kept, 1000, "%s", text);
}

/* NULL: there is none. */
static void assert_warning(const char *command, const char *expected)
{
    char kept[1000] = "";
    struct job job = given_job(command, "rate=1", "b=2");
    job_warn(&job, keep_warning, kept);
    if (expected == NULL ? kept[0] != '\0' : strstr(kept, expected) == NULL)
        fail_msg("%s: warned \"%s\"", command, kept);
    job_close(&job);
}

static void word_that_resembles_a_name_is_warned_of(void **state)
{
    (void)state;
    assert_warning("x {rat}", "the command gets {rat} as it stands; did you mean {rate}? ({''rat} "
                              "says that it is meant so)");
    assert_warning("x \"{raet}\"", "did you mean {rate}?");
    assert_warning("x {why}", "no value has that name, but {rate}, {b} has");
    assert_warning("awk '{print}' {rate}", NULL);
    assert_warning("x ${rat} @{rat} {''rat} {b,c} {1..3} # {rat}", NULL);
    struct job job = given_job("x {why}", NULL, NULL);
    char kept[1000] = "";
    job_warn(&job, keep_warning, kept);
    assert_string_equal(kept, "");
    job_close(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_only_a_replacement_string_can_mean_is_refused),
        cmocka_unit_test(braces_for_others_pass),
        cmocka_unit_test(value_that_nothing_uses_is_refused),
        cmocka_unit_test(parameter_of_a_job_file_may_be_used_anywhere),
        cmocka_unit_test(word_that_resembles_a_name_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
