/* run_swap.c - exchanges the journal of a run and what belongs to it. */
#include "run_swap.h"

#include "../scheduler/memory.h"
#include "disk.h"
#include "run_directory.h"
#include "run_place.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_PARTIAL "next.partial"
#define FOLDER_WHOLE   "next"

/* Of the old run, and made from its journal. They go before the journal changes: what is missing is
 * made again, what is left would be taken for the new run's. */
static const char *const made_files[] = {"output", "output.incomplete", "report", "failed",
                                         "status.json"};
/* In this order. The identity comes last: until then the run is not the new one for anybody. */
static const char *const moved_files[] = {"inputs.data", "inputs.index", "graph",
                                          "kept",        "command",      "identity"};

int run_swap_remove(const char *dir, const char *name, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    int code = 0;
    if (run_place_remove(path) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot delete %s", path);
    free(path);
    return code;
}

/* A name that is not there has been moved before. */
static int move(const char *from, const char *to, struct sheaf_error *error)
{
    if (run_place_rename(from, to) == 0 || errno == ENOENT)
        return 0;
    return sheaf_error_set_errno(error, errno, "cannot rename %s to %s", from, to);
}

static int sync_folder(const char *path, struct sheaf_error *error)
{
    const struct disk *disk = disk_system();
    if (disk->sync_directory(disk->context, path) == 0)
        return 0;
    return sheaf_error_set_errno(error, errno, "cannot sync the directory %s", path);
}

int run_swap_begin(const char *dir, char **folder, struct sheaf_error *error)
{
    int code = run_swap_remove(dir, FOLDER_PARTIAL, error);
    if (code != 0)
        return code;
    char *path = run_directory_join(dir, FOLDER_PARTIAL);
    if (run_place_make_folder(path) != 0) {
        code = sheaf_error_set_errno(error, errno, "cannot make %s", path);
        free(path);
        return code;
    }
    *folder = path;
    return 0;
}

void run_swap_abandon(const char *dir)
{
    run_swap_remove(dir, FOLDER_PARTIAL, NULL);
}

/* A folder cannot be renamed onto one that holds something. */
static int move_journal(const char *dir, const char *next, struct sheaf_error *error)
{
    char *fresh = run_directory_join(next, "journal");
    char *journal = run_directory_join(dir, "journal");
    char *discarded = run_directory_join(dir, "discarded");
    int code = 0;
    if (run_place_has(fresh)) {
        code = run_swap_remove(dir, "discarded", error);
        if (code == 0)
            code = move(journal, discarded, error);
        if (code == 0)
            code = move(fresh, journal, error);
    }
    free(fresh);
    free(journal);
    free(discarded);
    return code;
}

static int move_all(const char *dir, const char *next, struct sheaf_error *error)
{
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof made_files / sizeof *made_files; i++)
        code = run_swap_remove(dir, made_files[i], error);
    if (code == 0)
        code = move_journal(dir, next, error);
    for (size_t i = 0; code == 0 && i < sizeof moved_files / sizeof *moved_files; i++) {
        char *from = run_directory_join(next, moved_files[i]);
        char *to = run_directory_join(dir, moved_files[i]);
        code = move(from, to, error);
        free(from);
        free(to);
    }
    return code == 0 ? sync_folder(dir, error) : code;
}

int run_swap_complete(const char *dir, struct sheaf_error *error)
{
    char *next = run_directory_join(dir, FOLDER_WHOLE);
    int code = 0;
    if (run_place_has(next))
        code = move_all(dir, next, error);
    free(next);
    if (code == 0)
        code = run_swap_remove(dir, FOLDER_WHOLE, error);
    if (code == 0)
        code = run_swap_remove(dir, FOLDER_PARTIAL, error);
    if (code == 0) /* the journal before, or what --fresh was deleting */
        code = run_swap_remove(dir, "discarded", error);
    return code;
}

int run_swap_commit(const char *dir, struct sheaf_error *error)
{
    char *partial = run_directory_join(dir, FOLDER_PARTIAL);
    char *whole = run_directory_join(dir, FOLDER_WHOLE);
    int code = sync_folder(partial, error);
    if (code == 0 && run_place_rename(partial, whole) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot rename %s to %s", partial, whole);
    free(partial);
    free(whole);
    if (code == 0)
        code = sync_folder(dir, error);
    return code == 0 ? run_swap_complete(dir, error) : code;
}
