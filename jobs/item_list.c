/* item_list.c - reads a list file item by item, whatever its size. */
#include "item_list.h"

#include "../scheduler/memory.h"
#include "list_directives.h"

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
    bool is_barrier;
    bool is_check;
    struct list_directives directives;
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
    list_directives_close(&list->directives);
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

/* 1 with the next line in list->item, *size bytes long and ended by NUL; 0 at the end. */
static int read_line(struct item_list *list, size_t *size, struct sheaf_error *error)
{
    char end = list->form == ITEM_NUL_ENDED ? '\0' : '\n';
    errno = 0;
    ssize_t got = getdelim(&list->item, &list->capacity, end, list->file);
    if (got < 0 && (ferror(list->file) || errno != 0))
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the list %s: %s", list->path,
                               strerror(errno));
    if (got < 0)
        return 0;
    list->line++;
    *size = (size_t)got;
    if (*size > 0 && list->item[*size - 1] == end)
        list->item[--*size] = '\0';
    return 1;
}

static int check_size(const struct item_list *list, size_t size, struct sheaf_error *error)
{
    if (size <= ITEM_BYTES_MAX)
        return 1;
    return sheaf_error_set(error, SHEAF_ERROR_LIMIT, "%s:%llu: longer than the limit of %d MiB",
                           list->path, (unsigned long long)list->line, ITEM_BYTES_MAX >> 20);
}

static int read_directive(struct item_list *list, enum directive *directive,
                          struct sheaf_error *error)
{
    struct sheaf_error cause;
    if (list_directives_read(&list->directives, list->item, directive, &cause) == 0)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_INPUT, "%s:%llu: %s", list->path,
                           (unsigned long long)list->line, cause.text);
}

static int next_command(struct item_list *list, struct byte_reader *item, struct sheaf_error *error)
{
    list->is_barrier = false;
    while (!list_directives_repeat(&list->directives, item)) {
        size_t size = 0;
        enum directive directive;
        int code = read_line(list, &size, error);
        if (code != 1)
            return code;
        code = read_directive(list, &directive, error);
        if (code != 0)
            return code;
        if (directive == DIRECTIVE_BARRIER || directive == DIRECTIVE_CHECK) {
            list->is_barrier = true;
            list->is_check = directive == DIRECTIVE_CHECK;
            *item = byte_reader_of("true", strlen("true"));
            return 1;
        }
        if (directive == DIRECTIVE_NONE && is_command(list->item, size)) {
            *item = list_directives_apply(&list->directives, byte_reader_of(list->item, size),
                                          list->line);
            break;
        }
    }
    return check_size(list, item->size, error);
}

int item_list_next(struct item_list *list, struct byte_reader *item, struct sheaf_error *error)
{
    if (list->form == ITEM_COMMANDS)
        return next_command(list, item, error);
    size_t size = 0;
    int code = read_line(list, &size, error);
    if (code != 1)
        return code;
    *item = byte_reader_of(list->item, size);
    return check_size(list, size, error);
}

bool item_list_is_barrier(const struct item_list *list)
{
    return list->is_barrier;
}

bool item_list_is_check(const struct item_list *list)
{
    return list->is_barrier && list->is_check;
}

uint64_t item_list_line(const struct item_list *list)
{
    return list->line;
}
