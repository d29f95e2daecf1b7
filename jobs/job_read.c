/* job_read.c - opens what the user named: a job file, a plug-in or a list of commands. */
#include "job.h"

#include "../scheduler/memory.h"
#include "job_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text);
    size_t ending_length = strlen(ending);
    return length >= ending_length && strcmp(text + length - ending_length, ending) == 0;
}

static int read_plugin_only(const char *path, struct job *job, struct sheaf_error *error)
{
    char *directory = realpath(".", NULL);
    if (directory == NULL)
        return sheaf_error_set_errno(error, errno, "cannot find the working directory");
    char *found;
    int code = job_path_find_plugin(path, directory, &found, error);
    free(directory);
    if (code != 0)
        return code;
    char *absolute;
    code = job_path_absolute(found, &absolute, error);
    free(found);
    if (code != 0)
        return code;
    *job = (struct job){
        .name = job_path_stem(absolute),
        .source_path = absolute,
        .plugin_path = memory_copy_string(absolute),
        .split = {.kind = SPLIT_RANGE},
        .output_path = memory_copy_string("-"),
    };
    return 0;
}

/* Opens a regular file. Not blocking, so that a named pipe is refused instead of waited for. */
static int open_file(const char *path, struct sheaf_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return sheaf_error_set(error, SHEAF_ERROR_JOB, "cannot read the job %s: %s", path,
                               strerror(errno));
    struct stat status;
    if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode))
        return descriptor;
    close(descriptor);
    return sheaf_error_set(error, SHEAF_ERROR_JOB,
                           "%s is not a file; name a job file (.yaml), a plug-in (.so) or a list "
                           "of command lines",
                           path);
}

/* Reads at most JOB_FILE_BYTES_MAX + 1 bytes: job_parse refuses what is longer. */
static int read_text(const char *path, int descriptor, struct byte_writer *text,
                     struct sheaf_error *error)
{
    enum { PIECE_BYTES = 1 << 18 };
    while (text->size <= JOB_FILE_BYTES_MAX) {
        unsigned char *piece = byte_writer_reserve(text, PIECE_BYTES);
        text->size -= PIECE_BYTES;
        ssize_t size = read(descriptor, piece, PIECE_BYTES);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return sheaf_error_set(error, SHEAF_ERROR_JOB, "cannot read the job %s: %s", path,
                                   strerror(errno));
        if (size == 0)
            break;
        text->size += (size_t)size;
    }
    return 0;
}

/* A plug-in under whatever name. */
static bool is_program(int descriptor)
{
    char magic[4];
    return pread(descriptor, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
           memcmp(magic, "\177ELF", sizeof magic) == 0;
}

int job_read(const char *path, struct job *job, struct sheaf_error *error)
{
    if (ends_with(path, ".so"))
        return read_plugin_only(path, job, error);
    int descriptor = open_file(path, error);
    if (descriptor < 0)
        return descriptor;
    struct byte_writer text = {0};
    int code;
    if (is_program(descriptor)) {
        code = read_plugin_only(path, job, error);
    } else if (!ends_with(path, ".yaml") && !ends_with(path, ".yml")) {
        code = job_read_command_line(&(struct job_command_line){.list_path = path}, job, error);
    } else {
        code = read_text(path, descriptor, &text, error);
        if (code == 0)
            code = job_parse((const char *)text.data, text.size, path, job, error);
    }
    close(descriptor);
    byte_writer_close(&text);
    return code;
}
