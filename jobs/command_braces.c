/* command_braces.c - tells replacement strings that are none from braces for the shell and for
 * other programs. */
#include "command_braces.h"

#include "command_replacement.h"
#include "parameter.h"
#include "suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- finding ---- */

/* The braces at `text`, up to the first close one; 0 bytes when these are not on one line. Perl
 * code of GNU parallel may hold braces. */
static size_t measure(const char *text)
{
    const char *end = text[1] == '=' ? strstr(text, "=}") : NULL;
    size_t size = end != NULL ? (size_t)(end - text) + 2 : 1 + strcspn(text + 1, "{}\n") + 1;
    return text[size - 1] == '}' && memchr(text, '\n', size) == NULL ? size : 0;
}

bool braces_walk_next(struct braces_walk *walk, struct literal_braces *braces)
{
    struct shell_scanner *scanner = &walk->scanner;
    while (*walk->at != '\0') {
        const char *text = walk->at;
        struct found_replacement found = {.kind = REPLACEMENT_NONE};
        bool is_for_shell = shell_scanner_is_variable(scanner, walk->start, text);
        if (!scanner->is_comment && !is_for_shell)
            found = replacement_find(text, &walk->options->names);
        if (found.kind != REPLACEMENT_NONE) {
            shell_scanner_pass_value(scanner);
            walk->at += found.size_bytes;
            continue;
        }
        bool is_open = text[0] == '{' && !scanner->is_comment && !is_for_shell;
        *braces = (struct literal_braces){text, is_open ? measure(text) : 0, scanner->quotes};
        walk->at += shell_scanner_step(scanner, text);
        if (braces->size_bytes > 0)
            return true;
    }
    return false;
}

/* ---- what only a replacement string can mean ---- */

static bool is_one_of(const char *text, size_t size, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == size && memcmp(words[i], text, size) == 0)
            return true;
    return false;
}

/* A number, maybe with the part of its value that is wanted: {2}, {-1}, {1/.}. */
static bool is_place(const char *text, size_t size)
{
    static const char *const parts[] = {"", ".", "/", "//", "/."};
    size_t sign = size > 0 && text[0] == '-';
    size_t digits = sign;
    while (digits < size && isdigit((unsigned char)text[digits]))
        digits++;
    return digits > sign && text[sign] != '0' &&
           is_one_of(text + digits, size - digits, parts, sizeof parts / sizeof *parts);
}

/* So many times, in a regular expression: [0-9]{4}, '(ab){2}', 'a\{3\}'; or HEAD@{1}. */
static bool is_repetition(const struct literal_braces *braces, const char *start)
{
    char before = braces->text > start ? braces->text[-1] : '\0';
    if (before == '@' || before == ']' || before == ')')
        return true;
    return braces->quotes != SHELL_UNQUOTED &&
           (isalnum((unsigned char)before) || (before != '\0' && strchr(".\\}", before) != NULL));
}

static bool is_output(const char *text, size_t size)
{
    if (size < 3 || memcmp(text, "out", 3) != 0)
        return false;
    for (size_t i = 3; i < size; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return true;
}

/* Why the braces make no sense; NULL when they may be for others. */
static const char *find_fault(const struct literal_braces *braces, const char *start,
                              const struct command_names *names, char text[100])
{
    static const char *const parallels[] = {"##", "..", "...", "/..",  "/...",
                                            "+.", "+/", "+..", "+...", "0#"};
    const char *inner = braces->text + 1;
    size_t size = braces->size_bytes - 2;
    if (is_one_of(inner, size, parallels, sizeof parallels / sizeof *parallels))
        return "is a replacement string of GNU parallel alone";
    if (size >= 2 && inner[0] == '=' && inner[size - 1] == '=')
        return "is Perl code for GNU parallel, which nothing here can run";
    if (is_output(inner, size))
        return "is where an output file is to be written, and no such file is declared "
               "(--output-file, or `outputs:` in a job file)";
    if (!is_place(inner, size) || is_repetition(braces, start))
        return NULL;
    if (names->axis_count == 0)
        return "is one of several values, and the task has a single input, {} (--param NAME=1,2,3 "
               "gives values that have names)";
    snprintf(text, 100, "is one of several values, and the task has %zu, from {1} on",
             names->axis_count);
    return text;
}

int command_braces_check(const char *text, const struct command_template_options *options,
                         struct sheaf_error *error)
{
    struct braces_walk walk = {.start = text, .at = text, .options = options};
    struct literal_braces braces;
    while (!options->is_plain && braces_walk_next(&walk, &braces)) {
        char place[100];
        const char *fault = find_fault(&braces, text, &options->names, place);
        int size = (int)braces.size_bytes;
        const char *quotes = braces.quotes == SHELL_DOUBLE_QUOTES ? "\"\"" : "''";
        if (fault != NULL)
            return sheaf_error_set(error, SHEAF_ERROR_JOB,
                                   "the command has %.*s, which %s; write {%s%.*s where it is not "
                                   "to be replaced",
                                   size, braces.text, fault, quotes, size - 1, braces.text + 1);
    }
    return 0;
}

/* ---- what is doubtful ---- */

bool literal_braces_are_doubtful(const struct literal_braces *braces, const char *start,
                                 const struct command_names *names, const char **nearest)
{
    char word[PARAMETER_NAME_BYTES_MAX + 1];
    size_t size = braces->size_bytes - 2;
    if (size > PARAMETER_NAME_BYTES_MAX)
        return false;
    memcpy(word, braces->text + 1, size);
    word[size] = '\0';
    char before = braces->text > start ? braces->text[-1] : '\0';
    if (!parameter_name_is_valid(word) || before == '@')
        return false;
    *nearest = suggest_nearest(word, names->names, names->count);
    return *nearest != NULL || braces->quotes == SHELL_UNQUOTED;
}
