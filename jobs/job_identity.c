/* job_identity.c - one number for everything that a job's output depends on. */
#include "job.h"

#include "command_shell.h"
#include "input_files.h"
#include "split.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(SHA256_DIGEST_LENGTH == JOB_IDENTITY_BYTES, "the identity is a SHA-256");

/* Changes when the encoding below does, so that a journal of an older version is not continued. */
static const char identity_version[] = "sheaf job identity 2";

int job_identity_of_file(const char *path, unsigned char identity[JOB_IDENTITY_BYTES],
                         struct sheaf_error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return sheaf_error_set_errno(error, errno, "cannot read %s", path);
    SHA2_CTX hash;
    SHA256Init(&hash);
    unsigned char buffer[1 << 16];
    ssize_t size;
    do {
        size = read(descriptor, buffer, sizeof buffer);
        if (size > 0)
            SHA256Update(&hash, buffer, (size_t)size);
    } while (size > 0 || (size < 0 && errno == EINTR));
    int read_errno = errno;
    close(descriptor);
    if (size < 0)
        return sheaf_error_set_errno(error, read_errno, "cannot read %s", path);
    SHA256Final(identity, &hash);
    return 0;
}

static int hash_plugin(const char *path, struct byte_writer *writer, struct sheaf_error *error)
{
    unsigned char digest[JOB_IDENTITY_BYTES];
    struct sheaf_error cause;
    if (job_identity_of_file(path, digest, &cause) != 0)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "the plug-in: %s", cause.text);
    byte_writer_put(writer, digest, sizeof digest);
    return 0;
}

static bool is_result(const struct split *split, const char *path)
{
    for (size_t i = 0; i < split->result_count; i++)
        if (strcmp(split->result_paths[i], path) == 0)
            return true;
    return false;
}

static int encode_input_files(const struct split *split, struct byte_writer *writer,
                              struct sheaf_error *error)
{
    struct input_files files;
    int code = input_files_match(split, &files, error);
    if (code != 0)
        return code;
    byte_writer_put_u64(writer, files.count);
    for (size_t i = 0; i < files.count; i++) {
        byte_writer_put_string(writer, files.items[i].path);
        if (is_result(split, files.items[i].path))
            continue;
        byte_writer_put_u64(writer, files.items[i].size_bytes);
        byte_writer_put_u64(writer, (uint64_t)files.items[i].changed_s);
        byte_writer_put_u64(writer, (uint64_t)files.items[i].changed_ns);
    }
    input_files_close(&files);
    return 0;
}

/* By content, item by item: comments and the file's name do not count. */
static int hash_items(const struct split *split, struct byte_writer *writer,
                      struct sheaf_error *error)
{
    struct split_walk *walk;
    int code = split_walk_create(split, &walk, error);
    if (code != 0)
        return code;
    SHA2_CTX hash;
    SHA256Init(&hash);
    struct byte_reader item;
    while ((code = split_walk_next(walk, &item, error)) == 1) {
        uint64_t size = item.size;
        SHA256Update(&hash, (const unsigned char *)&size, sizeof size);
        SHA256Update(&hash, item.data, item.size);
    }
    split_walk_destroy(walk);
    if (code == 0)
        SHA256Final(byte_writer_reserve(writer, SHA256_DIGEST_LENGTH), &hash);
    return code;
}

static void encode_command(const struct job_command *command, struct byte_writer *writer)
{
    byte_writer_put_string(writer, "command");
    byte_writer_put_string(writer, command->text != NULL ? command->text : "");
    byte_writer_put_u8(writer, command->is_piped);
    byte_writer_put_string(writer, command->merge_text != NULL ? command->merge_text : "");
    byte_writer_put_u32(writer, (uint32_t)command->output_count);
    for (size_t i = 0; i < command->output_count; i++)
        byte_writer_put_string(writer, command->outputs[i]);
    byte_writer_put_u8(writer, command->has_array_env);
    byte_writer_put_u64(writer, command->array_first);
    const char *shell = command->shell != NULL ? command->shell : command_shell_default();
    if (strcmp(command_shell_name(shell), command_shell_name(COMMAND_SHELL_POSIX)) == 0)
        return; /* as it was before there was a choice */
    byte_writer_put_string(writer, "shell");
    byte_writer_put_string(writer, command_shell_name(shell));
}

static void encode_axes(const struct split *split, struct byte_writer *writer)
{
    byte_writer_put_u64(writer, split->axis_count);
    for (size_t i = 0; i < split->axis_count; i++) {
        byte_writer_put_string(writer, split->axes[i].name);
        byte_writer_put_u64(writer, split->axes[i].value_count);
        for (size_t j = 0; j < split->axes[i].value_count; j++)
            byte_writer_put_string(writer, split->axes[i].values[j]);
    }
}

