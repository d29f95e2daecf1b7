/* hosts.c - reads which hosts a run may use, and says it as mpirun wants to hear it. */
#include "hosts.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "host_name.h"
#include "inquiry.h"
#include "mpirun.h"

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
static int read_list(const char *text, const char *source, struct host_list *list,
                     struct sheaf_error *error)
{
    struct host_place place = {.source = source};
    int code = 0;
    while (code == 0 && *text != '\0') {
        size_t size = strcspn(text, ",");
        size_t name_size = strcspn(text, ",:");
        bool has_slots = text[name_size] == ':';
        if (size > 0)
            code = host_name_check(text, name_size, &place, error);
        if (code == 0)
            code = host_name_check_rest(text + name_size, size - name_size, &place, error);
        if (code == 0 && size > 0)
            add(list, text, name_size, has_slots ? read_slots(text + name_size + 1) : 1);
        text += size + (text[size] == ',');
    }
    return code;
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

/* `line` without its end; it may hold NUL, which mpirun takes for no end. */
static int read_line(const char *line, size_t size, const struct host_place *place,
                     struct host_list *list, uint32_t slots, struct sheaf_error *error)
{
    const char *comment = memchr(line, '#', size);
    size_t end = comment != NULL ? (size_t)(comment - line) : size;
    size_t begin = 0;
    while (begin < end && (line[begin] == ' ' || line[begin] == '\t'))
        begin++;
    size_t rest = begin;
    while (rest < end && line[rest] != ' ' && line[rest] != '\t')
        rest++;
    if (rest == begin)
        return 0;
    int code = host_name_check(line + begin, rest - begin, place, error);
    if (code == 0)
        code = host_name_check_rest(line + rest, end - rest, place, error);
    if (code != 0)
        return code;
    uint32_t own_slots = find_slots(line + begin);
    add(list, line + begin, rest - begin, own_slots > 0 ? own_slots : slots);
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
    struct host_place place = {.source = path};
    char *line = NULL;
    size_t capacity = 0;
    int code = 0;
    for (ssize_t size; code == 0 && (size = getline(&line, &capacity, file)) >= 0;) {
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            line[--size] = '\0';
        place.line++;
        code = read_line(line, (size_t)size, &place, list, slots, error);
    }
    free(line);
    fclose(file);
    if (code == 0 && list->count == 0)
        code = sheaf_error_set(error, SHEAF_ERROR_INPUT, "the hostfile %s names no host", path);
    return code;
}

/* Only Slurm can take its own lists apart ("n[1-4,7]"). The list stays empty when it does not. */
static int ask_slurm(const char *nodes, struct host_list *list, struct sheaf_error *error)
{
    static const char source[] = "SLURM_JOB_NODELIST";
    struct host_place place = {.source = source};
    int code = host_name_check_rest(nodes, strlen(nodes), &place, error);
    if (code == 0)
        code = host_name_check(nodes, strcspn(nodes, ","), &place, error);
    if (code != 0)
        return code;
    const char *words[] = {"scontrol", "show", "hostnames", nodes, NULL};
    char *text = memory_allocate(SCONTROL_TEXT_BYTES);
    struct inquiry inquiry = {
        .words = words, .stream = STDOUT_FILENO, .text = text, .text_bytes = SCONTROL_TEXT_BYTES};
    inquiries_run(&inquiry, 1, SCONTROL_TIMEOUT_NS, NULL);
    bool is_good = inquiry.has_ended && inquiry.exit_status == 0;
    for (const char *name = text; code == 0 && is_good && *name != '\0';) {
        size_t size = strcspn(name, " \n");
        if (size > 0)
            code = host_name_check(name, size, &place, error);
        if (code == 0 && size > 0)
            add(list, name, size, 0);
        name += size + (name[size] != '\0');
    }
    free(text);
    return code;
}

/* The hosts of a Slurm job. Their number is enough where they cannot be named. */
static int read_slurm(uint32_t count, struct host_list *list, struct sheaf_error *error)
{
    const char *nodes = getenv("SLURM_JOB_NODELIST");
    int code = count > 1 && nodes != NULL ? ask_slurm(nodes, list, error) : 0;
    list->unnamed_count = code == 0 && list->count == 0 ? count : 0;
    return code;
}

static int read_any(const struct run_options *options, struct host_list *list,
                    struct sheaf_error *error)
{
    if (options->hostfile != NULL)
        return read_file(options->hostfile, 0, list, error);
    if (options->host != NULL)
        return read_list(options->host, "--host", list, error);
    const char *count = getenv("SLURM_JOB_NUM_NODES");
    const char *pbs = getenv("PBS_NODEFILE");
    uint64_t number = 0;
    if (count != NULL && parse_count(count, &number, NULL) == 0 && number <= UINT32_MAX)
        return read_slurm((uint32_t)number, list, error);
    return pbs != NULL ? read_file(pbs, 1, list, error) : 0;
}

/* Where mpirun itself is told of hosts: its words by --mpi-option, and its parameters. */
static int check_for_mpirun(const struct run_options *options, struct sheaf_error *error)
{
    static const char *const lists[] = {"-H", "-host", "--host"};
    static const char *const files[] = {"-hostfile",
                                        "--hostfile",
                                        "-machinefile",
                                        "--machinefile",
                                        "-default-hostfile",
                                        "--default-hostfile",
                                        "orte_default_hostfile",
                                        "prte_default_hostfile"};
    struct host_list ignored = {.hosts = NULL};
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof lists / sizeof *lists; i++) {
        const char *value = mpirun_find_parameter(options, lists[i]);
        code = value != NULL ? read_list(value, lists[i], &ignored, error) : 0;
    }
    for (size_t i = 0; code == 0 && i < sizeof files / sizeof *files; i++) {
        const char *value = mpirun_find_parameter(options, files[i]);
        code = value != NULL && access(value, R_OK) == 0 ? read_file(value, 1, &ignored, error) : 0;
    }
    host_list_close(&ignored);
    return code;
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
    if (code == 0)
        code = check_for_mpirun(options, error);
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
