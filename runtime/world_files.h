/* world_files.h - removes what worlds that were killed have left outside the run directory.
 *
 * DIR/worlds holds a record (world_record.h) for each host of each world that runs: one of mpirun,
 * made before it starts, and one of the ranks of a host, made before MPI starts there. The launcher
 * removes the records of a world that has ended, and what they name on its host; the next start's
 * ranks do so on theirs, where a host, or a daemon of mpirun's on it, was killed. Without a
 * launcher the master keeps one for its own host. */
#ifndef SHEAF_WORLD_FILES_H
#define SHEAF_WORLD_FILES_H

#include "world_record.h"

/* What names the records of a world that is to be started: an absolute path without an ending,
 * which the caller owns. NULL where none can be made. */
char *world_files_begin(const char *dir);
/* In the process that is about to become mpirun. `base` is the folder for its session directory. */
void world_files_note_mpirun(const char *world, const char *base);
/* In a rank. Before MPI starts: one of those on this host leaves the record, and removes what
 * earlier worlds have left here. After that: completes it, where it has to be. */
void world_files_note_rank(const char *world, bool is_mpi_up);

/* In a rank that leaves: removes what earlier worlds have left here, which may not have ended on
 * this host when the rank began. */
void world_files_note_end(const char *world);

/* Removes what is left on this host by worlds of the run in `dir` that have ended, for certain. */
void world_files_sweep(const char *dir);
/* The same again and again until there are no records, for some seconds: the last processes of a
 * world are about to end. */
void world_files_sweep_when_dead(const char *dir);
/* No process of the world is left here: sweeps. If it has ended in order on all hosts its records
 * go, else those of other hosts stay for the next start. Owns `world`, which may be NULL. */
void world_files_finish(const char *dir, char *world, bool is_in_order);

/* A host as its records name it, and its folder of segments. */
struct world_host {
    char name[WORLD_WORD_BYTES];
    const char *segments_folder;
};

/* Removes what the record of a dead world names, as far as it belongs to this user and has a name
 * that Open MPI gives; no link is followed. False when some of it may be another's by now, and is
 * to be looked at again. */
bool world_files_remove(const struct world_record *record, const struct world_host *host);

#endif
