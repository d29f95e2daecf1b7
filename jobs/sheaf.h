/* sheaf.h - the interface of Sheaf plug-ins: write a job's tasks in C or C++.
 *
 * A plug-in is a shared object that exports one table of functions. Only `run` must be there:
 *
 *     #include <sheaf.h>
 *
 *     static int run(struct sheaf_context *context, const struct sheaf_task *task)
 *     {
 *         double square = (double)task->index * (double)task->index;
 *         return sheaf_emit(context, &square, sizeof square);
 *     }
 *
 *     SHEAF_PLUGIN(.run = run)
 *
 * Build it with `cc -shared -fPIC -o square.so square.c` and run it with
 * `sheaf run square.so --tasks 1000`.
 *
 * Every function returns 0 for success; anything else fails the task (or the split, merge, ...),
 * with the text given to sheaf_fail. User code runs in executors, processes of its own: a crash, a
 * time limit or a memory limit costs that attempt and nothing else. Each executor runs one task at
 * a time, in one thread, pinned to the cores of its slot. What a call changes through the C library
 * (current directory, umask, cores, blocked signals, soft limits, rounding, environment) is set
 * back when it returns, to what it was after open. A forked copy must not return: it ends by _exit.
 *
 * Words of ownership: *borrows* - the pointer is valid for the call only; *keeps* - the pointer
 * must stay valid until the process ends. */
#ifndef SHEAF_H
#define SHEAF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when this header changes in a way that old plug-ins cannot meet. */
#define SHEAF_INTERFACE_VERSION 1

/* Handed to every call; made and owned by Sheaf. */
struct sheaf_context;

/* Borrowed for the call; aligned to 16 bytes; data may be NULL only when size is 0. */
struct sheaf_bytes {
    const void *data;
    size_t size;
};

/* One task. Borrowed for the call. */
struct sheaf_task {
    uint64_t index;           /* 0 .. tasks - 1 */
    uint32_t attempt;         /* 1 for the first */
    struct sheaf_bytes input; /* what split gave the task; empty for split `range` */
};

struct sheaf_plugin {
    uint32_t interface_version; /* SHEAF_INTERFACE_VERSION */
    uint32_t size_bytes;        /* sizeof(struct sheaf_plugin) */

    /* Once in each worker, before its executors are forked: load what is large and read-only and
     * keep it in *shared; all executors of the worker see it without a copy. Start no threads. */
    int (*prepare)(struct sheaf_context *context, void **shared);

    /* Once in each executor: state of its own in *local. close frees it. */
    int (*open)(struct sheaf_context *context, void **local);
    void (*close)(struct sheaf_context *context, void *local);

    /* Once, in one executor: name the tasks by sheaf_add_task or sheaf_add_tasks. It may be called
     * again from the start if its executor is lost. Only used when the job says `split: plugin`. */
    int (*split)(struct sheaf_context *context);

    /* One task: its result is what it gives to sheaf_emit. */
    int (*run)(struct sheaf_context *context, const struct sheaf_task *task);

    /* Joins the results of two neighbours of the canonical tree, left before right, by
     * sheaf_emit. The order of merging is the same in every run, so floating-point sums are too.
     * Without merge, results are collected in the order of their tasks. */
    int (*merge)(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right);

    /* Once, in one executor: turns the merged (or collected) result into the job's output, by
     * sheaf_emit. Without it the output is the result itself. */
    int (*finish)(struct sheaf_context *context, struct sheaf_bytes result);
};

/* Defines the table that Sheaf looks up, from designated initializers of the functions above, in
 * their order. (Compilers of C++ would warn of these, and of functions that are left out.) */
#ifdef __cplusplus
#define SHEAF_EXPORT extern "C" __attribute__((visibility("default")))
#define SHEAF_TABLE                                                                                \
    _Pragma("GCC diagnostic push")                                                                 \
        _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") __extension__
#define SHEAF_TABLE_END _Pragma("GCC diagnostic pop")
#else
#define SHEAF_EXPORT extern __attribute__((visibility("default")))
#define SHEAF_TABLE
#define SHEAF_TABLE_END
#endif
#define SHEAF_PLUGIN(...)                                                                          \
    SHEAF_EXPORT const struct sheaf_plugin sheaf_plugin;                                           \
    SHEAF_TABLE const struct sheaf_plugin sheaf_plugin = {                                         \
        .interface_version = SHEAF_INTERFACE_VERSION,                                              \
        .size_bytes = sizeof(struct sheaf_plugin),                                                 \
        __VA_ARGS__};                                                                              \
    SHEAF_TABLE_END

/* Appends bytes to the result of the current run, merge or finish. Borrows data. Returns 0, or a
 * failure to return at once (the result is larger than the documented limit). */
int sheaf_emit(struct sheaf_context *context, const void *data, size_t size);

/* Likewise, formatted like printf. */
int sheaf_emit_text(struct sheaf_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* In split: one more task with these input bytes, or `count` more without input. Borrows data. */
int sheaf_add_task(struct sheaf_context *context, const void *data, size_t size);
int sheaf_add_tasks(struct sheaf_context *context, uint64_t count);

/* Says why, like printf, and returns a value to return: `return sheaf_fail(context, "...")`. */
int sheaf_fail(struct sheaf_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Likewise, for what another attempt would meet, too, such as an input that makes no sense: the
 * task has failed for good, after this one attempt. A split, merge or finish that fails so fails
 * the job. */
int sheaf_fail_for_good(struct sheaf_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* 1 once the run is to stop (by Ctrl-C, SIGTERM or its time limit): the executor is killed when
 * --grace is over. It costs a few nanoseconds, so a long task can ask often. A task that returns 0
 * is done. One that returns anything else is left undone, for the run that continues, and has used
 * up no attempt, unless it called sheaf_fail_for_good. */
int sheaf_is_stopping(const struct sheaf_context *context);

/* What prepare left in *shared, and open in *local. */
void *sheaf_shared(const struct sheaf_context *context);
void *sheaf_local(const struct sheaf_context *context);

/* Parameters of the job by name. A parameter that the job does not have, or that has another type,
 * fails the attempt with a clear text (the call does not return): look them up in open or in run.
 * The string is kept. */
int64_t sheaf_parameter_integer(struct sheaf_context *context, const char *name);
double sheaf_parameter_real(struct sheaf_context *context, const char *name);
const char *sheaf_parameter_string(struct sheaf_context *context, const char *name);
int sheaf_parameter_boolean(struct sheaf_context *context, const char *name);
/* 1 when the job has the parameter, 0 otherwise. */
int sheaf_parameter_exists(struct sheaf_context *context, const char *name);

/* Number of tasks of the job (0 in prepare and split), and the slot's number of cores. */
uint64_t sheaf_task_count(const struct sheaf_context *context);
uint32_t sheaf_core_count(const struct sheaf_context *context);

#ifdef __cplusplus
}
#endif

#endif
