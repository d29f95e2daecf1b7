/* test_shell_evaluation.c - no value is run by a shell that evaluates it: such commands are told
 * from others, and what could run in them is refused.
 *
 * SHEAF_SHELL_PAIRS says how many pairs of a command and a value each shell gets. */
#include "../../jobs/shell_evaluation.h"
#include "seed.h"
#include "shell_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void commands_that_evaluate_are_told_from_others(void **state)
{
    (void)state;
    static const char *const evaluate[] = {
        "declare \"m[{}]=1\"", "printf -v \"m[{}]\" x",
        "test -v \"m[{}]\"",   "declare -i x={}",
        "declare -n x={}",     "\\let x={}",
        "'let' x={}",          "l\"e\"t x={}",
        "L=let; $L x={}",      "x={}; echo $((x))",
        "x={}; echo $[x]",     "\"$L\" x={}",
        "x={}; (( x ))",       "x={}; echo ${a[x]}",
        "x={}; echo ${a:x}",   "x={}; a[$x]=1",
        "read \"m[{}]\" <f",   "unset \"m[{}]\"",
        "mapfile -C {} x",     "compgen -W {}",
        "RANDOM={}; x",        "PS4={}; set -x; x",
        "eval x {}",           ". {}",
        "x={}; echo ${!x}",    "x={}; echo ${x@P}",
        ">f $L x={}",          "2>f $L x={}",
        "time -p $L x={}",     "A=1 $L x={}",
        "exec -a b $L x={}",   "x | $L y={}",
        "[ {} -eq 1 ]",        "x={}; [[ $x -lt 1 ]]",
        "printf %d {}",        "x && `echo let` y={}",
        "wait -p \"m[{}]\" x", "BASH_ENV={} bash -c x",
        "let \\\nx={}",
    };
    for (size_t i = 0; i < sizeof evaluate / sizeof *evaluate; i++)
        if (shell_evaluation_of(evaluate[i], "/bin/bash") == SHELL_EVALUATION_NONE)
            fail_msg("taken for harmless: %s", evaluate[i]);
    static const char *const hand_on[] = {
        "x {} | y",
        "x=$(y {}); z \"$x\"",
        "x {} >$HOME/f 2>&1",
        "$HOME/bin/x {}",
        "if x {}; then y; fi",
        "printf '%s\\n' {}",
        "echo $(( {#} * 2 )) {}",
        "x {} || exit $?",
        "for i in {}; do x; done",
        "x <<< {}",
        "echo ${x%.c} {}",
        "case {} in a) x;; esac",
        "ls a[0-9] {}",
        "A={} x",
    };
    for (size_t i = 0; i < sizeof hand_on / sizeof *hand_on; i++)
        if (shell_evaluation_of(hand_on[i], "/bin/bash") != SHELL_EVALUATION_NONE)
            fail_msg("taken for one that evaluates: %s", hand_on[i]);
    assert_int_equal(shell_evaluation_of("x || exit {}", "/bin/zsh"), SHELL_EVALUATION_ARITHMETIC);
    assert_int_equal(shell_evaluation_of("exit {}", "/bin/ksh93"), SHELL_EVALUATION_ARITHMETIC);
    assert_int_equal(shell_evaluation_of("x {} || exit 1", "/bin/zsh"), SHELL_EVALUATION_NONE);
    assert_int_equal(shell_evaluation_of("eval x {}", "/bin/dash"), SHELL_EVALUATION_PROGRAM);
}

/* Each does something with the value, or with what an earlier one has made of it. */
static const char *const statements[] = {
    "x={}",
    "x='{}'",
    "y=\"{}\"",
    "printf '%s\\0' {} >args",
    "a=({} 1)",
    "m[1]={}",
    "set -- {}",
    "for i in {}; do true; done",
    "echo $((x))",
    "echo $((y+1))",
    "(( x ))",
    "let x",
    "let \"y\"",
    "l'e't y",
    "L=let",
    "$L x",
    "\"$L\" y=x",
    "declare -i z={}",
    "declare \"m[{}]=1\"",
    "typeset -n n={}",
    "printf -v \"m[{}]\" 1",
    "test -v \"m[{}]\"",
    "[ {} -eq 1 ]",
    "[[ $x -eq 1 ]]",
    "test \"$y\" -gt 0",
    "unset \"m[{}]\"",
    "read \"m[{}]\" <<E\n1\nE",
    "echo ${m[x]}",
    "echo ${x:y}",
    "echo ${x:0:y}",
    "echo ${!x}",
    "echo ${x@P}",
    "exit {}",
    "return {}",
    "shift {}",
    "printf %d {}",
    "printf '%s' $x",
    "echo \"$(echo {})\"",
    "echo `echo {}`",
    "export e={}",
    "f() { return $1; }; f {}",
    "eval : {}",
    "RANDOM={}",
    "SECONDS=$x",
    "case {} in a) :;; esac",
    "case $x in {}) :;; esac",
    "cat <<E\n{}\nE",
    "cat <<< {}",
    "true >/dev/null $L y",
    "command $L x",
    "builtin $L x",
    "if [ {} = 1 ]; then :; fi",
    "typeset -i w; w={}",
    "integer v={}",
    "float v={}",
    "repeat {} do :; done",
    "ulimit -t {}",
    "wait {}",
    "echo ${x%{}}",
    "echo ${x/$y/1}",
    "echo $x[1]",
    "print -- {}",
    "print -v m[1] {}",
    "B=y; echo $((B))",
    "OPTIND={}; getopts a b",
    "trap {} EXIT",
    "PS4={}; set -x; true",
    "e$z {}",
    "set -A arr {}",
    "m=([{}]=1)",
    "typeset -A h; h[$x]=1",
    "echo ${h[$x]}",
};

