/* shell_syntax.h - just enough of the shell's grammar: does a text need a shell, and how is the
 * text quoted at some place of it? */
#ifndef SHEAF_SHELL_SYNTAX_H
#define SHEAF_SHELL_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>

/* True when `text` means more to a shell than words between blanks: quotes, variables, patterns,
 * redirections, several commands, an assignment, or a word that only a shell knows. */
bool shell_syntax_is_needed(const char *text);

enum shell_quotes {
    SHELL_UNQUOTED = 0,
    SHELL_SINGLE_QUOTES,
    SHELL_DOUBLE_QUOTES,
};

enum { SHELL_DEPTH_MAX = 64 };

/* Where a reader of shell text is. All zero is the start. */
struct shell_scanner {
    enum shell_quotes stack[SHELL_DEPTH_MAX]; /* around each open `$(`, `(` or backquote */
    char closers[SHELL_DEPTH_MAX];
    size_t depth;
    enum shell_quotes quotes;
    bool is_comment;
    bool is_inside_word;
    bool is_inside_test;       /* [[ ]] */
    bool is_inside_let;        /* the words of let */
    unsigned brace_depth;      /* of ${ } */
    unsigned arithmetic_depth; /* of $[ ], and of subscripts, NAME[ ] */
};

/* Reads the next characters of `text`, at least one, and returns how many. */
size_t shell_scanner_step(struct shell_scanner *scanner, const char *text);
/* Whether some shell, bash among them, may evaluate as arithmetic what stands here, and so run a
 * command that stands in a value. Rather too often. */
bool shell_scanner_may_evaluate(const struct shell_scanner *scanner);
/* Whether the brace at `text` belongs to a variable of the shell, ${NAME}. `start` is where the
 * shell's text begins. */
bool shell_scanner_is_variable(const struct shell_scanner *scanner, const char *start,
                               const char *text);
/* A value stands here, whatever it is. */
void shell_scanner_pass_value(struct shell_scanner *scanner);

#endif
