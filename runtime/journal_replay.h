/* journal_replay.h - turns the blocks of segments back into facts, and tells what is missing. */
#ifndef SHEAF_JOURNAL_REPLAY_H
#define SHEAF_JOURNAL_REPLAY_H

#include "journal_internal.h"
#include "journal_selection.h"

/* Damaged blocks without a sound one between them. */
struct damaged_stretch {
    bool is_open;
    bool has_headers; /* of all blocks in it */
    bool has_facts;   /* as far as headers tell */
    uint32_t flags;   /* of the blocks, or-ed */
    uint64_t offset_bytes;
    uint64_t first_seq;
    uint64_t last_seq;
    struct range tasks;
};

/* Owns `partials` and the selection; borrows the rest. */
struct journal_replayer {
    struct journal_recovery *caller;
    struct journal_recovered *out;
    struct partial *partials; /* room for one fact */
    uint64_t identity_tag;
    bool has_identity_tag; /* else the first sound block's counts */

    uint64_t base_seq;   /* start of the first segment replayed */
    bool base_is_whole;  /* its snapshot is */
    bool is_in_snapshot; /* SNAPSHOT_END is still to come */
    bool has_job;
    uint64_t emitted_seq; /* of the last fact given to the caller */
    uint64_t seen_seq;    /* last seq of the last sound block */
    uint64_t lost_seq;    /* highest known to be lost */
    struct damaged_stretch stretch;
    struct journal_selection selection;
    const struct segment_file *file; /* being replayed */
};

/* How the end of a segment is to be read. */
struct replayed_segment {
    bool is_last;
    uint64_t next_start_seq; /* of the segment after it */
};

void journal_replayer_init(struct journal_replayer *replayer, struct journal_recovery *caller,
                           struct journal_recovered *out);
void journal_replayer_close(struct journal_replayer *replayer);

/* True when a sound block holds the last fact of a snapshot. */
bool journal_block_ends_snapshot(const struct block_buffer *block);

/* Tells the caller of damage in a segment, and remembers that there was some. */
void journal_report_damage(struct journal_replayer *replayer, const struct segment_file *file,
                           struct journal_damage *damage);

/* Replays a segment: the first call is for the base, then all after it, ascending. For the last
 * one out->tail_bytes and head_bytes are set. */
void journal_replay_segment(struct journal_replayer *replayer, struct segment_file *file,
                            struct replayed_segment segment);
/* After the last segment: closes a snapshot whose end was lost, and moves the numbering on to
 * last_seq when facts before it were lost. Both by a SNAPSHOT_END, which changes nothing else. */
void journal_replay_end(struct journal_replayer *replayer, uint64_t last_seq);

#endif
