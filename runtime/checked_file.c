/* checked_file.c - writes small texts twice, each with its checksum. */
#include "checked_file.h"

#include "run_directory.h"
#include "run_place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CHECK_WORD "check "

enum { CHECK_BYTES = sizeof CHECK_WORD - 1 + 8 + 1, FILE_BYTES_MAX = 4 << 20 };

static uint32_t crc_of(const void *text, size_t size)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), text, size);
}

int checked_file_write(const char *dir, const char *name, const void *text, size_t size,
                       struct sheaf_error *error)
{
    char check[CHECK_BYTES + 1];
    struct byte_writer twice = {0};
    snprintf(check, sizeof check, CHECK_WORD "%08" PRIx32 "\n", crc_of(text, size));
    for (int i = 0; i < 2; i++) {
        if (size > 0)
            byte_writer_put(&twice, text, size);
        byte_writer_put(&twice, check, CHECK_BYTES);
    }
    int code = run_directory_write_file(dir, name, twice.data, twice.size, error);
    byte_writer_close(&twice);
    return code;
}

static int read_all(const char *path, struct byte_writer *bytes, struct sheaf_error *error)
{
    FILE *file = run_place_open_stream(path, "r");
    if (file == NULL)
        return sheaf_error_set_errno(error, errno, "cannot read %s", path);
    char part[4096];
    size_t got;
    while (bytes->size < FILE_BYTES_MAX && (got = fread(part, 1, sizeof part, file)) > 0)
        byte_writer_put(bytes, part, got);
    int code = 0;
    if (ferror(file))
        code = sheaf_error_set_errno(error, errno, "cannot read %s", path);
    fclose(file);
    return code;
}

/* The line at `at` that a text before it may end with. */
static bool is_check(const struct byte_writer *bytes, size_t at)
{
    const char *data = (const char *)bytes->data;
    return bytes->size - at >= CHECK_BYTES && (at == 0 || data[at - 1] == '\n') &&
           memcmp(data + at, CHECK_WORD, sizeof CHECK_WORD - 1) == 0 &&
           data[at + CHECK_BYTES - 1] == '\n';
}

/* Whether a whole text begins at `start`; gives its size. */
static bool find_text(const struct byte_writer *bytes, size_t start, size_t *size)
{
    for (size_t at = start; at < bytes->size; at++) {
        char check[CHECK_BYTES + 1];
        if (!is_check(bytes, at))
            continue;
        uint32_t crc = crc_of(bytes->data + start, at - start);
        snprintf(check, sizeof check, CHECK_WORD "%08" PRIx32 "\n", crc);
        *size = at - start;
        if (memcmp(check, bytes->data + at, CHECK_BYTES) == 0)
            return true;
    }
    return false;
}

static bool has_check(const struct byte_writer *bytes)
{
    for (size_t at = 0; at < bytes->size; at++)
        if (is_check(bytes, at))
            return true;
    return false;
}

int checked_file_read(const char *dir, const char *name, struct byte_writer *text,
                      struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    struct byte_writer bytes = {0};
    size_t start = 0;
    size_t size = 0;
    int code = read_all(path, &bytes, error);
    bool is_found = code == 0 && bytes.size > 0 && find_text(&bytes, 0, &size);
    if (code == 0 && !is_found && bytes.size > 0 && has_check(&bytes)) {
        start = bytes.size / 2;
        is_found = find_text(&bytes, start, &size);
        if (!is_found)
            code = sheaf_error_set(
                error, SHEAF_ERROR_DAMAGED,
                "%s is damaged; the command of the run, repeated, makes it again", path);
    } else if (!is_found) {
        size = bytes.size;
    }
    if (code == 0 && size > 0)
        byte_writer_put(text, bytes.data + start, size);
    byte_writer_close(&bytes);
    free(path);
    return code;
}
