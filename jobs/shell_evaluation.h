/* shell_evaluation.h - what may a shell make, in some command, of the value of a variable? */
#ifndef SHEAF_SHELL_EVALUATION_H
#define SHEAF_SHELL_EVALUATION_H

#include <stdbool.h>
#include <stddef.h>

enum shell_evaluation {
    SHELL_EVALUATION_NONE = 0,   /* it is handed on as it is */
    SHELL_EVALUATION_ARITHMETIC, /* it may be read again as an expression or as a subscript */
    SHELL_EVALUATION_PROGRAM,    /* it may be read again as a part of a program */
};

/* What the shell may make of values where `text` computes, declares, reads into names, has
 * something evaluated, or calls what a variable names. Rather too much than too little. `shell`
 * names the program that runs the text. */
enum shell_evaluation shell_evaluation_of(const char *text, const char *shell);
/* Whether a command that stands in the value could be run so: in arithmetic when it holds `$(`,
 * `${` or a backquote; in a program when it is more than letters, digits and _-+=:,./@%^. */
bool shell_evaluation_could_run(enum shell_evaluation evaluation, const void *value, size_t size);

#endif
