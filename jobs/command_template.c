/* command_template.c - cuts a command into parts once, and fills in the values of each task.
 *
 * For the shell a value is always the expansion of a variable, which a shell never reads again as
 * program text: that the quotes around it are told right keeps it one word, nothing more. */
#include "command_template.h"

#include "../scheduler/memory.h"
#include "command_replacement.h"
#include "command_shell.h"
#include "shell_evaluation.h"
#include "shell_syntax.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VARIABLE_PREFIX "SHEAF_VALUE_"

/* A piece of a word: literal text, or a replacement string. */
struct part {
    bool begins_word;
    struct found_replacement replacement;
    size_t literal; /* offset in the text; kind NONE */
    size_t literal_bytes;
};

struct command_template {
    char *text;
    char *shell; /* NULL: none is needed */
    enum shell_evaluation evaluation;
    struct part *parts; /* without a shell: the words; with it: one for each variable */
    size_t part_count;
    size_t part_capacity;
    struct byte_writer script; /* ends with NUL */
};

static void add_part(struct command_template *command, const struct part *part)
{
    void *parts = command->parts;
    memory_grow(&parts, &command->part_capacity, command->part_count + 1, sizeof *part);
    command->parts = parts;
    command->parts[command->part_count++] = *part;
}

static struct found_replacement find(const char *text,
                                     const struct command_template_options *options)
{
    struct found_replacement found = {.kind = REPLACEMENT_NONE};
    if (!options->is_plain)
        found = replacement_find(text, &options->names);
    if (options->has_no_input && replacement_is_of_input(found.kind))
        found = (struct found_replacement){.kind = REPLACEMENT_NONE};
    return found;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static void cut_into_words(struct command_template *command,
                           const struct command_template_options *options)
{
    const char *text = command->text;
    bool begins_word = true;
    for (size_t at = 0; text[at] != '\0';) {
        if (is_blank(text[at])) {
            begins_word = true;
            at++;
            continue;
        }
        struct part part = {.begins_word = begins_word, .literal = at};
        part.replacement = find(text + at, options);
        if (part.replacement.kind != REPLACEMENT_NONE) {
            at += part.replacement.size_bytes;
        } else {
            do {
                at++;
            } while (text[at] != '\0' && !is_blank(text[at]) &&
                     find(text + at, options).kind == REPLACEMENT_NONE);
            part.literal_bytes = at - part.literal;
        }
        add_part(command, &part);
        begins_word = false;
    }
}

static bool replacements_are_equal(struct found_replacement a, struct found_replacement b)
{
    return a.kind == b.kind && a.name == b.name;
}

/* The number of the variable that holds it, from 1. */
static size_t variable_of(struct command_template *command, struct found_replacement found)
{
    for (size_t i = 0; i < command->part_count; i++)
        if (replacements_are_equal(command->parts[i].replacement, found))
            return i + 1;
    add_part(command, &(struct part){.replacement = found});
    return command->part_count;
}

static void put_text(struct byte_writer *writer, const char *text)
{
    byte_writer_put(writer, text, strlen(text));
}

static bool is_number(struct found_replacement found)
{
    return found.kind == REPLACEMENT_TASK_NUMBER || found.kind == REPLACEMENT_SLOT_NUMBER;
}

/* Numbers need no quotes, and in arithmetic there must be none. */
static void put_variable(struct command_template *command, struct found_replacement found,
                         enum shell_quotes quotes)
{
    static const char *const open[] = {"\"", "'\"", ""};
    static const char *const close[] = {"\"", "\"'", ""};
    char name[48];
    bool is_bare = is_number(found) && quotes == SHELL_UNQUOTED;
    snprintf(name, sizeof name, "${" VARIABLE_PREFIX "%zu}", variable_of(command, found));
    put_text(&command->script, is_bare ? "" : open[quotes]);
    put_text(&command->script, name);
    put_text(&command->script, is_bare ? "" : close[quotes]);
}

/* Within (( )) and its like, where some shells, bash among them, run a command that stands in a
 * value. Rather too often: where there was any before. */
static bool may_be_arithmetic(const struct shell_scanner *scanner, const char *start,
                              const char *here)
{
    return shell_scanner_may_evaluate(scanner) ||
           (scanner->depth >= 2 && memmem(start, (size_t)(here - start), "((", 2) != NULL);
}

static int write_script(struct command_template *command,
                        const struct command_template_options *options, struct sheaf_error *error)
{
    struct shell_scanner scanner = {.depth = 0};
    for (const char *text = command->text; *text != '\0';) {
        struct found_replacement found = find(text, options);
        size_t size = found.size_bytes;
        bool is_for_shell = shell_scanner_is_variable(&scanner, command->text, text);
        if (found.kind != REPLACEMENT_NONE && !scanner.is_comment && !is_for_shell) {
            if (!is_number(found) && may_be_arithmetic(&scanner, command->text, text))
                return sheaf_error_set(error, SHEAF_ERROR_JOB,
                                       "the command has %.*s within (( )), [[ ]], $[ ], ${ }, a "
                                       "subscript or let, where a shell may run what stands in a "
                                       "value; give the value to a script as an "
                                       "argument, and let that compute",
                                       (int)size, text);
            put_variable(command, found, scanner.quotes);
            shell_scanner_pass_value(&scanner);
        } else {
            size = shell_scanner_step(&scanner, text);
            byte_writer_put(&command->script, text, size);
        }
        text += size;
    }
    byte_writer_put_u8(&command->script, '\0');
    return 0;
}

/* The text with its replacement strings taken out: braces that stay are for the shell. */
static bool needs_shell(const char *text, const char *shell,
                        const struct command_template_options *options)
{
    char *rest = memory_allocate(strlen(text) + 1);
    size_t size = 0;
    while (*text != '\0') {
        struct found_replacement found = find(text, options);
        rest[size++] = found.kind != REPLACEMENT_NONE ? '_' : *text;
        text += found.kind != REPLACEMENT_NONE ? found.size_bytes : 1;
    }
    rest[size] = '\0';
    bool is_needed = shell_syntax_is_needed(rest) || command_shell_has_function(shell, rest);
    free(rest);
    return is_needed;
}

static bool has_input(const char *text, const struct command_template_options *options)
{
    struct shell_scanner scanner = {.depth = 0};
    for (const char *at = text; *at != '\0'; at += shell_scanner_step(&scanner, at))
        if (replacement_is_of_input(find(at, options).kind) &&
            !shell_scanner_is_variable(&scanner, text, at))
            return true;
    return false;
}

int command_template_create(const char *text, const struct command_template_options *options,
                            struct command_template **command, struct sheaf_error *error)
{
    if (text[strspn(text, " \t\n")] == '\0')
        return sheaf_error_set(error, SHEAF_ERROR_JOB, "the command is empty");
    bool is_completed = options->takes_input && !options->is_plain && !has_input(text, options);
    struct command_template *created = memory_allocate_zeroed(1, sizeof *created);
    size_t size = strlen(text) + sizeof " {}";
    created->text = memory_allocate(size);
    snprintf(created->text, size, "%s%s", text, is_completed ? " {}" : "");
    const char *shell = options->shell != NULL ? options->shell : command_shell_default();
    if (needs_shell(created->text, shell, options))
        created->shell = memory_copy_string(shell);
    int code = 0;
    if (created->shell != NULL) {
        created->evaluation = shell_evaluation_of(created->text, shell);
        code = write_script(created, options, error);
    } else {
        cut_into_words(created, options);
    }
    if (code != 0)
        command_template_destroy(created);
    else
        *command = created;
    return code;
}

void command_template_destroy(struct command_template *command)
{
    if (command == NULL)
        return;
    free(command->text);
    free(command->shell);
    free(command->parts);
    byte_writer_close(&command->script);
    free(command);
}

bool command_template_uses(const struct command_template *command, size_t name)
{
    for (size_t i = 0; i < command->part_count; i++) {
        const struct found_replacement *found = &command->parts[i].replacement;
        if (found->kind == REPLACEMENT_NAMED && found->name == name)
            return true;
    }
    return false;
}

bool command_template_uses_input(const struct command_template *command)
{
    for (size_t i = 0; i < command->part_count; i++)
        if (replacement_is_of_input(command->parts[i].replacement.kind))
            return true;
    return false;
}

bool command_template_uses_shell(const struct command_template *command)
{
    return command->shell != NULL;
}

static void begin_string(struct command_words *words)
{
    size_t count = words->argument_count + words->variable_count;
    void *starts = words->starts;
    memory_grow(&starts, &words->start_capacity, count + 1, sizeof *words->starts);
    words->starts = starts;
    words->starts[count] = words->bytes.size;
}

static void add_argument(struct command_words *words, const char *text)
{
    begin_string(words);
    words->argument_count++;
    byte_writer_put(&words->bytes, text, strlen(text) + 1);
}

static int put_value(struct command_words *words, struct found_replacement found,
                     const struct command_values *values, struct sheaf_error *error)
{
    byte_writer_clear(&words->scratch);
    replacement_put(found, values, &words->scratch);
    if (words->scratch.size > 0 && memchr(words->scratch.data, '\0', words->scratch.size) != NULL)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "a value holds a NUL byte, which no argument of a command can");
    if (words->scratch.size > 0)
        byte_writer_put(&words->bytes, words->scratch.data, words->scratch.size);
    return 0;
}

