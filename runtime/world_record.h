/* world_record.h - what is known on one host of what a world keeps there outside the run directory,
 * and of whether it still lives.
 *
 * mpirun, or its daemon, keeps a session directory in a folder for temporary files, and ranks keep
 * segments in /dev/shm. They remove these at their end, unless they are killed. */
#ifndef SHEAF_WORLD_RECORD_H
#define SHEAF_WORLD_RECORD_H

#include "../scheduler/bytes.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { WORLD_WORD_BYTES = 256 };

/* Empty words are those that are not known. */
struct world_record {
    char boot[WORLD_WORD_BYTES];      /* one start of the host's kernel */
    char numbering[WORLD_WORD_BYTES]; /* in which process numbers mean something */
    pid_t owner;                      /* mpirun, or its daemon on this host */
    uint64_t owner_start;             /* in ticks since the boot */
    char base[PATH_MAX];              /* of mpirun: where its session directory is to be */
    char session[PATH_MAX];           /* of ranks: the session directory */
    uint64_t session_device;
    uint64_t session_inode;
    char number[WORLD_WORD_BYTES];       /* of the world in names of segments, hexadecimal */
    char process_mark[WORLD_WORD_BYTES]; /* PMIX_NAMESPACE in the environment of the ranks */
};

/* What the process `owner` of this host owns, the rest empty. False when it cannot be told. */
bool world_record_begin(struct world_record *record, pid_t owner);
/* Adds what the environment of this process, a rank, says of its world, and, once MPI has started,
 * the memory that it has mapped. */
void world_record_add_rank(struct world_record *record);

/* False when it cannot be written: a path with a line break. */
bool world_record_encode(const struct world_record *record, struct byte_writer *text);
/* False when the text, which is changed, is none as encode makes them. */
bool world_record_decode(char *text, struct world_record *record);

/* Whether its owner and all ranks on this host have ended, for certain. */
bool world_record_is_dead(const struct world_record *record);
/* Whether no process has the number of the owner, which names its session directory. */
bool world_record_number_is_free(const struct world_record *record);

#endif