static int encode_split(const struct split *split, struct byte_writer *writer,
                        struct sheaf_error *error)
{
    byte_writer_put_u8(writer, (uint8_t)split->kind);
    switch (split->kind) {
    case SPLIT_RANGE:
        byte_writer_put_u64(writer, split->tasks);
        break;
    case SPLIT_LINES:
    case SPLIT_BLOCKS:
        byte_writer_put_u64(writer, split->block_bytes);
        return encode_input_files(split, writer, error);
    case SPLIT_FILES:
        return encode_input_files(split, writer, error);
    case SPLIT_ITEMS:
    case SPLIT_STORED_BLOCKS:
        return hash_items(split, writer, error);
    case SPLIT_TASKS:
        byte_writer_put_u64(writer, task_table_fingerprint(split->table));
        return hash_items(split, writer, error);
    case SPLIT_PRODUCT:
        encode_axes(split, writer);
        break;
    case SPLIT_PLUGIN:
        break;
    }
    return 0;
}

bool job_list_may_change(const struct job *job)
{
    enum split_kind kind = job->split.kind;
    return job->plan == NULL && job->command.is_there &&
           (kind == SPLIT_RANGE || kind == SPLIT_ITEMS || kind == SPLIT_FILES ||
            kind == SPLIT_PRODUCT || kind == SPLIT_TASKS);
}

void job_command_identity(const struct job *job, unsigned char identity[JOB_IDENTITY_BYTES])
{
    struct byte_writer writer = {0};
    memset(identity, 0, JOB_IDENTITY_BYTES);
    if (!job_list_may_change(job))
        return;
    byte_writer_put_string(&writer, identity_version);
    encode_command(&job->command, &writer);
    parameter_list_encode(&job->parameters, &writer);
    SHA2_CTX hash;
    SHA256Init(&hash);
    SHA256Update(&hash, writer.data, writer.size);
    SHA256Final(identity, &hash);
    byte_writer_close(&writer);
}

/* Whether what a task does depends on its place in the list, as far as can be told. */
static bool depends_on_place(const struct job_command *command, struct byte_reader input)
{
    static const char place[] = "DISBATCH_TASKID";
    if (command->has_array_env)
        return true;
    return command->text != NULL ? strstr(command->text, "{#}") != NULL
                                 : memmem(input.data, input.size, place, strlen(place)) != NULL;
}

static void hash_task(const struct job_task *task, bool has_place, struct byte_reader input,
                      unsigned char hash[JOB_TASK_HASH_BYTES])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;
    SHA256Init(&context);
    if (!task->has_input)
        SHA256Update(&context, (const unsigned char *)"number", sizeof "number");
    if (has_place || !task->has_input)
        SHA256Update(&context, (const unsigned char *)&task->index, sizeof task->index);
    if (input.size > 0)
        SHA256Update(&context, input.data, input.size);
    SHA256Final(digest, &context);
    memcpy(hash, digest, JOB_TASK_HASH_BYTES);
}

void job_line_hash(const struct job *job, const struct job_task *task,
                   unsigned char hash[JOB_TASK_HASH_BYTES])
{
    hash_task(task, false, split_input_name(job->split.kind, task->input), hash);
}

void job_task_hash(const struct job *job, const struct job_task *task,
                   unsigned char hash[JOB_TASK_HASH_BYTES])
{
    hash_task(task, depends_on_place(&job->command, task->input), task->input, hash);
}

/* Each stage has an identity of its own: some may be new, and others gone. */
static void encode_stages(const struct job *job, struct byte_writer *writer)
{
    byte_writer_put_string(writer, "stages");
    byte_writer_put_string(writer, job->name);
}

static int encode(const struct job *job, struct byte_writer *writer, struct sheaf_error *error)
{
    int code = 0;
    if (job->plan != NULL) {
        encode_stages(job, writer);
        return 0;
    }
    if (job->command.is_there)
        encode_command(&job->command, writer);
    else
        code = hash_plugin(job->plugin_path, writer, error);
    if (code == 0)
        code = encode_split(&job->split, writer, error);
    if (code == 0)
        parameter_list_encode(&job->parameters, writer);
    return code;
}

int job_identity(const struct job *job, unsigned char identity[JOB_IDENTITY_BYTES],
                 struct sheaf_error *error)
{
    struct byte_writer writer = {0};
    byte_writer_put_string(&writer, identity_version);
    int code = encode(job, &writer, error);
    if (code == 0) {
        SHA2_CTX hash;
        SHA256Init(&hash);
        SHA256Update(&hash, writer.data, writer.size);
        SHA256Final(identity, &hash);
    }
    byte_writer_close(&writer);
    return code;
}
