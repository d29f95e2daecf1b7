/* shell_syntax.c - tells plain words from shell syntax, and follows quotes. */
#include "shell_syntax.h"

#include <ctype.h>
#include <string.h>

/* Wherever they stand. */
static const char special_characters[] = "|&;<>()$`\\\"'*?[]{}\n\r";

/* As a first word these are the shell's own: no program, or one that could not do the same. */
static const char *const shell_words[] = {
    "!",     ".",       ":",        "alias",   "bg",        "break",    "builtin", "case",
    "cd",    "command", "continue", "coproc",  "declare",   "dirs",     "disown",  "do",
    "done",  "elif",    "else",     "emulate", "enable",    "esac",     "eval",    "exec",
    "exit",  "export",  "fg",       "fi",      "for",       "function", "getopts", "hash",
    "if",    "integer", "jobs",     "let",     "local",     "logout",   "mapfile", "noglob",
    "popd",  "print",   "pushd",    "read",    "readarray", "readonly", "return",  "select",
    "set",   "setopt",  "shift",    "shopt",   "source",    "suspend",  "then",    "time",
    "times", "trap",    "type",     "typeset", "ulimit",    "umask",    "unalias", "unset",
    "until", "wait",    "whence",   "while",
};

enum { SHELL_WORDS = sizeof shell_words / sizeof *shell_words };

bool shell_syntax_is_needed(const char *text)
{
    if (text[strcspn(text, special_characters)] != '\0')
        return true;
    text += strspn(text, " \t");
    size_t length = strcspn(text, " \t");
    if (memchr(text, '=', length) != NULL)
        return true;
    for (size_t i = 0; i < SHELL_WORDS; i++)
        if (strlen(shell_words[i]) == length && memcmp(shell_words[i], text, length) == 0)
            return true;
    for (const char *word = text; *word != '\0';) {
        size_t size = strcspn(word, " \t");
        if (word[0] == '#' || word[0] == '~' || memmem(word, size, "=~", 2) != NULL ||
            memmem(word, size, ":~", 2) != NULL)
            return true;
        word += size;
        word += strspn(word, " \t");
    }
    return false;
}

static void open_nested(struct shell_scanner *scanner, char closer)
{
    if (scanner->depth == SHELL_DEPTH_MAX)
        return; /* the quotes are no longer known: a value may be cut into words, never more */
    scanner->closers[scanner->depth] = closer;
    scanner->stack[scanner->depth++] = scanner->quotes;
    scanner->quotes = SHELL_UNQUOTED;
    scanner->is_inside_word = false;
}

static bool close_nested(struct shell_scanner *scanner, char closer)
{
    if (scanner->depth == 0 || scanner->closers[scanner->depth - 1] != closer)
        return false;
    scanner->quotes = scanner->stack[--scanner->depth];
    return true;
}

static void step_unquoted(struct shell_scanner *scanner, char character)
{
    switch (character) {
    case '\'':
        scanner->quotes = SHELL_SINGLE_QUOTES;
        break;
    case '"':
        scanner->quotes = SHELL_DOUBLE_QUOTES;
        break;
    case '`':
        if (!close_nested(scanner, '`'))
            open_nested(scanner, '`');
        break;
    case '(':
        open_nested(scanner, ')');
        return;
    case ')':
        close_nested(scanner, ')');
        break;
    case '#':
        scanner->is_comment = !scanner->is_inside_word;
        break;
    default:
        scanner->is_inside_word = strchr(" \t\n;|&<>", character) == NULL;
        return;
    }
    scanner->is_inside_word = true;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\n';
}

static bool is_of_name(char character)
{
    return isalnum((unsigned char)character) || character == '_';
}

/* Wherever quotes do not take the meaning from it. */
static void watch_expansions(struct shell_scanner *scanner, const char *text)
{
    if (text[0] == '$' && text[1] == '{')
        scanner->brace_depth++;
    else if (text[0] == '$' && text[1] == '[')
        scanner->arithmetic_depth++;
    else if (text[0] == '}' && scanner->brace_depth > 0)
        scanner->brace_depth--;
    else if (text[0] == ']' && scanner->arithmetic_depth > 0)
        scanner->arithmetic_depth--;
}

static void watch_words(struct shell_scanner *scanner, const char *text)
{
    if (is_of_name(text[0]) && text[1] == '[')
        scanner->arithmetic_depth++;
    if (strchr(";&|\n", text[0]) != NULL)
        scanner->is_inside_let = false;
    if (scanner->is_inside_word)
        return;
    if (strncmp(text, "[[", 2) == 0 && is_blank(text[2]))
        scanner->is_inside_test = true;
    else if (strncmp(text, "]]", 2) == 0)
        scanner->is_inside_test = false;
    else if (strncmp(text, "let", 3) == 0 && is_blank(text[3]))
        scanner->is_inside_let = true;
}

bool shell_scanner_may_evaluate(const struct shell_scanner *scanner)
{
    return scanner->is_inside_test || scanner->is_inside_let || scanner->brace_depth > 0 ||
           scanner->arithmetic_depth > 0;
}

size_t shell_scanner_step(struct shell_scanner *scanner, const char *text)
{
    if (!scanner->is_comment && scanner->quotes != SHELL_SINGLE_QUOTES)
        watch_expansions(scanner, text);
    if (!scanner->is_comment && scanner->quotes == SHELL_UNQUOTED)
        watch_words(scanner, text);
    if (scanner->is_comment) {
        scanner->is_comment = text[0] != '\n';
        return 1;
    }
    switch (scanner->quotes) {
    case SHELL_SINGLE_QUOTES:
        if (text[0] == '\'')
            scanner->quotes = SHELL_UNQUOTED;
        return 1;
    case SHELL_DOUBLE_QUOTES:
        if (text[0] == '\\' && text[1] != '\0')
            return 2;
        if (text[0] == '"')
            scanner->quotes = SHELL_UNQUOTED;
        else if (text[0] == '`')
            open_nested(scanner, '`');
        else if (text[0] == '$' && text[1] == '(')
            open_nested(scanner, ')');
        else
            return 1;
        return text[0] == '$' ? 2 : 1;
    case SHELL_UNQUOTED:
        break;
    }
    if (text[0] == '\\' && text[1] != '\0') {
        scanner->is_inside_word = true;
        return 2;
    }
    step_unquoted(scanner, text[0]);
    return 1;
}

bool shell_scanner_is_variable(const struct shell_scanner *scanner, const char *start,
                               const char *text)
{
    if (text[0] != '{' || text == start || text[-1] != '$' ||
        scanner->quotes == SHELL_SINGLE_QUOTES)
        return false;
    size_t backslashes = 0;
    while (text - 1 - backslashes > start && text[-2 - (ptrdiff_t)backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 0;
}

void shell_scanner_pass_value(struct shell_scanner *scanner)
{
    scanner->is_inside_word = true;
}
