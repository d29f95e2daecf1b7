/* list_directives.h - lines of a command list that begin with #DISBATCH, and what they make of the
 * lines behind them, as disBatch reads them. */
#ifndef SHEAF_LIST_DIRECTIVES_H
#define SHEAF_LIST_DIRECTIVES_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

/* All zero is the start of a list. Owns. */
struct list_directives {
    char *prefix; /* NULL: none */
    char *suffix;
    char *repeated; /* the command of REPEAT, without these two */
    uint64_t repeats_left;
    uint64_t repeat_index; /* of the next one */
    uint64_t repeat_step;
    struct byte_writer text; /* of the last command that was made */
};

enum directive {
    DIRECTIVE_NONE = 0, /* a line like any other */
    DIRECTIVE_TAKEN,    /* commands come from it, or it says something of later ones */
    DIRECTIVE_BARRIER,  /* what is behind it starts when all that is before it has ended */
    DIRECTIVE_CHECK,    /* likewise, when all that has succeeded */
};

/* Reads a line, which ends with NUL. INPUT for a directive that is none, or that cannot be obeyed;
 * the text does not say where. */
int list_directives_read(struct list_directives *directives, char *line, enum directive *directive,
                         struct sheaf_error *error);
/* The next command of a REPEAT, borrowed until the next call; false when there is none. */
bool list_directives_repeat(struct list_directives *directives, struct byte_reader *command);
/* Makes a command of a line of the list, which is borrowed: as it is where no directive holds. */
struct byte_reader list_directives_apply(struct list_directives *directives,
                                         struct byte_reader line, uint64_t line_number);
void list_directives_close(struct list_directives *directives);

#endif
