/* run_directory.c - makes, opens, locks and clears the folder of a run. */
#include "run_directory.h"

#include "../scheduler/memory.h"
#include "atomic_file.h"
#include "file_beside.h"
#include "kept_results.h"
#include "print_foreign.h"
#include "run_identity.h"
#include "run_place.h"
#include "run_swap.h"
#include "stored_command.h"
#include "stored_input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LAUNCHER_MARK "launcher"

enum { HOLDER_TEXT_BYTES = RUN_DIRECTORY_HOST_BYTES + 48 };

static int find_holder_of(const char *dir, const char *name, struct run_directory_holder *holder,
                          struct sheaf_error *error);

struct run_directory {
    char *path;
    int lock;
    unsigned char journal_identity[RUN_DIRECTORY_IDENTITY_BYTES];
};

/* What a run leaves, but for the journal, which goes first and at once. */
static const char *const run_files[] = {
    "graph",  "inputs.data", "inputs.index", "output",  "output.incomplete", "status.json",
    "report", "logs",        "discarded",    "failed",  "stages.list",       "stages",
    "digest", "hosts",       "kept",         "command", "outputs",
};

char *run_directory_join(const char *dir, const char *name)
{
    size_t size_bytes = strlen(dir) + strlen(name) + 2;
    char *path = memory_allocate(size_bytes);
    snprintf(path, size_bytes, "%s/%s", dir, name);
    return path;
}

int run_directory_write_file(const char *dir, const char *name, const void *data, size_t size,
                             struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    struct atomic_file file = {
        .path = path, .data = data, .size = size, .mode = 0600, .is_synced = true};
    int code = atomic_file_write(&file, error);
    free(path);
    return code;
}

/* Every file by which a directory without an identity may still be ours: the run that made it
 * ended before it wrote one. */
static bool is_name_of_beginning(const char *name)
{
    static const char *const names[] = {".",    "..",      "lock",   LAUNCHER_MARK,
                                        "logs", "journal", "worlds", "hosts"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    if (strncmp(name, "identity.sheaf-tmp", strlen("identity.sheaf-tmp")) == 0)
        return true;
    return strncmp(name, STORED_INPUT_PREFIX, strlen(STORED_INPUT_PREFIX)) == 0;
}

static int check_is_ours(const char *path, struct sheaf_error *error)
{
    DIR *stream = run_place_list(path);
    if (stream == NULL)
        return sheaf_error_set_errno(error, errno, "cannot read the directory %s", path);
    int code = 0;
    for (const struct dirent *entry; code == 0 && (entry = readdir(stream)) != NULL;) {
        if (!is_name_of_beginning(entry->d_name))
            code = sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                                   "%s is not a run directory, and not empty (it holds %.200s): "
                                   "name another with --dir",
                                   path, entry->d_name);
    }
    closedir(stream);
    return code;
}

/* 1 with the identity; 0 when there is none yet. */
static int read_identity(const struct run_directory_options *options, struct run_identity *identity,
                         struct sheaf_error *error)
{
    int code = run_identity_read(options->path, identity, error);
    unsigned char journal[RUN_DIRECTORY_IDENTITY_BYTES];
    if (code == 0) {
        identity->is_made_again = false;
        return 1;
    }
    if (code == SHEAF_ERROR_DAMAGED ||
        (code == SHEAF_ERROR_NOT_FOUND && run_identity_find_in_journal(options->path, journal)))
        return run_identity_make_again(options, identity, error);
    return code == SHEAF_ERROR_NOT_FOUND ? check_is_ours(options->path, error) : code;
}

static bool is_zero(const unsigned char identity[RUN_DIRECTORY_IDENTITY_BYTES])
{
    for (size_t i = 0; i < RUN_DIRECTORY_IDENTITY_BYTES; i++)
        if (identity[i] != 0)
            return false;
    return true;
}

static bool differs_in_list_alone(const struct run_directory_options *options,
                                  const struct run_identity *identity)
{
    return options->adapt != NULL && !is_zero(options->commands) &&
           memcmp(identity->commands, options->commands, sizeof identity->commands) == 0;
}

