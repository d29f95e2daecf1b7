/* process_children.h - finds the children of this process, adopted ones too. */
#ifndef SHEAF_PROCESS_CHILDREN_H
#define SHEAF_PROCESS_CHILDREN_H

#include <sys/types.h>

/* Calls `found` for each child of this process. */
void process_children_find(void (*found)(void *context, pid_t child), void *context);
/* Calls `found` for each process that this one can see, but those without a parent. */
void process_find_all(void (*found)(void *context, pid_t process, pid_t parent), void *context);
/* The parent of a process; 0 when it has gone. */
pid_t process_parent(pid_t process);
/* As ps(1) names it: 'R', 'S', 'D', 'T', 'Z'; NUL when it has gone. */
char process_state(pid_t process);

#endif
