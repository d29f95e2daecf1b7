/* scratch.h - a folder for one test's files, removed with all that is in it. */
#ifndef SHEAF_TEST_SCRATCH_H
#define SHEAF_TEST_SCRATCH_H

#include "../../scheduler/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char path[256];
};

/* Makes the folder below $TMPDIR or /tmp; its path has no symbolic links. */
static inline struct scratch given_scratch(void)
{
    struct scratch scratch;
    const char *parent = getenv("TMPDIR");
    char *resolved = realpath(parent != NULL ? parent : "/tmp", NULL);
    CHECK(resolved != NULL);
    int length = snprintf(scratch.path, sizeof scratch.path, "%s/sheaf-unit-XXXXXX", resolved);
    CHECK(length > 0 && (size_t)length < sizeof scratch.path);
    CHECK(mkdtemp(scratch.path) != NULL);
    free(resolved);
    return scratch;
}

static inline int scratch_remove_entry(const char *path, const struct stat *status, int kind,
                                       struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void scratch_remove(struct scratch *scratch)
{
    CHECK(nftw(scratch->path, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

struct scratch_path {
    char text[512];
};

static inline struct scratch_path scratch_path(const struct scratch *scratch, const char *name)
{
    struct scratch_path path;
    int length = snprintf(path.text, sizeof path.text, "%s/%s", scratch->path, name);
    CHECK(length > 0 && (size_t)length < sizeof path.text);
    return path;
}

static inline struct scratch_path scratch_write(const struct scratch *scratch, const char *name,
                                                const void *data, size_t size)
{
    struct scratch_path path = scratch_path(scratch, name);
    FILE *file = fopen(path.text, "w");
    CHECK(file != NULL);
    CHECK(fwrite(data, 1, size, file) == size);
    CHECK(fclose(file) == 0);
    return path;
}

#endif
