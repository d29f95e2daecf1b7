/* run_place.c - opens run directories, and what lies in them, so that no other user has a say. */
#include "run_place.h"

#include "print_foreign.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PLACES_MAX = 16,
    LINKS_MAX = 40,
    DEPTH_MAX = 16, /* of folders in a run directory, which have 4 */
    PATH_BYTES = 4096,
    OTHERS_MAY_WRITE = S_IWGRP | S_IWOTH,
    FOLDER_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
};

struct place {
    char *path; /* without a slash at its end */
    int descriptor;
};

static struct place places[PLACES_MAX];
static size_t next_place;
static bool is_shared;

void run_place_share(void)
{
    is_shared = true;
}

void run_place_forget(void)
{
    for (size_t i = 0; i < PLACES_MAX; i++)
        free(places[i].path);
    memset(places, 0, sizeof places);
    next_place = 0;
}

/* ---- what lies in a directory ---- */

/* The directory that the path begins with, and the rest of the path. */
static int find(const char *path, const char **rest)
{
    const struct place *found = NULL;
    size_t found_size = 0;
    for (size_t i = 0; i < PLACES_MAX && places[i].path != NULL; i++) {
        size_t size = strlen(places[i].path);
        if (size >= found_size && strncmp(path, places[i].path, size) == 0 &&
            (path[size] == '/' || path[size] == '\0')) {
            found = &places[i];
            found_size = size;
        }
    }
    *rest = path;
    if (found == NULL)
        return AT_FDCWD;
    *rest = path + found_size + strspn(path + found_size, "/");
    if (**rest == '\0')
        *rest = ".";
    return found->descriptor;
}

bool run_place_contains(const char *path)
{
    const char *rest;
    return find(path, &rest) != AT_FDCWD;
}

/* The folder that holds the last name of the path, and that name. */
struct parent {
    int descriptor;
    bool is_own; /* the descriptor is to be closed */
    const char *name;
};

static void parent_close(const struct parent *parent)
{
    int saved_errno = errno;
    if (parent->is_own)
        close(parent->descriptor);
    errno = saved_errno;
}

