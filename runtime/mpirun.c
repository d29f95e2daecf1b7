/* mpirun.c - finds mpirun, and knows what each version must be told. */
#include "mpirun.h"

#include "../scheduler/check.h"
#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "inquiry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION_TIMEOUT_NS (10 * SHEAF_NS_PER_S)

enum { VERSION_BYTES = 4096 };

/* What other launchers say of themselves. */
static const struct stranger {
    const char *mark;
    const char *name;
    const char *advice;
} strangers[] = {
    {"HYDRA build details", "the launcher of MPICH",
     "name Open MPI's (on Debian, beside MPICH: --mpirun mpirun.openmpi of openmpi-bin)"},
    {"Intel(R) MPI", "the launcher of Intel MPI",
     "load the module of Open MPI instead, or name its mpirun with --mpirun PATH"},
    {"(PRRTE)", "only a part of Open MPI 5", "name the mpirun beside it with --mpirun PATH"},
    {"slurm", "the launcher of Slurm", "name Open MPI's mpirun with --mpirun PATH"},
};

static int refuse_stranger(const char *text, const struct mpirun *mpirun, struct sheaf_error *error)
{
    int length = (int)strcspn(text, "\n");
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (strstr(text, strangers[i].mark) != NULL)
            return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                                   "%s is %s, which cannot start Sheaf: %s", mpirun->path,
                                   strangers[i].name, strangers[i].advice);
    return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                           "%s is not Open MPI's mpirun (it says \"%.*s\"): name Open MPI 4.1 "
                           "or 5 with --mpirun PATH",
                           mpirun->path, length, text);
}

/* 4.1 calls itself by the name of its launcher when it is started as orterun or, as Debian names it
 * beside other kinds of MPI, as mpirun.openmpi. */
int mpirun_read_version(const char *text, struct mpirun *mpirun, struct sheaf_error *error)
{
    static const char *const marks[] = {"(Open MPI) ", "(OpenRTE) "};
    const char *at = NULL;
    for (size_t i = 0; i < sizeof marks / sizeof *marks && at == NULL; i++) {
        at = strstr(text, marks[i]);
        at = at != NULL ? at + strlen(marks[i]) : NULL;
    }
    int major = 0;
    int minor = 0;
    if (at == NULL || sscanf(at, "%d.%d", &major, &minor) != 2)
        return refuse_stranger(text, mpirun, error);
    if (major < 4 || (major == 4 && minor < 1))
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "%s is Open MPI %d.%d, too old to survive the loss of a rank: "
                               "name 4.1 or 5 with --mpirun PATH",
                               mpirun->path, major, minor);
    mpirun->major = major;
    mpirun->minor = minor;
    return 0;
}

int mpirun_find(const char *path, struct mpirun *mpirun, struct sheaf_error *error)
{
    struct mpirun found = {.path = path != NULL ? path : "mpirun"};
    const char *words[] = {found.path, "--version", NULL};
    char text[VERSION_BYTES];
    struct inquiry inquiry = {
        .words = words, .stream = STDOUT_FILENO, .text = text, .text_bytes = sizeof text};
    inquiries_run(&inquiry, 1, VERSION_TIMEOUT_NS, NULL);
    if (inquiry.start_errno != 0)
        return sheaf_error_set_errno(error, inquiry.start_errno, "cannot start a process");
    if (!inquiry.has_ended)
        return sheaf_error_set(error, SHEAF_ERROR_TIMEOUT,
                               "`%s --version` did not answer within 10 s", found.path);
    if (inquiry.exit_status == INQUIRY_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "there is no %s%s: install Open MPI (Debian: openmpi-bin), load "
                               "its module, or name it with --mpirun PATH",
                               found.path, path == NULL ? " in $PATH" : "");
    if (inquiry.exit_status == INQUIRY_CANNOT_EXECUTE)
        return sheaf_error_set(error, SHEAF_ERROR_PERMISSION, "cannot execute %s", found.path);
    int code = mpirun_read_version(text, &found, error);
    if (code == 0)
        *mpirun = found;
    else if (inquiry.exit_status > INQUIRY_KILLED)
        return sheaf_error_set(error, SHEAF_ERROR_PROCESS,
                               "`%s --version` ended with status %d, %d times: somebody kills it, "
                               "or it does not work here: try it by hand",
                               found.path, inquiry.exit_status, inquiry.attempts);
    return code;
}

struct mpirun_layout mpirun_layout_choose(const struct run_options *options, uint32_t host_count,
                                          uint32_t core_count)
{
    struct mpirun_layout layout = {.ranks = options->ranks, .host_count = host_count};
    if (layout.ranks == 0 && host_count > 1)
        layout.ranks = host_count + 1;
    else if (layout.ranks == 0)
        layout.ranks = core_count >= 2 ? 3 : 2;
    layout.is_crowded = host_count <= 1 && layout.ranks > core_count;
    return layout;
}

/* Pointers, then the characters of the strings that are made here. */
struct argument_list {
    const char **items;
    size_t count;
    size_t capacity;
};

static void add(struct argument_list *list, const char *word)
{
    CHECK(list->count < list->capacity);
    list->items[list->count++] = word;
}

static void add_parameter(struct argument_list *list, const char *name, const char *value)
{
    add(list, "--mca");
    add(list, name);
    add(list, value);
}

static void add_pair(struct argument_list *list, const char *name, const char *value)
{
    if (value == NULL)
        return;
    add(list, name);
    add(list, value);
}

