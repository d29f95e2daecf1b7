/* world_files.c - keeps the records of worlds, and removes what dead ones have left. */
#include "world_files.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "atomic_file.h"
#include "run_place.h"
#include "run_swap.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "worlds"

enum {
    ID_DIGITS = 16,
    HOST_BYTES_MAX = 100, /* of a host's name */
    RECORD_BYTES_MAX = 4 * PATH_MAX,
    /* Of a host that has not come back by then nobody knows any more. */
    FOREIGN_AGE_MAX_S = 10 * 24 * 3600,
};

static const char *const kinds[] = {".mpirun", ".ranks"};

/* ---- names ---- */

static char *join(const char *folder, const char *name)
{
    char *path;
    CHECK(asprintf(&path, "%s/%s", folder, name) > 0);
    return path;
}

/* False when it has none that can be part of a file's name. */
static bool find_host(struct world_host *host)
{
    *host = (struct world_host){.segments_folder = "/dev/shm"};
    if (gethostname(host->name, sizeof host->name - 1) != 0 || host->name[0] == '.' ||
        strlen(host->name) > HOST_BYTES_MAX)
        return false;
    for (const char *at = host->name; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("._-", *at) == NULL)
            return false;
    return host->name[0] != '\0';
}

/* Whether it consists of these characters, and is not empty. */
static bool is_of(const char *text, const char *characters)
{
    return text[0] != '\0' && text[strspn(text, characters)] == '\0';
}

/* Open MPI leaves the domain out. `index` 0 and 1: the names it may use; false when there is none.
 */
static bool name_of(const struct world_host *host, int index, char name[WORLD_WORD_BYTES])
{
    size_t length = index == 0 ? strlen(host->name) : strcspn(host->name, ".");
    if (index > 1 || (index == 1 && length == strlen(host->name)))
        return false;
    snprintf(name, WORLD_WORD_BYTES, "%.*s", (int)length, host->name);
    return true;
}

/* ---- removing ---- */

/* Neither a link nor open to others. */
static bool is_own_folder(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* "ompi.HOST.UID", which is shared by all worlds of the user on the host. */
static bool is_shared_name(const char *name, const struct world_host *host)
{
    char of_host[WORLD_WORD_BYTES];
    char expected[2 * WORLD_WORD_BYTES];
    for (int i = 0; name_of(host, i, of_host); i++) {
        snprintf(expected, sizeof expected, "ompi.%s.%u", of_host, (unsigned)geteuid());
        if (strcmp(name, expected) == 0)
            return true;
    }
    return false;
}

/* Of Open MPI 4.1, within the shared folder: "pid.PROCESS" of mpirun, "jf.NUMBER" of its daemons.
 */
static bool is_name_in_shared(const char *name, pid_t owner)
{
    char expected[64];
    snprintf(expected, sizeof expected, "pid.%ld", (long)owner);
    return strcmp(name, expected) == 0 ||
           (strncmp(name, "jf.", 3) == 0 && is_of(name + 3, "0123456789"));
}

/* Of Open MPI 5: "prterun.HOST.PROCESS.UID". */
static bool is_lone_name(const char *name, pid_t owner, const struct world_host *host)
{
    static const char *const programs[] = {"prterun", "prted", "prte"};
    char of_host[WORLD_WORD_BYTES];
    char expected[2 * WORLD_WORD_BYTES];
    for (int i = 0; name_of(host, i, of_host); i++)
        for (size_t j = 0; j < sizeof programs / sizeof *programs; j++) {
            snprintf(expected, sizeof expected, "%s.%s.%ld.%u", programs[j], of_host, (long)owner,
                     (unsigned)geteuid());
            if (strcmp(name, expected) == 0)
                return true;
        }
    return false;
}

/* If the path has a name of a session directory of that owner. */
static void remove_session(const char *path, pid_t owner, const struct world_host *host)
{
    char *parent = memory_copy_string(path);
    char *slash = strrchr(parent, '/');
    if (path[0] != '/' || slash == parent || strstr(path, "/../") != NULL) {
        free(parent);
        return;
    }
    *slash = '\0';
    const char *name = path + (slash - parent) + 1;
    bool is_in_shared = is_shared_name(strrchr(parent, '/') + 1, host) &&
                        is_name_in_shared(name, owner) && is_own_folder(parent);
    if ((is_in_shared || is_lone_name(name, owner, host)) && is_own_folder(path))
        run_swap_remove(parent, name, NULL);
    if (is_in_shared)
        rmdir(parent); /* unless another world has something in it */
    free(parent);
}

/* The number of its owner names the directory: another may have it by now. */
static bool remove_session_of_mpirun(const struct world_record *record,
                                     const struct world_host *host)
{
    char of_host[WORLD_WORD_BYTES];
    if (!world_record_number_is_free(record))
        return false;
    for (int i = 0; name_of(host, i, of_host); i++) {
        char *paths[2];
        CHECK(asprintf(&paths[0], "%s/ompi.%s.%u/pid.%ld", record->base, of_host,
                       (unsigned)geteuid(), (long)record->owner) > 0);
        CHECK(asprintf(&paths[1], "%s/prterun.%s.%ld.%u", record->base, of_host,
                       (long)record->owner, (unsigned)geteuid()) > 0);
        for (int j = 0; j < 2; j++) {
            remove_session(paths[j], record->owner, host);
            free(paths[j]);
        }
    }
    return true;
}

/* Another world may have taken the name since. */
static bool is_of_another_world(const struct world_record *record)
{
    struct stat status;
    return record->session[0] != '\0' && lstat(record->session, &status) == 0 &&
           (status.st_dev != record->session_device || status.st_ino != record->session_inode);
}

/* Whether it is "vader_segment.HOST.UID.NUMBER.RANK", or "sm_segment" and so on. */
static bool is_segment(const char *name, const char *number, const struct world_host *host)
{
    static const char *const kinds_of_segments[] = {"vader_segment", "sm_segment"};
    char of_host[WORLD_WORD_BYTES];
    char start[3 * WORLD_WORD_BYTES];
    for (int i = 0; name_of(host, i, of_host); i++)
        for (size_t j = 0; j < 2; j++) {
            int length = snprintf(start, sizeof start, "%s.%s.%u.%s.", kinds_of_segments[j],
                                  of_host, (unsigned)geteuid(), number);
            if (strncmp(name, start, (size_t)length) == 0 && is_of(name + length, "0123456789"))
                return true;
        }
    return false;
}

static void remove_segments(const char *number, const struct world_host *host)
{
    DIR *stream = is_of(number, "0123456789abcdef") ? opendir(host->segments_folder) : NULL;
    if (stream == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        struct stat status;
        if (is_segment(entry->d_name, number, host) &&
            fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode) && status.st_uid == geteuid())
            unlinkat(dirfd(stream), entry->d_name, 0);
    }
    closedir(stream);
}