/* Whether the job may use the directory: 1 with the identity that is there, 0 when there is none.
 */
static int check_identity(const struct run_directory_options *options,
                          struct run_identity *identity, struct sheaf_error *error)
{
    int code = read_identity(options, identity, error);
    if (code <= 0 || options->is_fresh || options->is_forced)
        return code;
    if (memcmp(identity->job, options->identity, sizeof identity->job) == 0 ||
        differs_in_list_alone(options, identity))
        return 1;
    if (options->stage_name != NULL)
        return sheaf_error_set(
            error, SHEAF_ERROR_IDENTITY,
            "stage \"%s\" has changed since it ran: its plug-in or command, split, parameters or "
            "input files. Use --rerun-stage %s to run it anew, and what follows from it, or "
            "--force to keep its old results",
            options->stage_name, options->stage_name);
    bool is_command = options->adapt != NULL && !is_zero(options->commands);
    return run_identity_refuse(options, identity, is_command, error);
}

static int make_directory(const char *path, struct sheaf_error *error)
{
    if (run_place_make_folder(path) == 0)
        return run_place_open(path, error);
    int saved_errno = errno;
    struct stat status;
    int code = saved_errno == EEXIST ? run_place_open(path, error) : 0;
    if (code != 0)
        return code;
    if (saved_errno == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    if (saved_errno == EEXIST)
        return sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                               "%s is there and is not a directory: name another with --dir", path);
    return sheaf_error_set_errno(error, saved_errno,
                                 "cannot make the run directory %s (--dir names another)", path);
}

static void read_holder(int descriptor, struct run_directory_holder *holder)
{
    char text[RUN_DIRECTORY_HOST_BYTES + 32];
    ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    *holder = (struct run_directory_holder){.host = ""};
    char host[RUN_DIRECTORY_HOST_BYTES];
    long long process_id;
    if (sscanf(text, "%255s %lld", host, &process_id) != 2 || process_id <= 0)
        return;
    memcpy(holder->host, host, sizeof host);
    holder->process_id = process_id;
}

/* " on HOST, process N", as far as that is known. */
static void describe_holder(const struct run_directory_holder *holder, char text[HOLDER_TEXT_BYTES])
{
    text[0] = '\0';
    if (holder->process_id != 0)
        snprintf(text, HOLDER_TEXT_BYTES, " on %s, process %lld", holder->host,
                 (long long)holder->process_id);
}

static void write_holder(int descriptor)
{
    char text[RUN_DIRECTORY_HOST_BYTES + 32] = "";
    char host[RUN_DIRECTORY_HOST_BYTES] = "";
    gethostname(host, sizeof host - 1);
    int length = snprintf(text, sizeof text, "%s %lld\n", host[0] != '\0' ? host : "localhost",
                          (long long)getpid());
    /* Only for the words of a message: a full disk is reported by whoever needs the space. */
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text, (size_t)length, 0) != length)
        return;
}

/* One that was killed has left its name. */
static void clear_holder(int descriptor)
{
    if (lseek(descriptor, 0, SEEK_END) > 0 && ftruncate(descriptor, 0) != 0)
        return; /* a wrong name in a message, at most */
}

static int make_mark(const char *dir, const char *name, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    int descriptor = run_place_open_file(path, O_WRONLY | O_CREAT, 0600);
    int code = 0;
    if (descriptor < 0)
        code = sheaf_error_set_errno(error, errno, "cannot make %s", path);
    else
        close(descriptor);
    free(path);
    return code;
}

static bool has_mark(const char *dir, const char *name)
{
    char *path = run_directory_join(dir, name);
    bool is_there = run_place_has(path);
    free(path);
    return is_there;
}

/* Open file description locks: unlike classic ones they do not vanish when some other descriptor
 * of the same file is closed. On NFS (v3 with lockd, v4) they hold between hosts. */
static int try_lock(int descriptor)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(descriptor, F_OFD_SETLK, &lock);
}

