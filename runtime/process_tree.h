/* process_tree.h - a child process with all that it starts, however deep and in whatever group.
 *
 * Open MPI gives each rank a process group of its own, so signalling mpirun's group does not reach
 * them. The caller becomes a subreaper (prctl(2)): what loses its parent becomes the caller's
 * child, and is found and ended here. At most one tree at a time, and no other children made
 * meanwhile; children from before, which a process may have when it executes sheaf, are left alone.
 */
#ifndef SHEAF_PROCESS_TREE_H
#define SHEAF_PROCESS_TREE_H

#include "../scheduler/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_TREE_STRANGERS_MAX = 64 };

struct process_tree {
    pid_t leader;
    bool has_leader_ended;
    int leader_status; /* as from waitpid, once it has ended */
    size_t child_count;
    size_t stranger_count;
    pid_t strangers[PROCESS_TREE_STRANGERS_MAX]; /* children from before */
};

/* Where the leader's output goes; its input is empty. */
struct process_streams {
    int out;
    int error;
    void (*begin)(void *context); /* called in the leader before it executes the program; or NULL */
    void *context;
};

/* Starts arguments[0] (found in $PATH) in a session of its own, with default signals; it gets
 * SIGTERM when this process dies. PROCESS when it cannot be executed. */
int process_tree_start(struct process_tree *tree, char *const *arguments,
                       const struct process_streams *streams, struct sheaf_error *error);
/* Signals the leader's group, if the leader is still there. */
void process_tree_signal(const struct process_tree *tree, int signal_number);
/* Whether `process` is the leader or was started by it. */
bool process_tree_contains(const struct process_tree *tree, pid_t process);
/* Collects what has ended. True when nothing of the tree is left. Never waits. */
bool process_tree_reap(struct process_tree *tree);
/* Ends everything with SIGKILL and collects it. Guards (task_guard.h) have a moment to do what they
 * are for. False when something is left after `patience_ms`
 * (a process that hangs in the kernel). */
bool process_tree_kill(struct process_tree *tree, uint32_t patience_ms);

#endif
