/* command_replacement.h - the replacement strings of a command, and what they make of an input. */
#ifndef SHEAF_COMMAND_REPLACEMENT_H
#define SHEAF_COMMAND_REPLACEMENT_H

#include "command_template.h"

enum replacement {
    REPLACEMENT_NONE = 0,
    REPLACEMENT_INPUT,       /* {} */
    REPLACEMENT_STEM_PATH,   /* {.}: without the ending */
    REPLACEMENT_BASE,        /* {/}: without the directory */
    REPLACEMENT_DIRECTORY,   /* {//} */
    REPLACEMENT_STEM,        /* {/.} */
    REPLACEMENT_TASK_NUMBER, /* {#} */
    REPLACEMENT_SLOT_NUMBER, /* {%} */
    REPLACEMENT_NAMED,       /* {NAME}, {1} */
};

struct found_replacement {
    enum replacement kind;
    size_t name;       /* NAMED: its number in the names */
    size_t size_bytes; /* of the replacement string in the text */
};

/* The replacement string at the start of `text`; kind NONE when there is none. */
struct found_replacement replacement_find(const char *text, const struct command_names *names);
/* True for those that stand for the input or a part of it. */
bool replacement_is_of_input(enum replacement kind);
/* Appends what the replacement string stands for. */
void replacement_put(struct found_replacement found, const struct command_values *values,
                     struct byte_writer *writer);

#endif
