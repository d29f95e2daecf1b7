/* journal.h - the append-only log of facts and their payloads.
 *
 * Raft's words: append a record, get its index (the fact's seq); indices become durable in order;
 * snapshot at an index; recover. A payload is named by the seq of the fact that carried it,
 * wherever it lies. A writer thread groups records into checksummed blocks, writes them without
 * waiting, and syncs at most every interval, or as soon as somebody needs an index to be durable.
 */
#ifndef SHEAF_JOURNAL_H
#define SHEAF_JOURNAL_H

#include "../scheduler/fact.h"
#include "disk.h"

#include <stdbool.h>
#include <stdio.h>

struct journal;

struct journal_options {
    const char *dir;            /* the journal's directory; made if it is not there, mode 0700 */
    const struct disk *disk;    /* kept */
    unsigned char identity[32]; /* of the job; in the header of every segment */
    uint64_t sync_interval_ns;  /* --checkpoint */
    uint64_t segment_bytes_min; /* a snapshot is due when the current segment has grown, behind its
                                   own, by more than the largest of this, that snapshot, and the
                                   live payloads (of these 64 MiB count at most);
                                   0: 256 KiB */
    size_t queue_bytes_max;     /* records waiting for the writer; 0: 64 MiB */
    int wake_descriptor;        /* an eventfd that the writer adds to when something became
                                   durable or failed; or -1 */
};

/* One journalled fact, in order, during recovery. The payload stays on disk. Facts of a snapshot
 * all carry its seq. When the last facts are known to be lost, a SNAPSHOT_END with recovery's
 * last_seq comes last, so that the state and the journal agree on the next seq. Borrowed for the
 * call. */
typedef void journal_replay(void *context, const struct fact *fact);

/* What recovery found, for one line to the user each. */
struct journal_damage {
    char segment[64]; /* file name */
    uint64_t offset_bytes;
    uint64_t first_seq; /* lost facts; 0 when unknown */
    uint64_t last_seq;
    struct range tasks; /* within which results were lost; empty when unknown */
    char text[256];
};

struct journal_recovery {
    journal_replay *replay;
    /* Called for each damaged or torn place. May be NULL. A torn tail has text "torn tail"; its
     * seqs and tasks were never reported as durable, unless bytes went bad later. */
    void (*damaged)(void *context, const struct journal_damage *damage);
    /* For a view: whether it matters if some of `tasks` are done. What is about other tasks alone,
     * or about workers and attempts, may be left out, and is then not checked: after any damage, or
     * a torn tail, read all. NULL: all matters. */
    bool (*matters)(void *context, struct range tasks);
    void *context;
    bool is_new;       /* out: no fact was there, or none could be read */
    uint64_t last_seq; /* out: the next fact takes this + 1 */
};

/* Recovers what is there (calling recovery->replay for each fact), cuts a torn tail, and opens for
 * appending; starts the writer. Returns a journal that the caller owns. IDENTITY when the journal
 * is another job's, or of another format version; never fails over damaged bytes. PERMISSION,
 * DISK_FULL or IO when the directory cannot be made, read or written, or when nothing at all of a
 * segment can be read. After damage journal_wants_snapshot is true from the first append on. */
int journal_open(const struct journal_options *options, struct journal_recovery *recovery,
                 struct journal **journal, struct sheaf_error *error);

/* Appends a fact (its seq must be the last + 1) with the payload that its partials of payload_seq 0
 * refer to. Copies both. Never blocks; check journal_is_congested before taking more work in. */
void journal_append(struct journal *journal, const struct fact *fact, const void *payload,
                    size_t payload_size);
/* True while more than queue_bytes_max wait to be written. */
bool journal_is_congested(const struct journal *journal);
/* The index up to which everything is on disk. */
uint64_t journal_durable_seq(const struct journal *journal);
/* Asks for `seq` to become durable without waiting for the interval. */
void journal_want_durable(struct journal *journal, uint64_t seq);
/* 0, or the code and text of the writer's first failure: nothing more becomes durable. */
int journal_failure(const struct journal *journal, struct sheaf_error *error);

/* Appends `size_bytes` at `offset_bytes` of the payload named `payload_seq` to writer: from memory
 * while still there, else from disk with its checksum checked. DAMAGED when it does not match, or
 * when no snapshot and no fact since has referred to those bytes; writer is then as before. */
int journal_read_payload(struct journal *journal, const struct partial *partial,
                         struct byte_writer *writer, struct sheaf_error *error);

/* True when the current segment is due for rotation, and none is under way. */
bool journal_wants_snapshot(const struct journal *journal);
/* Starts a new segment whose first blocks are these facts (state_snapshot's, the last one
 * SNAPSHOT_END). The writer thread writes it beside, syncs, renames, syncs the directory, and then
 * drops older segments that hold neither live payloads nor the previous snapshot. Live payloads are
 * those that `facts` refer to; they are copied when their segment is mostly dead. All facts carry
 * the seq of the last fact appended. Passed over while a rotation is under way, when nothing was
 * appended since the last, and after a failure. */
void journal_snapshot(struct journal *journal, const struct fact *facts, size_t count);

/* Before the close: whether a snapshot is still to take damage that was found out of the journal.
 * Waits for one that is under way. */
bool journal_must_heal(struct journal *journal);

/* Makes everything appended durable, ends the writer. Returns the writer's failure, if any. Frees
 * the journal in any case. */
int journal_close(struct journal *journal, struct sheaf_error *error);
/* Bytes of all segments on disk. */
uint64_t journal_size_bytes(const struct journal *journal);

/* The identity with which the journal in `dir` was begun; NOT_FOUND when there is none. */
int journal_read_identity(const char *dir, unsigned char identity[32], struct sheaf_error *error);

/* `sheaf journal verify|dump DIR`: no MPI, no lock taken, nothing written to disk. verify prints a
 * line for each segment and damage, and returns DAMAGED if there was any (a torn tail is not
 * damage); dump prints a line a fact. */
int journal_verify(const char *dir, FILE *out, struct sheaf_error *error);
int journal_dump(const char *dir, FILE *out, struct sheaf_error *error);
/* The same reader for status and continue: replays without opening for writing. */
int journal_scan(const char *dir, struct journal_recovery *recovery, struct sheaf_error *error);

/* A journal as it is at one moment, for reading results, also while a run appends to it. */
struct journal_view;

/* Like journal_scan. *view is owned by the caller, and keeps `dir`. */
int journal_view_open(const char *dir, struct journal_recovery *recovery,
                      struct journal_view **view, struct sheaf_error *error);
void journal_view_close(struct journal_view *view);
/* Appends the bytes of a partial. DAMAGED when they are not there, or not any more: a run that goes
 * on may have moved them; open the view again. */
int journal_view_read(struct journal_view *view, const struct partial *partial,
                      struct byte_writer *writer, struct sheaf_error *error);

#endif
