/* run_directory.h - the folder that holds everything of one job's run, and its lock.
 *
 * NAME.sheaf/ has mode 0700 and holds
 *
 *     identity       which job this is (text)
 *     lock           held by the master; names its host and process
 *     launcher       held by the launcher, where there is one, until it has printed the result
 *     command        the words that began the run, and what they mean (stored_command.h)
 *     journal/       results and decisions
 *     stdin-*        lists that came on standard input, named by their contents
 *     failed/        what failed commands wrote
 *     kept           results of lines that are in the list no more (kept_results.h)
 *     graph          which tasks come after which others (graph_file.h)
 *     inputs.data, inputs.index, output, status.json, report
 *     stages.list    the names of the job's stages, in the order of its file
 *     stages/NAME/   of a job in stages: the run directory of each, with all of the above
 *     stages/NAME/reads   which results the stage has begun with
 *     stages/NAME/digest  of its own result
 *     stages/NAME/outputs digest of the files that its tasks have declared
 *     logs/          of tasks and of mpirun
 *     hosts          the hostfile as it was read, for mpirun
 *     next.partial/  the journal, inputs and identity of an edited list, while they are made
 *     next/          the same, whole: the run is theirs, and they are being moved to their places
 *     worlds/        what each mpirun that runs keeps elsewhere (world_files.h)
 *     stop           present: somebody asked the run to stop
 *     handover       present: another master waits for the lock, to go on in this one's place
 */
#ifndef SHEAF_RUN_DIRECTORY_H
#define SHEAF_RUN_DIRECTORY_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_DIRECTORY_IDENTITY_BYTES = 32, RUN_DIRECTORY_HOST_BYTES = 256 };

struct run_directory_options {
    const char *path;
    const char *job_name;
    const char *stage_name; /* the directory is that of a stage of the job; NULL: it is not */
    unsigned char identity[RUN_DIRECTORY_IDENTITY_BYTES];
    unsigned char commands[RUN_DIRECTORY_IDENTITY_BYTES]; /* job_command_identity */
    bool is_fresh;       /* --fresh: delete what an earlier run left */
    bool is_forced;      /* --force: continue although the job has changed */
    bool is_pruned;      /* --prune: delete what is kept of lines that are gone */
    bool is_of_launcher; /* the launcher that may hold DIR/launcher is the caller, or its own */
    const struct byte_writer *command; /* what DIR/command is to hold; NULL: it stays as it is */
    uint32_t lock_wait_ms; /* patience with another holder: a master that is just being ended */
    bool takes_over; /* ask another holder to leave: a master whose launcher has given it up, on a
                        host that is cut off from it but not from this directory */
    /* Makes what lies in `path` that of the same commands with this job's list. NULL: another list
     * is another job. */
    int (*adapt)(void *context, const char *path, struct sheaf_error *error);
    void *adapt_context;
};

struct run_directory;

/* Makes the directory, if need be, before a run opens it. IDENTITY when it is no run directory and
 * not empty: then nothing was touched. */
int run_directory_make(const char *path, struct sheaf_error *error);

/* Makes or opens the directory and takes its lock. Borrows the options. Errors:
 * IN_USE - another master holds the lock, or another launcher watches (named); IDENTITY - it
 * belongs to another job, or is no run directory and not empty; in both cases nothing was touched.
 * PERMISSION, DISK_FULL, IO. The lock goes with the open file, so fork nothing afterwards that
 * outlives this process. */
int run_directory_open(const struct run_directory_options *options,
                       struct run_directory **directory, struct sheaf_error *error);
/* What open would find, without changing anything: whether there is a run of the job, or, then
 * alone, one of an earlier version of its list. IDENTITY as open. */
int run_directory_look(const struct run_directory_options *options, bool *is_known, bool *is_edited,
                       struct sheaf_error *error);
/* Releases the lock and frees. */
void run_directory_close(struct run_directory *directory);

/* Absolute. Borrowed. */
const char *run_directory_path(const struct run_directory *directory);
/* What the journal was begun with: the job's identity, or after --force that of the first job.
 * Borrowed. */
const unsigned char *run_directory_journal_identity(const struct run_directory *directory);

/* DIR/NAME; the caller owns it. */
char *run_directory_join(const char *dir, const char *name);

/* Replaces DIR/NAME as a whole, synced. */
int run_directory_write_file(const char *dir, const char *name, const void *data, size_t size,
                             struct sheaf_error *error);

/* Asks the master of `dir` to stop: it looks for DIR/stop now and then. */
int run_directory_request_stop(const char *dir, struct sheaf_error *error);
bool run_directory_stop_is_requested(const char *dir);
/* Whether the holder of the lock is to leave at once. */
bool run_directory_handover_is_requested(const char *dir);

/* Says in DIR/launcher that a launcher watches over the run, starts another master when one is
 * lost, and has the result to print, until *mark is closed. Makes the directory if need be, and
 * tells in *is_new whether it did. IN_USE, with who it is, when another launcher does; else codes
 * of run_directory_make. */
int run_directory_mark_launcher(const char *dir, int *mark, bool *is_new,
                                struct sheaf_error *error);
/* Names this process in the mark, for those who are refused. Before that, one that finds the
 * directory to be another job's has changed nothing in it. */
void run_directory_name_launcher(int mark);
/* Ends the mark. */
void run_directory_close_mark(int mark);
/* Removes a directory that was made for the mark alone, unless something else lies in it. */
void run_directory_remove_new(const char *dir);
/* Whether a master or a launcher of the run is there: when neither is, nothing goes on. */
bool run_directory_is_alive(const char *dir);

struct run_directory_holder {
    char host[RUN_DIRECTORY_HOST_BYTES]; /* empty when not known */
    int64_t process_id;                  /* 0 when not known */
};

/* Whether somebody holds the lock of `dir` now, without taking it. 1, 0, or a code. */
int run_directory_find_holder(const char *dir, struct run_directory_holder *holder,
                              struct sheaf_error *error);

#endif