/* A command of some statements, each of which does something with the value. */
static void make_command(uint64_t *random, char *text, size_t size_max)
{
    static const char *const joins[] = {"; ", "\n", " && ", " || ", "; "};
    size_t count = 1 + shell_random(random) % 4;
    strcpy(text, shell_random(random) % 2 == 0 ? "" : "printf '%s\\0' {} >args\n");
    for (size_t i = 0; i < count; i++) {
        const char *statement =
            statements[shell_random(random) % (sizeof statements / sizeof *statements)];
        const char *join = joins[shell_random(random) % (sizeof joins / sizeof *joins)];
        if (strlen(text) + strlen(join) + strlen(statement) + 1 > size_max)
            return;
        if (i > 0)
            strcat(text, text[strlen(text) - 1] == 'E' ? "\n" : join);
        strcat(text, statement);
    }
}

struct outcomes {
    unsigned refused_commands;
    unsigned refused_values;
    unsigned ran;
    unsigned with_arguments; /* compared with what was given */
};

/* What the command has written to the file `args` is the value, each time. */
static void compare_arguments(const char *text, struct command_value value,
                              struct outcomes *outcomes)
{
    unsigned char given[4096];
    FILE *file = fopen("args", "rbe");
    if (file == NULL)
        return;
    size_t size = fread(given, 1, sizeof given, file);
    fclose(file);
    unlink("args");
    if (size == 0)
        return;
    if (size != value.size + 1 || memcmp(given, value.data, value.size) != 0)
        fail_msg("%s: the value \"%.*s\" arrived as \"%.*s\"", text, (int)value.size,
                 (const char *)value.data, (int)size, (char *)given);
    outcomes->with_arguments++;
}

static void try_pair(const char *shell, uint64_t *random, struct outcomes *outcomes)
{
    char text[512];
    char bytes[256];
    make_command(random, text, sizeof text);
    struct command_value value = {bytes, shell_make_value(random, bytes, sizeof bytes)};
    const struct command_template_options options = {.shell = shell, .takes_input = true};
    struct command_template *command;
    struct command_words words = {0};
    if (command_template_create(text, &options, &command, NULL) < 0) {
        outcomes->refused_commands++;
        return;
    }
    const struct command_values values = {.input = value, .task_number = 1, .slot_number = 1};
    if (command_template_fill(command, &values, &words, NULL) < 0) {
        outcomes->refused_values++;
    } else {
        struct byte_writer printed = shell_run(&words);
        byte_writer_close(&printed);
        outcomes->ran++;
        if (access("broken", F_OK) == 0)
            fail_msg("%s ran what stands in the value \"%.*s\": %s", shell, (int)value.size, bytes,
                     text);
        compare_arguments(text, value, outcomes);
    }
    command_words_close(&words);
    command_template_destroy(command);
}

static void no_shell_runs_what_stands_in_a_value(void **state)
{
    (void)state;
    static const char *const shells[] = {"/bin/bash", "/bin/dash", "/bin/zsh", "/bin/ksh93",
                                         "/bin/mksh"};
    const char *setting = getenv("SHEAF_SHELL_PAIRS");
    unsigned long pairs = setting != NULL ? strtoul(setting, NULL, 10) : 400;
    uint64_t random = test_seed();
    unlink("broken");
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        struct outcomes outcomes = {0};
        if (access(shells[i], X_OK) != 0) {
            print_message("%s is not here\n", shells[i]);
            assert_true(i > 1);
            continue;
        }
        for (unsigned long pair = 0; pair < pairs; pair++)
            try_pair(shells[i], &random, &outcomes);
        print_message("%s: %u commands refused, %u values, %u ran, %u with arguments to compare\n",
                      shells[i], outcomes.refused_commands, outcomes.refused_values, outcomes.ran,
                      outcomes.with_arguments);
        assert_true(outcomes.ran > pairs / 8 && outcomes.refused_values > pairs / 16);
        assert_true(outcomes.with_arguments > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_that_evaluate_are_told_from_others),
        cmocka_unit_test(no_shell_runs_what_stands_in_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
