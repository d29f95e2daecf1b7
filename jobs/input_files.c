/* input_files.c - matches patterns with files, in an order that is the same everywhere. */
#include "input_files.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void input_files_close(struct input_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
    *files = (struct input_files){0};
}

/* strcmp and not the locale's order, which differs between machines. */
static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_file(struct input_files *files, const char *path, struct sheaf_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the input file %s: %s", path,
                               strerror(errno));
    if (!S_ISREG(status.st_mode))
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "the input %s is %s, not a file; use a pattern that matches files "
                               "only (such as DIR/*.txt)",
                               path, S_ISDIR(status.st_mode) ? "a directory" : "a special file");
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the input file %s: %s", path,
                               strerror(errno));
    void *items = files->items;
    memory_grow(&items, &files->capacity, files->count + 1, sizeof *files->items);
    files->items = items;
    files->items[files->count++] = (struct input_file){
        .path = memory_copy_string(path),
        .size_bytes = (uint64_t)status.st_size,
        .changed_s = status.st_mtim.tv_sec,
        .changed_ns = status.st_mtim.tv_nsec,
    };
    return 0;
}

static int match_pattern(const char *pattern, struct input_files *files, struct sheaf_error *error)
{
    glob_t matches;
    int status = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &matches);
    if (status == GLOB_NOMATCH)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "%s %s; correct \"split\" or make the file",
                               glob_pattern_p(pattern, 1) ? "no file matches the input pattern"
                                                          : "there is no input file",
                               pattern);
    if (status != 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot look for the input pattern %s: %s",
                               pattern, status == GLOB_NOSPACE ? "out of memory" : strerror(errno));
    qsort(matches.gl_pathv, matches.gl_pathc, sizeof *matches.gl_pathv, compare_paths);
    int code = 0;
    for (size_t i = 0; code == 0 && i < matches.gl_pathc; i++)
        code = add_file(files, matches.gl_pathv[i], error);
    globfree(&matches);
    return code;
}

static int check_unique(const struct input_files *files, struct sheaf_error *error)
{
    const char **paths = memory_allocate_zeroed(files->count, sizeof *paths);
    for (size_t i = 0; i < files->count; i++)
        paths[i] = files->items[i].path;
    qsort(paths, files->count, sizeof *paths, compare_paths);
    int code = 0;
    for (size_t i = 1; code == 0 && i < files->count; i++)
        if (strcmp(paths[i - 1], paths[i]) == 0)
            code = sheaf_error_set(error, SHEAF_ERROR_INPUT,
                                   "the input file %s is matched twice and would count twice; "
                                   "change the patterns so that each file is matched once",
                                   paths[i]);
    free(paths);
    return code;
}

int input_files_match(const struct split *split, struct input_files *files,
                      struct sheaf_error *error)
{
    struct input_files matched = {0};
    int code = 0;
    for (size_t i = 0; code == 0 && i < split->pattern_count; i++)
        code = match_pattern(split->patterns[i], &matched, error);
    if (code == 0)
        code = check_unique(&matched, error);
    if (code != 0) {
        input_files_close(&matched);
        return code;
    }
    *files = matched;
    return 0;
}
