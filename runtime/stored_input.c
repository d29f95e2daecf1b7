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
#include <unistd.h>

enum { COPY_BYTES = 1 << 16, NAMED_BYTES = 8 };

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

void stored_input_remove_others(const char *dir, const char *path)
{
    DIR *stream = run_place_list(dir);
    if (stream == NULL)
        return;
    const char *kept = path != NULL ? strrchr(path, '/') : NULL;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (strncmp(entry->d_name, STORED_INPUT_PREFIX, strlen(STORED_INPUT_PREFIX)) == 0 &&
            (kept == NULL || strcmp(entry->d_name, kept + 1) != 0))
            unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
}

int stored_input_write(const char *dir, int descriptor, char **path, bool *is_new,
                       struct sheaf_error *error)
{
    int code = run_directory_make(dir, error);
    if (code != 0)
        return code;
    char *temporary = run_directory_join(dir, STORED_INPUT_PREFIX "XXXXXX");
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
