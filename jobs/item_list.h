/* item_list.h - the items of a list file: lines (or NUL-ended strings), one task each. */
#ifndef SHEAF_ITEM_LIST_H
#define SHEAF_ITEM_LIST_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

enum { ITEM_BYTES_MAX = 16 << 20 };

enum item_form {
    ITEM_LINES = 1, /* all lines */
    ITEM_COMMANDS,  /* lines that are neither empty nor begin with #, and what directives make */
    ITEM_NUL_ENDED, /* strings that end with NUL, such as find -print0 prints */
};

struct item_list;

/* Opens a list. INPUT when it is no readable file. */
int item_list_open(const char *path, enum item_form form, struct item_list **list,
                   struct sheaf_error *error);
void item_list_close(struct item_list *list);
/* 1 with the next item, borrowed until the next call; 0 at the end. INPUT when the file cannot be
 * read or has a bad directive, LIMIT for an item longer than ITEM_BYTES_MAX. */
int item_list_next(struct item_list *list, struct byte_reader *item, struct sheaf_error *error);
/* Whether the last item is no command but a barrier, which comes after all items before it; those
 * behind it come after it. One that checks does so only when these have succeeded. */
bool item_list_is_barrier(const struct item_list *list);
bool item_list_is_check(const struct item_list *list);
/* Of the last item, from 1. */
uint64_t item_list_line(const struct item_list *list);

#endif
