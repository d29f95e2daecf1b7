/* hosts.c - reads which hosts a run may use, and says it as mpirun wants to hear it. */
#include "hosts.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "host_name.h"
#include "host_slots.h"
#include "inquiry.h"
#include "mpirun.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCONTROL_TIMEOUT_NS (10 * SHEAF_NS_PER_S)

enum { SCONTROL_TEXT_BYTES = 1 << 20 };

void host_list_close(struct host_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->hosts[i].name);
        free(list->hosts[i].own_name);
    }
    free(list->hosts);
    byte_writer_close(&list->file);
    *list = (struct host_list){.hosts = NULL};
}

/* The name's characters need not end with NUL. A name that comes again adds to its slots. */
static void add(struct host_list *list, const char *name, size_t size, const struct host *said)
{
    for (size_t i = 0; i < list->count; i++) {
        struct host *host = &list->hosts[i];
        if (strncmp(host->name, name, size) == 0 && host->name[size] == '\0') {
            host->slots += said->slots;
            host->has_slots |= said->has_slots;
            return;
        }
    }
    void *hosts = list->hosts;
    memory_grow(&hosts, &list->capacity, list->count + 1, sizeof *list->hosts);
    list->hosts = hosts;
    struct host *host = &list->hosts[list->count++];
    *host = *said;
    host->name = memory_allocate(size + 1);
    memcpy(host->name, name, size);
    host->name[size] = '\0';
}

/* The first problem, with its place. NULL is none. */
static int refuse_if(const char *problem, const char *other_problem, const struct host_place *place,
                     struct sheaf_error *error)
{
    if (problem == NULL)
        problem = other_problem;
    if (problem == NULL)
        return 0;
    char line[32] = "";
    if (place->line > 0)
        snprintf(line, sizeof line, ":%zu", place->line);
    return sheaf_error_set(error, SHEAF_ERROR_INPUT, "%.400s%s: %s", place->source, line, problem);
}

/* "+n0" is a host of an allocation, "^a" all but a: there must be one, of a batch system. */
static const char *find_problem_of_name(char first)
{
    bool is_relative = first == '+' || first == '^';
    if (!is_relative || getenv("SLURM_JOB_ID") != NULL || getenv("PBS_NODEFILE") != NULL)
        return NULL;
    return "names that begin with + or ^ choose from the hosts of a batch job, and this is none: "
           "name the hosts themselves";
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
        size_t rest = size - name_size;
        const char *number = text + name_size + 1;
        /* An address of version 6 has more colons. */
        bool has_slots = rest > 0 && memchr(number, ':', rest - 1) == NULL;
        struct host host = {.slots = 1, .has_slots = has_slots};
        const char *problem =
            has_slots ? host_slots_read_number(number, rest - 1, &host.slots) : NULL;
        if (size > 0)
            code = host_name_check(text, name_size, &place, error);
        if (code == 0)
            code = host_name_check_rest(text + name_size, rest, &place, error);
        if (code == 0 && size > 0)
            code = refuse_if(find_problem_of_name(*text), problem, &place, error);
        if (code == 0 && size > 0)
            add(list, text, name_size, &host);
        list->is_to_be_dealt |= has_slots;
        text += size + (text[size] == ',');
    }
    return code;
}

/* A hostfile that is read. */
struct reading {
    struct host_list *list;
    uint32_t slots; /* of a line that says none */
    bool has_more;  /* than names and slots */
};

/* `line` without its end; it may hold NUL, which mpirun takes for no end. */
static int read_line(char *line, size_t size, const struct host_place *place,
                     struct reading *reading, struct sheaf_error *error)
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
    struct host host = {.slots = 0};
    line[end] = '\0';
    code = refuse_if(find_problem_of_name(line[begin]),
                     host_slots_read(line + rest, &host.slots, &reading->has_more), place, error);
    if (code != 0)
        return code;
    host.has_slots = host.slots > 0;
    host.slots = host.has_slots ? host.slots : reading->slots;
    add(reading->list, line + begin, rest - begin, &host);
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
    struct reading reading = {.list = list, .slots = slots};
    char *line = NULL;
    size_t capacity = 0;
    int code = 0;
    for (ssize_t size; code == 0 && (size = getline(&line, &capacity, file)) >= 0;) {
        byte_writer_put(&list->file, line, (size_t)size);
        list->is_to_be_dealt |= size > 1 && line[size - 2] == '\r';
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            line[--size] = '\0';
        place.line++;
        code = read_line(line, (size_t)size, &place, &reading, error);
    }
    free(line);
    fclose(file);
    if (code == 0 && list->count == 0)
        code = sheaf_error_set(error, SHEAF_ERROR_INPUT, "the hostfile %s names no host", path);
    list->is_to_be_dealt |= !reading.has_more && host_slots_are_said(list);
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
            add(list, name, size, &(struct host){.slots = 0});
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

/* Without the domain, unless it is an address. */
static size_t short_size(const char *name, size_t size)
{
    bool has_letter = false;
    for (size_t i = 0; i < size; i++)
        has_letter |= isalpha((unsigned char)name[i]) != 0;
    const char *dot = memchr(name, '.', size);
    return has_letter && dot != NULL ? (size_t)(dot - name) : size;
}

bool host_names_are_same(const char *name, size_t size, const char *own)
{
    size_t own_size = strlen(own);
    if (memchr(name, '.', size) == NULL || strchr(own, '.') == NULL) {
        size = short_size(name, size);
        own_size = short_size(own, own_size);
    }
    return size == own_size && memcmp(name, own, size) == 0;
}

bool host_is_called(const struct host *host, const char *own)
{
    if (host->own_name != NULL && host->own_name[0] != '\0')
        return host_names_are_same(host->own_name, strlen(host->own_name), own);
    return host_names_are_same(host->name, strlen(host->name), own);
}

bool host_list_has_answered(const struct host_list *list)
{
    bool has_answered = false;
    for (size_t i = 0; i < list->count; i++)
        has_answered |= list->hosts[i].has_answered;
    return has_answered;
}

uint32_t host_list_usable_count(const struct host_list *list)
{
    uint32_t count = list->unnamed_count;
    for (size_t i = 0; i < list->count; i++)
        count += !list->hosts[i].is_gone;
    return count;
}

char *host_list_format(const struct host_list *list, bool is_dealt)
{
    bool are_all = host_list_usable_count(list) == list->count + list->unnamed_count;
    is_dealt = is_dealt && (list->is_to_be_dealt || (!are_all && host_slots_are_said(list)));
    if (are_all && !is_dealt)
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
        uint32_t slots = is_dealt ? host->ranks : host->slots;
        if (host->is_gone || (is_dealt && slots == 0))
            continue;
        if (end > text)
            *end++ = ',';
        end = stpcpy(end, host->name);
        if (slots > 1)
            end += sprintf(end, ":%" PRIu32, slots);
    }
    return text;
}
