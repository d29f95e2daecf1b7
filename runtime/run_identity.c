/* run_identity.c - reads and writes DIR/identity. */
#include "run_identity.h"

#include "checked_file.h"
#include "journal.h"
#include "stored_results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEX_BYTES = 2 * RUN_DIRECTORY_IDENTITY_BYTES + 1 };

static void hex_write(const unsigned char identity[RUN_DIRECTORY_IDENTITY_BYTES],
                      char hex[HEX_BYTES])
{
    for (size_t i = 0; i < RUN_DIRECTORY_IDENTITY_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", identity[i]);
}

static bool hex_read(const char *hex, unsigned char identity[RUN_DIRECTORY_IDENTITY_BYTES])
{
    if (strlen(hex) != HEX_BYTES - 1 || strspn(hex, "0123456789abcdef") != HEX_BYTES - 1)
        return false;
    for (size_t i = 0; i < RUN_DIRECTORY_IDENTITY_BYTES; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        identity[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return true;
}

/* Understands the text of write below, which ends with NUL. */
static bool parse(const char *text, struct run_identity *identity)
{
    int version = 0;
    int end = 0;
    char job[HEX_BYTES] = "";
    char journal[HEX_BYTES] = "";
    char commands[HEX_BYTES] = "";
    struct run_identity parsed = {.job_name = ""};
    if (sscanf(text, "sheaf-run %d\nidentity %64s\njournal %64s\ncommands %64s\njob%n", &version,
               job, journal, commands, &end) != 4 ||
        version != 2 || !hex_read(job, parsed.job) || !hex_read(journal, parsed.journal) ||
        !hex_read(commands, parsed.commands) || text[end] != ' ')
        return false;
    snprintf(parsed.job_name, sizeof parsed.job_name, "%.*s", (int)strcspn(text + end + 1, "\n"),
             text + end + 1);
    *identity = parsed;
    return true;
}

int run_identity_read(const char *dir, struct run_identity *identity, struct sheaf_error *error)
{
    struct byte_writer text = {0};
    int code = checked_file_read(dir, "identity", &text, error);
    byte_writer_put_u8(&text, '\0');
    if (code == 0 && !parse((const char *)text.data, identity))
        code = sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "%s/identity cannot be understood: another version of sheaf wrote "
                               "it, or it is damaged; then the command of the run, repeated, "
                               "makes it again",
                               dir);
    byte_writer_close(&text);
    return code;
}

int run_identity_write(const char *dir, const struct run_identity *identity,
                       struct sheaf_error *error)
{
    char job[HEX_BYTES];
    char journal[HEX_BYTES];
    char commands[HEX_BYTES];
    hex_write(identity->job, job);
    hex_write(identity->journal, journal);
    hex_write(identity->commands, commands);
    char text[3 * HEX_BYTES + RUN_IDENTITY_NAME_BYTES + 64];
    int length =
        snprintf(text, sizeof text, "sheaf-run 2\nidentity %s\njournal %s\ncommands %s\njob %s\n",
                 job, journal, commands, identity->job_name);
    return checked_file_write(dir, "identity", text, (size_t)length, error);
}

bool run_identity_find_in_journal(const char *path,
                                  unsigned char identity[RUN_DIRECTORY_IDENTITY_BYTES])
{
    char *journal = run_directory_join(path, "journal");
    bool is_found = journal_read_identity(journal, identity, NULL) == 0;
    free(journal);
    return is_found;
}

int run_identity_make_again(const struct run_directory_options *options,
                            struct run_identity *identity, struct sheaf_error *error)
{
    *identity = (struct run_identity){.is_made_again = true};
    if (!run_identity_find_in_journal(options->path, identity->journal))
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "%s/identity cannot be understood, and there are no results beside "
                               "it: name another directory with --dir, or delete this one",
                               options->path);
    memcpy(identity->job, options->identity, sizeof identity->job);
    memcpy(identity->commands, options->commands, sizeof identity->commands);
    snprintf(identity->job_name, sizeof identity->job_name, "%s", options->job_name);
    if (options->is_fresh || options->is_forced ||
        memcmp(identity->journal, options->identity, sizeof identity->journal) == 0)
        return 1;
    return sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                           "%s/identity is damaged or gone, and the journal beside it was not "
                           "begun by this command as it is now. Repeat the command as it was when "
                           "it ran last, with the list as it was: that makes the file again. Or "
                           "name another directory with --dir; --force goes on with what is there",
                           options->path);
}

/* A command has the name of its program, and a program may be run in many ways. */
int run_identity_refuse(const struct run_directory_options *options,
                        const struct run_identity *identity, bool is_command,
                        struct sheaf_error *error)
{
    bool is_same_name = strcmp(identity->job_name, options->job_name) == 0;
    char fresh[STORED_RESULTS_TEXT_BYTES];
    stored_results_describe_fresh(options->path, fresh);
    return sheaf_error_set(
        error, SHEAF_ERROR_IDENTITY,
        "%s holds the results of %s%.100s%s. Use --dir to keep both%s, or --force to keep the old "
        "results and go on from there; %s",
        options->path,
        !is_same_name ? "another job, "
        : is_command  ? "another command, also named "
                      : "an earlier version of job ",
        identity->job_name,
        is_same_name && !is_command ? ": its plug-in, split or parameters have changed since" : "",
        is_same_name && is_command ? " (a directory for each command)" : "", fresh);
}
