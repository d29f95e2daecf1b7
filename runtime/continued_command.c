/* continued_command.c - makes the words that continue the run of a directory. */
#include "continued_command.h"

#include "../jobs/job_path.h"
#include "../scheduler/memory.h"
#include "run_directory.h"
#include "run_identity.h"
#include "run_place.h"
#include "stored_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool continued_command_is_asked(const struct run_options *options)
{
    struct stat status;
    return options->job_path != NULL && strcmp(options->job_path, "-") != 0 &&
           stat(options->job_path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Returns a string the caller owns. */
static char *join(const char *before, const char *after)
{
    size_t size = strlen(before) + strlen(after) + 1;
    char *joined = memory_allocate(size);
    snprintf(joined, size, "%s%s", before, after);
    return joined;
}

/* Takes the word over. */
static void add(struct continued_command *command, char *word)
{
    command->words =
        memory_resize(command->words, ((size_t)command->word_count + 2) * sizeof *command->words);
    command->words[command->word_count++] = word;
    command->words[command->word_count] = NULL;
}

static int read_stored(const char *dir, struct stored_command *stored, struct sheaf_error *error)
{
    struct run_identity identity;
    int code = run_place_open(dir, error);
    if (code != 0)
        return code;
    code = run_identity_read(dir, &identity, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "%s is a directory, and no run has begun there: name a job file, a "
                               "plug-in, a list of command lines or a run directory",
                               dir);
    code = stored_command_read(dir, stored, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "%s does not know by what command it was begun: it is of an older "
                               "sheaf, or of a stage. Repeat that command once; from then on "
                               "`sheaf run %s` will do",
                               dir, dir);
    return code;
}

static int check(const struct run_options *options, struct sheaf_error *error)
{
    const char *what = options->is_fresh          ? "--fresh deletes what is stored there"
                       : options->dir != NULL     ? "--dir names another directory"
                       : options->command != NULL ? "--command makes another job"
                                                  : NULL;
    if (what == NULL)
        return 0;
    return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                           "%s is a run directory, and is continued with what is stored there; "
                           "%s: leave it out, or name the job",
                           options->job_path, what);
}

static bool names_hosts(const char *word)
{
    return strncmp(word, "--host=", strlen("--host=")) == 0 ||
           strncmp(word, "--hostfile=", strlen("--hostfile=")) == 0;
}

/* The hosts of that day may not be those of today. */
static void add_stored(const struct run_options *options, const struct stored_command *stored,
                       struct continued_command *command)
{
    bool has_hosts = options->host != NULL || options->hostfile != NULL;
    for (size_t i = 0; i < stored->word_count; i++)
        if (!has_hosts || !names_hosts(stored->words[i]))
            add(command, memory_copy_string(stored->words[i]));
}

/* A file that is named now is named from here. */
static int add_given(const char *word, struct continued_command *command, struct sheaf_error *error)
{
    static const char *const files[] = {"--output=", "--output-dir=", "--joblog=", "--hostfile="};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t length = strlen(files[i]);
        char *path;
        if (strncmp(word, files[i], length) != 0 || strcmp(word + length, "-") == 0)
            continue;
        int code = job_path_absolute(word + length, &path, error);
        if (code == 0)
            add(command, join(files[i], path));
        if (code == 0)
            free(path);
        return code;
    }
    add(command, memory_copy_string(word));
    return 0;
}

static int make_words(const struct run_options *options, const struct stored_command *stored,
                      struct continued_command *command, struct sheaf_error *error)
{
    char *dir = realpath(options->job_path, NULL);
    if (dir == NULL)
        return sheaf_error_set_errno(error, errno, "cannot resolve %s", options->job_path);
    add(command, memory_copy_string("run"));
    add_stored(options, stored, command);
    add(command, join("--dir=", dir));
    add(command, memory_copy_string("--continued"));
    if (stored->kind == STORED_JOB_INPUT) {
        char *path = run_directory_join(dir, stored->input_name);
        add(command, join("--stored-input=", path));
        free(path);
    }
    free(dir);
    int code = 0;
    for (size_t i = 0; code == 0 && i < options->word_count; i++)
        code = add_given(options->words[i].text, command, error);
    if (stored->kind == STORED_JOB_INPUT)
        add(command, memory_copy_string("-"));
    else if (stored->job_path != NULL)
        add(command, memory_copy_string(stored->job_path));
    return code;
}

int continued_command_make(const struct run_options *options, struct continued_command *command,
                           struct sheaf_error *error)
{
    struct stored_command stored = {0};
    struct continued_command made = {0};
    int code = check(options, error);
    if (code == 0)
        code = read_stored(options->job_path, &stored, error);
    if (code == 0)
        code = make_words(options, &stored, &made, error);
    if (code == 0 && chdir(stored.directory) != 0)
        code = sheaf_error_set_errno(error, errno,
                                     "the run in %s was begun in %s, where its files are named "
                                     "from, and that cannot be entered",
                                     options->job_path, stored.directory);
    if (code == 0)
        *command = made;
    else
        continued_command_close(&made);
    stored_command_close(&stored);
    return code;
}

void continued_command_close(struct continued_command *command)
{
    for (int i = 0; i < command->word_count; i++)
        free(command->words[i]);
    free(command->words);
    *command = (struct continued_command){0};
}
