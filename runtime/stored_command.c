/* stored_command.c - writes and reads DIR/command: magic, kind, strings, words, CRC-32. */
#include "stored_command.h"

#include "../scheduler/memory.h"
#include "disk.h"
#include "run_directory.h"
#include "run_place.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_MAGIC "SHEAFCM1"

enum {
    COMMAND_MAGIC_BYTES = sizeof COMMAND_MAGIC - 1,
    COMMAND_BYTES_MAX = 2 * JOB_FILE_BYTES_MAX,
    CRC_BYTES = 4,
};

static enum stored_job kind_of(const struct run_options *options, const struct job *job)
{
    if (options->job_path == NULL)
        return STORED_JOB_NONE;
    if (options->stored_input != NULL)
        return STORED_JOB_INPUT;
    if (job->source_text != NULL)
        return STORED_JOB_FILE;
    return job_is_plugin_only(job) ? STORED_JOB_PLUGIN : STORED_JOB_LIST;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* A list may name its shell, and it may be gone. */
static void put_words(const struct run_options *options, const char *shell,
                      struct byte_writer *writer)
{
    bool has_shell = shell != NULL && options->shell == NULL;
    size_t count = has_shell;
    for (size_t i = 0; i < options->word_count; i++)
        count += !options->words[i].is_for_once;
    byte_writer_put_u32(writer, (uint32_t)count);
    for (size_t i = 0; i < options->word_count; i++)
        if (!options->words[i].is_for_once)
            byte_writer_put_string(writer, options->words[i].text);
    if (!has_shell)
        return;
    byte_writer_put_u32(writer, (uint32_t)(strlen("--shell=") + strlen(shell)));
    byte_writer_put(writer, "--shell=", strlen("--shell="));
    byte_writer_put(writer, shell, strlen(shell));
}

int stored_command_put(const struct run_options *options, const struct job *job,
                       struct byte_writer *writer, struct sheaf_error *error)
{
    enum stored_job kind = kind_of(options, job);
    bool has_path = kind != STORED_JOB_NONE && kind != STORED_JOB_INPUT;
    bool is_list = kind == STORED_JOB_LIST || kind == STORED_JOB_INPUT;
    char *directory = realpath(".", NULL);
    if (directory == NULL)
        return sheaf_error_set_errno(error, errno, "cannot find the working directory");
    size_t start = writer->size;
    byte_writer_put(writer, COMMAND_MAGIC, COMMAND_MAGIC_BYTES);
    byte_writer_put_u8(writer, (uint8_t)kind);
    byte_writer_put_string(writer, directory);
    byte_writer_put_string(writer, has_path ? job->source_path : "");
    byte_writer_put_string(writer, kind == STORED_JOB_INPUT ? name_of(options->stored_input) : "");
    byte_writer_put_string(writer, kind == STORED_JOB_FILE ? job->source_text : "");
    put_words(options, is_list ? job->command.shell : NULL, writer);
    byte_writer_put_u32(writer, block_crc(writer->data + start, writer->size - start));
    free(directory);
    return 0;
}

static int read_bytes(const char *path, struct byte_writer *bytes, struct sheaf_error *error)
{
    struct stat status;
    int descriptor = run_place_open_file(path, O_RDONLY, 0);
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        int code = sheaf_error_set_errno(error, errno, "cannot read %s", path);
        if (descriptor >= 0)
            close(descriptor);
        return code;
    }
    int code = 0;
    bool is_possible = status.st_size > 0 && status.st_size <= COMMAND_BYTES_MAX;
    size_t size = is_possible ? (size_t)status.st_size : 0;
    if (disk_read_all(disk_system(), descriptor, byte_writer_reserve(bytes, size), size, 0) !=
        (ssize_t)size)
        code = sheaf_error_set_errno(error, errno, "cannot read %s", path);
    close(descriptor);
    return code;
}

static char *get_optional(struct byte_reader *reader)
{
    char *string = byte_reader_get_string(reader);
    if (string != NULL && string[0] == '\0') {
        free(string);
        string = NULL;
    }
    return string;
}

static bool parse(const struct byte_writer *bytes, struct stored_command *command)
{
    if (bytes->size < COMMAND_MAGIC_BYTES + CRC_BYTES)
        return false;
    size_t size = bytes->size - CRC_BYTES;
    struct byte_reader crc = byte_reader_of(bytes->data + size, CRC_BYTES);
    struct byte_reader reader = byte_reader_of(bytes->data, size);
    if (memcmp(byte_reader_get(&reader, COMMAND_MAGIC_BYTES), COMMAND_MAGIC, COMMAND_MAGIC_BYTES) !=
            0 ||
        byte_reader_get_u32(&crc) != block_crc(bytes->data, size))
        return false;
    command->kind = byte_reader_get_u8(&reader);
    command->directory = byte_reader_get_string(&reader);
    command->job_path = get_optional(&reader);
    command->input_name = get_optional(&reader);
    command->text = get_optional(&reader);
    size_t count = byte_reader_get_u32(&reader);
    if (reader.failed || count > byte_reader_left(&reader) / sizeof(uint32_t))
        return false;
    command->words = memory_allocate_zeroed(count, sizeof *command->words);
    for (; command->word_count < count; command->word_count++)
        command->words[command->word_count] = byte_reader_get_string(&reader);
    bool has_path = command->kind == STORED_JOB_FILE || command->kind == STORED_JOB_PLUGIN ||
                    command->kind == STORED_JOB_LIST;
    return byte_reader_is_complete(&reader) && has_path == (command->job_path != NULL) &&
           (command->kind == STORED_JOB_INPUT) == (command->input_name != NULL) &&
           (command->kind == STORED_JOB_FILE) == (command->text != NULL);
}

int stored_command_read(const char *dir, struct stored_command *command, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, STORED_COMMAND_NAME);
    struct byte_writer bytes = {0};
    struct stored_command read = {0};
    int code = read_bytes(path, &bytes, error);
    if (code == 0 && !parse(&bytes, &read))
        code = sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "%s is damaged: repeat the command that began the run, which writes "
                               "it again",
                               path);
    if (code == 0)
        *command = read;
    else
        stored_command_close(&read);
    byte_writer_close(&bytes);
    free(path);
    return code;
}

void stored_command_close(struct stored_command *command)
{
    for (size_t i = 0; i < command->word_count; i++)
        free(command->words[i]);
    free(command->words);
    free(command->directory);
    free(command->job_path);
    free(command->input_name);
    free(command->text);
    *command = (struct stored_command){0};
}
