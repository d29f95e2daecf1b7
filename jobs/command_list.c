/* command_list.c - reads a list of commands for what it says about itself. */
#include "command_list.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "command_shell.h"
#include "item_list.h"
#include "job.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_LINE_BYTES_MAX = 512 };

/* Without its end. What cannot be read is left to those who read all of it. */
static void read_first_line(const char *path, char line[FIRST_LINE_BYTES_MAX])
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = descriptor >= 0 ? read(descriptor, line, FIRST_LINE_BYTES_MAX - 1) : 0;
    if (descriptor >= 0)
        close(descriptor);
    line[size > 0 ? size : 0] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
}

static bool is_env(const char *program, size_t length)
{
    return length >= 3 && strncmp(program + length - 3, "env", 3) == 0 &&
           (length == 3 || program[length - 4] == '/');
}

/* The program that is to read the file, behind env(1) and what that is told. */
static const char *find_interpreter(const char *words, size_t *length)
{
    bool is_behind_env = false;
    for (;;) {
        words += strspn(words, " \t");
        *length = strcspn(words, " \t");
        bool is_of_env = is_behind_env && (words[0] == '-' || memchr(words, '=', *length) != NULL);
        if (!is_of_env && (is_behind_env || !is_env(words, *length)))
            return words;
        is_behind_env = true;
        words += *length;
    }
}

int command_list_find_shell(const char *path, const char *name, char **shell,
                            struct sheaf_error *error)
{
    char line[FIRST_LINE_BYTES_MAX];
    size_t length;
    *shell = NULL;
    read_first_line(path, line);
    if (strncmp(line, "#!", 2) != 0)
        return 0;
    const char *words = line + 2 + strspn(line + 2, " \t");
    const char *found = find_interpreter(words, &length);
    char *interpreter = memory_copy_string(found);
    interpreter[length] = '\0';
    if (command_shell_is_known(interpreter)) {
        *shell = interpreter;
        return 0;
    }
    free(interpreter);
    const char *file = name != NULL ? name : "FILE";
    return sheaf_error_set(
        error, SHEAF_ERROR_INPUT,
        "%s begins with %.200s: this is a program, and no list with a command on each line. Its "
        "own "
        "line runs it: `sheaf run --command '%.200s %s' --tasks 1` once, or with an input behind "
        "it for each line of LIST: `sheaf run --command '%.200s %s {}' LIST`",
        name != NULL ? name : "standard input", line, words, file, words, file);
}

/* ---- barriers ---- */

/* All zero is empty. Owns. */
struct listed {
    struct byte_writer texts; /* of the commands, and of the names of the barriers */
    struct listed_command {
        size_t name;    /* in `texts`; 0: it has none */
        size_t command; /* likewise */
    } * commands;
    size_t count;
    size_t capacity;
    struct task_edge *edges;
    size_t edge_count;
    size_t edge_capacity;
    size_t barrier; /* the last one; SIZE_MAX: none */
};

static size_t put_text(struct listed *listed, const void *text, size_t size)
{
    size_t place = listed->texts.size;
    byte_writer_put(&listed->texts, text, size);
    byte_writer_put_u8(&listed->texts, '\0');
    return place;
}

static void add_edge(struct listed *listed, struct task_edge edge)
{
    void *edges = listed->edges;
    memory_grow(&edges, &listed->edge_capacity, listed->edge_count + 1, sizeof *listed->edges);
    listed->edges = edges;
    listed->edges[listed->edge_count++] = edge;
}

/* A barrier comes after all since the last one, and these after that: two edges a command. When the
 * last one checked in vain this one is not run either, nor is what is behind it. */
static void add_barrier_edges(struct listed *listed, uint32_t barrier, bool is_check)
{
    bool is_first = listed->barrier == SIZE_MAX;
    uint32_t last = is_first ? 0 : (uint32_t)listed->barrier;
    uint32_t first = is_first ? 0 : last + 1;
    for (uint32_t task = first; task < barrier; task++)
        add_edge(listed,
                 (struct task_edge){.before = task, .after = barrier, .is_for_end = !is_check});
    if (!is_first && (first == barrier || !is_check))
        add_edge(listed, (struct task_edge){.before = last, .after = barrier});
    listed->barrier = barrier;
}

