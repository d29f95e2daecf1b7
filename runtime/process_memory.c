/* process_memory.c - reads /proc and the control group's limit. */
#include "process_memory.h"

#include "../scheduler/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, MEMORY_PERCENT_DEFAULT = 90, DESCENDANTS_MAX = 4096 };

int process_memory_open(pid_t pid)
{
    char path[64];
    if (pid == 0)
        return open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

uint64_t process_memory_resident(int descriptor)
{
    char text[256];
    ssize_t length = pread(descriptor, text, sizeof text - 1, 0);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    uint64_t resident_pages; /* statm: size, resident, shared, ... in pages */
    if (sscanf(text, "%*u %" SCNu64, &resident_pages) != 1)
        return 0;
    return resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- what a process has started ---- */

struct descendants {
    pid_t *processes;
    pid_t *parents;
    size_t count;
};

/* The children of one thread: /proc/PID/task/TID/children, a list of numbers. */
static void add_children_of_thread(struct descendants *found, pid_t process, const char *thread)
{
    char path[64 + NAME_MAX];
    snprintf(path, sizeof path, "/proc/%ld/task/%s/children", (long)process, thread);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    int child;
    while (found->count < DESCENDANTS_MAX && fscanf(file, "%d", &child) == 1) {
        found->parents[found->count] = process;
        found->processes[found->count++] = child;
    }
    fclose(file);
}

static void add_children(struct descendants *found, pid_t process)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)process);
    DIR *threads = opendir(path);
    if (threads == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(threads)) != NULL;)
        if (entry->d_name[0] != '.')
            add_children_of_thread(found, process, entry->d_name);
    closedir(threads);
}

enum { STATM_BYTES = 256 };

static void read_statm(pid_t process, char text[STATM_BYTES])
{
    int descriptor = process_memory_open(process);
    ssize_t length = descriptor >= 0 ? pread(descriptor, text, STATM_BYTES - 1, 0) : 0;
    if (descriptor >= 0)
        close(descriptor);
    text[length > 0 ? length : 0] = '\0';
}

static uint64_t own_bytes(pid_t process)
{
    char text[STATM_BYTES];
    uint64_t resident_pages;
    uint64_t shared_pages;
    read_statm(process, text);
    if (sscanf(text, "%*u %" SCNu64 " %" SCNu64, &resident_pages, &shared_pages) != 2 ||
        shared_pages > resident_pages)
        return 0;
    return (resident_pages - shared_pages) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Without what a fork shares with its parent until one of them writes to it. It costs more. */
static uint64_t private_bytes(pid_t process)
{
    char path[64];
    char line[STATM_BYTES];
    uint64_t sum_kib = 0;
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)process);
    FILE *file = fopen(path, "re");
    if (file == NULL) /* a kernel before 4.14 */
        return own_bytes(process);
    while (fgets(line, sizeof line, file) != NULL) {
        uint64_t kib;
        if (sscanf(line, "Private_Clean: %" SCNu64, &kib) == 1 ||
            sscanf(line, "Private_Dirty: %" SCNu64, &kib) == 1)
            sum_kib += kib;
    }
    fclose(file);
    return sum_kib * 1024;
}

/* Between vfork and exec a child has the memory of its parent, not as much again. */
static bool is_within_parent(pid_t process, pid_t parent)
{
    char own[STATM_BYTES];
    char parents[STATM_BYTES];
    read_statm(process, own);
    read_statm(parent, parents);
    return strcmp(own, parents) == 0;
}

static uint64_t sum_of_descendants(pid_t process, uint64_t (*measure)(pid_t process))
{
    struct descendants found = {
        .processes = memory_allocate_zeroed(DESCENDANTS_MAX, sizeof *found.processes),
        .parents = memory_allocate_zeroed(DESCENDANTS_MAX, sizeof *found.parents)};
    uint64_t bytes = 0;
    add_children(&found, process);
    for (size_t i = 0; i < found.count; i++) {
        if (!is_within_parent(found.processes[i], found.parents[i]))
            bytes += measure(found.processes[i]);
        add_children(&found, found.processes[i]);
    }
    free(found.processes);
    free(found.parents);
    return bytes;
}

uint64_t process_memory_of_descendants(pid_t process)
{
    return sum_of_descendants(process, own_bytes);
}

bool process_memory_is_exceeded_by_descendants(pid_t process, uint64_t bytes)
{
    return sum_of_descendants(process, own_bytes) > bytes &&
           sum_of_descendants(process, private_bytes) > bytes;
}

/* ---- limits ---- */

uint64_t process_memory_limit(uint64_t wanted_bytes)
{
    return wanted_bytes > 0 ? wanted_bytes : node_memory_bytes() / 100 * MEMORY_PERCENT_DEFAULT;
}

uint64_t process_limit_read(const char *path)
{
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return limit;
    if (fscanf(file, "%" SCNu64, &limit) != 1)
        limit = UINT64_MAX;
    fclose(file);
    return limit;
}

/* The smallest limit of `group` and its ancestors under `root`. Cuts `group`. */
static uint64_t smallest_limit(const char *root, const char *file_name, char *group)
{
    uint64_t smallest = UINT64_MAX;
    for (;;) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s%s/%s", root, group, file_name);
        uint64_t limit = process_limit_read(path);
        if (limit < smallest)
            smallest = limit;
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return smallest;
        *slash = '\0';
    }
}

/* Lines of /proc/self/cgroup: "0::/path" (version 2), "4:memory:/path" (version 1). */
static uint64_t control_group_limit(void)
{
    uint64_t smallest = UINT64_MAX;
    char line[PATH_BYTES / 2];
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return smallest;
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *memory = strstr(line, ":memory:");
        uint64_t limit = UINT64_MAX;
        if (strncmp(line, "0::", 3) == 0)
            limit = smallest_limit("/sys/fs/cgroup", "memory.max", line + 3);
        else if (memory != NULL)
            limit = smallest_limit("/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                   memory + strlen(":memory:"));
        if (limit < smallest)
            smallest = limit;
    }
    fclose(file);
    return smallest;
}

uint64_t node_memory_bytes(void)
{
    uint64_t node = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = control_group_limit();
    return limit < node ? limit : node;
}