static int take_lock(int descriptor, const struct run_directory_options *options,
                     struct sheaf_error *error)
{
    enum { POLL_MS = 20 };
    for (uint32_t waited_ms = 0;; waited_ms += POLL_MS) {
        if (try_lock(descriptor) == 0)
            return 0;
        if (errno != EAGAIN && errno != EACCES)
            return sheaf_error_set_errno(error, errno,
                                         "cannot lock %s/lock (does its file system support "
                                         "locks? --dir names another place)",
                                         options->path);
        if (waited_ms == 0 && options->takes_over)
            make_mark(options->path, "handover", NULL); /* without it, it takes longer */
        if (waited_ms >= options->lock_wait_ms)
            break;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
    }
    struct run_directory_holder holder;
    char text[HOLDER_TEXT_BYTES];
    read_holder(descriptor, &holder);
    describe_holder(&holder, text);
    return sheaf_error_set(error, SHEAF_ERROR_IN_USE,
                           "%s is in use by %ssheaf%s: wait for it, or end it", options->path,
                           text[0] == '\0' ? "another " : "", text);
}

static int open_lock(const struct run_directory_options *options, int *lock,
                     struct sheaf_error *error)
{
    char *path = run_directory_join(options->path, "lock");
    int descriptor = run_place_open_file(path, O_RDWR | O_CREAT, 0600);
    int code = 0;
    if (descriptor < 0)
        code = sheaf_error_set_errno(error, errno,
                                     "cannot write to the run directory: cannot open %s", path);
    free(path);
    if (code != 0)
        return code;
    code = take_lock(descriptor, options, error);
    if (code != 0) {
        close(descriptor);
        return code;
    }
    *lock = descriptor;
    return 0;
}

/* The journal goes in one step: half a journal would look like a damaged run, none is a new one. */
static int clear(const char *dir, struct sheaf_error *error)
{
    int code = run_swap_remove(dir, "discarded", error);
    if (code != 0)
        return code;
    char *journal = run_directory_join(dir, "journal");
    char *discarded = run_directory_join(dir, "discarded");
    if (run_place_rename(journal, discarded) != 0 && errno != ENOENT)
        code = sheaf_error_set_errno(error, errno, "cannot delete %s", journal);
    free(journal);
    free(discarded);
    for (size_t i = 0; code == 0 && i < sizeof run_files / sizeof *run_files; i++)
        code = run_swap_remove(dir, run_files[i], error);
    return code;
}

static int make_folder(const char *dir, const char *name, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    int code = 0;
    if (run_place_make_folder(path) != 0 && errno != EEXIST)
        code = sheaf_error_set_errno(error, errno, "cannot make %s", path);
    free(path);
    return code;
}

/* Writes which job this is, where that is not yet said. */
static int set_identity(const struct run_directory_options *options, bool is_known,
                        struct run_identity *identity, struct sheaf_error *error)
{
    if (!is_known || options->is_fresh)
        memcpy(identity->journal, options->identity, sizeof identity->journal);
    else if (memcmp(identity->job, options->identity, sizeof identity->job) == 0 &&
             memcmp(identity->commands, options->commands, sizeof identity->commands) == 0 &&
             !identity->is_made_again)
        return 0;
    if (is_known && identity->is_made_again && !options->is_fresh)
        print_harmless(stderr, "sheaf: %s/identity was damaged or gone: it is made again\n",
                       options->path);
    memcpy(identity->job, options->identity, sizeof identity->job);
    memcpy(identity->commands, options->commands, sizeof identity->commands);
    snprintf(identity->job_name, sizeof identity->job_name, "%s", options->job_name);
    return run_identity_write(options->path, identity, error);
}

/* An earlier version of the list was run here: the journal becomes one of this version. */
static int adapt(const struct run_directory_options *options, struct run_identity *identity,
                 struct sheaf_error *error)
{
    if (options->is_fresh || !differs_in_list_alone(options, identity) ||
        memcmp(identity->job, options->identity, sizeof identity->job) == 0)
        return 0;
    int code = options->adapt(options->adapt_context, options->path, error);
    return code == 0 ? run_identity_read(options->path, identity, error) : code;
}

