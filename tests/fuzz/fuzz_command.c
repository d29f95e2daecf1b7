/* fuzz_command.c - any text is a command or an error; no value becomes a part of a shell's
 * program, and each argument holds the values that it should. */
#include "../../jobs/command_template.h"
#include "../../jobs/output_template.h"
#include "../../jobs/shell_evaluation.h"
#include "../../scheduler/check.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"a", "b"};

/* The strings of the words, or the script, do not depend on the value where a shell runs them. */
static void compare_scripts(const struct command_words *left, const struct command_words *right)
{
    CHECK(left->argument_count == 3 && right->argument_count == 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(strcmp((char *)left->bytes.data + left->starts[i],
                     (char *)right->bytes.data + right->starts[i]) == 0);
}

static void check_words(const struct command_words *words)
{
    CHECK(words->argument_count > 0);
    size_t count = words->argument_count + words->variable_count;
    for (size_t i = 0; i < count; i++) {
        CHECK(words->starts[i] < words->bytes.size);
        CHECK(i == 0 || words->bytes.data[words->starts[i] - 1] == '\0');
    }
    CHECK(words->bytes.data[words->bytes.size - 1] == '\0');
}

static void fill(const struct command_template *command, struct command_value value,
                 struct command_words *words)
{
    const struct command_value named[] = {value, value};
    const struct command_values values = {
        .input = value, .named = named, .task_number = 3, .slot_number = 1};
    struct sheaf_error error = {0};
    bool has_nul = value.size > 0 && memchr(value.data, '\0', value.size) != NULL;
    int code = command_template_fill(command, &values, words, &error);
    bool could_run = shell_evaluation_could_run(SHELL_EVALUATION_PROGRAM, value.data, value.size);
    CHECK(code == 0 || (code == SHEAF_ERROR_INPUT && (has_nul || could_run)));
    if (code == 0)
        check_words(words);
    else
        words->argument_count = 0;
}

static void try_template(const char *text, struct command_value value,
                         const struct command_template_options *options)
{
    struct command_template *command;
    struct sheaf_error error = {0};
    struct command_words words = {0};
    struct command_words other = {0};
    int code = command_template_create(text, options, &command, &error);
    CHECK(code == 0 || code == SHEAF_ERROR_JOB);
    if (code != 0)
        return;
    fill(command, value, &words);
    fill(command, (struct command_value){"another", 7}, &other);
    if (command_template_uses_shell(command) && words.argument_count > 0)
        compare_scripts(&words, &other);
    command_words_close(&words);
    command_words_close(&other);
    command_template_destroy(command);
}

static void try_output(const char *text, struct command_value value,
                       const struct command_template_options *options)
{
    const struct command_value named[] = {value, value};
    const struct command_values values = {.input = value, .named = named, .task_number = 3};
    struct byte_writer path = {0};
    struct sheaf_error error = {0};
    int code = output_template_check(text, options, &error);
    CHECK(code == 0 || code == SHEAF_ERROR_JOB);
    code = output_template_fill(text, options, &values, &path, &error);
    CHECK(code == SHEAF_ERROR_INPUT || (code == 0 && path.data[path.size - 1] == '\0'));
    byte_writer_close(&path);
}

/* The first line is the command, what follows a value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct command_template_options options = {
        .names = {.names = names, .count = 2, .axis_count = 1}};
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    size_t length = end != NULL ? (size_t)(end - data) : size;
    struct command_value value = {.data = "", .size = 0};
    char *text = malloc(length + 1);
    CHECK(text != NULL);
    if (length > 0)
        memcpy(text, data, length);
    text[length] = '\0';
    if (end != NULL)
        value = (struct command_value){end + 1, size - length - 1};
    for (int way = 0; way < 8; way++) {
        options.is_plain = (way & 1) != 0;
        options.takes_input = (way & 2) != 0;
        options.has_no_input = (way & 4) != 0;
        try_template(text, value, &options);
    }
    options.is_plain = false;
    try_output(text, value, &options);
    free(text);
    return 0;
}
