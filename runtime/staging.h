/* staging.h - a folder beside output files, on their file system, where an attempt writes them
 * first.
 *
 * In the folder of the targets lies `.sheaf-KEY`, which holds a folder for each attempt that runs,
 * `TASK-HOST-PROCESS-N`, locked for as long as its process lives. What a process that was killed
 * has left is removed by whoever comes next: the same slot, another attempt at the task, the end of
 * the run, or the next run. */
#ifndef SHEAF_STAGING_H
#define SHEAF_STAGING_H

#include "../scheduler/bytes.h"
#include "../scheduler/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Names of what executors have staged, for those that clean up after them: a note for each of
 * `count` slots, in memory that is shared with the processes which this one forks. NULL when there
 * is no memory: then nothing is cleaned up after an executor that was killed. */
char *staging_notes_make(uint32_t count);
void staging_notes_close(char *notes, uint32_t count);
/* One of them; NULL when there are none. */
char *staging_note_of(char *notes, uint32_t slot);

/* All descriptors -1 is valid to close. Owns all. */
struct staging {
    char *folder; /* of the targets: never empty */
    char *hidden; /* within it */
    char *name;   /* within that: of this attempt */
    int folder_descriptor;
    int hidden_descriptor;
    int descriptor; /* of the attempt's own */
};

struct staging_place {
    const char *folder; /* made, with its parents, where it is missing */
    uint32_t key;       /* of job and run */
    uint64_t task;
    char *note; /* NULL: nobody cleans up */
};

int staging_open(const struct staging_place *place, struct staging *staging,
                 struct sheaf_error *error);
/* Removes what is still there of it. */
void staging_close(struct staging *staging);
/* The path of a file in it; the caller owns it. */
char *staging_path(const struct staging *staging, const char *name);
/* Appends the names, each ended by NUL, of what attempts at the task have left whose processes have
 * ended. */
void staging_find_left(const struct staging *staging, uint64_t task, struct byte_writer *names);
/* Removes a folder `name` of the hidden one with all that is in it. */
void staging_remove(const struct staging *staging, const char *name);

/* Removes what attempts at tasks that are done have left in `folder`, whose processes have ended:
 * nobody comes to these tasks any more. */
void staging_remove_left(const char *folder, uint32_t key,
                         bool (*is_done)(void *context, uint64_t task), void *context);

/* Removes all that the note names, whose process has ended, and empties the note. What an attempt
 * has decided to move into its place (output_files.h) is left to the next attempt. */
void staging_sweep(char *note);
/* Empties the note, after all that it names was closed. */
void staging_forget(char *note);

/* Syncs a folder; 0, or -1 with errno. */
int staging_sync(int descriptor);

#endif
