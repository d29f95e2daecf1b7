/* output_files.c - moves the output files of a command into their places, together. */
#include "output_files.h"

#include "../scheduler/memory.h"
#include "disk.h"
#include "exported_mode.h"
#include "staging.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the folder that decides: the names of all staging folders, a line each. */
#define LIST_NAME ".sheaf-folders"

enum { COMPARE_BYTES = 64 << 10, LIST_BYTES_MAX = 64 << 10 };

struct output_file {
    const char *target; /* borrowed */
    const char *name;   /* its last part */
    size_t folder;      /* in `folders` */
    char *staged;
};

struct output_files {
    uint32_t key;
    char *note;
    char task[24]; /* the name of the folder that decides */
    struct output_file *items;
    size_t count;
    struct staging *folders; /* different ones; the first is that of the first file */
    size_t folder_count;
};

struct output_files *output_files_create(uint32_t key, char *note)
{
    struct output_files *files = memory_allocate_zeroed(1, sizeof *files);
    files->key = key;
    files->note = note;
    return files;
}

void output_files_destroy(struct output_files *files)
{
    if (files == NULL)
        return;
    output_files_end(files);
    free(files);
}

const char *output_files_staged(const struct output_files *files, size_t i)
{
    return files->items[i].staged;
}

/* ---- what was decided ---- */

/* The names of the staging folders, cut out of `text`. False when there is no list: then all was
 * moved, and somebody was removing the folder. */
