/* hosts.c - reads which hosts a run may use, and says it as mpirun wants to hear it. */
#include "hosts.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "inquiry.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCONTROL_TIMEOUT_NS (10 * SHEAF_NS_PER_S)

enum { SCONTROL_TEXT_BYTES = 1 << 20, SLOTS_MAX = 1 << 20 };

void host_list_close(struct host_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->hosts[i].name);
    free(list->hosts);
    *list = (struct host_list){.hosts = NULL};
}

/* The name's characters need not end with NUL. A name that comes again adds to its slots. */
static void add(struct host_list *list, const char *name, size_t size, uint32_t slots)
{
    for (size_t i = 0; i < list->count; i++) {
        struct host *host = &list->hosts[i];
        if (strncmp(host->name, name, size) == 0 && host->name[size] == '\0') {
            host->slots += slots;
            return;
        }
    }
    void *hosts = list->hosts;
    memory_grow(&hosts, &list->capacity, list->count + 1, sizeof *list->hosts);
    list->hosts = hosts;
    struct host *host = &list->hosts[list->count++];
    *host = (struct host){.name = memory_allocate(size + 1), .slots = slots};
    memcpy(host->name, name, size);
    host->name[size] = '\0';
}

/* 0 when it is not a number of slots. */
static uint32_t read_slots(const char *text)
{
    char *end;
    long slots = strtol(text, &end, 10);
    return end != text && slots > 0 && slots <= SLOTS_MAX ? (uint32_t)slots : 0;
}

/* "a,b:4,a" - a colon precedes a number of slots. */
static void read_list(const char *text, struct host_list *list)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        size_t name_size = strcspn(text, ",:");
        bool has_slots = text[name_size] == ':';
        if (name_size > 0)
            add(list, text, name_size, has_slots ? read_slots(text + name_size + 1) : 1);
        text += size + (text[size] == ',');
    }
}

/* The number behind "slots=", blanks around the sign allowed; 0 when there is none. */
static uint32_t find_slots(const char *line)
{
    for (const char *at = line; (at = strstr(at, "slots")) != NULL; at += strlen("slots")) {
        const char *value = at + strlen("slots");
        if (at == line || !isspace((unsigned char)at[-1]))
            continue; /* "max_slots", or part of a name */
        value += strspn(value, " \t");
        if (*value == '=')
            return read_slots(value + 1);
    }
    return 0;
}

/* A host a line, first word; # begins a comment. `slots` = those of a line that names none. */
static int read_file(const char *path, uint32_t slots, struct host_list *list,
                     struct sheaf_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "cannot read the hostfile %s: %s", path,
                               strerror(errno));
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, file) >= 0) {
        line[strcspn(line, "\r\n#")] = '\0';
        const char *name = line + strspn(line, " \t");
        size_t size = strcspn(name, " \t");
        uint32_t own_slots = find_slots(name);
        if (size > 0)
            add(list, name, size, own_slots > 0 ? own_slots : slots);
    }
    free(line);
    fclose(file);
    if (list->count == 0)
        return sheaf_error_set(error, SHEAF_ERROR_INPUT, "the hostfile %s names no host", path);
    return 0;
}

/* Only Slurm can take its own lists apart ("n[1-4,7]"). False when it does not. */
static bool ask_slurm(const char *nodes, struct host_list *list)
{
    const char *words[] = {"scontrol", "show", "hostnames", nodes, NULL};
    char *text = memory_allocate(SCONTROL_TEXT_BYTES);
    struct inquiry inquiry = {
        .words = words, .stream = STDOUT_FILENO, .text = text, .text_bytes = SCONTROL_TEXT_BYTES};
    inquiries_run(&inquiry, 1, SCONTROL_TIMEOUT_NS, NULL);
    bool is_good = inquiry.has_ended && inquiry.exit_status == 0;
    for (const char *name = text; is_good && *name != '\0';) {
        size_t size = strcspn(name, " \n");
        if (size > 0)
            add(list, name, size, 0);
        name += size + (name[size] != '\0');
    }
    free(text);
    return is_good && list->count > 0;
}

static int read_any(const struct run_options *options, struct host_list *list,
                    struct sheaf_error *error)
{
    if (options->hostfile != NULL)
        return read_file(options->hostfile, 0, list, error);
    const char *count = getenv("SLURM_JOB_NUM_NODES");
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    const char *pbs = getenv("PBS_NODEFILE");
    uint64_t number = 0;
    if (options->host != NULL)
        read_list(options->host, list);
    else if (count != NULL && parse_count(count, &number, NULL) == 0 && number <= UINT32_MAX)
        list->unnamed_count =
            number > 1 && nodes != NULL && ask_slurm(nodes, list) ? 0 : (uint32_t)number;
    else if (pbs != NULL)
        return read_file(pbs, 1, list, error);
    return 0;
}

/* Some names are no hosts: "+n0" is one of an allocation, "^a" is all but a. */
static void leave_to_mpirun(struct host_list *list)
{
    bool is_plain = true;
    for (size_t i = 0; i < list->count; i++)
        is_plain = is_plain && strchr("+^", list->hosts[i].name[0]) == NULL;
    if (is_plain)
        return;
    uint32_t count = (uint32_t)list->count;
    host_list_close(list);
    list->unnamed_count = count;
}

int host_list_read(const struct run_options *options, struct host_list *list,
                   struct sheaf_error *error)
{
    struct host_list read = {.hosts = NULL};
    int code = read_any(options, &read, error);
    if (code != 0) {
        host_list_close(&read);
        return code;
    }
    leave_to_mpirun(&read);
    *list = read;
    return 0;
}

uint32_t host_list_usable_count(const struct host_list *list)
{
    uint32_t count = list->unnamed_count;
    for (size_t i = 0; i < list->count; i++)
        count += !list->hosts[i].is_gone;
    return count;
}

char *host_list_format(const struct host_list *list)
{
    if (host_list_usable_count(list) == list->count + list->unnamed_count)
        return NULL;
    enum { SLOTS_BYTES = sizeof ":4294967295" };
    size_t size_bytes = 1;
    for (size_t i = 0; i < list->count; i++)
        size_bytes += strlen(list->hosts[i].name) + SLOTS_BYTES;
    char *text = memory_allocate(size_bytes);
    char *end = text;
    *end = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const struct host *host = &list->hosts[i];
        if (host->is_gone)
            continue;
        if (end > text)
            *end++ = ',';
        end = stpcpy(end, host->name);
        if (host->slots > 1)
            end += sprintf(end, ":%" PRIu32, host->slots);
    }
    return text;
}
