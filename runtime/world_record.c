/* world_record.c - tells what a world keeps on this host, and whether it lives. */
#include "world_record.h"

#include "process_children.h"
#include "process_files.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LINE "sheaf world 1"
#define MARK       "PMIX_NAMESPACE="

/* ---- processes ---- */

/* 0 when the process has ended, collected or not. */
static uint64_t start_of(pid_t process)
{
    struct process_stat stat;
    bool is_there = process_stat_read(process, &stat) && stat.state != 'Z' && stat.state != 'X';
    return is_there ? stat.start_ticks : 0;
}

static bool read_boot(char *word)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL)
        return false;
    char text[64] = "";
    bool is_read = fscanf(file, "%63s", text) == 1;
    fclose(file);
    memcpy(word, text, sizeof text);
    return is_read;
}

static bool read_numbering(char *word)
{
    ssize_t size = readlink("/proc/self/ns/pid", word, WORLD_WORD_BYTES - 1);
    word[size > 0 ? size : 0] = '\0';
    return size > 0;
}

struct mark_search {
    const char *mark;
    bool is_found;
};

/* A process of another user does not show its environment, and is none of the world's. */
static void look_for_mark(void *context, pid_t process, pid_t parent)
{
    (void)parent;
    struct mark_search *search = context;
    size_t size = 0;
    char *environment = search->is_found ? NULL : process_file_read(process, "environ", &size);
    if (environment == NULL)
        return;
    for (size_t at = 0; at < size; at += strlen(environment + at) + 1)
        if (strncmp(environment + at, MARK, sizeof MARK - 1) == 0 &&
            strcmp(environment + at + sizeof MARK - 1, search->mark) == 0)
            search->is_found = true;
    free(environment);
}

bool world_record_is_dead(const struct world_record *record)
{
    char boot[WORLD_WORD_BYTES] = "";
    char numbering[WORLD_WORD_BYTES] = "";
    if (!read_boot(boot) || !read_numbering(numbering))
        return false;
    if (strcmp(boot, record->boot) != 0)
        return true;
    if (strcmp(numbering, record->numbering) != 0 || start_of(record->owner) == record->owner_start)
        return false;
    struct mark_search search = {.mark = record->process_mark};
    if (record->process_mark[0] != '\0')
        process_find_all(look_for_mark, &search);
    return !search.is_found;
}

bool world_record_number_is_free(const struct world_record *record)
{
    return start_of(record->owner) == 0;
}

/* ---- making ---- */

bool world_record_begin(struct world_record *record, pid_t owner)
{
    *record = (struct world_record){.owner = owner, .owner_start = start_of(owner)};
    return record->owner_start != 0 && read_boot(record->boot) && read_numbering(record->numbering);
}

static void copy_variable(const char *name, char *word, size_t size)
{
    const char *value = getenv(name);
    if (value != NULL && strlen(value) < size)
        memcpy(word, value, strlen(value) + 1);
}

/* From a line of `maps` that ends with "/dev/shm/sm_segment.HOST.UID.NUMBER.RANK". */
static void find_mapped(char *number)
{
    size_t size;
    char *maps = process_file_read(getpid(), "maps", &size);
    char *found = maps != NULL ? strstr(maps, "/dev/shm/sm_segment.") : NULL;
    if (found != NULL) {
        found[strcspn(found, " \n")] = '\0';
        *strrchr(found, '.') = '\0';
        snprintf(number, WORLD_WORD_BYTES, "%.200s", strrchr(found, '.') + 1);
    }
    free(maps);
}

/* With Open MPI 4.1 it is known before there are segments. */
static void find_number(struct world_record *record)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(record->process_mark, &end, 10);
    if (errno == 0 && isdigit((unsigned char)record->process_mark[0]) && *end == '\0')
        snprintf(record->number, sizeof record->number, "%lx", number);
    else
        find_mapped(record->number);
}

void world_record_add_rank(struct world_record *record)
{
    struct stat status;
    copy_variable("PMIX_NAMESPACE", record->process_mark, sizeof record->process_mark);
    copy_variable("PMIX_SERVER_TMPDIR", record->session, sizeof record->session);
    if (record->session[0] != '/' || lstat(record->session, &status) != 0) {
        record->session[0] = '\0';
    } else {
        record->session_device = status.st_dev;
        record->session_inode = status.st_ino;
    }
    find_number(record);
}

/* ---- text ---- */

bool world_record_encode(const struct world_record *record, struct byte_writer *text)
{
    if (strchr(record->base, '\n') != NULL || strchr(record->session, '\n') != NULL ||
        strchr(record->process_mark, '\n') != NULL)
        return false;
    char *line = NULL;
    int length = asprintf(&line,
                          FIRST_LINE "\nboot %s\nnumbering %s\nowner %ld %" PRIu64 "\nbase %s\n"
                                     "session %s\nsession-file %" PRIu64 " %" PRIu64 "\n"
                                     "number %s\nprocess-mark %s\n",
                          record->boot, record->numbering, (long)record->owner, record->owner_start,
                          record->base, record->session, record->session_device,
                          record->session_inode, record->number, record->process_mark);
    if (length > 0)
        byte_writer_put(text, line, (size_t)length);
    free(line);
    return length > 0;
}

/* Takes a line "KEY VALUE" off the text. */
static bool take(char **text, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    char *end = strchr(*text, '\n');
    if (end == NULL || strncmp(*text, key, length) != 0 || (*text)[length] != ' ' ||
        (size_t)(end - *text) - length > size)
        return false;
    *end = '\0';
    memcpy(value, *text + length + 1, (size_t)(end - *text) - length);
    *text = end + 1;
    return true;
}

static bool take_numbers(char **text, const char *key, uint64_t numbers[2])
{
    char value[64];
    char more;
    return take(text, key, value, sizeof value) &&
           sscanf(value, "%" SCNu64 " %" SCNu64 "%c", &numbers[0], &numbers[1], &more) == 2;
}

bool world_record_decode(char *text, struct world_record *record)
{
    static const char first[] = FIRST_LINE "\n";
    uint64_t owner[2];
    uint64_t session[2];
    if (strncmp(text, first, sizeof first - 1) != 0)
        return false;
    text += sizeof first - 1;
    *record = (struct world_record){.owner = 0};
    if (!take(&text, "boot", record->boot, sizeof record->boot) ||
        !take(&text, "numbering", record->numbering, sizeof record->numbering) ||
        !take_numbers(&text, "owner", owner) ||
        !take(&text, "base", record->base, sizeof record->base) ||
        !take(&text, "session", record->session, sizeof record->session) ||
        !take_numbers(&text, "session-file", session) ||
        !take(&text, "number", record->number, sizeof record->number) ||
        !take(&text, "process-mark", record->process_mark, sizeof record->process_mark))
        return false;
    record->owner = (pid_t)owner[0];
    record->owner_start = owner[1];
    record->session_device = session[0];
    record->session_inode = session[1];
    return owner[0] > 1 && owner[0] <= INT_MAX && *text == '\0';
}
