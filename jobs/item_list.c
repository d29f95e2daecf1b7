/* item_list.c - reads a list file item by item, whatever its size. */
#include "item_list.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct item_list {
    char *path;
    FILE *file;
    enum item_form form;
    char *item;
    size_t capacity;
    uint64_t line;
};

int item_list_open(const char *path, enum item_form form, struct item_list **list,
                   struct sheaf_error *error)
{
    /* Not blocking, so that a named pipe is refused below instead of waited for. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        int code = sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the list %s: %s", path,
                                   strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        return code;
    }
    if (!S_ISREG(status.st_mode)) {
        close(descriptor);
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "the list %s is not a file; to read standard input, name it -",
                               path);
    }
    FILE *file = fdopen(descriptor, "r");
    if (file == NULL) {
        close(descriptor);
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the list %s: %s", path,
                               strerror(errno));
    }
    struct item_list *opened = memory_allocate_zeroed(1, sizeof *opened);
    opened->path = memory_copy_string(path);
    opened->file = file;
    opened->form = form;
    *list = opened;
    return 0;
}

void item_list_close(struct item_list *list)
{
    if (list == NULL)
        return;
    fclose(list->file);
    free(list->path);
    free(list->item);
    free(list);
}

static bool is_command(const char *line, size_t size)
{
    size_t at = 0;
    while (at < size && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r'))
        at++;
    return at < size && line[at] != '#';
}

int item_list_next(struct item_list *list, struct byte_reader *item, struct sheaf_error *error)
{
    char end = list->form == ITEM_NUL_ENDED ? '\0' : '\n';
    for (;;) {
        errno = 0;
        ssize_t got = getdelim(&list->item, &list->capacity, end, list->file);
        if (got < 0 && (ferror(list->file) || errno != 0))
            return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the list %s: %s",
                                   list->path, strerror(errno));
        if (got < 0)
            return 0;
        list->line++;
        size_t size = (size_t)got;
        if (size > 0 && list->item[size - 1] == end)
            size--;
        if (size > ITEM_BYTES_MAX)
            return sheaf_error_set(error, SHEAF_ERROR_LIMIT,
                                   "%s:%llu: longer than the limit of %d MiB", list->path,
                                   (unsigned long long)list->line, ITEM_BYTES_MAX >> 20);
        if (list->form == ITEM_COMMANDS && !is_command(list->item, size))
            continue;
        *item = byte_reader_of(list->item, size);
        return 1;
    }
}
