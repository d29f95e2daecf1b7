/* process_children.c - looks through /proc for the children of this process. */
#include "process_children.h"

#include "process_files.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

pid_t process_parent(pid_t process)
{
    struct process_stat stat;
    return process_stat_read(process, &stat) ? stat.parent : 0;
}

char process_state(pid_t process)
{
    struct process_stat stat;
    return process_stat_read(process, &stat) ? stat.state : '\0';
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
