/* stored_input.c - copies standard input into the run directory, under a name made of its bytes. */
#include "stored_input.h"

#include "../jobs/job_path.h"
#include "../scheduler/memory.h"
#include "disk.h"
#include "run_directory.h"
#include "run_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In the place of the name, until that is known: of another length. */
#define BEGUN "XXXXXX"

enum { COPY_BYTES = 1 << 16, NAMED_BYTES = 8, PREFIX_BYTES = sizeof STORED_INPUT_PREFIX - 1 };

/* Copies everything, and gives its hash. */
static int copy(int from, int to, unsigned char digest[SHA256_DIGEST_LENGTH],
                struct sheaf_error *error)
{
    SHA2_CTX hash;
    SHA256Init(&hash);
    unsigned char *buffer = memory_allocate(COPY_BYTES);
    int code = 0;
    for (;;) {
        ssize_t got = read(from, buffer, COPY_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            code = sheaf_error_set_errno(error, errno, "cannot read standard input");
        if (got <= 0)
            break;
        SHA256Update(&hash, buffer, (size_t)got);
        if (disk_write_all(disk_system(), to, buffer, (size_t)got) != 0) {
            code = sheaf_error_set_errno(error, errno, "cannot store standard input");
            break;
        }
    }
    free(buffer);
    SHA256Final(digest, &hash);
    return code;
}

static char *name_by(const unsigned char *digest)
{
    char name[sizeof STORED_INPUT_PREFIX + 2 * NAMED_BYTES] = STORED_INPUT_PREFIX;
    for (size_t i = 0; i < NAMED_BYTES; i++)
        snprintf(name + strlen(name), 3, "%02x", digest[i]);
    return memory_copy_string(name);
}

/* What a launcher has made, whatever else has such a name. */
static bool is_own_file(int dir, const char *name)
{
    struct stat status;
    return fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           status.st_uid == geteuid() && (status.st_mode & 07777) == 0600;
}

/* Removes the files whose name begins as that of a stored input and fits. */
static void remove_those(const char *dir, bool (*fits)(const char *rest, const char *kept),
                         const char *kept)
{
    DIR *stream = run_place_list(dir);
    if (stream == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strncmp(entry->d_name, STORED_INPUT_PREFIX, PREFIX_BYTES) == 0 &&
            fits(entry->d_name + PREFIX_BYTES, kept) && is_own_file(dirfd(stream), entry->d_name))
            unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
}

static bool is_another(const char *rest, const char *kept)
{
    return kept == NULL || strcmp(rest, kept) != 0;
}

void stored_input_remove_others(const char *dir, const char *path)
{
    const char *slash = path != NULL ? strrchr(path, '/') : NULL;
    remove_those(dir, is_another, slash != NULL ? slash + 1 + PREFIX_BYTES : NULL);
}

static bool is_begun(const char *rest, const char *kept)
{
    (void)kept;
    return strlen(rest) == sizeof BEGUN - 1;
}

void stored_input_remove_begun(const char *dir)
{
    remove_those(dir, is_begun, NULL);
}

int stored_input_write(const char *dir, int descriptor, char **path, bool *is_new,
                       struct sheaf_error *error)
{
    int code = run_directory_make(dir, error);
    if (code != 0)
        return code;
    char *temporary = run_directory_join(dir, STORED_INPUT_PREFIX BEGUN);
    int file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0) {
        code = sheaf_error_set_errno(error, errno, "cannot store standard input in %s", dir);
        free(temporary);
        return code;
    }
    unsigned char digest[SHA256_DIGEST_LENGTH];
    code = copy(descriptor, file, digest, error);
    if (code == 0 && fsync(file) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot store standard input in %s", dir);
    close(file);
    char *name = name_by(digest);
    char *stored = run_directory_join(dir, name);
    *is_new = !run_place_has(stored);
    if (code == 0 && run_place_rename(temporary, stored) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot store standard input in %s", dir);
    if (code == 0)
        code = job_path_absolute(stored, path, error);
    if (code != 0)
        run_place_unlink(temporary);
    free(temporary);
    free(stored);
    free(name);
    return code;
}
