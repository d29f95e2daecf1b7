/* process_children.c - looks through /proc for the children of this process. */
#include "process_children.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From /proc/PID/stat: "PID (name) state PPID ...". False when the process has gone. */
static bool read_stat(pid_t process, char *state, int *parent)
{
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)process);
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    ssize_t size = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name may hold anything */
    return name_end != NULL && sscanf(name_end + 1, " %c %d", state, parent) == 2;
}

pid_t process_parent(pid_t process)
{
    char state;
    int parent;
    return read_stat(process, &state, &parent) ? parent : 0;
}

char process_state(pid_t process)
{
    char state;
    int parent;
    return read_stat(process, &state, &parent) ? state : '\0';
}

void process_find_all(void (*found)(void *context, pid_t process, pid_t parent), void *context)
{
    DIR *processes = opendir("/proc");
    if (processes == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(processes)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t process = (pid_t)strtol(entry->d_name, NULL, 10);
        pid_t parent = process_parent(process);
        if (parent > 0)
            found(context, process, parent);
    }
    closedir(processes);
}

struct child_search {
    void (*found)(void *context, pid_t child);
    void *context;
};

static void find_child(void *context, pid_t process, pid_t parent)
{
    const struct child_search *search = context;
    if (parent == getpid())
        search->found(search->context, process);
}

void process_children_find(void (*found)(void *context, pid_t child), void *context)
{
    struct child_search search = {found, context};
    process_find_all(find_child, &search);
}
