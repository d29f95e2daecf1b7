/* surroundings_watch.c - stands before those functions of the C library by which a plug-in changes
 * what the tasks after it find.
 *
 * The program's own symbols come before those of all libraries that it loads (runtime/sheaf.symbols
 * lists them), so a plug-in and its libraries call these. Each takes note and hands on. */
#include "surroundings.h"

#include <dlfcn.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A sanitizer calls some of these before it can look at anything. */
#define UNCHECKED __attribute__((no_sanitize_address, no_sanitize("undefined")))

/* The function that ours hides. */
UNCHECKED static void *get_hidden(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) {
        fprintf(stderr, "sheaf: %s is nowhere to be found: %s\n", name, dlerror());
        abort();
    }
    return function;
}

UNCHECKED static void note(unsigned change)
{
    if ((atomic_load_explicit(&surroundings_changes, memory_order_relaxed) & change) == 0)
        atomic_fetch_or_explicit(&surroundings_changes, change, memory_order_relaxed);
}

#define WATCH(change, type, name, parameters, arguments)                                           \
    UNCHECKED type name parameters                                                                 \
    {                                                                                              \
        static type(*hidden) parameters;                                                           \
        if (hidden == NULL)                                                                        \
            *(void **)&hidden = get_hidden(#name);                                                 \
        note(CHANGED_##change);                                                                    \
        return hidden arguments;                                                                   \
    }

WATCH(DIRECTORY, int, chdir, (const char *path), (path))
WATCH(DIRECTORY, int, fchdir, (int directory), (directory))
WATCH(MASK, mode_t, umask, (mode_t mask), (mask))
WATCH(ENVIRONMENT, int, setenv, (const char *name, const char *value, int replaces),
      (name, value, replaces))
WATCH(ENVIRONMENT, int, unsetenv, (const char *name), (name))
WATCH(ENVIRONMENT, int, putenv, (char *string), (string))
WATCH(ENVIRONMENT, int, clearenv, (void), ())
WATCH(CORES, int, sched_setaffinity, (pid_t process, size_t size, const cpu_set_t *cpus),
      (process, size, cpus))
WATCH(CORES, int, pthread_setaffinity_np, (pthread_t thread, size_t size, const cpu_set_t *cpus),
      (thread, size, cpus))
WATCH(SIGNALS, int, sigprocmask, (int how, const sigset_t *restrict set, sigset_t *restrict before),
      (how, set, before))
WATCH(SIGNALS, int, pthread_sigmask,
      (int how, const sigset_t *restrict set, sigset_t *restrict before), (how, set, before))
WATCH(LIMITS, int, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit),
      (resource, limit))
WATCH(LIMITS, int, setrlimit64, (__rlimit_resource_t resource, const struct rlimit64 *limit),
      (resource, limit))
WATCH(LIMITS, int, prlimit,
      (pid_t process, enum __rlimit_resource resource, const struct rlimit *limit,
       struct rlimit *before),
      (process, resource, limit, before))
WATCH(LIMITS, int, prlimit64,
      (pid_t process, enum __rlimit_resource resource, const struct rlimit64 *limit,
       struct rlimit64 *before),
      (process, resource, limit, before))
WATCH(FLOATING, int, fesetround, (int direction), (direction))
WATCH(FLOATING, int, fesetenv, (const fenv_t *environment), (environment))
WATCH(FLOATING, int, feupdateenv, (const fenv_t *environment), (environment))
WATCH(FLOATING, int, feenableexcept, (int exceptions), (exceptions))
WATCH(FLOATING, int, fedisableexcept, (int exceptions), (exceptions))
