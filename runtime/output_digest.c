/* output_digest.c - hashes the declared output files of a stage, names and contents. */
#include "output_digest.h"

#include "checked_file.h"
#include "run_directory.h"

#include <fcntl.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_NAME          "outputs"
/* As for the stage's own result: reading more takes too long. */
#define COMPARED_BYTES_MAX ((uint64_t)1 << 30)

enum { HEX_BYTES = 2 * SHA256_DIGEST_LENGTH + 1, COPY_BYTES = 1 << 16 };

/* One walk over all files. */
struct digest_walk {
    const struct output_digest_source *source;
    SHA2_CTX hash;
    bool reads_files; /* else what the file system knows of them is enough */
    uint64_t size_bytes;
};

static void add_state(struct digest_walk *walk, const struct stat *status)
{
    const uint64_t state[] = {(uint64_t)status->st_ino, (uint64_t)status->st_size,
                              (uint64_t)status->st_mtim.tv_sec, (uint64_t)status->st_mtim.tv_nsec};
    SHA256Update(&walk->hash, (const uint8_t *)state, sizeof state);
}

/* A folder, or what may not be read, counts by its state. */
static void add_content(struct digest_walk *walk, const char *path, const struct stat *status)
{
    unsigned char part[COPY_BYTES];
    int descriptor = S_ISREG(status->st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = descriptor >= 0 ? 0 : -1;
    while (descriptor >= 0 && (got = read(descriptor, part, sizeof part)) > 0) {
        SHA256Update(&walk->hash, part, (size_t)got);
        walk->source->keep_contact(walk->source->context);
    }
    if (got < 0)
        add_state(walk, status);
    if (descriptor >= 0)
        close(descriptor);
}

static void add_file(struct digest_walk *walk, const char *path)
{
    struct stat status;
    SHA256Update(&walk->hash, (const uint8_t *)path, strlen(path) + 1);
    walk->source->keep_contact(walk->source->context);
    if (stat(path, &status) != 0)
        return;
    const uint64_t size_bytes = (uint64_t)status.st_size;
    walk->size_bytes += size_bytes;
    SHA256Update(&walk->hash, (const uint8_t *)&size_bytes, sizeof size_bytes);
    if (walk->reads_files)
        add_content(walk, path, &status);
    else
        add_state(walk, &status);
}

/* Nothing in `hex` after an error. */
static int walk_files(struct digest_walk *walk, struct declared_files *files, char hex[HEX_BYTES],
                      struct sheaf_error *error)
{
    struct range range = {0, 0};
    int code = 0;
    SHA256Init(&walk->hash);
    while (range_set_find_from(walk->source->done, range_end(range), &range)) {
        for (uint64_t task = range.first; task < range_end(range); task++) {
            code = declared_files_look_up(files, task, error);
            if (code != 0)
                return code;
            for (size_t i = 0; i < declared_files_count(files); i++)
                add_file(walk, declared_files_path(files, i));
        }
    }
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256Final(digest, &walk->hash);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return 0;
}

/* "STATE CONTENT": whether what is kept was computed for files in this state. */
static bool is_kept(const char *stage_dir, const char state[HEX_BYTES])
{
    struct byte_writer text = {0};
    bool is_same = checked_file_read(stage_dir, KEPT_NAME, &text, NULL) == 0 &&
                   text.size == 2 * HEX_BYTES && memcmp(text.data, state, HEX_BYTES - 1) == 0;
    byte_writer_close(&text);
    return is_same;
}

static int keep(const struct output_digest_source *source, struct declared_files *files,
                struct sheaf_error *error)
{
    char state[HEX_BYTES];
    char content[HEX_BYTES];
    char kept[2 * HEX_BYTES + 1];
    struct digest_walk walk = {.source = source};
    int code = walk_files(&walk, files, state, error);
    if (code != 0 || is_kept(source->stage_dir, state))
        return code;
    memcpy(content, state, sizeof content);
    if (walk.size_bytes <= COMPARED_BYTES_MAX) {
        walk = (struct digest_walk){.source = source, .reads_files = true};
        code = walk_files(&walk, files, content, error);
    }
    int length = snprintf(kept, sizeof kept, "%s %s\n", state, content);
    return code == 0 ? checked_file_write(source->stage_dir, KEPT_NAME, kept, (size_t)length, error)
                     : code;
}

int output_digest_keep(const struct output_digest_source *source, struct sheaf_error *error)
{
    struct declared_files *files = declared_files_create(source->job, source->inputs);
    int code = files != NULL ? keep(source, files, error) : 0;
    declared_files_destroy(files);
    return code;
}

void output_digest_describe(const char *stage_dir, const char *name, struct byte_writer *text)
{
    struct byte_writer kept = {0};
    if (checked_file_read(stage_dir, KEPT_NAME, &kept, NULL) == 0 && kept.size == 2 * HEX_BYTES) {
        byte_writer_put(text, name, strlen(name));
        byte_writer_put(text, " outputs ", strlen(" outputs "));
        byte_writer_put(text, kept.data + HEX_BYTES, HEX_BYTES);
    }
    byte_writer_close(&kept);
}
