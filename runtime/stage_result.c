/* stage_result.c - describes results of stages by their contents. */
#include "stage_result.h"

#include "../scheduler/memory.h"
#include "run_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* To read more than this takes so long that workers would miss their master. */
#define COMPARED_BYTES_MAX ((uint64_t)1 << 30)

enum { STATE_BYTES = 128, HEX_BYTES = 2 * JOB_IDENTITY_BYTES + 1 };

/* Reads DIR/NAME, which is not larger than `text_bytes`; "" when it is not there. */
static size_t read_small(const char *dir, const char *name, char *text, size_t text_bytes)
{
    char *path = run_directory_join(dir, name);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    ssize_t size = descriptor >= 0 ? read(descriptor, text, text_bytes - 1) : 0;
    if (descriptor >= 0)
        close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    return size > 0 ? (size_t)size : 0;
}

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

/* The SHA-256 of the file, which is in `state`: kept, or computed and kept. */
static int find_digest(const char *stage_dir, const char *path, const char *state,
                       char hex[HEX_BYTES], struct sheaf_error *error)
{
    char kept[STATE_BYTES + HEX_BYTES + 2];
    size_t length = strlen(state);
    size_t size = read_small(stage_dir, "digest", kept, sizeof kept);
    if (size == length + HEX_BYTES && strncmp(kept, state, length) == 0 && kept[length] == ' ') {
        memcpy(hex, kept + length + 1, HEX_BYTES);
        return 0;
    }
    int code = compute(path, hex, error);
    if (code != 0)
        return code;
    snprintf(kept, sizeof kept, "%s %s", state, hex);
    return run_directory_write_file(stage_dir, "digest", kept, strlen(kept), error);
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
    return run_directory_write_file(stage_dir, "reads", text->data, text->size, error);
}

bool stage_reads_are(const char *stage_dir, const struct byte_writer *text)
{
    char *kept = memory_allocate(text->size + 2);
    size_t size = read_small(stage_dir, "reads", kept, text->size + 2);
    bool is_same = size == text->size && (size == 0 || memcmp(kept, text->data, size) == 0);
    free(kept);
    return is_same;
}
