/* job_read.c - opens what the user named: a job file or a plug-in. */
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

/* Reads at most JOB_FILE_BYTES_MAX + 1 bytes: job_parse refuses what is longer. */
static int read_text(const char *path, struct byte_writer *text, struct sheaf_error *error)
{
    /* Not blocking, so that a named pipe is refused below instead of waited for. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return sheaf_error_set(error, SHEAF_ERROR_JOB, "cannot read the job %s: %s", path,
                               strerror(errno));
    struct stat status;
    int code = 0;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        code =
            sheaf_error_set(error, SHEAF_ERROR_JOB,
                            "%s is not a file; name a job file (.yaml) or a plug-in (.so)", path);
        goto close_file;
    }
    unsigned char *buffer = byte_writer_reserve(text, JOB_FILE_BYTES_MAX + 1);
    text->size = 0;
    while (text->size <= JOB_FILE_BYTES_MAX) {
        ssize_t size = read(descriptor, buffer + text->size, JOB_FILE_BYTES_MAX + 1 - text->size);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            code = sheaf_error_set(error, SHEAF_ERROR_JOB, "cannot read the job %s: %s", path,
                                   strerror(errno));
        if (size <= 0)
            break;
        text->size += (size_t)size;
    }
close_file:
    close(descriptor);
    return code;
}

int job_read(const char *path, struct job *job, struct sheaf_error *error)
{
    if (ends_with(path, ".so"))
        return read_plugin_only(path, job, error);
    struct byte_writer text = {0};
    int code = read_text(path, &text, error);
    if (code == 0 && text.size >= 4 && memcmp(text.data, "\177ELF", 4) == 0)
        code = read_plugin_only(path, job, error);
    else if (code == 0)
        code = job_parse((const char *)text.data, text.size, path, job, error);
    byte_writer_close(&text);
    return code;
}