/* 0, or -1 with errno. */
static int parent_open(const char *path, struct parent *parent)
{
    struct parent opened = {.name = path};
    opened.descriptor = find(path, &opened.name);
    const char *slash;
    while (opened.descriptor != AT_FDCWD && (slash = strchr(opened.name, '/')) != NULL) {
        char part[NAME_MAX + 1];
        size_t size = (size_t)(slash - opened.name);
        if (size >= sizeof part) {
            parent_close(&opened);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(part, opened.name, size);
        part[size] = '\0';
        int next = openat(opened.descriptor, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        parent_close(&opened);
        if (next < 0)
            return -1;
        opened = (struct parent){next, true, slash + strspn(slash, "/")};
    }
    *parent = opened;
    return 0;
}

/* The file is the user's own. 0 or errno. */
static int check_file(int descriptor, bool is_emptied)
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return errno;
    if (!S_ISREG(status.st_mode))
        return EMEDIUMTYPE;
    if (status.st_uid != geteuid() && !is_shared)
        return EPERM;
    return is_emptied && status.st_size > 0 && ftruncate(descriptor, 0) != 0 ? errno : 0;
}

int run_place_open_file(const char *path, int flags, mode_t mode)
{
    struct parent parent;
    if (parent_open(path, &parent) != 0)
        return -1;
    /* It is emptied when it has turned out to be the user's. */
    int all_flags = (flags & ~O_TRUNC) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    int descriptor = openat(parent.descriptor, parent.name, all_flags, mode);
    int problem = errno;
    parent_close(&parent);
    if (descriptor >= 0)
        problem = (flags & O_EXCL) != 0 ? 0 : check_file(descriptor, (flags & O_TRUNC) != 0);
    else if (problem == ENXIO) /* nobody reads from the pipe */
        problem = EMEDIUMTYPE;
    if (descriptor >= 0 && problem != 0) {
        close(descriptor);
        descriptor = -1;
    }
    errno = problem;
    return descriptor;
}

FILE *run_place_open_stream(const char *path, const char *mode)
{
    int flags = mode[0] == 'a' ? O_WRONLY | O_CREAT | O_APPEND : O_RDONLY;
    int descriptor = run_place_open_file(path, flags, 0600);
    FILE *stream = descriptor >= 0 ? fdopen(descriptor, mode) : NULL;
    if (stream == NULL && descriptor >= 0)
        close(descriptor);
    if (stream != NULL && mode[0] == 'a')
        fseek(stream, 0, SEEK_END);
    return stream;
}

int run_place_open_folder(const char *path)
{
    struct parent parent;
    if (parent_open(path, &parent) != 0)
        return -1;
    int descriptor = openat(parent.descriptor, parent.name, FOLDER_FLAGS);
    parent_close(&parent);
    return descriptor;
}

DIR *run_place_list(const char *path)
{
    int descriptor = run_place_open_folder(path);
    DIR *stream = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (stream == NULL && descriptor >= 0)
        close(descriptor);
    return stream;
}

int run_place_make_folder(const char *path)
{
    struct parent parent;
    if (parent_open(path, &parent) != 0)
        return -1;
    int result = mkdirat(parent.descriptor, parent.name, 0700);
    parent_close(&parent);
    return result;
}

/* Renames, or gives a second name. */
static int name_again(const char *from, const char *to, bool is_link)
{
    struct parent source;
    struct parent target;
    if (parent_open(from, &source) != 0)
        return -1;
    int result = parent_open(to, &target);
    if (result == 0) {
        result = is_link ? linkat(source.descriptor, source.name, target.descriptor, target.name, 0)
                         : renameat(source.descriptor, source.name, target.descriptor, target.name);
        parent_close(&target);
    }
    parent_close(&source);
    return result;
}

int run_place_rename(const char *from, const char *to)
{
    return name_again(from, to, false);
}

int run_place_link(const char *from, const char *to)
{
    return name_again(from, to, true);
}

int run_place_unlink(const char *path)
{
    struct parent parent;
    if (parent_open(path, &parent) != 0)
        return -1;
    int result = unlinkat(parent.descriptor, parent.name, 0);
    parent_close(&parent);
    return result;
}

static int remove_at(int folder, const char *name, int depth);

static int remove_content(int folder, const char *name, int depth)
{
    int descriptor = openat(folder, name, FOLDER_FLAGS);
    DIR *stream = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (stream == NULL)
        return -1;
    int result = 0;
    for (const struct dirent *entry; result == 0 && (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = remove_at(descriptor, entry->d_name, depth + 1);
    int saved_errno = errno;
    closedir(stream);
    errno = saved_errno;
    return result;
}

static int remove_at(int folder, const char *name, int depth)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    if (depth > DEPTH_MAX) {
        errno = ELOOP;
        return -1;
    }
    if (remove_content(folder, name, depth) != 0)
        return -1;
    return unlinkat(folder, name, AT_REMOVEDIR);
}

int run_place_remove(const char *path)
{
    struct parent parent;
    if (parent_open(path, &parent) != 0)
        return errno == ENOENT ? 0 : -1;
    int result = remove_at(parent.descriptor, parent.name, 0);
    parent_close(&parent);
    return result;
}

int run_place_stat(const char *path, struct stat *status)
{
    struct parent parent;
    if (parent_open(path, &parent) != 0)
        return -1;
    int result = fstatat(parent.descriptor, parent.name, status, AT_SYMLINK_NOFOLLOW);
    parent_close(&parent);
    return result;
}

bool run_place_has(const char *path)
{
    struct stat status;
    return run_place_stat(path, &status) == 0;
}

/* ---- the directory itself ---- */

static int refuse(const char *what, const char *path, unsigned long owner,
                  struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_PERMISSION,
                           "%s%s belongs to another user (%lu), who could forge results there or "
                           "have files of yours overwritten: name another place, or, if you trust "
                           "everybody who may write there, say --shared-dir",
                           what, path, owner);
}

int run_place_check_links(const char *path, struct sheaf_error *error)
{
    char *at = memory_copy_string(path);
    int code = 0;
    for (int i = 0; code == 0 && i < LINKS_MAX; i++) {
        struct stat status;
        char target[PATH_BYTES];
        for (size_t size = strlen(at); size > 1 && at[size - 1] == '/'; size--)
            at[size - 1] = '\0';
        if (lstat(at, &status) != 0 || !S_ISLNK(status.st_mode))
            break;
        if (status.st_uid != geteuid() && status.st_uid != 0 && !is_shared)
            code = refuse("the link ", at, status.st_uid, error);
        ssize_t size = readlink(at, target, sizeof target - 1);
        if (size <= 0)
            break;
        target[size] = '\0';
        char *slash = strrchr(at, '/');
        int folder_size = slash != NULL && target[0] != '/' ? (int)(slash - at) + 1 : 0;
        char *next = NULL;
        if (asprintf(&next, "%.*s%s", folder_size, at, target) < 0)
            break;
        free(at);
        at = next;
    }
    free(at);
    return code;
}

int run_place_check_owner(const char *dir, struct sheaf_error *error)
{
    struct stat status;
    int code = run_place_check_links(dir, error);
    if (code == 0 && !is_shared && stat(dir, &status) == 0 && status.st_uid != geteuid() &&
        status.st_uid != 0)
        code = refuse("", dir, status.st_uid, error);
    return code;
}

static bool is_in_order(const struct stat *status, const char *name)
{
    bool is_known_kind = S_ISREG(status->st_mode) || S_ISDIR(status->st_mode);
    /* Output alone has several names, and is never written in its place. */
    bool is_linked = S_ISREG(status->st_mode) && status->st_nlink > 1 &&
                     strncmp(name, "output", strlen("output")) != 0;
    return is_known_kind && !is_linked && status->st_uid == geteuid();
}

/* What others may have left while they could. */
static int check_content(int folder, const char *path, int depth, struct sheaf_error *error)
{
    int copy = openat(folder, ".", FOLDER_FLAGS);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (stream == NULL)
        return sheaf_error_set_errno(error, errno, "cannot read the directory %s", path);
    int code = 0;
    for (const struct dirent *entry; code == 0 && (entry = readdir(stream)) != NULL;) {
        struct stat status;
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            fstatat(copy, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!is_in_order(&status, name) || depth > DEPTH_MAX) {
            code = sheaf_error_set(error, SHEAF_ERROR_PERMISSION,
                                   "others could write in %s, and %.200s there is a link, no file, "
                                   "or belongs to another user (%lu): look at it and delete it, or "
                                   "name another directory with --dir",
                                   path, name, (unsigned long)status.st_uid);
        } else if (S_ISDIR(status.st_mode)) {
            int next = openat(copy, name, FOLDER_FLAGS);
            if (next >= 0)
                code = check_content(next, path, depth + 1, error);
            if (next >= 0)
                close(next);
        }
    }
    closedir(stream);
    return code;
}

static int check_directory(int descriptor, const char *dir, struct sheaf_error *error)
{
    struct stat status;
    if (is_shared)
        return 0;
    if (fstat(descriptor, &status) != 0)
        return sheaf_error_set_errno(error, errno, "cannot look at %s", dir);
    if (status.st_uid != geteuid())
        return refuse("", dir, status.st_uid, error);
    if ((status.st_mode & OTHERS_MAY_WRITE) == 0)
        return 0;
    mode_t mode = status.st_mode & 07777 & ~(mode_t)OTHERS_MAY_WRITE;
    if (fchmod(descriptor, mode) != 0)
        return sheaf_error_set_errno(error, errno,
                                     "others may write in %s, and could forge results there; it "
                                     "cannot be closed to them: name another directory with --dir",
                                     dir);
    int code = check_content(descriptor, dir, 0, error);
    if (code != 0) {
        if (fchmod(descriptor, status.st_mode & 07777) != 0) /* else it would be believed soon */
            perror("sheaf: a mode cannot be set back");
        return code;
    }
    print_harmless(
        stderr,
        "sheaf: others could write in %s (mode %04o): no longer (%04o). --shared-dir lets "
        "them\n",
        dir, (unsigned)(status.st_mode & 07777), (unsigned)mode);
    return 0;
}

static bool is_same(int a, int b)
{
    struct stat first;
    struct stat second;
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Keeps a copy of the descriptor. */
static void keep(const char *path, int descriptor)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    struct place *place = NULL;
    for (size_t i = 0; i < PLACES_MAX && places[i].path != NULL; i++)
        if (strncmp(places[i].path, path, size) == 0 && places[i].path[size] == '\0')
            place = &places[i];
    if (place != NULL && is_same(place->descriptor, descriptor))
        return;
    int copy = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (copy < 0)
        return; /* then paths are used as they are */
    if (place == NULL)
        place = &places[next_place++ % PLACES_MAX];
    if (place->path != NULL)
        close(place->descriptor);
    free(place->path);
    *place = (struct place){.path = memory_allocate(size + 1), .descriptor = copy};
    memcpy(place->path, path, size);
    place->path[size] = '\0';
}

/* The directory of a stage lies in one that is open. */
static int open_inner(const char *dir, struct sheaf_error *error)
{
    struct parent parent;
    if (parent_open(dir, &parent) != 0)
        return errno == ELOOP || errno == ENOTDIR
                   ? sheaf_error_set_errno(error, EPERM, "cannot open %s", dir)
                   : 0;
    int descriptor = openat(parent.descriptor, parent.name, FOLDER_FLAGS);
    parent_close(&parent);
    if (descriptor < 0)
        return 0;
    int code = check_directory(descriptor, dir, error);
    close(descriptor);
    return code;
}

int run_place_open(const char *dir, struct sheaf_error *error)
{
    const char *rest;
    if (find(dir, &rest) != AT_FDCWD && strcmp(rest, ".") != 0)
        return open_inner(dir, error);
    int code = run_place_check_links(dir, error);
    if (code != 0)
        return code;
    char *resolved = realpath(dir, NULL);
    int descriptor = resolved != NULL ? open(resolved, FOLDER_FLAGS) : -1;
    if (descriptor >= 0)
        code = check_directory(descriptor, dir, error);
    if (descriptor >= 0 && code == 0) {
        keep(dir, descriptor);
        keep(resolved, descriptor);
    }
    if (descriptor >= 0)
        close(descriptor);
    free(resolved);
    return code;
}
