/* publish.c - writes the job's output beside its target, syncs it, and renames it. */
#include "publish.h"

#include "../jobs/command_record.h"
#include "../scheduler/memory.h"
#include "exported_mode.h"
#include "file_beside.h"
#include "run_place.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Results are written in steps of about this size, so that the master stays responsive. */
enum { STEP_BYTES = 4 << 20, COPY_BYTES = 1 << 16 };

struct publisher {
    char *path;
    char *path_beside;  /* NULL: not made, or written in place, as a device or a pipe is */
    int descriptor;     /* -1 while what is there is only compared */
    int compared;       /* what is there; -1: nothing that is of interest */
    uint64_t next_task; /* everything before it is written, or the same */
    struct byte_writer buffer;
    struct byte_writer found;   /* of what is there, as much as in the buffer */
    struct byte_writer records; /* of the piece, when it consists of them */
    bool has_records;
    bool keeps_other;
    bool is_in_place;
    bool is_published;
    enum publish_outcome outcome;
};

static int write_error(const char *path, int errno_value, struct sheaf_error *error)
{
    struct sheaf_error cause;
    int code = sheaf_error_set_errno(&cause, errno_value, "cannot write the output %s", path);
    return sheaf_error_set(error, code,
                           "%s. The result is safe in the journal: mend this, then repeat the "
                           "command",
                           cause.text);
}

/* A symbolic link stays one: what it points to is replaced. */
static char *target_of(const char *path)
{
    char *resolved = run_place_contains(path) ? NULL : realpath(path, NULL);
    return resolved != NULL ? resolved : memory_copy_string(path);
}

