/* stage_list.c - keeps the names of a run's stages in DIR/stages.list. */
#include "stage_list.h"

#include "../scheduler/memory.h"
#include "checked_file.h"
#include "run_directory.h"
#include "run_place.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int stage_list_write(const char *run_dir, const struct stage_plan *plan, struct sheaf_error *error)
{
    struct byte_writer text = {0};
    for (size_t i = 0; i < plan->count; i++) {
        byte_writer_put(&text, plan->stages[i].name, strlen(plan->stages[i].name));
        byte_writer_put_u8(&text, '\n');
    }
    int code = checked_file_write(run_dir, "stages.list", text.data, text.size, error);
    byte_writer_close(&text);
    return code;
}

static void add_name(struct stage_list *list, size_t *capacity, const char *name)
{
    if (list->count == STAGES_MAX || !stage_name_is_valid(name))
        return;
    void *names = list->names;
    memory_grow(&names, capacity, list->count + 1, sizeof *list->names);
    list->names = names;
    list->names[list->count++] = memory_copy_string(name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The stages that have begun, in the order of their names. */
static void list_folders(const char *run_dir, struct stage_list *list)
{
    char *path = run_directory_join(run_dir, "stages");
    DIR *stream = run_place_list(path);
    size_t capacity = 0;
    free(path);
    if (stream == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        add_name(list, &capacity, entry->d_name);
    closedir(stream);
    if (list->count > 0)
        qsort(list->names, list->count, sizeof *list->names, compare_names);
}

int stage_list_read(const char *run_dir, struct stage_list *list, struct sheaf_error *error)
{
    *list = (struct stage_list){0};
    struct byte_writer text = {0};
    size_t capacity = 0;
    int code = run_place_open(run_dir, error);
    if (code != 0)
        return code;
    code = checked_file_read(run_dir, "stages.list", &text, error);
    byte_writer_put_u8(&text, '\0');
    char *rest = (char *)text.data;
    for (char *line; code == 0 && (line = strsep(&rest, "\n")) != NULL;)
        add_name(list, &capacity, line);
    byte_writer_close(&text);
    if (code == SHEAF_ERROR_DAMAGED || code == SHEAF_ERROR_NOT_FOUND) {
        list_folders(run_dir, list);
        return 0;
    }
    return code;
}

void stage_list_close(struct stage_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct stage_list){0};
}

char *stage_list_directory(const char *run_dir, const char *name)
{
    char *stages = run_directory_join(run_dir, "stages");
    char *dir = run_directory_join(stages, name);
    free(stages);
    return dir;
}

char *stage_list_run_of(const char *dir)
{
    static const char folder[] = "/stages";
    char *run_dir = memory_copy_string(dir);
    char *name = strrchr(run_dir, '/');
    if (name == NULL)
        return run_dir;
    *name = '\0';
    size_t length = strlen(run_dir);
    size_t folder_length = sizeof folder - 1;
    if (length > folder_length && strcmp(run_dir + length - folder_length, folder) == 0)
        run_dir[length - folder_length] = '\0';
    else
        *name = '/';
    return run_dir;
}

static int no_such_stage(const char *run_dir, const char *name, const struct stage_list *list,
                         struct sheaf_error *error)
{
    char listed[1000] = "";
    size_t length = 0;
    for (size_t i = 0; i < list->count && length < sizeof listed; i++)
        length += (size_t)snprintf(listed + length, sizeof listed - length, "%s%s",
                                   i > 0 ? ", " : "", list->names[i]);
    if (list->count == 0)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE, "the run in %s has no stages", run_dir);
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "the run in %s has no stage \"%.100s\"; it has %s", run_dir, name,
                           listed);
}

int stage_list_visit(const char *run_dir, const char *name, stage_list_function *show,
                     void *context, struct sheaf_error *error)
{
    struct stage_list list;
    int code = stage_list_read(run_dir, &list, error);
    if (code != 0)
        return code;
    bool is_found = name == NULL;
    for (size_t i = 0; code == 0 && i < list.count; i++) {
        if (name != NULL && strcmp(list.names[i], name) != 0)
            continue;
        char *dir = stage_list_directory(run_dir, list.names[i]);
        if (run_place_has(dir))
            code = show(context, dir, list.names[i], error);
        else if (name != NULL)
            code =
                sheaf_error_set(error, SHEAF_ERROR_USAGE, "stage \"%s\" has not begun yet", name);
        is_found = true;
        free(dir);
    }
    if (code == 0 && !is_found)
        code = no_such_stage(run_dir, name, &list, error);
    if (code == 0 && name == NULL && list.count == 0)
        code = show(context, run_dir, NULL, error);
    stage_list_close(&list);
    return code;
}