bool world_files_remove(const struct world_record *record, const struct world_host *host)
{
    if (record->base[0] != '\0' && !remove_session_of_mpirun(record, host))
        return false;
    if (is_of_another_world(record))
        return true; /* and so are the segments */
    if (record->session[0] != '\0')
        remove_session(record->session, record->owner, host);
    remove_segments(record->number, host);
    return true;
}

/* ---- records ---- */

/* The folder of records, or -1: nobody else may have written there. */
static int open_folder(const char *path)
{
    struct stat status;
    int folder = run_place_open_folder(path);
    if (folder < 0)
        return -1;
    if (fstat(folder, &status) == 0 && status.st_uid == geteuid() &&
        (status.st_mode & (S_IWGRP | S_IWOTH)) == 0)
        return folder;
    close(folder);
    return -1;
}

/* Of the world and this host; the caller owns it. NULL: no name can be made. */
static char *path_of_record(const char *world, const char *kind, struct world_host *host)
{
    char *path;
    if (!find_host(host))
        return NULL;
    CHECK(asprintf(&path, "%s-%s%s", world, host->name, kind) > 0);
    return path;
}

static void write_record(const struct world_record *record, const char *path)
{
    struct byte_writer text = {0};
    if (world_record_encode(record, &text)) {
        struct atomic_file file = {
            .path = path, .data = text.data, .size = text.size, .mode = 0600};
        atomic_file_write(&file, NULL); /* without it, something may be left behind, no more */
    }
    byte_writer_close(&text);
}

/* 1 with the record, 0 when it is no whole one, -1 when it is not this user's. */
static int read_record(int folder, const char *name, struct world_record *record)
{
    struct stat status;
    int result = -1;
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return -1;
    char *text = memory_allocate(RECORD_BYTES_MAX);
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
        ssize_t size = read(file, text, RECORD_BYTES_MAX - 1);
        text[size > 0 ? size : 0] = '\0';
        result = world_record_decode(text, record);
    }
    free(text);
    close(file);
    return result;
}

/* Whether the file is a record: "ID-HOST.KIND", with what is there while it is written. */
static bool is_record(const char *name, const struct world_host *host)
{
    size_t host_length = strlen(host->name);
    if (strspn(name, "0123456789abcdef") != ID_DIGITS || name[ID_DIGITS] != '-' ||
        strncmp(name + ID_DIGITS + 1, host->name, host_length) != 0)
        return false;
    const char *ending = name + ID_DIGITS + 1 + host_length;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(ending, kinds[i], length) == 0 &&
            (ending[length] == '\0' ||
             strncmp(ending + length, ".sheaf-tmp", strlen(".sheaf-tmp")) == 0))
            return true;
    }
    return false;
}