static void add_command(struct listed *listed, const struct item_list *list,
                        struct byte_reader item)
{
    char name[48];
    void *commands = listed->commands;
    memory_grow(&commands, &listed->capacity, listed->count + 1, sizeof *listed->commands);
    listed->commands = commands;
    size_t task = listed->count++;
    struct listed_command *command = &listed->commands[task];
    *command = (struct listed_command){.command = put_text(listed, item.data, item.size)};
    if (item_list_is_barrier(list)) {
        int size = snprintf(name, sizeof name, "barrier on line %llu",
                            (unsigned long long)item_list_line(list));
        command->name = put_text(listed, name, (size_t)size);
        add_barrier_edges(listed, (uint32_t)task, item_list_is_check(list));
    } else if (listed->barrier != SIZE_MAX) {
        add_edge(listed,
                 (struct task_edge){.before = (uint32_t)listed->barrier, .after = (uint32_t)task});
    }
}

static int read_commands(struct item_list *list, const char *path, struct listed *listed,
                         struct sheaf_error *error)
{
    struct byte_reader item;
    int code;
    put_text(listed, "", 0);
    while ((code = item_list_next(list, &item, error)) == 1) {
        if (item.size > 0 && memchr(item.data, '\0', item.size) != NULL)
            return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                                   "%s:%llu: the command line holds a NUL byte", path,
                                   (unsigned long long)item_list_line(list));
        add_command(listed, list, item);
        if (listed->texts.size > JOB_FILE_BYTES_MAX)
            return sheaf_error_set(
                error, SHEAF_ERROR_LIMIT,
                "%s has barriers, and is longer than the %d MiB that such a list "
                "may have: take them out, or cut it into several lists",
                path, JOB_FILE_BYTES_MAX >> 20);
    }
    return code;
}

static struct task_table *make_table(struct listed *listed)
{
    uint32_t count = (uint32_t)listed->count;
    struct task_table *table = task_table_create(count, (char *)listed->texts.data);
    listed->texts = (struct byte_writer){0};
    for (uint32_t task = 0; task < count; task++) {
        table->names[task] = table->texts + listed->commands[task].name;
        table->commands[task] = table->texts + listed->commands[task].command;
    }
    struct task_cycle cycle = {0};
    table->graph = task_graph_create(count, listed->edges, (uint32_t)listed->edge_count, &cycle);
    CHECK(table->graph != NULL); /* edges lead down the list */
    table->graph->names = table->names;
    return table;
}

static int find_first_barrier(struct item_list *list, bool *is_there, struct sheaf_error *error)
{
    struct byte_reader item;
    int code = 1;
    *is_there = false;
    while (!*is_there && (code = item_list_next(list, &item, error)) == 1)
        *is_there = item_list_is_barrier(list);
    return code < 0 ? code : 0;
}

int command_list_find_barriers(const char *path, struct task_table **table,
                               struct sheaf_error *error)
{
    struct item_list *list = NULL;
    bool has_barrier = false;
    *table = NULL;
    int code = item_list_open(path, ITEM_COMMANDS, &list, error);
    if (code == 0)
        code = find_first_barrier(list, &has_barrier, error);
    item_list_close(list);
    if (code != 0 || !has_barrier)
        return code;
    struct listed listed = {.barrier = SIZE_MAX};
    code = item_list_open(path, ITEM_COMMANDS, &list, error);
    if (code != 0)
        return code;
    code = read_commands(list, path, &listed, error);
    item_list_close(list);
    if (code == 0)
        *table = make_table(&listed);
    byte_writer_close(&listed.texts);
    free(listed.commands);
    free(listed.edges);
    return code;
}
