/* folder.c - a folder for fuzz targets of what reads files. */
#include "folder.h"

#include "../../scheduler/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512, OPEN_FOLDERS_MAX = 8 };

static char folder[PATH_BYTES / 2];

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void)
{
    if (folder[0] != '\0')
        return folder;
    const char *parent = getenv("TMPDIR");
    int length =
        snprintf(folder, sizeof folder, "%s/sheaf-fuzz-XXXXXX", parent != NULL ? parent : "/tmp");
    CHECK(length > 0 && (size_t)length < sizeof folder);
    CHECK(mkdtemp(folder) != NULL);
    atexit(remove_folder);
    return folder;
}

void fuzz_folder_put(const char *name, const void *data, size_t size)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    CHECK(length > 0 && (size_t)length < sizeof path);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(file >= 0 && (size == 0 || write(file, data, size) == (ssize_t)size));
    close(file);
}
