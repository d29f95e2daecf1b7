/* shell_evaluation.c - looks for what makes a shell evaluate values, or run them.
 *
 * A command that only expands variables hands values on as they are, whatever is in them. Some
 * words of the shell, its arithmetic and its subscripts read them again: bash(1) "ARITHMETIC
 * EVALUATION" and "Arrays", zshmisc(1) "ARITHMETIC EVALUATION", ksh93(1) "Arithmetic Evaluation".
 * Quotes are taken out first, since they hide such a word from a reader but not from the shell; so
 * what stands in a string counts, too. */
#include "shell_evaluation.h"

#include "../scheduler/memory.h"
#include "command_shell.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Their arguments are programs. */
static const char *const readers[] = {
    "alias", "bind",    "compgen",   "complete", "eval",   "fc",
    "hist",  "mapfile", "readarray", "sched",    "source", "trap",
};

/* Their arguments are evaluated, or are names with subscripts. */
static const char *const evaluators[] = {
    "autoload", "compadd",   "compopt", "compound", "declare",  "enum",       "export",
    "float",    "functions", "getopts", "integer",  "let",      "limit",      "local",
    "nameref",  "print",     "read",    "readonly", "repeat",   "typeset",    "ulimit",
    "unset",    "vared",     "wait",    "zformat",  "zmodload", "zparseopts", "zstyle",
};

/* Likewise in zsh and ksh, unless the next word is a number. */
static const char *const counters[] = {"break", "continue", "exit", "return", "shift"};

/* Comparisons of test, [ and [[ that evaluate, and those that look at a variable by its name. */
static const char *const comparisons[] = {"-R",  "-eq", "-ge", "-gt", "-le",
                                          "-lt", "-ne", "-t",  "-v"};

/* What is assigned to these is expanded when it is used, or run. */
static const char *const programs[] = {
    "BASH_ENV", "ENV", "PROMPT", "PROMPT2", "PROMPT3", "PROMPT4", "PROMPT_COMMAND",
    "PS0",      "PS1", "PS2",    "PS3",     "PS4",     "RPROMPT", "RPS1",
};

/* What is assigned to these is evaluated. */
static const char *const variables[] = {
    "COLUMNS",  "DIRSTACKSIZE", "EGID",       "EUID",   "FUNCNEST",        "GID",
    "HISTCMD",  "HISTSIZE",     "KEYTIMEOUT", "LINENO", "LINES",           "LISTMAX",
    "LOGCHECK", "MAILCHECK",    "OPTIND",     "PERIOD", "RANDOM",          "SAVEHIST",
    "SECONDS",  "SHLVL",        "SRANDOM",    "TMOUT",  "TRY_BLOCK_ERROR", "UID",
};

/* After these another command begins. */
static const char *const openers[] = {
    "!",         "builtin", "command", "coproc", "do",    "elif",  "else", "exec", "if",
    "nocorrect", "noglob",  "then",    "time",   "until", "while", "{",    "-",
};

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static bool is_of_name(char character)
{
    return isalnum((unsigned char)character) || character == '_';
}

static bool is_of_word(char character)
{
    return is_of_name(character) || character == '-';
}

static bool is_one_of(const char *const *words, size_t count, const char *text, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == size && memcmp(words[i], text, size) == 0)
            return true;
    return false;
}

/* Quotes, backslashes and continued lines taken out. Owned by the caller. */
static char *take_quotes_out(const char *text)
{
    char *plain = memory_allocate(strlen(text) + 1);
    size_t size = 0;
    for (; *text != '\0'; text++) {
        if (text[0] == '\\' && text[1] == '\n')
            text++;
        else if (strchr("'\"\\", *text) == NULL)
            plain[size++] = *text;
    }
    plain[size] = '\0';
    return plain;
}

static bool is_assigned(const char *text, size_t size)
{
    return text[size] == '=' || (text[size] == '+' && text[size + 1] == '=');
}

