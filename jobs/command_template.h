/* command_template.h - a command with replacement strings: into words, or into a script for the
 * shell, so that no value can become part of the shell's program. */
#ifndef SHEAF_COMMAND_TEMPLATE_H
#define SHEAF_COMMAND_TEMPLATE_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

enum { COMMAND_NAMES_MAX = 4096 };

/* The names that `{NAME}` may stand for; those before axis_count also have numbers, from {1} on.
 * Borrows. */
struct command_names {
    const char *const *names;
    size_t count;
    size_t axis_count;
};

/* What a command may be told to do without: all is replaced unless is_plain. */
struct command_template_options {
    struct command_names names;
    const char *shell; /* runs what needs one; NULL: the default of command_shell.h */
    bool is_plain;     /* a line of a command list: nothing is replaced */
    bool has_no_input; /* what stands for the input or a part of it stays as it is */
    bool takes_input;  /* without a replacement string for the input, " {}" is added at the end */
};

struct command_template;

/* Reads the text of a command: {} {.} {/} {//} {/.} are of the input, {#} is the task's number from
 * 1, {%} the slot's, {NAME} a value. Other braces stay as they are. Without shell syntax the words
 * between blanks are the arguments; otherwise the shell runs the text, and finds the values in
 * variables. JOB when the text is empty. *command is owned by the caller. */
int command_template_create(const char *text, const struct command_template_options *options,
                            struct command_template **command, struct sheaf_error *error);
void command_template_destroy(struct command_template *command);
/* Whether the name with this number stands in it. */
bool command_template_uses(const struct command_template *command, size_t name);
/* Whether the input or a part of it stands in it. */
bool command_template_uses_input(const struct command_template *command);
bool command_template_uses_shell(const struct command_template *command);

struct command_value {
    const void *data;
    size_t size;
};

/* What the replacement strings stand for in one task. Borrows. */
struct command_values {
    struct command_value input;
    const struct command_value *named; /* one for each name */
    uint64_t task_number;              /* from 1 */
    uint64_t slot_number;
};

/* A command ready to be started; its strings end with NUL. All zero is valid and empty. Owns. */
struct command_words {
    struct byte_writer bytes;
    struct byte_writer scratch; /* for one value */
    size_t *starts;             /* of each argument, then of each variable (NAME=VALUE), in bytes */
    size_t start_capacity;
    size_t argument_count;
    size_t variable_count;
    bool is_script; /* the first argument is a shell */
};

/* Overwrites *words. INPUT when a value holds a NUL byte: no argument can. */
int command_template_fill(const struct command_template *command,
                          const struct command_values *values, struct command_words *words,
                          struct sheaf_error *error);
void command_words_close(struct command_words *words);

#endif
