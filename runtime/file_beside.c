/* file_beside.c - makes files beside others, and sweeps what is left of them. */
#include "file_beside.h"

#include "../scheduler/memory.h"
#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MARK ".sheaf-tmp"

enum {
    RANDOM_CHARACTERS = 16,
    /* A longer name is cut, so that this one is no longer than a name may be. */
    BASE_BYTES_MAX = NAME_MAX - (int)sizeof MARK - RANDOM_CHARACTERS,
    TRIES_MAX = 8,
    LEFT_AFTER_S = 60,
    /* A folder of results may be huge, and its leftovers are in nobody's way. */
    NAMES_MAX = 100000,
    SWEPT_MAX = 1000,
};

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static size_t base_size(const char *path)
{
    size_t size = strlen(base_of(path));
    return size < BASE_BYTES_MAX ? size : BASE_BYTES_MAX;
}

static uint64_t draw(void)
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) == (ssize_t)sizeof number)
        return number;
    struct timespec now; /* the file is still made by the call alone */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid();
}

char *file_beside_name(const char *path)
{
    size_t kept = (size_t)(base_of(path) - path) + base_size(path);
    size_t size = kept + sizeof MARK "-" + RANDOM_CHARACTERS;
    char *name = memory_allocate(size);
    snprintf(name, size, "%.*s" MARK "-%016" PRIx64, (int)kept, path, draw());
    return name;
}

int file_beside_make(const char *path, mode_t mode, char **beside)
{
    for (int tries = 1;; tries++) {
        char *name = file_beside_name(path);
        int descriptor = run_place_open_file(name, O_WRONLY | O_CREAT | O_EXCL, mode);
        if (descriptor >= 0) {
            if (flock(descriptor, LOCK_EX | LOCK_NB) != 0)
                errno = 0; /* then nobody can tell that it is left */
            *beside = name;
            return descriptor;
        }
        int saved_errno = errno;
        free(name);
        errno = saved_errno;
        if (errno != EEXIST || tries == TRIES_MAX)
            return -1;
    }
}

static bool is_left(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
        status.st_uid != geteuid() || status.st_mtime > time(NULL) - LEFT_AFTER_S)
        return false;
    int descriptor = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool is_free = descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (descriptor >= 0)
        close(descriptor);
    return is_free;
}

/* `base` = NULL: of any file. */
static bool is_beside(const char *name, const char *base, size_t size)
{
    const char *mark = strstr(name, MARK);
    if (base == NULL)
        return mark != NULL;
    return strncmp(name, base, size) == 0 && strncmp(name + size, MARK, strlen(MARK)) == 0;
}

static void sweep(const char *folder, const char *base, size_t size)
{
    DIR *stream = run_place_list(folder);
    const struct dirent *entry;
    int swept = 0;
    for (int seen = 0; stream != NULL && seen < NAMES_MAX && swept < SWEPT_MAX &&
                       (entry = readdir(stream)) != NULL;
         seen++) {
        if (is_beside(entry->d_name, base, size) && is_left(dirfd(stream), entry->d_name))
            swept += unlinkat(dirfd(stream), entry->d_name, 0) == 0;
    }
    if (stream != NULL)
        closedir(stream);
}

void file_beside_sweep(const char *path)
{
    const char *base = base_of(path);
    char *folder = base > path ? memory_copy_string(path) : memory_copy_string("./");
    folder[base > path ? base - path : 2] = '\0';
    sweep(folder, base, base_size(path));
    free(folder);
}

void file_beside_sweep_folder(const char *folder)
{
    sweep(folder, NULL, 0);
}