/* What the shell makes of what follows the word at `text`. */
static enum shell_evaluation evaluation_of_word(const char *text, size_t size, bool is_posix_like)
{
    const char *next = text + size;
    if (is_one_of(readers, COUNT_OF(readers), text, size) ||
        (is_one_of(programs, COUNT_OF(programs), text, size) && is_assigned(text, size)))
        return SHELL_EVALUATION_PROGRAM;
    if (is_one_of(evaluators, COUNT_OF(evaluators), text, size) ||
        (is_one_of(variables, COUNT_OF(variables), text, size) && is_assigned(text, size)))
        return SHELL_EVALUATION_ARITHMETIC;
    if (is_posix_like || !is_one_of(counters, COUNT_OF(counters), text, size))
        return SHELL_EVALUATION_NONE;
    next += strspn(next, " \t");
    next += strspn(next, "0123456789");
    bool is_constant = strchr("; \t\n|&)}`", *next) != NULL; /* the end of the text, too */
    return is_constant ? SHELL_EVALUATION_NONE : SHELL_EVALUATION_ARITHMETIC;
}

/* printf -v NAME, and conversions to numbers, which zsh and ksh evaluate. */
static bool has_evaluating_format(const char *text)
{
    if (strstr(text, "printf") == NULL)
        return false;
    if (strstr(text, "-v") != NULL)
        return true;
    for (const char *at = strchr(text, '%'); at != NULL; at = strchr(at, '%')) {
        at++;
        at += strspn(at, "#0 +-.123456789*");
        if (strchr("sbq%", *at) == NULL)
            return true;
        at += *at != '\0';
    }
    return false;
}

static bool has_comparison(const char *text)
{
    bool has_test = strstr(text, "test") != NULL || strchr(text, '[') != NULL;
    for (const char *at = text; has_test && *at != '\0';) {
        size_t size = strcspn(at, " \t\n;|&()");
        if (is_one_of(comparisons, COUNT_OF(comparisons), at, size))
            return true;
        at += size + (at[size] != '\0');
    }
    return false;
}

/* `(( ))` or `$[ ]` with a name or an expansion in it: numbers alone are harmless. */
static bool has_arithmetic(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (strncmp(at, "((", 2) != 0 && strncmp(at, "$[", 2) != 0)
            continue;
        const char *end = at[0] == '(' ? strstr(at, "))") : strchr(at, ']');
        if (end == NULL)
            return true;
        for (const char *inside = at + 2; inside < end; inside++)
            if (isalpha((unsigned char)*inside) || strchr("_$`[", *inside) != NULL)
                return true;
    }
    return false;
}

/* A subscript of a variable, or what ${ } does beyond cutting and replacing. */
static bool has_subscript(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '[' && at > text && is_of_name(at[-1])) {
            const char *name = at - 1;
            while (name > text && is_of_name(name[-1]))
                name--;
            if ((name > text && strchr("${", name[-1]) != NULL) || strstr(at, "]=") != NULL ||
                strstr(at, "]+=") != NULL)
                return true;
        }
        if (at[0] != '$' || at[1] != '{')
            continue;
        const char *rest = at + 2 + (at[2] == '#' && at[3] != '}');
        rest += strspn(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        if (rest[0] == ':' ? strchr("-=?+", rest[1]) == NULL || rest[1] == '\0'
                           : strchr("}%#/^,-=?+", rest[0]) == NULL || rest[0] == '\0')
            return true;
    }
    return false;
}

/* Where a walk over the words of commands is. */
struct word_walk {
    const char *text;
    size_t size;     /* of the word at `text`; 0: there is a character between words */
    bool is_command; /* the next word that is nothing else names a command */
    bool is_target;  /* the next word is that of a redirection */
};

static bool is_expanded(const char *word, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (strchr("${*?[", word[i]) != NULL)
            return true;
    return word[size] == '`';
}

static bool is_assignment(const char *word, size_t size)
{
    return is_of_name(word[0]) && !isdigit((unsigned char)word[0]) &&
           memchr(word, '=', size) != NULL;
}

/* True when the word at hand may be any of the shell's own. What has a slash in it is a program's.
 */
