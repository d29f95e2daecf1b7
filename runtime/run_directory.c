/* run_directory.c - makes, opens, locks and clears the folder of a run. */
#include "run_directory.h"

#include "../scheduler/memory.h"
#include "atomic_file.h"
#include "run_identity.h"
#include "stored_input.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct run_directory {
    char *path;
    int lock;
    unsigned char journal_identity[RUN_DIRECTORY_IDENTITY_BYTES];
};

/* What a run leaves, but for the journal, which goes first and at once. */
static const char *const run_files[] = {
    "inputs.data", "inputs.index", "output",      "status.json", "report", "logs",
    "discarded",   "failed",       "stages.list", "stages",      "digest",
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
    static const char *const names[] = {".", "..", "lock", "logs", "journal", "identity.sheaf-tmp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, STORED_INPUT_PREFIX, strlen(STORED_INPUT_PREFIX)) == 0;
}

static int check_is_ours(const char *path, struct sheaf_error *error)
{
    DIR *stream = opendir(path);
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
static int read_identity(const char *path, struct run_identity *identity, struct sheaf_error *error)
{
    int code = run_identity_read(path, identity, error);
    if (code != SHEAF_ERROR_NOT_FOUND)
        return code == 0 ? 1 : code;
    code = check_is_ours(path, error);
    return code;
}

/* Whether the job may use the directory: 1 with the identity that is there, 0 when there is none.
 */
static int check_identity(const struct run_directory_options *options,
                          struct run_identity *identity, struct sheaf_error *error)
{
    int code = read_identity(options->path, identity, error);
    if (code <= 0 || options->is_fresh || options->is_forced)
        return code;
    if (memcmp(identity->job, options->identity, sizeof identity->job) == 0)
        return 1;
    if (options->stage_name != NULL)
        return sheaf_error_set(
            error, SHEAF_ERROR_IDENTITY,
            "stage \"%s\" has changed since it ran: its plug-in or command, split, parameters or "
            "input files. Delete %s to run it anew, and what follows from it; or use --fresh to "
            "start everything anew, --force to keep its old results",
            options->stage_name, options->path);
    bool is_same_name = strcmp(identity->job_name, options->job_name) == 0;
    return sheaf_error_set(
        error, SHEAF_ERROR_IDENTITY,
        "%s holds the results of %s%.100s%s. Use --dir to keep both, --fresh to delete the old "
        "results and start anew, or --force to keep the old results and go on from there",
        options->path, is_same_name ? "an earlier version of job " : "another job, ",
        identity->job_name,
        is_same_name ? ": its plug-in, split or parameters have changed since" : "");
}

static int make_directory(const char *path, struct sheaf_error *error)
{
    if (mkdir(path, 0700) == 0)
        return 0;
    int saved_errno = errno;
    struct stat status;
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

static int make_mark(const char *dir, const char *name, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
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
    bool is_there = access(path, F_OK) == 0;
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
    read_holder(descriptor, &holder);
    if (holder.process_id == 0)
        return sheaf_error_set(error, SHEAF_ERROR_IN_USE,
                               "%s is in use by another sheaf: wait for it, or end it",
                               options->path);
    return sheaf_error_set(error, SHEAF_ERROR_IN_USE,
                           "%s is in use by sheaf on %s, process %lld: wait for it, or end it",
                           options->path, holder.host, (long long)holder.process_id);
}

static int open_lock(const struct run_directory_options *options, int *lock,
                     struct sheaf_error *error)
{
    char *path = run_directory_join(options->path, "lock");
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
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

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static int remove_tree(const char *dir, const char *name, struct sheaf_error *error)
{
    enum { DESCRIPTORS_MAX = 16 };
    char *path = run_directory_join(dir, name);
    int code = 0;
    if (nftw(path, remove_one, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        code = sheaf_error_set_errno(error, errno, "cannot delete %s", path);
    free(path);
    return code;
}

/* The journal goes in one step: half a journal would look like a damaged run, none is a new one. */
static int clear(const char *dir, struct sheaf_error *error)
{
    int code = remove_tree(dir, "discarded", error);
    if (code != 0)
        return code;
    char *journal = run_directory_join(dir, "journal");
    char *discarded = run_directory_join(dir, "discarded");
    if (rename(journal, discarded) != 0 && errno != ENOENT)
        code = sheaf_error_set_errno(error, errno, "cannot delete %s", journal);
    free(journal);
    free(discarded);
    for (size_t i = 0; code == 0 && i < sizeof run_files / sizeof *run_files; i++)
        code = remove_tree(dir, run_files[i], error);
    return code;
}

static int make_folder(const char *dir, const char *name, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, name);
    int code = 0;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        code = sheaf_error_set_errno(error, errno, "cannot make %s", path);
    free(path);
    return code;
}

/* The part that needs the lock. */
static int prepare(const struct run_directory_options *options, struct run_directory *directory,
                   struct sheaf_error *error)
{
    /* Once more: who held the lock until now may have changed it. */
    struct run_identity identity;
    int found = check_identity(options, &identity, error);
    if (found < 0)
        return found;
    int code = options->is_fresh ? clear(options->path, error) : 0;
    bool is_same = found == 1 && memcmp(identity.job, options->identity, sizeof identity.job) == 0;
    if (found == 0 || options->is_fresh)
        memcpy(identity.journal, options->identity, sizeof identity.journal);
    if (code == 0 && (!is_same || options->is_fresh)) {
        memcpy(identity.job, options->identity, sizeof identity.job);
        snprintf(identity.job_name, sizeof identity.job_name, "%s", options->job_name);
        code = run_identity_write(options->path, &identity, error);
    }
    if (code == 0)
        code = make_folder(options->path, "journal", error);
    if (code == 0)
        code = make_folder(options->path, "logs", error);
    if (code == 0)
        code = remove_tree(options->path, "stop", error);
    if (code == 0)
        code = remove_tree(options->path, "handover", error);
    if (code == 0)
        memcpy(directory->journal_identity, identity.journal, sizeof identity.journal);
    return code;
}

int run_directory_make(const char *path, struct sheaf_error *error)
{
    int code = make_directory(path, error);
    if (code != 0)
        return code;
    struct run_identity identity;
    code = read_identity(path, &identity, error);
    return code < 0 ? code : 0;
}

int run_directory_open(const struct run_directory_options *options,
                       struct run_directory **directory, struct sheaf_error *error)
{
    int code = make_directory(options->path, error);
    if (code != 0)
        return code;
    struct run_identity identity;
    code = check_identity(options, &identity, error);
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

int run_directory_find_holder(const char *dir, struct run_directory_holder *holder,
                              struct sheaf_error *error)
{
    char *path = run_directory_join(dir, "lock");
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
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
