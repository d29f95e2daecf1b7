/* task_mark.h - what tells the processes of a run's tasks from all others: a variable in their
 * environment.
 *
 * SHEAF_RUN_<run>=<owner>: the run is a number that comes from the path of the run directory, so
 * that it survives --fresh and every restart, and a run within a task of another has a mark besides
 * that one's; the owner, in numbers with '-' in between, is who answers for the process. /proc
 * shows a process's environment as it was when its program was started, whatever became of it
 * since; so a copy that was only forked is marked as its parent is, and a spawner writes its own
 * mark over a variable that it was started with. */
#ifndef SHEAF_TASK_MARK_H
#define SHEAF_TASK_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    TASK_MARK_NAME_BYTES = sizeof "SHEAF_RUN_0123456789abcdef",
    TASK_MARK_NUMBERS = 7,
    TASK_MARK_VALUE_BYTES = TASK_MARK_NUMBERS * (int)sizeof "0123456789abcdef",
};

/* Numbers of namespaces and of the directory are 0 where they are not known. */
struct task_owner {
    uint64_t world;             /* a random number of the master's start */
    uint64_t process_namespace; /* in which process numbers mean something */
    uint64_t mount_namespace;   /* in which paths do */
    uint64_t directory;         /* the run directory itself, where it can be seen */
    uint64_t rank_start_ticks;  /* of a host two worlds start one after the other */
    uint64_t spawner;           /* its process */
    uint64_t spawner_start_ticks;
};

struct task_mark {
    char name[TASK_MARK_NAME_BYTES];
    char value[TASK_MARK_VALUE_BYTES];
    struct task_owner owner;
    /* The run was started from within a task of its own: of that task's processes we are one. */
    char inherited[TASK_MARK_VALUE_BYTES];
};

/* In a program that has only just begun: makes room for a mark in its environment. True when the
 * program has to be executed again, as it is, for that to be where others can see it. */
bool task_mark_reserve(void);
/* Of this process, which is the spawner of the rank with `rank_process`. */
void task_mark_make(struct task_mark *mark, const char *run_dir, uint64_t world,
                    pid_t rank_process);
/* Marks this process and all that it starts from now on. */
void task_mark_set(const struct task_mark *mark);
/* The value of a mark. */
void task_mark_write_owner(const struct task_owner *owner, char value[TASK_MARK_VALUE_BYTES]);
/* Understands a value. False when it is none. */
bool task_mark_read_owner(const char *value, struct task_owner *owner);
/* Whether two owners on one host, of runs of one path, are of one run: a path may mean several
 * directories, as /tmp does where each job of Slurm has its own. */
bool task_mark_is_of_one_run(const struct task_owner *a, const struct task_owner *b);

#endif