static int write_command(const struct run_directory_options *options, struct sheaf_error *error)
{
    const struct byte_writer *command = options->command;
    return command == NULL ? 0
                           : run_directory_write_file(options->path, STORED_COMMAND_NAME,
                                                      command->data, command->size, error);
}

static int make_folders(const char *dir, struct sheaf_error *error)
{
    int code = make_folder(dir, "journal", error);
    return code == 0 ? make_folder(dir, "logs", error) : code;
}

/* The part that needs the lock. */
static int prepare(const struct run_directory_options *options, struct run_directory *directory,
                   struct sheaf_error *error)
{
    /* Once more: who held the lock until now may have changed it. */
    struct run_identity identity = {.job_name = ""};
    int code = run_swap_complete(options->path, error);
    file_beside_sweep_folder(options->path);
    int found = code == 0 ? check_identity(options, &identity, error) : code;
    if (found < 0)
        return found;
    if (found == 1)
        code = adapt(options, &identity, error);
    if (code == 0 && options->is_fresh)
        code = clear(options->path, error);
    if (code == 0)
        code = set_identity(options, found == 1, &identity, error);
    if (code == 0)
        code = write_command(options, error);
    if (code == 0 && options->is_pruned)
        code = run_swap_remove(options->path, KEPT_RESULTS_NAME, error);
    if (code == 0)
        code = make_folders(options->path, error);
    if (code == 0)
        code = run_swap_remove(options->path, "stop", error);
    if (code == 0)
        code = run_swap_remove(options->path, "handover", error);
    if (code == 0)
        memcpy(directory->journal_identity, identity.journal, sizeof identity.journal);
    return code;
}

int run_directory_look(const struct run_directory_options *options, bool *is_known, bool *is_edited,
                       struct sheaf_error *error)
{
    struct run_identity identity;
    *is_known = false;
    *is_edited = false;
    if (access(options->path, F_OK) != 0)
        return 0;
    int found = run_place_open(options->path, error);
    if (found == 0)
        found = check_identity(options, &identity, error);
    if (found < 0)
        return found;
    *is_known = found == 1;
    *is_edited = found == 1 && !options->is_fresh && differs_in_list_alone(options, &identity) &&
                 memcmp(identity.job, options->identity, sizeof identity.job) != 0;
    return 0;
}

int run_directory_make(const char *path, struct sheaf_error *error)
{
    int code = make_directory(path, error);
    if (code != 0)
        return code;
    struct run_identity identity;
    unsigned char journal[RUN_DIRECTORY_IDENTITY_BYTES];
    code = run_identity_read(path, &identity, error);
    if (code == SHEAF_ERROR_DAMAGED || run_identity_find_in_journal(path, journal))
        return 0; /* who opens it for a job knows more */
    return code == SHEAF_ERROR_NOT_FOUND ? check_is_ours(path, error) : code;
}

static int tell_launcher(const char *dir, const struct run_directory_holder *holder,
                         struct sheaf_error *error)
{
    char text[HOLDER_TEXT_BYTES];
    describe_holder(holder, text);
    return sheaf_error_set(error, SHEAF_ERROR_IN_USE,
                           "%s is in use by another `sheaf run`%s: wait until it has ended, or end "
                           "it (Ctrl-C there); --dir DIR runs this one beside it",
                           dir, text);
}

/* A master without a launcher, where one watches that has another master, or a result to print. */
static int check_launcher(const char *dir, struct sheaf_error *error)
{
    struct run_directory_holder holder;
    return find_holder_of(dir, LAUNCHER_MARK, &holder, NULL) == 1
               ? tell_launcher(dir, &holder, error)
               : 0;
}

