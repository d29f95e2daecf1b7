/* surroundings.c - takes note of what a call of the plug-in may change around it, and sets it back.
 */
#include "surroundings.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

atomic_uint surroundings_changes;

static struct {
    bool is_there;
    char *directory; /* NULL: it has no path */
    mode_t mask;
    cpu_set_t cpus;
    sigset_t blocked;
    fenv_t floating;
    struct rlimit limits[RLIMIT_NLIMITS];

    /* The environment is that of `strings`, which point into `text`; `pristine` is what both were,
     * and so costs one comparison. */
    char **strings;
    char **pristine_strings;
    size_t string_count;
    char *text;
    char *pristine_text;
    size_t text_size;
} noted;

/* ---- copies ---- */

static void become_copy(void)
{
    atomic_fetch_or_explicit(&surroundings_changes, CHANGED_PROCESS, memory_order_relaxed);
}

void surroundings_begin(void)
{
    static bool is_registered;
    if (!is_registered)
        is_registered = pthread_atfork(NULL, NULL, become_copy) == 0;
    atomic_store_explicit(&surroundings_changes, 0, memory_order_relaxed);
}

bool surroundings_are_of_a_copy(void)
{
    return (atomic_load(&surroundings_changes) & CHANGED_PROCESS) != 0;
}

/* ---- the environment ---- */

static void note_environment(void)
{
    while (environ != NULL && environ[noted.string_count] != NULL)
        noted.text_size += strlen(environ[noted.string_count++]) + 1;
    size_t strings_size = (noted.string_count + 1) * sizeof *noted.strings;
    noted.strings = memory_allocate_zeroed(noted.string_count + 1, sizeof *noted.strings);
    noted.text = memory_allocate(noted.text_size + 1);
    char *end = noted.text;
    for (size_t i = 0; i < noted.string_count; i++) {
        noted.strings[i] = end;
        end = stpcpy(end, environ[i]) + 1;
    }
    noted.pristine_strings = memory_copy(noted.strings, strings_size);
    noted.pristine_text = memory_copy(noted.text, noted.text_size);
    environ = noted.strings;
}

static void restore_environment(void)
{
    size_t strings_size = (noted.string_count + 1) * sizeof *noted.strings;
    if (environ == noted.strings &&
        memcmp(noted.strings, noted.pristine_strings, strings_size) == 0 &&
        memcmp(noted.text, noted.pristine_text, noted.text_size) == 0)
        return;
    memcpy(noted.strings, noted.pristine_strings, strings_size);
    memcpy(noted.text, noted.pristine_text, noted.text_size);
    environ = noted.strings;
}

/* ---- the rest ---- */

static void tell(const char *what)
{
    fprintf(stderr, "sheaf: a task has changed %s, which cannot be set back: %s\n", what,
            strerror(errno));
}

/* Only where it must: to set the same cores again may move the process. */
static void restore_cpus(void)
{
    cpu_set_t now;
    bool is_same = sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &noted.cpus) != 0;
    if (!is_same && sched_setaffinity(0, sizeof noted.cpus, &noted.cpus) != 0)
        tell("its cores");
}

static void restore_limits(void)
{
    for (int i = 0; i < RLIMIT_NLIMITS; i++) {
        struct rlimit now;
        if (getrlimit((__rlimit_resource_t)i, &now) != 0 ||
            now.rlim_cur == noted.limits[i].rlim_cur)
            continue;
        now.rlim_cur = noted.limits[i].rlim_cur;
        if (setrlimit((__rlimit_resource_t)i, &now) != 0)
            tell("a limit of the process");
    }
}

void surroundings_note(void)
{
    noted.directory = getcwd(NULL, 0);
    noted.mask = umask(0);
    umask(noted.mask);
    sched_getaffinity(0, sizeof noted.cpus, &noted.cpus);
    pthread_sigmask(SIG_SETMASK, NULL, &noted.blocked);
    fegetenv(&noted.floating);
    for (int i = 0; i < RLIMIT_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &noted.limits[i]);
    note_environment();
    surroundings_note_kernel();
    noted.is_there = true;
    atomic_store_explicit(&surroundings_changes, 0, memory_order_relaxed);
}

void surroundings_restore_memory(void)
{
    if (!noted.is_there)
        return;
    restore_environment();
    fesetenv(&noted.floating);
}

void surroundings_restore(void)
{
    unsigned changes = atomic_load(&surroundings_changes);
    surroundings_restore_memory();
    if (noted.directory != NULL && (changes & CHANGED_DIRECTORY) != 0 &&
        chdir(noted.directory) != 0)
        tell("the current directory");
    if (noted.is_there && (changes & CHANGED_MASK) != 0)
        umask(noted.mask);
    if (noted.is_there && (changes & CHANGED_CORES) != 0)
        restore_cpus();
    if (noted.is_there && (changes & CHANGED_SIGNALS) != 0)
        pthread_sigmask(SIG_SETMASK, &noted.blocked, NULL);
    if (noted.is_there && (changes & CHANGED_LIMITS) != 0)
        restore_limits();
    atomic_store(&surroundings_changes, 0); /* to set back was a change, too */
}

/* A folder that was removed cannot be gone back to again and again. */
static bool is_elsewhere(void)
{
    char *now = getcwd(NULL, 0);
    bool is_same = now != NULL && noted.directory != NULL && strcmp(now, noted.directory) == 0;
    free(now);
    return !is_same;
}

void surroundings_restore_all(void)
{
    unsigned changes = CHANGED_MASK | CHANGED_CORES | CHANGED_SIGNALS | CHANGED_LIMITS;
    if (is_elsewhere())
        changes |= CHANGED_DIRECTORY;
    atomic_fetch_or(&surroundings_changes, changes);
    surroundings_restore();
}