/* Open MPI 4.1 and 5, and the launcher of the latter. */
const char *mpirun_find_parameter(const struct run_options *options, const char *name)
{
    static const char *const prefixes[] = {"OMPI_MCA_", "PRTE_MCA_"};
    for (size_t i = 0; i + 1 < options->mpi_option_count; i++)
        if (strcmp(options->mpi_options[i], name) == 0)
            return options->mpi_options[i + 1];
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char variable[64];
        snprintf(variable, sizeof variable, "%s%s", prefixes[i], name);
        const char *value = getenv(variable);
        if (value != NULL)
            return value;
    }
    return NULL;
}

const char *mpirun_session_base(const struct run_options *options)
{
    static const char *const parameters[] = {"orte_tmpdir_base", "orte_local_tmpdir_base",
                                             "prte_tmpdir_base", "prte_local_tmpdir_base"};
    static const char *const variables[] = {"TMPDIR", "TEMP", "TMP"};
    const char *base = NULL;
    for (size_t i = 0; base == NULL && i < sizeof parameters / sizeof *parameters; i++)
        base = mpirun_find_parameter(options, parameters[i]);
    for (size_t i = 0; base == NULL && i < sizeof variables / sizeof *variables; i++)
        base = getenv(variables[i]);
    return base != NULL ? base : "/tmp";
}

bool mpirun_is_mapped_by_user(const struct run_options *options)
{
    for (size_t i = 0; i < options->mpi_option_count; i++) {
        const char *word = options->mpi_options[i];
        if (strcmp(word, "--map-by") == 0 || strcmp(word, "-map-by") == 0 ||
            strcmp(word, "--rankfile") == 0 || strcmp(word, "-rf") == 0)
            return true;
    }
    return false;
}

/* Recovery: survivors go on when a rank dies. No binding: executors are bound by Sheaf, within the
 * cores that the ranks are given. */
static void add_version_options(struct argument_list *list, const struct mpirun *mpirun,
                                const struct mpirun_layout *layout, bool is_mapped_by_user)
{
    bool is_spread = layout->host_count > 1;
    if (mpirun->major >= 5) {
        add_pair(list, "--with-ft", "ulfm");
        if (!is_mapped_by_user)
            add_pair(list, "--map-by", is_spread ? "node:OVERSUBSCRIBE" : "slot:OVERSUBSCRIBE");
    } else {
        add(list, "--enable-recovery");
        add(list, "--oversubscribe");
        if (is_spread && !is_mapped_by_user)
            add_pair(list, "--map-by", "node");
    }
    add_pair(list, "--bind-to", "none");
    if (layout->is_crowded)
        add_parameter(list, "mpi_yield_when_idle", "1");
}

/* On one host all messages go through shared memory. Looking for other networks first takes a
 * third of the time that a short run needs. TCP is for hosts that only mpirun knows of. */
static void add_network(struct argument_list *list, const struct mpirun *mpirun,
                        const struct mpirun_layout *layout, const struct run_options *options)
{
    if (layout->host_count > 1 || mpirun_find_parameter(options, "pml") != NULL ||
        mpirun_find_parameter(options, "btl") != NULL)
        return;
    add_parameter(list, "pml", "ob1");
    add_parameter(list, "btl", mpirun->major >= 5 ? "self,sm,tcp" : "self,vader,tcp");
}

char **mpirun_arguments(const struct mpirun *mpirun, const struct mpirun_layout *layout,
                        const struct mpirun_program *program, const struct run_options *options)
{
    enum { OWN_WORDS_MAX = 40, NUMBER_BYTES = 24 };
    struct argument_list list = {.capacity = OWN_WORDS_MAX + options->mpi_option_count +
                                             (size_t)options->argument_count};
    size_t words_bytes = list.capacity * sizeof *list.items;
    list.items = memory_allocate(words_bytes + 2 * NUMBER_BYTES);
    char *number = (char *)list.items + words_bytes;
    char *end = number + NUMBER_BYTES;
    snprintf(number, NUMBER_BYTES, "%u", layout->ranks);
    snprintf(end, NUMBER_BYTES, "%" PRIu64, program->end_unix_ms);

    add(&list, mpirun->path);
    add_version_options(&list, mpirun, layout, mpirun_is_mapped_by_user(options));
    add_network(&list, mpirun, layout, options);
    if (layout->host != NULL) {
        add_pair(&list, "--host", layout->host);
    } else {
        add_pair(&list, "--hostfile",
                 layout->hostfile != NULL ? layout->hostfile : options->hostfile);
        add_pair(&list, "--host", options->host);
    }
    add_pair(&list, "-n", number);
    for (size_t i = 0; i < options->mpi_option_count; i++)
        add(&list, options->mpi_options[i]);
    add(&list, program->path);
    add(&list, "run");
    add(&list, "--under-launcher");
    if (program->is_restart)
        add(&list, "--restart");
    if (program->end_unix_ms != 0)
        add_pair(&list, "--end-at", end);
    add_pair(&list, "--stored-input", program->stored_input);
    add_pair(&list, "--mpi-environment", program->mpi_environment);
    add_pair(&list, "--host-slots", program->host_slots);
    add_pair(&list, "--world", program->world);
    for (int i = 0; i < options->argument_count; i++)
        add(&list, options->arguments[i]);
    add(&list, NULL);
    return (char **)list.items;
}