enum { SHOWN_BYTES = 40 };

static int refuse_value(const struct command_template *command, const struct command_words *words,
                        struct sheaf_error *error)
{
    size_t size = words->scratch.size;
    bool is_program = command->evaluation == SHELL_EVALUATION_PROGRAM;
    return sheaf_error_set(
        error, SHEAF_ERROR_INPUT,
        "the value \"%.*s\"%s %s: there the shell may run what stands in a value. Give the value "
        "to a script as an argument",
        (int)(size < SHOWN_BYTES ? size : SHOWN_BYTES), (const char *)words->scratch.data,
        size > SHOWN_BYTES ? "..." : "",
        is_program ? "is more than a plain word, and the command has something evaluated (eval, "
                     "trap, source) or calls what a variable names"
                   : "holds $(, ${ or a backquote, and the command computes, compares numbers, "
                     "declares or reads names");
}

static int fill_script(const struct command_template *command, const struct command_values *values,
                       struct command_words *words, struct sheaf_error *error)
{
    add_argument(words, command->shell);
    add_argument(words, "-c");
    add_argument(words, (const char *)command->script.data);
    int code = 0;
    for (size_t i = 0; code == 0 && i < command->part_count; i++) {
        char name[48];
        snprintf(name, sizeof name, VARIABLE_PREFIX "%zu=", i + 1);
        begin_string(words);
        words->variable_count++;
        byte_writer_put(&words->bytes, name, strlen(name));
        code = put_value(words, command->parts[i].replacement, values, error);
        if (code == 0 && shell_evaluation_could_run(command->evaluation, words->scratch.data,
                                                    words->scratch.size))
            code = refuse_value(command, words, error);
        byte_writer_put_u8(&words->bytes, '\0');
    }
    return code;
}

static int fill_words(const struct command_template *command, const struct command_values *values,
                      struct command_words *words, struct sheaf_error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < command->part_count; i++) {
        const struct part *part = &command->parts[i];
        if (part->begins_word) {
            if (i > 0)
                byte_writer_put_u8(&words->bytes, '\0');
            begin_string(words);
            words->argument_count++;
        }
        if (part->replacement.kind == REPLACEMENT_NONE)
            byte_writer_put(&words->bytes, command->text + part->literal, part->literal_bytes);
        else
            code = put_value(words, part->replacement, values, error);
    }
    byte_writer_put_u8(&words->bytes, '\0');
    return code;
}

int command_template_fill(const struct command_template *command,
                          const struct command_values *values, struct command_words *words,
                          struct sheaf_error *error)
{
    byte_writer_clear(&words->bytes);
    words->argument_count = words->variable_count = 0;
    words->is_script = command->shell != NULL;
    return words->is_script ? fill_script(command, values, words, error)
                            : fill_words(command, values, words, error);
}

void command_words_close(struct command_words *words)
{
    byte_writer_close(&words->bytes);
    byte_writer_close(&words->scratch);
    free(words->starts);
    *words = (struct command_words){0};
}
