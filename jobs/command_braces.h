/* command_braces.h - braces of a command that are not replaced: which of them were meant to be. */
#ifndef SHEAF_COMMAND_BRACES_H
#define SHEAF_COMMAND_BRACES_H

#include "command_template.h"
#include "shell_syntax.h"

/* JOB for what nothing but a replacement string can mean, and that none of this job is: {##}, {2}
 * without so many values, {= =}, {out} without output files. */
int command_braces_check(const char *text, const struct command_template_options *options,
                         struct sheaf_error *error);

/* Goes through a command. All but the scanner is to be set; borrows. */
struct braces_walk {
    const char *start; /* of the command */
    const char *at;    /* what comes next; at first the start */
    const struct command_template_options *options;
    struct shell_scanner scanner;
};

/* Something in braces that stays as it is. Borrows. */
struct literal_braces {
    const char *text; /* of the open one */
    size_t size_bytes;
    enum shell_quotes quotes; /* around it */
};

/* The next braces within one line; false when there are no more. */
bool braces_walk_next(struct braces_walk *walk, struct literal_braces *braces);
/* Whether they hold a word that resembles a name, or stand where no shell has a use for a word in
 * braces. *nearest is that name, or NULL. The names are those that may be meant, one or more. */
bool literal_braces_are_doubtful(const struct literal_braces *braces, const char *start,
                                 const struct command_names *names, const char **nearest);

#endif
