/* test_command_template.c - replacement strings: what they stand for, and that no value becomes
 * part of a shell's program. */
#include "../../jobs/command_template.h"
#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"
#include "seed.h"
#include "shell_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEEN_BYTES = 1 << 16 };

static const char *const names[] = {"a", "b", "limit"};

static struct command_template_options options_for_input(void)
{
    return (struct command_template_options){.names = {.names = names, .count = 3, .axis_count = 2},
                                             .shell = "/bin/sh",
                                             .takes_input = true};
}

static struct command_value value_of(const char *text)
{
    return (struct command_value){text, strlen(text)};
}

/* The words of a command joined by '|', or the shell's script. */
struct seen {
    char text[SEEN_BYTES];
    bool uses_shell;
};

static void fill(const char *text, const struct command_template_options *options,
                 struct command_value input, struct command_words *words, bool *uses_shell)
{
    struct command_template *command;
    struct sheaf_error error = {0};
    assert_int_equal(command_template_create(text, options, &command, &error), 0);
    const struct command_value named[] = {value_of("one"), value_of("two words"), value_of("10")};
    const struct command_values values = {
        .input = input, .named = named, .task_number = 8, .slot_number = 2};
    assert_int_equal(command_template_fill(command, &values, words, &error), 0);
    *uses_shell = command_template_uses_shell(command);
    command_template_destroy(command);
}

static struct seen see(const char *text, const char *input)
{
    static struct seen seen;
    struct command_words words = {0};
    struct command_template_options options = options_for_input();
    fill(text, &options, value_of(input), &words, &seen.uses_shell);
    size_t length = 0;
    for (size_t i = 0; i < words.argument_count; i++)
        length += (size_t)snprintf(seen.text + length, sizeof seen.text - length, "%s%s",
                                   i > 0 ? "|" : "", (char *)words.bytes.data + words.starts[i]);
    command_words_close(&words);
    return seen;
}

static void replacement_strings_cut_paths_as_gnu_parallel_does(void **state)
{
    (void)state;
    static const char all[] = "x {} {.} {/} {//} {/.}";
    assert_string_equal(see(all, "d/e/f.tar.gz").text,
                        "x|d/e/f.tar.gz|d/e/f.tar|f.tar.gz|d/e|f.tar");
    assert_string_equal(see(all, "plain").text, "x|plain|plain|plain|.|plain");
    assert_string_equal(see(all, "/f.c").text, "x|/f.c|/f|f.c|/|f");
    assert_string_equal(see(all, "d.d/f").text, "x|d.d/f|d.d/f|f|d.d|f");
    assert_string_equal(see(all, "d/f.").text, "x|d/f.|d/f|f.|d|f");
    assert_string_equal(see(all, "").text, "x||||.|");
}

static void numbers_and_names_are_replaced(void **state)
{
    (void)state;
    assert_string_equal(see("x {#} {%} {a} {b} {limit} {1} {2}", "i").text,
                        "x|8|2|one|two words|10|one|two words|i");
    assert_string_equal(see("x-{a}-{#}.y {}", "i").text, "x-one-8.y|i");
}

static void unknown_braces_go_to_the_shell_as_they_are(void **state)
{
    (void)state;
    struct seen seen = see("x {c} {3} {} ", "i");
    assert_true(seen.uses_shell);
    assert_string_equal(seen.text, "/bin/sh|-c|x {c} {3} \"${SHEAF_VALUE_1}\" ");
}

static void input_is_added_where_the_command_does_not_say_where(void **state)
{
    (void)state;
    assert_string_equal(see("gzip -9", "a b").text, "gzip|-9|a b");
    assert_string_equal(see("gzip {#}", "a").text, "gzip|8|a");
    assert_string_equal(see("gzip <{}", "a").text, "/bin/sh|-c|gzip <\"${SHEAF_VALUE_1}\"");
}

static void plain_lines_are_left_alone(void **state)
{
    (void)state;
    struct command_words words = {0};
    bool uses_shell;
    const struct command_template_options options = {.is_plain = true};
    fill("find . -exec echo {} +", &options, value_of("i"), &words, &uses_shell);
    assert_true(uses_shell);
    assert_string_equal((char *)words.bytes.data + words.starts[2], "find . -exec echo {} +");
    command_words_close(&words);
}