int run_directory_open(const struct run_directory_options *options,
                       struct run_directory **directory, struct sheaf_error *error)
{
    int code = make_directory(options->path, error);
    if (code != 0)
        return code;
    struct run_identity identity;
    code = check_identity(options, &identity, error);
    if (code >= 0 && !options->is_of_launcher)
        code = check_launcher(options->path, error);
    if (code < 0)
        return code;
    struct run_directory *opened = memory_allocate_zeroed(1, sizeof *opened);
    code = open_lock(options, &opened->lock, error);
    if (code != 0)
        goto fail_lock;
    code = prepare(options, opened, error);
    if (code != 0)
        goto fail_prepare;
    opened->path = realpath(options->path, NULL);
    if (opened->path == NULL) {
        code = sheaf_error_set_errno(error, errno, "cannot resolve %s", options->path);
        goto fail_prepare;
    }
    write_holder(opened->lock);
    *directory = opened;
    return 0;
fail_prepare:
    close(opened->lock);
fail_lock:
    free(opened);
    return code;
}

void run_directory_close(struct run_directory *directory)
{
    if (directory == NULL)
        return;
    close(directory->lock);
    free(directory->path);
    free(directory);
}

const char *run_directory_path(const struct run_directory *directory)
{
    return directory->path;
}

const unsigned char *run_directory_journal_identity(const struct run_directory *directory)
{
    return directory->journal_identity;
}

int run_directory_request_stop(const char *dir, struct sheaf_error *error)
{
    return make_mark(dir, "stop", error);
}

bool run_directory_stop_is_requested(const char *dir)
{
    return has_mark(dir, "stop");
}

bool run_directory_handover_is_requested(const char *dir)
{
    return has_mark(dir, "handover");
}

/* 1 with the holder when somebody has the lock DIR/NAME. */
static int find_holder_of(const char *dir, const char *name, struct run_directory_holder *holder,
                          struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    int descriptor = run_place_open_file(path, O_RDONLY, 0);
    if (descriptor < 0) {
        int code = sheaf_error_set_errno(error, errno, "cannot open %s (is %s a run directory?)",
                                         path, dir);
        free(path);
        return code;
    }
    free(path);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int result = fcntl(descriptor, F_OFD_GETLK, &lock);
    if (result != 0) {
        result = sheaf_error_set_errno(error, errno, "cannot ask for the lock of %s", dir);
    } else if (lock.l_type != F_UNLCK) {
        read_holder(descriptor, holder);
        result = 1;
    }
    close(descriptor);
    return result;
}

int run_directory_find_holder(const char *dir, struct run_directory_holder *holder,
                              struct sheaf_error *error)
{
    return find_holder_of(dir, "lock", holder, error);
}

static int open_mark(const char *dir, int *mark, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, LAUNCHER_MARK);
    int descriptor = run_place_open_file(path, O_RDWR | O_CREAT, 0600);
    int code = 0;
    if (descriptor < 0)
        code = sheaf_error_set_errno(error, errno,
                                     "cannot write to the run directory: cannot open %s", path);
    free(path);
    if (code != 0)
        return code;
    if (try_lock(descriptor) == 0) {
        clear_holder(descriptor);
        *mark = descriptor;
        return 0;
    }
    struct run_directory_holder holder;
    int saved_errno = errno;
    read_holder(descriptor, &holder);
    close(descriptor);
    if (saved_errno == EAGAIN || saved_errno == EACCES)
        return tell_launcher(dir, &holder, error);
    return sheaf_error_set_errno(error, saved_errno, "cannot lock %s/" LAUNCHER_MARK, dir);
}

int run_directory_mark_launcher(const char *dir, int *mark, bool *is_new, struct sheaf_error *error)
{
    *is_new = access(dir, F_OK) != 0;
    int code = run_directory_make(dir, error);
    return code == 0 ? open_mark(dir, mark, error) : code;
}

void run_directory_name_launcher(int mark)
{
    write_holder(mark);
}

void run_directory_close_mark(int mark)
{
    clear_holder(mark);
    close(mark);
}

void run_directory_remove_new(const char *dir)
{
    run_swap_remove(dir, LAUNCHER_MARK, NULL);
    rmdir(dir);
}

bool run_directory_is_alive(const char *dir)
{
    struct run_directory_holder holder;
    return find_holder_of(dir, "lock", &holder, NULL) == 1 ||
           find_holder_of(dir, LAUNCHER_MARK, &holder, NULL) == 1;
}