static bool is_special(const char *path)
{
    struct stat status;
    return !run_place_contains(path) && stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

/* Where the folder is sticky only its owner can take the place of another's file. */
static bool is_protected(const char *path, const struct stat *status)
{
    struct stat folder;
    char *copy = memory_copy_string(path);
    bool is_sticky = stat(dirname(copy), &folder) == 0 && (folder.st_mode & S_ISVTX) != 0;
    free(copy);
    return is_sticky && geteuid() != 0 && status->st_uid != geteuid() && folder.st_uid != geteuid();
}

/* What others have put there is not written to, nor is what a link of theirs names replaced. */
static int check_target(const char *path, struct sheaf_error *error)
{
    struct sheaf_error cause;
    struct stat status;
    if (run_place_contains(path))
        return 0;
    int code = run_place_check_links(path, &cause);
    bool is_there = code == 0 && stat(path, &status) == 0;
    if (is_there && !S_ISREG(status.st_mode))
        code = run_place_check_owner(path, &cause);
    else if (is_there && is_protected(path, &status))
        code = sheaf_error_set(&cause, SHEAF_ERROR_PERMISSION,
                               "%s is another user's file in a folder where you cannot replace it: "
                               "name another with -o",
                               path);
    if (code == 0)
        return 0;
    return sheaf_error_set(error, code, "cannot write the output: %s", cause.text);
}

/* Opens the file beside, or what takes the output in place. */
static int open_output(struct publisher *publisher, struct sheaf_error *error)
{
    if (publisher->is_in_place)
        publisher->descriptor = open(publisher->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    else
        publisher->descriptor =
            file_beside_make(publisher->path, EXPORTED_FILE_MODE, &publisher->path_beside);
    return publisher->descriptor >= 0 ? 0 : write_error(publisher->path, errno, error);
}

int publisher_create(const struct publish_options *options, struct publisher **publisher,
                     struct sheaf_error *error)
{
    int code = check_target(options->path, error);
    if (code != 0)
        return code;
    struct publisher *created = memory_allocate_zeroed(1, sizeof *created);
    created->path = target_of(options->path);
    created->is_in_place = is_special(created->path);
    created->has_records = options->has_records;
    created->keeps_other = options->keeps_other;
    created->descriptor = -1;
    created->compared = -1;
    if (options->is_repeated && !created->is_in_place)
        created->compared = run_place_open_file(created->path, O_RDONLY, 0);
    code = created->compared < 0 ? open_output(created, error) : 0;
    if (code != 0) {
        publisher_destroy(created);
        return code;
    }
    *publisher = created;
    return 0;
}

enum publish_outcome publisher_outcome(const struct publisher *publisher)
{
    return publisher->outcome;
}

void publisher_destroy(struct publisher *publisher)
{
    if (publisher == NULL)
        return;
    if (publisher->compared >= 0)
        close(publisher->compared);
    if (publisher->descriptor >= 0)
        close(publisher->descriptor);
    if (publisher->path_beside != NULL && !publisher->is_published)
        run_place_unlink(publisher->path_beside);
    byte_writer_close(&publisher->buffer);
    byte_writer_close(&publisher->found);
    byte_writer_close(&publisher->records);
    free(publisher->path);
    free(publisher->path_beside);
    free(publisher);
}

static int sync_directory_of(const char *path)
{
    char *copy = memory_copy_string(path);
    int descriptor = run_place_open_folder(dirname(copy));
    free(copy);
    if (descriptor < 0)
        return -1;
    int result = fsync(descriptor);
    int saved = errno;
    close(descriptor);
    errno = saved;
    return result;
}

/* What somebody has made of the output may be worth something to them. */
static bool keep_other(const struct publisher *publisher)
{
    if (!publisher->keeps_other || publisher->outcome != PUBLISH_REPLACED)
        return true;
    size_t size = strlen(publisher->path) + sizeof PUBLISH_OTHER_SUFFIX;
    char *name = memory_allocate(size);
    snprintf(name, size, "%s" PUBLISH_OTHER_SUFFIX, publisher->path);
    bool is_kept =
        publish_link(publisher->path, name) || run_place_rename(publisher->path, name) == 0;
    free(name);
    return is_kept;
}

static int make_visible(struct publisher *publisher, struct sheaf_error *error)
{
    if (publisher->is_in_place) {
        publisher->is_published = true;
        return 0;
    }
    if (fsync(publisher->descriptor) != 0 || !keep_other(publisher) ||
        run_place_rename(publisher->path_beside, publisher->path) != 0)
        return write_error(publisher->path, errno, error);
    publisher->is_published = true;
    if (sync_directory_of(publisher->path) != 0)
        return write_error(publisher->path, errno, error);
    return 0;
}

/* The next piece of the output: the output of finish, or the results in the order of tasks. */
static const struct partial *next_piece(const struct publisher *publisher,
                                        const struct state *state)
{
    const struct partial *output = state_output(state);
    if (output == NULL)
        return state_find_partial(state, publisher->next_task);
    return publisher->next_task == 0 ? output : NULL;
}

/* Appends the piece's part of the output. */
static int read_piece(struct publisher *publisher, struct journal *journal,
                      const struct partial *piece, struct sheaf_error *error)
{
    if (!publisher->has_records)
        return journal_read_payload(journal, piece, &publisher->buffer, error);
    byte_writer_clear(&publisher->records);
    int code = journal_read_payload(journal, piece, &publisher->records, error);
    if (code != 0)
        return code;
    struct byte_reader reader = byte_reader_of(publisher->records.data, publisher->records.size);
    struct command_record record;
    while (byte_reader_left(&reader) > 0) {
        if (!command_record_get(&reader, &record))
            return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                                   "what is stored of the commands makes no sense");
        byte_writer_put(&publisher->buffer, record.out, record.out_bytes);
    }
    return 0;
}

/* Reads as many bytes of what is there as the buffer holds; fewer are there at its end. */
static bool is_same(struct publisher *publisher)
{
    struct byte_writer *found = &publisher->found;
    const struct byte_writer *buffer = &publisher->buffer;
    byte_writer_clear(found);
    if (buffer->size == 0)
        return true;
    unsigned char *data = byte_writer_reserve(found, buffer->size);
    for (size_t size = 0; size < buffer->size;) {
        ssize_t got = read(publisher->compared, data + size, buffer->size - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        size += (size_t)got;
    }
    return memcmp(data, buffer->data, buffer->size) == 0;
}

/* What is there is something else: the output is written from its beginning. */
static int replace(struct publisher *publisher, struct sheaf_error *error)
{
    close(publisher->compared);
    publisher->compared = -1;
    publisher->outcome = PUBLISH_REPLACED;
    publisher->next_task = 0;
    int code = open_output(publisher, error);
    return code == 0 ? 1 : code;
}

/* 1 = there is more, 0 = all of it was there. */
static int compare(struct publisher *publisher, bool is_last, struct sheaf_error *error)
{
    char beyond;
    if (!is_same(publisher))
        return replace(publisher, error);
    if (!is_last)
        return 1;
    if (read(publisher->compared, &beyond, 1) != 0)
        return replace(publisher, error);
    publisher->outcome = PUBLISH_SAME;
    return 0;
}

int publisher_step(struct publisher *publisher, const struct state *state, struct journal *journal,
                   struct range *lost, struct sheaf_error *error)
{
    byte_writer_clear(&publisher->buffer);
    const struct partial *piece = next_piece(publisher, state);
    while (piece != NULL && publisher->buffer.size < STEP_BYTES) {
        int code = piece->is_absent ? 0 : read_piece(publisher, journal, piece, error);
        if (code == SHEAF_ERROR_DAMAGED)
            *lost = piece->range;
        if (code < 0)
            return code;
        publisher->next_task = range_end(piece->range) > 0 ? range_end(piece->range) : 1;
        piece = next_piece(publisher, state);
    }
    if (publisher->compared >= 0)
        return compare(publisher, piece == NULL, error);
    if (disk_write_all(disk_system(), publisher->descriptor, publisher->buffer.data,
                       publisher->buffer.size) != 0)
        return write_error(publisher->path, errno, error);
    return piece != NULL ? 1 : make_visible(publisher, error);
}

int publish_check(const char *path, struct sheaf_error *error)
{
    int code = check_target(path, error);
    if (code != 0)
        return code;
    if (is_special(path)) /* a reader would take the end of the check for that of the output */
        return access(path, W_OK) == 0 ? 0 : write_error(path, errno, error);
    struct publisher *publisher;
    code = publisher_create(&(struct publish_options){.path = path}, &publisher, error);
    if (code < 0)
        return code;
    file_beside_sweep(publisher->path);
    publisher_destroy(publisher);
    return 0;
}

bool publish_link(const char *path, const char *name)
{
    char *beside = file_beside_name(name);
    bool is_linked = run_place_link(path, beside) == 0 && run_place_rename(beside, name) == 0;
    run_place_unlink(beside); /* is still there when both names were the same file before */
    free(beside);
    return is_linked && sync_directory_of(name) == 0;
}

/* Copies a file; `join`, unless it is NULL, hears of each piece. */
static int copy_file(const char *path, int descriptor, const struct publish_join *join,
                     struct sheaf_error *error)
{
    int source = run_place_open_file(path, O_RDONLY, 0);
    if (source < 0)
        return sheaf_error_set_errno(error, errno, "cannot read the result %s", path);
    unsigned char *buffer = memory_allocate(COPY_BYTES);
    int code = 0;
    for (;;) {
        ssize_t got = read(source, buffer, COPY_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            code = sheaf_error_set_errno(error, errno, "cannot read the result %s", path);
        if (got <= 0)
            break;
        if (disk_write_all(disk_system(), descriptor, buffer, (size_t)got) != 0) {
            code = sheaf_error_set_errno(error, errno, "cannot write the result to its reader");
            break;
        }
        if (join != NULL)
            join->keep_contact(join->context);
    }
    free(buffer);
    close(source);
    return code;
}

int publish_copy(const char *path, int descriptor, struct sheaf_error *error)
{
    return copy_file(path, descriptor, NULL, error);
}

int publish_joined(const struct publish_join *join, struct sheaf_error *error)
{
    struct publisher *publisher;
    int code = publisher_create(&(struct publish_options){.path = join->path}, &publisher, error);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < join->part_count; i++)
        code = copy_file(join->parts[i], publisher->descriptor, join, error);
    if (code == 0)
        code = make_visible(publisher, error);
    publisher_destroy(publisher);
    return code;
}
