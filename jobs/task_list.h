/* task_list.h - the tasks that a user names: "3-10,17". */
#ifndef SHEAF_TASK_LIST_H
#define SHEAF_TASK_LIST_H

#include "../scheduler/error.h"
#include "../scheduler/range.h"

#include <stddef.h>

/* In the order given. All zero is empty. Owns. */
struct task_list {
    struct range *ranges;
    size_t count;
    size_t capacity;
};

/* Overwrites *list. USAGE when the text is no list of indices and ranges of them. */
int task_list_parse(const char *text, struct task_list *list, struct sheaf_error *error);
void task_list_close(struct task_list *list);

#endif
