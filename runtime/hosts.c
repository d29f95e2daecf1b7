/* hosts.c - counts the hosts of a run. */
#include "hosts.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct name_list {
    char **names;
    size_t count;
    size_t capacity;
};

static void name_list_close(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void name_list_add(struct name_list *list, const char *name, size_t size)
{
    void *names = list->names;
    memory_grow(&names, &list->capacity, list->count + 1, sizeof *list->names);
    list->names = names;
    char *copy = memory_allocate(size + 1);
    memcpy(copy, name, size);
    copy[size] = '\0';
    list->names[list->count++] = copy;
}

static uint32_t count_different(struct name_list *list)
{
    uint32_t count = 0;
    if (list->count > 0)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    for (size_t i = 0; i < list->count; i++)
        if (i == 0 || strcmp(list->names[i], list->names[i - 1]) != 0)
            count++;
    return count;
}

/* "a,b:4,a" - a colon precedes a number of slots. */
static uint32_t count_in_list(const char *text)
{
    struct name_list list = {.count = 0};
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        size_t name_size = strcspn(text, ",:");
        if (name_size > 0)
            name_list_add(&list, text, name_size);
        text += size + (text[size] == ',');
    }
    uint32_t count = count_different(&list);
    name_list_close(&list);
    return count;
}

/* A host a line, first word; # begins a comment. */
static int count_in_file(const char *path, uint32_t *count, struct sheaf_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the hostfile %s: %s", path,
                               strerror(errno));
    struct name_list list = {.count = 0};
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) >= 0) {
        const char *name = line + strspn(line, " \t");
        size_t size = strcspn(name, " \t\r\n#");
        if (size > 0)
            name_list_add(&list, name, size);
    }
    free(line);
    fclose(file);
    uint32_t found = count_different(&list);
    name_list_close(&list);
    if (found == 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "the hostfile %s names no host", path);
    *count = found;
    return 0;
}

int hosts_count(const struct run_options *options, uint32_t *count, struct sheaf_error *error)
{
    if (options->hostfile != NULL)
        return count_in_file(options->hostfile, count, error);
    const char *slurm = getenv("SLURM_JOB_NUM_NODES");
    const char *pbs = getenv("PBS_NODEFILE");
    uint64_t nodes = 0;
    if (options->host != NULL)
        *count = count_in_list(options->host);
    else if (slurm != NULL && parse_count(slurm, &nodes, NULL) == 0 && nodes <= UINT32_MAX)
        *count = (uint32_t)nodes;
    else if (pbs != NULL)
        return count_in_file(pbs, count, error);
    else
        *count = 0;
    return 0;
}
