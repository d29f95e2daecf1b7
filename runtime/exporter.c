/* exporter.c - writes the results of commands to where other programs look for them. */
#include "exporter.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "atomic_file.h"
#include "exported_mode.h"
#include "file_beside.h"
#include "run_place.h"
#include "clock.h"
#include "failed_output.h"
#include "job_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The master does not stay longer with it than this, but for one result. */
#define STEP_NS         (5 * SHEAF_NS_PER_MS)
/* What failed commands wrote is read again when a task has failed since, but not more often. */
#define FAILED_PAUSE_NS SHEAF_NS_PER_S

struct exporter {
    struct exporter_options options;
    FILE *log;        /* NULL: none */
    char *log_beside; /* where it is written until it takes its place; NULL from then on */
    struct range_set written;
    uint64_t cursor;    /* where the search goes on */
    uint64_t seen_done; /* tasks that were done when all of them were written */
    struct byte_writer records;
    struct failed_outputs *failed;
    uint64_t failed_read_ns;
};

/* ---- the beginning ---- */

/* "000017.out" or ".err", of whatever task. */
static bool read_name(const char *name, uint64_t *task)
{
    char *end;
    if (strspn(name, "0123456789") < 6)
        return false;
    errno = 0;
    *task = strtoull(name, &end, 10);
    return errno == 0 && (strcmp(end, ".out") == 0 || strcmp(end, ".err") == 0);
}

static int open_directory(const char *path, const struct state *state, struct sheaf_error *error)
{
    int code = run_place_check_owner(path, error);
    if (code != 0)
        return code;
    if (mkdir(path, EXPORTED_FOLDER_MODE) != 0 && errno != EEXIST)
        return sheaf_error_set_errno(error, errno, "cannot make the output directory %s", path);
    DIR *stream = opendir(path);
    if (stream == NULL)
        return sheaf_error_set_errno(error, errno, "cannot read the output directory %s", path);
    uint64_t task;
    for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (read_name(entry->d_name, &task) &&
            !range_set_contains(state_done(state), (struct range){task, 1}))
            unlinkat(dirfd(stream), entry->d_name, 0); /* what stays is replaced in the end */
    closedir(stream);
    file_beside_sweep_folder(path);
    return 0;
}

/* The log takes the place of what is there, be it a link: what that names is left alone. */
static int open_log(struct exporter *exporter, struct sheaf_error *error)
{
    const char *path = exporter->options.log_path;
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
        return sheaf_error_set(error, SHEAF_ERROR_INPUT,
                               "cannot write the job log %s: something that is no file has this "
                               "name; choose another",
                               path);
    file_beside_sweep(path);
    int descriptor = file_beside_make(path, EXPORTED_FILE_MODE, &exporter->log_beside);
    exporter->log = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (exporter->log == NULL) {
        int code = sheaf_error_set_errno(error, errno, "cannot write the job log %s", path);
        if (descriptor >= 0)
            close(descriptor);
        return code;
    }
    job_log_begin(exporter->log);
    return 0;
}

int exporter_create(const struct exporter_options *options, const struct state *state,
                    struct exporter **exporter, struct sheaf_error *error)
{
    struct exporter *created = memory_allocate_zeroed(1, sizeof *created);
    created->options = *options;
    created->seen_done = UINT64_MAX;
    int code = 0;
    if (options->output_dir != NULL)
        code = open_directory(options->output_dir, state, error);
    if (code == 0 && options->log_path != NULL)
        code = open_log(created, error);
    if (code != 0) {
        exporter_destroy(created);
        return code;
    }
    *exporter = created;
    return 0;
}

void exporter_destroy(struct exporter *exporter)
{
    if (exporter == NULL)
        return;
    if (exporter->log != NULL)
        fclose(exporter->log);
    if (exporter->log_beside != NULL)
        run_place_unlink(exporter->log_beside);
    free(exporter->log_beside);
    range_set_close(&exporter->written);
    byte_writer_close(&exporter->records);
    failed_outputs_close(exporter->failed);
    free(exporter);
}

/* ---- one task ---- */

struct task_file {
    uint64_t task;
    const char *ending;
    const void *data;
    size_t size;
};

static int write_file(const struct exporter *exporter, struct task_file written,
                      struct sheaf_error *error)
{
    size_t path_bytes = strlen(exporter->options.output_dir) + 40;
    char *path = memory_allocate(path_bytes);
    snprintf(path, path_bytes, "%s/%06" PRIu64 "%s", exporter->options.output_dir, written.task,
             written.ending);
    const struct atomic_file file = {
        .path = path, .data = written.data, .size = written.size, .mode = EXPORTED_FILE_MODE};
    int code = atomic_file_write(&file, error);
    free(path);
    return code;
}

