/* staging.c - makes, locks and removes the folders in which output files are written first. */
#include "staging.h"

#include "../scheduler/memory.h"
#include "exported_mode.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HOST_BYTES = 64,
    NAME_BYTES = 160,
    NOTE_BYTES = 64 << 10,
    WALK_DESCRIPTORS = 16,
    TRIES_MAX = 1000, /* the hidden folder goes when it is empty: again */
    FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = memory_allocate(size);
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

static char *hidden_in(const char *folder, uint32_t key)
{
    char name[32];
    snprintf(name, sizeof name, ".sheaf-%08" PRIx32, key);
    return join(folder, name);
}

char *staging_path(const struct staging *staging, const char *name)
{
    char *folder = join(staging->hidden, staging->name);
    char *path = join(folder, name);
    free(folder);
    return path;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

/* What cannot be removed stays. */
static void remove_tree(const char *path)
{
    nftw(path, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

void staging_remove(const struct staging *staging, const char *name)
{
    char *path = join(staging->hidden, name);
    remove_tree(path);
    free(path);
}

/* ---- the note: paths ended by NUL, then an empty one ---- */

char *staging_notes_make(uint32_t count)
{
    void *notes = mmap(NULL, (size_t)count * NOTE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return notes != MAP_FAILED ? notes : NULL;
}

void staging_notes_close(char *notes, uint32_t count)
{
    if (notes != NULL)
        munmap(notes, (size_t)count * NOTE_BYTES);
}

char *staging_note_of(char *notes, uint32_t slot)
{
    return notes != NULL ? notes + (size_t)slot * NOTE_BYTES : NULL;
}

static char *note_end(char *note)
{
    while (*note != '\0')
        note += strlen(note) + 1;
    return note;
}

/* A path too many is not noted, and then stays when this process is killed. */
static void note_add(char *note, const char *path)
{
    if (note == NULL)
        return;
    char *end = note_end(note);
    size_t size = strlen(path) + 1;
    if ((size_t)(end - note) + size + 1 > NOTE_BYTES)
        return;
    end[size] = '\0'; /* before the first byte of it makes the path count */
    memcpy(end + 1, path + 1, size - 1);
    *end = *path;
}

/* Whether the attempt had got as far as to decide: then its files belong to whoever completes
 * that. Its first folder, now called TASK, comes first in the note. */
static bool has_decided(const char *note)
{
    char *path = memory_copy_string(note);
    char *name = strrchr(path, '/') + 1;
    name[strspn(name, "0123456789")] = '\0';
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}

void staging_sweep(char *note)
{
    if (note[0] != '\0' && has_decided(note))
        staging_forget(note);
    for (const char *path = note; *path != '\0'; path += strlen(path) + 1) {
        remove_tree(path);
        char *hidden = memory_copy_string(path);
        *strrchr(hidden, '/') = '\0';
        rmdir(hidden);
        free(hidden);
    }
    staging_forget(note);
}

void staging_forget(char *note)
{
    if (note != NULL)
        note[0] = '\0';
}

/* ---- what others have left ---- */

/* Who else owned it, or could write in it, could exchange what attempts write. */
static int open_hidden(const char *path)
{
    struct stat status;
    int descriptor = open(path, FOLDER_FLAGS);
    if (descriptor < 0)
        return -1;
    int problem = 0;
    if (fstat(descriptor, &status) != 0)
        problem = errno;
    else if (status.st_uid != geteuid())
        problem = EPERM;
    else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && fchmod(descriptor, 0700) != 0)
        problem = errno;
    if (problem != 0)
        close(descriptor);
    errno = problem;
    return problem == 0 ? descriptor : -1;
}

/* Nobody alive holds the lock of a folder that was left. */
static bool is_left_behind(int hidden, const char *name)
{
    int descriptor = openat(hidden, name, FOLDER_FLAGS);
    if (descriptor < 0)
        return false;
    bool is_free = flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    close(descriptor);
    return is_free;
}

void staging_find_left(const struct staging *staging, uint64_t task, struct byte_writer *names)
{
    char prefix[32];
    int length = snprintf(prefix, sizeof prefix, "%" PRIu64 "-", task);
    DIR *stream = opendir(staging->hidden);
    if (stream == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strncmp(entry->d_name, prefix, (size_t)length) == 0 &&
            is_left_behind(staging->hidden_descriptor, entry->d_name))
            byte_writer_put(names, entry->d_name, strlen(entry->d_name) + 1);
    closedir(stream);
}

/* Whether an attempt at a task that is done has that name. */
static bool is_of_done_task(const char *name, bool (*is_done)(void *context, uint64_t task),
                            void *context)
{
    char *end;
    if (!isdigit((unsigned char)name[0]))
        return false;
    errno = 0;
    uint64_t task = strtoull(name, &end, 10);
    return errno == 0 && *end == '-' && is_done(context, task);
}

void staging_remove_left(const char *folder, uint32_t key,
                         bool (*is_done)(void *context, uint64_t task), void *context)
{
    char *hidden = hidden_in(folder, key);
    int descriptor = open_hidden(hidden);
    DIR *stream = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    for (const struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (!is_of_done_task(entry->d_name, is_done, context) ||
            !is_left_behind(descriptor, entry->d_name))
            continue;
        char *path = join(hidden, entry->d_name);
        remove_tree(path);
        free(path);
    }
    if (stream != NULL) {
        closedir(stream);
        rmdir(hidden); /* unless somebody is in it */
    }
    free(hidden);
}

/* ---- making ---- */

/* With its parents. */
static int make_folder(const char *folder)
{
    char *path = memory_copy_string(folder);
    int result = 0;
    for (char *at = path + 1; result == 0; at++) {
        char character = *at;
        if (character != '/' && character != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, EXPORTED_FOLDER_MODE) != 0 && errno != EEXIST)
            result = -1;
        *at = character;
        if (character == '\0')
            break;
    }
    free(path);
    return result;
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

/* The attempt's folder, locked. 0; -1 with errno; ENOENT: it was taken away by somebody who
 * cleaned up, before it was locked. */
static int open_own(struct staging *staging)
{
    struct stat status;
    if (mkdirat(staging->hidden_descriptor, staging->name, EXPORTED_FOLDER_MODE) != 0)
        return -1;
    staging->descriptor = openat(staging->hidden_descriptor, staging->name, FOLDER_FLAGS);
    if (staging->descriptor < 0)
        return -1;
    /* Some network file systems cannot lock a folder. Then nobody can take it for left behind. */
    if (flock(staging->descriptor, LOCK_EX | LOCK_NB) == 0 &&
        fstat(staging->descriptor, &status) == 0 && status.st_nlink > 0)
        return 0;
    if (errno != EWOULDBLOCK && fstatat(staging->hidden_descriptor, staging->name, &status, 0) == 0)
        return 0;
    close_descriptor(&staging->descriptor);
    errno = ENOENT;
    return -1;
}

static void set_name(struct staging *staging, uint64_t task)
{
    static unsigned number;
    char host[HOST_BYTES] = "";
    char name[NAME_BYTES];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%" PRIu64 "-%s-%ld-%u", task, host, (long)getpid(), number++);
    free(staging->name);
    staging->name = memory_copy_string(name);
}

static int make(const struct staging_place *place, struct staging *staging)
{
    if (make_folder(staging->folder) != 0)
        return -1;
    staging->folder_descriptor = open(staging->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (staging->folder_descriptor < 0)
        return -1;
    for (int i = 0; i < TRIES_MAX; i++) {
        close_descriptor(&staging->hidden_descriptor);
        set_name(staging, place->task);
        char *path = join(staging->hidden, staging->name);
        note_add(place->note, path); /* before there is anything */
        free(path);
        if (mkdir(staging->hidden, 0700) != 0 && errno != EEXIST)
            return -1;
        staging->hidden_descriptor = open_hidden(staging->hidden);
        if (staging->hidden_descriptor < 0 && errno != ENOENT)
            return -1;
        if (staging->hidden_descriptor < 0)
            continue;
        if (open_own(staging) == 0)
            return 0;
        if (errno != ENOENT)
            return -1;
    }
    return -1;
}

int staging_open(const struct staging_place *place, struct staging *staging,
                 struct sheaf_error *error)
{
    struct staging made = {
        .folder = memory_copy_string(place->folder),
        .hidden = hidden_in(place->folder, place->key),
        .folder_descriptor = -1,
        .hidden_descriptor = -1,
        .descriptor = -1,
    };
    if (make(place, &made) == 0) {
        *staging = made;
        return 0;
    }
    int code = sheaf_error_set_errno(error, errno, "cannot write output files in the folder %s",
                                     place->folder);
    staging_close(&made);
    return code;
}

void staging_close(struct staging *staging)
{
    if (staging->descriptor >= 0)
        staging_remove(staging, staging->name);
    close_descriptor(&staging->descriptor);
    close_descriptor(&staging->hidden_descriptor);
    close_descriptor(&staging->folder_descriptor);
    if (staging->hidden != NULL)
        rmdir(staging->hidden); /* unless somebody is in it */
    free(staging->folder);
    free(staging->hidden);
    free(staging->name);
    *staging = (struct staging){.folder_descriptor = -1, .hidden_descriptor = -1, .descriptor = -1};
}

int staging_sync(int descriptor)
{
    return fsync(descriptor) == 0 || errno == EINVAL ? 0 : -1;
}