static void sweep_own(int folder, const char *name, const struct world_host *host)
{
    struct world_record *record = memory_allocate(sizeof *record);
    int found = read_record(folder, name, record);
    if (found == 0 ||
        (found == 1 && world_record_is_dead(record) && world_files_remove(record, host)))
        unlinkat(folder, name, 0);
    free(record);
}

static void forget_old(int folder, const char *name)
{
    struct stat status;
    if (name[0] != '.' && fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_mtime + FOREIGN_AGE_MAX_S < time(NULL))
        unlinkat(folder, name, 0);
}

void world_files_sweep(const char *dir)
{
    struct world_host host;
    char *path = join(dir, FOLDER);
    int folder = find_host(&host) ? open_folder(path) : -1;
    DIR *stream = folder >= 0 ? fdopendir(folder) : NULL;
    for (const struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (is_record(entry->d_name, &host))
            sweep_own(folder, entry->d_name, &host);
        else
            forget_old(folder, entry->d_name);
    }
    if (stream != NULL) {
        closedir(stream);
        rmdir(path); /* unless there are records */
    }
    free(path);
}

void world_files_sweep_when_dead(const char *dir)
{
    enum { ROUNDS = 25, ROUND_NS = 200000000 };
    char *path = join(dir, FOLDER);
    world_files_sweep(dir);
    for (int i = 0; i < ROUNDS && access(path, F_OK) == 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = ROUND_NS}, NULL);
        world_files_sweep(dir);
    }
    free(path);
}

/* ---- a world's life ---- */

char *world_files_begin(const char *dir)
{
    uint64_t id;
    char *world = NULL;
    char *whole = realpath(dir, NULL);
    if (whole == NULL || getrandom(&id, sizeof id, 0) != sizeof id) {
        free(whole);
        return NULL;
    }
    char *folder = join(whole, FOLDER);
    if (run_place_make_folder(folder) == 0 || errno == EEXIST)
        CHECK(asprintf(&world, "%s/%016" PRIx64, folder, id) > 0);
    free(folder);
    free(whole);
    return world;
}

void world_files_note_mpirun(const char *world, const char *base)
{
    struct world_host host;
    char *path = path_of_record(world, kinds[0], &host);
    struct world_record *record = memory_allocate(sizeof *record);
    if (path != NULL && base[0] == '/' && strlen(base) < sizeof record->base &&
        world_record_begin(record, getpid())) {
        memcpy(record->base, base, strlen(base) + 1);
        write_record(record, path);
    }
    free(record);
    free(path);
}

/* DIR of DIR/worlds/ID. */
static char *directory_of(const char *world)
{
    char *dir = memory_copy_string(world);
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(dir, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return dir;
}

/* The name of its segments is known from the beginning, or is the task of one. */
static bool is_left_to_complete(void)
{
    const char *number = getenv("OMPI_COMM_WORLD_LOCAL_RANK");
    const char *world = getenv("PMIX_NAMESPACE");
    return number != NULL && strcmp(number, "0") == 0 && world != NULL &&
           world[strspn(world, "0123456789")] != '\0';
}

/* Its mpirun is gone and the launcher, which outlives the world, has adopted it. */
static bool is_adopted(void)
{
    char path[64];
    char own[PATH_MAX];
    char of_parent[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)getppid());
    ssize_t size = readlink("/proc/self/exe", own, sizeof own);
    return size > 0 && readlink(path, of_parent, sizeof of_parent) == size &&
           memcmp(own, of_parent, (size_t)size) == 0;
}

void world_files_note_rank(const char *world, bool is_mpi_up)
{
    struct world_host host;
    char *dir = directory_of(world);
    char *path = run_place_open(dir, NULL) == 0 ? path_of_record(world, kinds[1], &host) : NULL;
    struct world_record *record = memory_allocate(sizeof *record);
    bool is_needed = path != NULL && (is_mpi_up ? is_left_to_complete() : !run_place_has(path));
    if (is_needed && world_record_begin(record, getppid()) && !is_adopted()) {
        world_record_add_rank(record);
        write_record(record, path);
    }
    free(record);
    free(path);
    if (is_needed && !is_mpi_up)
        world_files_sweep(dir);
    free(dir);
}

void world_files_note_end(const char *world)
{
    char *dir = directory_of(world);
    world_files_sweep(dir);
    free(dir);
}

static void remove_records(const char *world)
{
    char *folder = memory_copy_string(world);
    char *slash = strrchr(folder, '/');
    *slash = '\0';
    DIR *stream = run_place_list(folder);
    for (const struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;)
        if (strncmp(entry->d_name, slash + 1, ID_DIGITS) == 0)
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream != NULL)
        closedir(stream);
    rmdir(folder);
    free(folder);
}

void world_files_finish(const char *dir, char *world, bool is_in_order)
{
    world_files_sweep(dir);
    if (world != NULL && is_in_order)
        remove_records(world);
    free(world);
}