static bool is_unknown_command(struct word_walk *walk)
{
    const char *word = walk->text;
    size_t size = walk->size;
    bool is_descriptor = strspn(word, "0123456789") == size && strchr("<>", word[size]) != NULL;
    bool is_test = (size == 1 && word[0] == '[') || (size == 2 && memcmp(word, "[[", 2) == 0);
    if (walk->is_target || (is_descriptor && word[size] != '\0')) {
        walk->is_target = false;
        return false;
    }
    if (!walk->is_command || is_assignment(word, size) || word[0] == '-' ||
        is_one_of(openers, COUNT_OF(openers), word, size))
        return walk->is_command && size == 4 && memcmp(word, "exec", 4) == 0 &&
               word[size + strspn(word + size, " \t")] == '-';
    walk->is_command = false;
    return !is_test && is_expanded(word, size) && memchr(word, '/', size) == NULL;
}

/* `>&` and `&>` join nothing to what is before them. */
static void pass_separator(struct word_walk *walk, const char *start)
{
    const char *here = walk->text;
    bool is_redirection =
        *here == '&' && (here[1] == '>' || (here > start && strchr("<>", here[-1]) != NULL));
    if (*here == '<' || *here == '>')
        walk->is_target = true;
    else if (strchr(" \t", *here) == NULL && !is_redirection)
        walk->is_command = true;
}

/* The name of a command is made up by an expansion. */
static bool has_unknown_command(const char *text)
{
    struct word_walk walk = {.text = text, .is_command = true};
    while (*walk.text != '\0') {
        const char *end = strncmp(walk.text, "((", 2) == 0 ? strstr(walk.text, "))") : NULL;
        if (end != NULL) {
            walk.text = end + 2;
            continue;
        }
        walk.size = strcspn(walk.text, " \t\n;|&()`<>");
        if (walk.size > 0 && is_unknown_command(&walk))
            return true;
        if (walk.size == 0)
            pass_separator(&walk, text);
        walk.text += walk.size > 0 ? walk.size : 1;
    }
    return false;
}

static enum shell_evaluation evaluation_of_words(const char *text, bool is_posix_like)
{
    enum shell_evaluation most = SHELL_EVALUATION_NONE;
    const char *at = text;
    while (*at != '\0') {
        size_t size = 1;
        while (is_of_word(at[0]) && is_of_word(at[size]))
            size++;
        bool is_dot = at[0] == '.' && (at[1] == ' ' || at[1] == '\t') &&
                      (at == text || strchr(" \t\n;|&({", at[-1]) != NULL);
        enum shell_evaluation found =
            is_dot ? SHELL_EVALUATION_PROGRAM : evaluation_of_word(at, size, is_posix_like);
        most = found > most ? found : most;
        at += size;
    }
    return most;
}

enum shell_evaluation shell_evaluation_of(const char *text, const char *shell)
{
    char *plain = take_quotes_out(text);
    enum shell_evaluation most = evaluation_of_words(plain, command_shell_is_posix_like(shell));
    if (has_unknown_command(plain))
        most = SHELL_EVALUATION_PROGRAM;
    if (most == SHELL_EVALUATION_NONE && (has_evaluating_format(plain) || has_comparison(plain) ||
                                          has_arithmetic(plain) || has_subscript(plain)))
        most = SHELL_EVALUATION_ARITHMETIC;
    free(plain);
    return most;
}

bool shell_evaluation_could_run(enum shell_evaluation evaluation, const void *value, size_t size)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789_-+=:,./@%^";
    const char *bytes = value;
    if (size == 0 || evaluation == SHELL_EVALUATION_NONE)
        return false;
    if (evaluation == SHELL_EVALUATION_ARITHMETIC)
        return memchr(value, '`', size) != NULL || memmem(value, size, "$(", 2) != NULL ||
               memmem(value, size, "${", 2) != NULL;
    for (size_t i = 0; i < size; i++)
        if (memchr(plain, bytes[i], sizeof plain - 1) == NULL)
            return true;
    return false;
}