static void input_strings_stay_where_the_input_is_on_standard_input(void **state)
{
    (void)state;
    struct command_words words = {0};
    bool uses_shell;
    struct command_template_options options = options_for_input();
    options.takes_input = false;
    options.has_no_input = true;
    fill("xargs -I {} echo {a} {#} {}", &options, value_of("i"), &words, &uses_shell);
    assert_true(uses_shell);
    assert_string_equal((char *)words.bytes.data + words.starts[2],
                        "xargs -I {} echo \"${SHEAF_VALUE_1}\" ${SHEAF_VALUE_2} {}");
    command_words_close(&words);
}

static void command_tells_which_names_it_uses(void **state)
{
    (void)state;
    static const char *const texts[] = {"x {a} {#}", "x {a} | y {1}"};
    struct command_template_options options = options_for_input();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct command_template *command;
        struct sheaf_error error = {0};
        assert_int_equal(command_template_create(texts[i], &options, &command, &error), 0);
        assert_true(command_template_uses(command, 0));
        assert_false(command_template_uses(command, 1));
        command_template_destroy(command);
    }
}

static void shell_is_used_for_its_syntax_alone(void **state)
{
    (void)state;
    static const char *const plain[] = {"ls -l {}", "sim --seed={} -x a,b:c@d%e+f", "  true  ",
                                        "a!b c#d ~e~x^y"};
    static const char *const shell[] = {
        "a | b", "a > {}",  "a; b",  "a & b", "a $B",    "a `b`",  "a 'b'", "a \"b\"", "a \\b",
        "a *",   "a ?",     "a [b]", "A=1 b", "cd {}",   "exit 3", "# no",  "a ~",     "a (b)",
        "a\nb",  "a --x=~", "a #b",  "! a",   "a {b,c}", ". x",    ": x",   "while x",
    };
    for (size_t i = 0; i + 1 < sizeof plain / sizeof *plain; i++)
        assert_false(see(plain[i], "i").uses_shell);
    for (size_t i = 0; i < sizeof shell / sizeof *shell; i++)
        if (!see(shell[i], "i").uses_shell)
            fail_msg("no shell for: %s", shell[i]);
}

static void empty_command_is_refused(void **state)
{
    (void)state;
    struct command_template *command = NULL;
    struct sheaf_error error = {0};
    struct command_template_options options = options_for_input();
    assert_int_equal(command_template_create(" \t\n", &options, &command, &error), SHEAF_ERROR_JOB);
    assert_null(command);
}

/* A value such as a[$(command)] would be run by some shells. */
static void value_in_arithmetic_is_refused_and_a_number_is_not(void **state)
{
    (void)state;
    const struct command_template_options options = options_for_input();
    static const char *const refused[] = {
        "echo $(( {} + 1 ))",  "echo $(({a}*2))",     "(( {} )) && x",
        "echo \"$(( {/} ))\"", "[[ {} -eq 1 ]] && x", "if [[ -n $a && \"{/}\" -gt 1 ]]; then x; fi",
        "echo $[ {} + 1 ]",    "let x={}; y",         "let 'x = {a}'",
        "a[{}]=1; x",          "echo ${x:{}}",        "echo \"${x[{a}]}\""};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct command_template *command;
        struct sheaf_error error = {0};
        assert_int_equal(command_template_create(refused[i], &options, &command, &error),
                         SHEAF_ERROR_JOB);
        assert_non_null(strstr(error.text, "within (( ))"));
    }
    assert_string_equal(see("echo $(( {#} + 1 )) {}", "x").text,
                        "/bin/sh|-c|echo $(( ${SHEAF_VALUE_1} + 1 )) \"${SHEAF_VALUE_2}\"");
    static const char *const fine[] = {
        "(cat {}); (echo {})", "[[ -n $a ]] && x {}", "[ {} = 1 ] && x",
        "echo ${x} {}",        "echo $[ 1 + 2 ] {}",  "let x=1; y {}",
        "outlet {} | x",       "x '[[ ' {}",          "ls a[0-9] {}"};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        assert_true(see(fine[i], "x").uses_shell);
}

static void nul_in_a_value_is_refused(void **state)
{
    (void)state;
    struct command_template *command;
    struct sheaf_error error = {0};
    struct command_words words = {0};
    struct command_template_options options = options_for_input();
    assert_int_equal(command_template_create("x {}", &options, &command, &error), 0);
    const struct command_values values = {.input = {"a\0b", 3}};
    assert_int_equal(command_template_fill(command, &values, &words, &error), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "NUL"));
    command_words_close(&words);
    command_template_destroy(command);
}

/* ---- a real shell ---- */

static const char *shell; /* the one under test */

