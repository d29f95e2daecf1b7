/* stage_result.c - describes results of stages by their contents. */
#include "stage_result.h"

#include "../scheduler/memory.h"
#include "checked_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* To read more than this takes so long that workers would miss their master. */
#define COMPARED_BYTES_MAX ((uint64_t)1 << 30)

enum { STATE_BYTES = 128, HEX_BYTES = 2 * JOB_IDENTITY_BYTES + 1 };

/* The file as it is now, without reading it. */
static int look_at(const char *path, char state[STATE_BYTES], uint64_t *size_bytes,
                   struct sheaf_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return sheaf_error_set_errno(error, errno, "cannot read the result %s", path);
    snprintf(state, STATE_BYTES, "%" PRIu64 " %" PRIu64 " %" PRId64 ".%09ld",
             (uint64_t)status.st_ino, (uint64_t)status.st_size, (int64_t)status.st_mtim.tv_sec,
             status.st_mtim.tv_nsec);
    *size_bytes = (uint64_t)status.st_size;
    return 0;
}

static int compute(const char *path, char hex[HEX_BYTES], struct sheaf_error *error)
{
    unsigned char digest[JOB_IDENTITY_BYTES];
    int code = job_identity_of_file(path, digest, error);
    for (size_t i = 0; code == 0 && i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return code;
}

/* What was kept with the state that the file has now. A file that cannot be read or understood is
 * as good as none: the digest is computed again. */
static bool find_kept(const char *stage_dir, const char *state, char hex[HEX_BYTES])
{
    struct byte_writer text = {0};
    size_t length = strlen(state);
    bool is_kept = checked_file_read(stage_dir, "digest", &text, NULL) == 0 &&
                   text.size >= length + HEX_BYTES && memcmp(text.data, state, length) == 0 &&
                   text.data[length] == ' ';
    if (is_kept) {
        memcpy(hex, text.data + length + 1, HEX_BYTES - 1);
        hex[HEX_BYTES - 1] = '\0';
    }
    byte_writer_close(&text);
    return is_kept;
}

/* The SHA-256 of the file, which is in `state`: kept, or computed and kept. */
static int find_digest(const char *stage_dir, const char *path, const char *state,
                       char hex[HEX_BYTES], struct sheaf_error *error)
{
    if (find_kept(stage_dir, state, hex))
        return 0;
    int code = compute(path, hex, error);
    if (code != 0)
        return code;
    char kept[STATE_BYTES + HEX_BYTES + 2];
    int length = snprintf(kept, sizeof kept, "%s %s\n", state, hex);
    return checked_file_write(stage_dir, "digest", kept, (size_t)length, error);
}

int stage_result_describe(const char *stage_dir, const char *result_path, struct byte_writer *text,
                          struct sheaf_error *error)
{
    char state[STATE_BYTES];
    char hex[HEX_BYTES];
    uint64_t size_bytes = 0;
    int code = look_at(result_path, state, &size_bytes, error);
    bool is_large = code == 0 && size_bytes > COMPARED_BYTES_MAX;
    if (code == 0 && !is_large)
        code = find_digest(stage_dir, result_path, state, hex, error);
    if (code != 0)
        return code;
    const char *description = is_large ? state : hex;
    byte_writer_put(text, description, strlen(description));
    byte_writer_put_u8(text, '\n');
    return 0;
}

int stage_reads_write(const char *stage_dir, const struct byte_writer *text,
                      struct sheaf_error *error)
{
    return checked_file_write(stage_dir, "reads", text->data, text->size, error);
}

bool stage_reads_are(const char *stage_dir, const struct byte_writer *text)
{
    struct byte_writer kept = {0};
    int code = checked_file_read(stage_dir, "reads", &kept, NULL);
    bool is_same = (code == 0 || code == SHEAF_ERROR_NOT_FOUND) && kept.size == text->size &&
                   (kept.size == 0 || memcmp(kept.data, text->data, kept.size) == 0);
    byte_writer_close(&kept);
    return is_same;
}
