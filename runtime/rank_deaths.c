/* rank_deaths.c - which ranks have ended, from the launcher to the master. */
#include "rank_deaths.h"

#include "../scheduler/bytes.h"
#include "../scheduler/memory.h"
#include "atomic_file.h"
#include "run_directory.h"
#include "run_place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MODE = 0600 };

static char *name_file(const char *dir)
{
    return run_directory_join(dir, "ended-ranks");
}

void rank_deaths_forget(const char *dir)
{
    char *path = name_file(dir);
    run_place_unlink(path);
    free(path);
}

static bool is_known(const struct rank_deaths *deaths, uint32_t rank)
{
    for (size_t i = 0; i < deaths->count; i++)
        if (deaths->ranks[i] == rank)
            return true;
    return false;
}

static int write_file(const struct rank_deaths *deaths, const char *dir, struct sheaf_error *error)
{
    struct byte_writer text = {0};
    for (size_t i = 0; i < deaths->count; i++) {
        char line[16];
        int length = snprintf(line, sizeof line, "%" PRIu32 "\n", deaths->ranks[i]);
        byte_writer_put(&text, line, (size_t)length);
    }
    char *path = name_file(dir);
    const struct atomic_file file = {
        .path = path, .data = text.data, .size = text.size, .mode = FILE_MODE};
    int code = atomic_file_write(&file, error);
    free(path);
    byte_writer_close(&text);
    return code;
}

int rank_deaths_tell(struct rank_deaths *deaths, const char *dir, uint32_t rank,
                     struct sheaf_error *error)
{
    if (is_known(deaths, rank))
        return 0;
    void *ranks = deaths->ranks;
    memory_grow(&ranks, &deaths->capacity, deaths->count + 1, sizeof *deaths->ranks);
    deaths->ranks = ranks;
    deaths->ranks[deaths->count++] = rank;
    return write_file(deaths, dir, error);
}

void rank_deaths_close(struct rank_deaths *deaths)
{
    free(deaths->ranks);
    *deaths = (struct rank_deaths){0};
}

void rank_deaths_read(const char *dir, void (*ended)(void *context, uint32_t rank), void *context)
{
    char *path = name_file(dir);
    FILE *file = run_place_open_stream(path, "r");
    uint32_t rank;
    while (file != NULL && fscanf(file, "%9" SCNu32, &rank) == 1)
        ended(context, rank);
    if (file != NULL)
        fclose(file);
    free(path);
}
