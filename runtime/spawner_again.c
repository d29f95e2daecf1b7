/* spawner_again.c - a spawner made after MPI has started, by executing the program again. */
#include "spawner_again.h"

#include "../scheduler/memory.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Numbers: socket, wake, shared, the rank's process. */
#define VARIABLE "SHEAF_SPAWNER_AGAIN"

enum {
    VARIABLE_BYTES = 96,
    EXIT_SETUP_FAILED = 127,
};

char **spawner_again_copy_environment(void)
{
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **copy = memory_allocate((count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = memory_copy_string(environ[i]);
    copy[count] = NULL;
    return copy;
}

void spawner_again_free_environment(char **environment)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++)
        free(environment[i]);
    free(environment);
}

/* This process's own command line. */
struct words {
    char **words; /* owned, each; ended by NULL */
    size_t count;
    size_t capacity;
};

static void add_word(struct words *words, char *word)
{
    void *grown = words->words;
    memory_grow(&grown, &words->capacity, words->count + 1, sizeof *words->words);
    words->words = grown;
    words->words[words->count++] = word;
}

static void read_command_line(struct words *words)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    char *word = NULL;
    size_t capacity = 0;
    while (file != NULL && getdelim(&word, &capacity, '\0', file) >= 0)
        add_word(words, memory_copy_string(word));
    free(word);
    if (file != NULL)
        fclose(file);
    if (words->count == 0)
        add_word(words, memory_copy_string("sheaf"));
    add_word(words, NULL);
}

static void close_words(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->words[i]);
    free(words->words);
}

/* The copy of the environment with one more; the strings are borrowed. */
static char **add_variable(char *const *environment, char *variable)
{
    size_t count = 0;
    while (environment[count] != NULL)
        count++;
    char **extended = memory_allocate((count + 2) * sizeof *extended);
    extended[0] = variable;
    memcpy(extended + 1, environment, (count + 1) * sizeof *extended);
    return extended;
}

static int execute(const struct spawner_again *again, char *const *words, char *const *environment,
                   pid_t *process)
{
    sigset_t none;
    sigset_t all;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    /* Onto itself: then it is not closed. */
    posix_spawn_file_actions_adddup2(&actions, again->socket, again->socket);
    posix_spawn_file_actions_adddup2(&actions, again->wake, again->wake);
    posix_spawn_file_actions_adddup2(&actions, again->shared, again->shared);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    char *program = realpath("/proc/self/exe", NULL);
    int failure = posix_spawn(process, program != NULL ? program : "/proc/self/exe", &actions,
                              &attributes, words, environment);
    free(program);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

int spawner_again_start(const struct spawner_again *again, struct sheaf_error *error)
{
    struct words words = {0};
    char variable[VARIABLE_BYTES];
    read_command_line(&words);
    snprintf(variable, sizeof variable, VARIABLE "=%d %d %d %ld", again->socket, again->wake,
             again->shared, (long)getpid());
    char **environment = add_variable(again->environment, variable);
    pid_t process = 0;
    int failure = execute(again, words.words, environment, &process);
    free(environment);
    close_words(&words);
    if (failure != 0)
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "cannot start another spawner: %s: look at `ulimit -u`",
                               strerror(failure));
    return process;
}

void spawner_again_enter(void)
{
    struct spawner_main_options options = {0};
    const char *numbers = getenv(VARIABLE);
    int shared;
    long rank;
    if (numbers == NULL)
        return;
    int found = sscanf(numbers, "%d %d %d %ld", &options.socket, &options.wake, &shared, &rank);
    unsetenv(VARIABLE);
    options.rank_process = (pid_t)rank;
    if (found != 4 || getppid() != options.rank_process)
        return; /* it is somebody else's variable */
    options.shared =
        mmap(NULL, sizeof *options.shared, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    if (options.shared == MAP_FAILED)
        _exit(EXIT_SETUP_FAILED);
    spawner_main(&options);
}