static bool read_list(const struct output_files *files, int decided, char *text, const char **names)
{
    int descriptor = openat(decided, LIST_NAME, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t size = disk_read_all(disk_system(), descriptor, text, LIST_BYTES_MAX - 1, 0);
    close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    for (size_t i = 0; i < files->folder_count; i++) {
        char *end = strchr(text, '\n');
        if (end == NULL)
            return false;
        *end = '\0';
        names[i] = text;
        text = end + 1;
    }
    return true;
}

/* A file that is no longer there has been moved before. */
static int move_files(const struct output_files *files, size_t folder, int from,
                      struct sheaf_error *error)
{
    const struct staging *staging = &files->folders[folder];
    for (size_t i = 0; i < files->count; i++) {
        const struct output_file *file = &files->items[i];
        if (file->folder == folder &&
            renameat(from, file->name, staging->folder_descriptor, file->name) != 0 &&
            errno != ENOENT)
            return sheaf_error_set_errno(error, errno, "cannot put the output %s in its place",
                                         file->target);
    }
    if (staging_sync(staging->folder_descriptor) != 0)
        return sheaf_error_set_errno(error, errno, "cannot sync the folder %s", staging->folder);
    return 0;
}

static int move_all(const struct output_files *files, int decided, const char *const *names,
                    struct sheaf_error *error)
{
    int code = move_files(files, 0, decided, error);
    for (size_t i = 1; code == 0 && i < files->folder_count; i++) {
        int from = openat(files->folders[i].hidden_descriptor, names[i],
                          O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (from < 0)
            continue; /* empty, and removed */
        code = move_files(files, i, from, error);
        close(from);
    }
    for (size_t i = 1; code == 0 && i < files->folder_count; i++)
        staging_remove(&files->folders[i], names[i]);
    return code;
}

/* Completes what an attempt at this task has decided, if any has. */
static int complete(const struct output_files *files, struct sheaf_error *error)
{
    int decided = openat(files->folders[0].hidden_descriptor, files->task,
                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (decided < 0 && errno == ENOENT)
        return 0;
    if (decided < 0)
        return sheaf_error_set_errno(error, errno, "cannot look for the outputs in %s",
                                     files->folders[0].hidden);
    const char **names = memory_allocate_zeroed(files->folder_count, sizeof *names);
    char *text = memory_allocate(LIST_BYTES_MAX);
    int code = 0;
    if (read_list(files, decided, text, names))
        code = move_all(files, decided, names, error);
    if (code == 0)
        staging_remove(&files->folders[0], files->task);
    close(decided);
    free(text);
    free(names);
    return code;
}

/* ---- before ---- */

/* Whatever the path begins with, it is no option of the command. */
char *output_files_folder(const char *target)
{
    const char *slash = strrchr(target, '/');
    size_t length = slash == target ? 1 : slash != NULL ? (size_t)(slash - target) : 0;
    const char *prefix = target[0] == '/' ? "" : length > 0 ? "./" : ".";
    size_t size = strlen(prefix) + length + 1;
    char *folder = memory_allocate(size);
    snprintf(folder, size, "%s%.*s", prefix, (int)length, target);
    return folder;
}

static int add_folder(struct output_files *files, uint64_t task, struct output_file *file,
                      struct sheaf_error *error)
{
    char *folder = output_files_folder(file->target);
    size_t i = 0;
    while (i < files->folder_count && strcmp(files->folders[i].folder, folder) != 0)
        i++;
    int code = 0;
    file->folder = i;
    if (i == files->folder_count) {
        const struct staging_place place = {
            .folder = folder, .key = files->key, .task = task, .note = files->note};
        code = staging_open(&place, &files->folders[i], error);
        files->folder_count += code == 0;
    }
    free(folder);
    return code;
}

static int add_file(struct output_files *files, uint64_t task, const char *target,
                    struct sheaf_error *error)
{
    const char *slash = strrchr(target, '/');
    const char *name = slash != NULL ? slash + 1 : target;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "the output \"%.200s\" is no name of a file", target);
    struct output_file file = {.target = target, .name = name};
    int code = add_folder(files, task, &file, error);
    for (size_t i = 0; code == 0 && i < files->count; i++)
        if (files->items[i].folder == file.folder && strcmp(files->items[i].name, name) == 0)
            code = sheaf_error_set(error, SHEAF_ERROR_INPUT,
                                   "two outputs of the task are the same file, %.200s", target);
    if (code != 0)
        return code;
    file.staged = staging_path(&files->folders[file.folder], name);
    files->items[files->count++] = file;
    return 0;
}

/* Processes that had ended before the completion cannot have decided after it: what they have left
 * is of no use then. Before it, files that are still to be moved may be among that. */
static int complete_and_clean(const struct output_files *files, uint64_t task,
                              struct sheaf_error *error)
{
    struct byte_writer *left = memory_allocate_zeroed(files->folder_count, sizeof *left);
    for (size_t i = 0; i < files->folder_count; i++)
        staging_find_left(&files->folders[i], task, &left[i]);
    int code = complete(files, error);
    for (size_t i = 0; i < files->folder_count; i++) {
        for (size_t at = 0; code == 0 && at < left[i].size;) {
            const char *name = (const char *)left[i].data + at;
            staging_remove(&files->folders[i], name);
            at += strlen(name) + 1;
        }
        byte_writer_close(&left[i]);
    }
    free(left);
    return code;
}

int output_files_begin(struct output_files *files, uint64_t task, char *const *targets,
                       size_t count, struct sheaf_error *error)
{
    output_files_end(files);
    snprintf(files->task, sizeof files->task, "%" PRIu64, task);
    files->items = memory_allocate_zeroed(count, sizeof *files->items);
    files->folders = memory_allocate_zeroed(count, sizeof *files->folders);
    int code = 0;
    for (size_t i = 0; code == 0 && i < count; i++)
        code = add_file(files, task, targets[i], error);
    if (code == 0)
        code = complete_and_clean(files, task, error);
    if (code != 0)
        output_files_end(files);
    return code;
}

/* ---- after ---- */

static int open_staged(const struct output_files *files, const struct output_file *file,
                       struct sheaf_error *error)
{
    int descriptor = openat(files->folders[file->folder].descriptor, file->name,
                            O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 && errno == ENOENT)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "it ended without an error, but did not write its output %.200s",
                               file->target);
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return descriptor;
    if (descriptor >= 0)
        close(descriptor);
    return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                           "its output %.200s is no file that can be read", file->target);
}