static void check_prints(const char *text, struct command_value name, struct byte_writer *expected)
{
    struct command_words words = {0};
    bool uses_shell;
    struct command_template_options options = options_for_input();
    options.shell = shell;
    fill(text, &options, name, &words, &uses_shell);
    assert_true(uses_shell);
    struct byte_writer printed = shell_run(&words);
    if (printed.size != expected->size ||
        (printed.size > 0 && memcmp(printed.data, expected->data, printed.size) != 0))
        fail_msg("%s: %s harmed the name \"%.*s\": printed %zu bytes: %.*s", shell, text,
                 (int)name.size, (const char *)name.data, printed.size, (int)printed.size,
                 (char *)printed.data);
    byte_writer_close(&printed);
    byte_writer_clear(expected);
    command_words_close(&words);
}

static void put_ended(struct byte_writer *writer, struct command_value value)
{
    byte_writer_put(writer, value.data, value.size);
    byte_writer_put_u8(writer, '\0');
}

/* Whatever quotes the command has around them. */
static void pass_names(uint64_t *random)
{
    enum { NAMES = 40 };
    struct byte_writer expected = {0};
    for (int i = 0; i < NAMES; i++) {
        char bytes[256];
        struct command_value name = {bytes, shell_make_value(random, bytes, sizeof bytes)};
        put_ended(&expected, name);
        check_prints("printf '%s\\0' {}", name, &expected);
        put_ended(&expected, name);
        check_prints("printf \"%s\\0\" \"{}\"", name, &expected);
        put_ended(&expected, name);
        check_prints("printf '%s\\0' '{}'", name, &expected);
        put_ended(&expected, (struct command_value){"x", 1});
        check_prints("# don't {}\nf() { printf '%s\\0' x; }; f {}", name, &expected);
        put_ended(&expected, name);
        put_ended(&expected, (struct command_value){"8", 1});
        check_prints("A={} B=$(( {#} * 1 )); printf '%s\\0' \"$A\" \"$(echo \"$B\")\"", name,
                     &expected);
        put_ended(&expected, name);
        check_prints("printf '%s\\0' \"$(printf '%sx' {})\" | sed -z 's/x$//'", name, &expected);
    }
    byte_writer_close(&expected);
}

static void values_pass_real_shells_unharmed(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool is_needed; /* the others where they are: ./bootstrap --tests installs them */
    } shells[] = {{"/bin/bash", true},
                  {"/bin/dash", true},
                  {"/bin/zsh", false},
                  {"/bin/ksh93", false},
                  {"/bin/mksh", false}};
    uint64_t random = test_seed();
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        shell = shells[i].path;
        bool is_there = access(shell, X_OK) == 0;
        print_message("%s: %s\n", shell, is_there ? "tested" : "not here");
        assert_true(is_there || !shells[i].is_needed);
        if (is_there)
            pass_names(&random);
    }
    assert_int_not_equal(access("broken", F_OK), 0);
}

static void function_that_bash_exported_is_called_by_bash(void **state)
{
    (void)state;
    struct command_template_options options = {.shell = "/bin/bash", .is_plain = true};
    struct command_words words = {0};
    bool uses_shell;
    setenv("BASH_FUNC_exported_one%%", "() { echo called \"$1\"; }", 1);
    fill("exported_one  x", &options, value_of(""), &words, &uses_shell);
    assert_true(uses_shell);
    struct byte_writer printed = shell_run(&words);
    assert_int_equal(printed.size, strlen("called x\n"));
    assert_memory_equal(printed.data, "called x\n", printed.size);
    byte_writer_close(&printed);
    options.shell = "/bin/dash";
    fill("exported_one  x", &options, value_of(""), &words, &uses_shell);
    assert_false(uses_shell);
    unsetenv("BASH_FUNC_exported_one%%");
    command_words_close(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replacement_strings_cut_paths_as_gnu_parallel_does),
        cmocka_unit_test(numbers_and_names_are_replaced),
        cmocka_unit_test(unknown_braces_go_to_the_shell_as_they_are),
        cmocka_unit_test(input_is_added_where_the_command_does_not_say_where),
        cmocka_unit_test(plain_lines_are_left_alone),
        cmocka_unit_test(input_strings_stay_where_the_input_is_on_standard_input),
        cmocka_unit_test(command_tells_which_names_it_uses),
        cmocka_unit_test(shell_is_used_for_its_syntax_alone),
        cmocka_unit_test(empty_command_is_refused),
        cmocka_unit_test(value_in_arithmetic_is_refused_and_a_number_is_not),
        cmocka_unit_test(nul_in_a_value_is_refused),
        cmocka_unit_test(values_pass_real_shells_unharmed),
        cmocka_unit_test(function_that_bash_exported_is_called_by_bash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
