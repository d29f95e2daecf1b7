/* task_list.c - reads lists of tasks. */
#include "task_list.h"

#include "../scheduler/fact.h"
#include "../scheduler/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool read_index(const char **text, uint64_t *index)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *index = strtoull(*text, &end, 10);
    *text = end;
    return errno == 0 && *index < SHEAF_TASKS_MAX;
}

/* One element, up to the comma or the end. */
static bool read_range(const char **text, struct range *range)
{
    uint64_t first;
    if (!read_index(text, &first))
        return false;
    uint64_t last = first;
    if (**text == '-') {
        ++*text;
        if (!read_index(text, &last))
            return false;
    }
    if (last < first || (**text != ',' && **text != '\0'))
        return false;
    *range = range_between(first, last + 1);
    return true;
}

int task_list_parse(const char *text, struct task_list *list, struct sheaf_error *error)
{
    struct task_list parsed = {0};
    for (const char *at = text;; at++) {
        struct range range;
        if (!read_range(&at, &range)) {
            task_list_close(&parsed);
            return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                                   "tasks are named by their indices, from 0, such as 3-10,17; "
                                   "found \"%.100s\"",
                                   text);
        }
        void *ranges = parsed.ranges;
        memory_grow(&ranges, &parsed.capacity, parsed.count + 1, sizeof *parsed.ranges);
        parsed.ranges = ranges;
        parsed.ranges[parsed.count++] = range;
        if (*at == '\0')
            break;
    }
    *list = parsed;
    return 0;
}

void task_list_close(struct task_list *list)
{
    free(list->ranges);
    *list = (struct task_list){0};
}