static int write_task(struct exporter *exporter, const struct command_record *record,
                      struct sheaf_error *error)
{
    int code = 0;
    if (exporter->options.output_dir != NULL)
        code = write_file(exporter,
                          (struct task_file){record->task, ".out", record->out, record->out_bytes},
                          error);
    if (code == 0 && exporter->options.output_dir != NULL)
        code = write_file(exporter,
                          (struct task_file){record->task, ".err", record->err, record->err_bytes},
                          error);
    if (code == 0 && exporter->log != NULL)
        job_log_add(exporter->log, record);
    return code;
}

/* ---- what is done ---- */

static int write_records(struct exporter *exporter, const struct partial *partial,
                         struct journal *journal, struct sheaf_error *error)
{
    byte_writer_clear(&exporter->records);
    int code = journal_read_payload(journal, partial, &exporter->records, error);
    if (code == SHEAF_ERROR_DAMAGED)
        return 0;
    struct byte_reader reader = byte_reader_of(exporter->records.data, exporter->records.size);
    struct command_record record;
    while (code == 0 && byte_reader_left(&reader) > 0 && command_record_get(&reader, &record))
        if (!range_set_contains(&exporter->written, (struct range){record.task, 1}))
            code = write_task(exporter, &record, error);
    return code;
}

/* Whether what each of these failed commands wrote has been read. */
static bool has_records(const struct exporter *exporter, struct range range)
{
    for (uint64_t task = range.first; task < range_end(range); task++)
        if (!range_set_contains(&exporter->written, (struct range){task, 1}) &&
            failed_outputs_find(exporter->failed, task) == NULL)
            return false;
    return true;
}

static int read_failed(struct exporter *exporter, struct sheaf_error *error)
{
    failed_outputs_close(exporter->failed);
    exporter->failed = NULL;
    exporter->failed_read_ns = clock_monotonic_ns();
    return failed_outputs_read(exporter->options.run_dir, &exporter->failed, error);
}

/* What failed for good has only lines in the log. 1 when it is to be looked for later. */
static int write_failed(struct exporter *exporter, struct range range, struct sheaf_error *error)
{
    if (exporter->log == NULL)
        return 0;
    if (exporter->failed == NULL || !has_records(exporter, range)) {
        uint64_t now_ns = clock_monotonic_ns();
        if (exporter->failed != NULL && now_ns - exporter->failed_read_ns < FAILED_PAUSE_NS)
            return 1;
        int code = read_failed(exporter, error);
        if (code != 0)
            return code;
    }
    for (uint64_t task = range.first; task < range_end(range); task++) {
        const struct command_record unknown = {
            .task = task, .exit_status = -1, .host = "-", .host_bytes = 1};
        const struct command_record *record = failed_outputs_find(exporter->failed, task);
        if (!range_set_contains(&exporter->written, (struct range){task, 1}))
            job_log_add(exporter->log, record != NULL ? record : &unknown);
    }
    return 0;
}

/* From the cursor on, and once around. */
static const struct partial *find_unwritten(struct exporter *exporter, const struct state *state)
{
    for (int round = 0; round < 2; round++) {
        const struct partial *partial = state_find_partial(state, exporter->cursor);
        while (partial != NULL && range_set_contains(&exporter->written, partial->range)) {
            struct range written;
            range_set_find_from(&exporter->written, partial->range.first, &written);
            exporter->cursor = range_end(written);
            partial = state_find_partial(state, exporter->cursor);
        }
        if (partial != NULL)
            return partial;
        exporter->cursor = 0;
    }
    return NULL;
}

/* Everything that is done is written: others may see it. */
static int catch_up(struct exporter *exporter, const struct state *state, struct sheaf_error *error)
{
    exporter->seen_done = state_done(state)->task_count;
    if (exporter->log == NULL)
        return 0;
    int code = 0;
    if (fflush(exporter->log) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot write the job log %s",
                                     exporter->options.log_path);
    if (code == 0 && exporter->log_beside != NULL) {
        if (run_place_rename(exporter->log_beside, exporter->options.log_path) != 0)
            return sheaf_error_set_errno(error, errno, "cannot write the job log %s",
                                         exporter->options.log_path);
        free(exporter->log_beside);
        exporter->log_beside = NULL;
    }
    return code;
}

void exporter_forget(struct exporter *exporter, struct range range)
{
    range_set_remove(&exporter->written, range);
    exporter->seen_done = UINT64_MAX;
}

int exporter_step(struct exporter *exporter, const struct state *state, struct journal *journal,
                  struct sheaf_error *error)
{
    if (exporter->seen_done == state_done(state)->task_count)
        return 0;
    uint64_t start_ns = clock_monotonic_ns();
    do {
        const struct partial *partial = find_unwritten(exporter, state);
        if (partial == NULL)
            return catch_up(exporter, state, error);
        int code = partial->is_absent ? write_failed(exporter, partial->range, error)
                                      : write_records(exporter, partial, journal, error);
        if (code != 0)
            return code;
        range_set_add(&exporter->written, partial->range);
    } while (clock_monotonic_ns() - start_ns < STEP_NS);
    return 1;
}
