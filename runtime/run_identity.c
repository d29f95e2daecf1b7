/* run_identity.c - reads and writes DIR/identity. */
#include "run_identity.h"

#include <errno.h>
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

/* Understands the text of write below. */
static bool parse(FILE *file, struct run_identity *identity)
{
    int version = 0;
    char job[HEX_BYTES] = "";
    char journal[HEX_BYTES] = "";
    char commands[HEX_BYTES] = "";
    struct run_identity parsed = {.job_name = ""};
    if (fscanf(file, "sheaf-run %d\nidentity %64s\njournal %64s\ncommands %64s\njob ", &version,
               job, journal, commands) != 4 ||
        version != 2 || !hex_read(job, parsed.job) || !hex_read(journal, parsed.journal) ||
        !hex_read(commands, parsed.commands) ||
        fgets(parsed.job_name, sizeof parsed.job_name, file) == NULL)
        return false;
    parsed.job_name[strcspn(parsed.job_name, "\n")] = '\0';
    *identity = parsed;
    return true;
}

int run_identity_read(const char *dir, struct run_identity *identity, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, "identity");
    FILE *file = fopen(path, "re");
    int code = 0;
    if (file == NULL) {
        code = sheaf_error_set_errno(error, errno, "cannot read %s", path);
    } else {
        if (!parse(file, identity))
            code =
                sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                                "%s cannot be understood: another version of sheaf wrote it, or it "
                                "is damaged. Use --dir, or delete %s and start anew",
                                path, dir);
        fclose(file);
    }
    free(path);
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
    return run_directory_write_file(dir, "identity", text, (size_t)length, error);
}