static bool bytes_are_equal(int left, int right)
{
    unsigned char *buffer = memory_allocate(2 * COMPARE_BYTES);
    ssize_t got;
    off_t offset = 0;
    bool are_equal = true;
    do {
        got = disk_read_all(disk_system(), left, buffer, COMPARE_BYTES, offset);
        are_equal = got >= 0 &&
                    disk_read_all(disk_system(), right, buffer + COMPARE_BYTES, COMPARE_BYTES,
                                  offset) == got &&
                    memcmp(buffer, buffer + COMPARE_BYTES, (size_t)got) == 0;
        offset += got;
    } while (are_equal && got == COMPARE_BYTES);
    free(buffer);
    return are_equal;
}

/* Syncs a file that was written, and tells whether its bytes are in their place already. */
static int check_file(const struct output_files *files, const struct output_file *file,
                      bool *is_in_place, struct sheaf_error *error)
{
    int staged = open_staged(files, file, error);
    if (staged < 0)
        return staged;
    struct stat status;
    int code = 0;
    int place = openat(files->folders[file->folder].folder_descriptor, file->name,
                       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool is_there = place >= 0 && fstat(place, &status) == 0;
    if (is_there && S_ISDIR(status.st_mode))
        code = sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "there is a folder where the output %.200s should be", file->target);
    else if (fsync(staged) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot sync the output %s", file->target);
    else
        *is_in_place = is_there && S_ISREG(status.st_mode) && bytes_are_equal(staged, place);
    if (place >= 0)
        close(place);
    close(staged);
    return code;
}

static int write_list(const struct output_files *files)
{
    int descriptor = openat(files->folders[0].descriptor, LIST_NAME,
                            O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, EXPORTED_FILE_MODE);
    if (descriptor < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; result == 0 && i < files->folder_count; i++) {
        const char *name = files->folders[i].name;
        result = disk_write_all(disk_system(), descriptor, name, strlen(name));
        if (result == 0)
            result = disk_write_all(disk_system(), descriptor, "\n", 1);
    }
    if (result == 0)
        result = fsync(descriptor);
    int saved = errno;
    close(descriptor);
    errno = saved;
    return result;
}

/* True also when another copy has decided. */
static bool decide(const struct output_files *files)
{
    const struct staging *first = &files->folders[0];
    if (write_list(files) != 0)
        return false;
    for (size_t i = 0; i < files->folder_count; i++)
        if (staging_sync(files->folders[i].descriptor) != 0 ||
            staging_sync(files->folders[i].hidden_descriptor) != 0)
            return false;
    if (renameat(first->hidden_descriptor, first->name, first->hidden_descriptor, files->task) !=
            0 &&
        errno != ENOTEMPTY && errno != EEXIST)
        return false;
    return staging_sync(first->hidden_descriptor) == 0;
}

int output_files_publish(struct output_files *files, struct sheaf_error *error)
{
    bool all_are_in_place = true;
    for (size_t i = 0; i < files->count; i++) {
        bool is_in_place = false;
        int code = check_file(files, &files->items[i], &is_in_place, error);
        if (code != 0)
            return code;
        all_are_in_place &= is_in_place;
    }
    if (all_are_in_place)
        return 0;
    if (!decide(files))
        return sheaf_error_set_errno(error, errno, "cannot put the outputs in their places, in %s",
                                     files->folders[0].folder);
    return complete(files, error);
}

void output_files_end(struct output_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].staged);
    for (size_t i = 0; i < files->folder_count; i++)
        staging_close(&files->folders[i]);
    staging_forget(files->note);
    free(files->items);
    free(files->folders);
    files->items = NULL;
    files->folders = NULL;
    files->count = files->folder_count = 0;
}
