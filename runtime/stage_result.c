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
static int look_at(const char *path, char state[STATE_BYTES], struct sheaf_error *error)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return sheaf_error_set_errno(error, errno, "cannot read the result %s", path);
    snprintf(state, STATE_BYTES, "%" PRIu64 " %" PRIu64 " %" PRId64 ".%09ld",
             (uint64_t)status.st_ino, (uint64_t)status.st_size, (int64_t)status.st_mtim.tv_sec,
             status.st_mtim.tv_nsec);
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

int stage_result_describe(const char *stage_dir, const char *result_path, struct byte_writer *text,
                          struct sheaf_error *error)
{
    char state[STATE_BYTES];
    char kept[STATE_BYTES + HEX_BYTES + 2];
    char hex[HEX_BYTES];
    int code = look_at(result_path, state, error);
    if (code != 0)
        return code;
    size_t length = strlen(state);
    size_t size = read_small(stage_dir, "digest", kept, sizeof kept);
    if (size == length + HEX_BYTES && strncmp(kept, state, length) == 0 && kept[length] == ' ') {
        memcpy(hex, kept + length + 1, HEX_BYTES);
    } else {
        code = compute(result_path, hex, error);
        if (code != 0)
            return code;
        snprintf(kept, sizeof kept, "%s %s", state, hex);
        code = run_directory_write_file(stage_dir, "digest", kept, strlen(kept), error);
    }
    if (code == 0) {
        byte_writer_put(text, hex, strlen(hex));
        byte_writer_put_u8(text, '\n');
    }
    return code;
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
