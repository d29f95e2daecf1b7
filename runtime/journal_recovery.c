/* journal_recovery.c - finds the newest snapshot that is whole, and replays from there on.
 *
 * Why facts that were cut off may come again with other contents under the same seq: the cut is
 * durable before anything is appended, so no reader ever finds both; assignments that they named
 * died with the run that made them; and a result that was lost with them runs again. Facts lost
 * *before* sound ones are never numbered again: last_seq lies behind them. */
#include "journal_replay.h"

#include "../scheduler/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTINGS_MAX = 10 };

enum snapshot_state {
    SNAPSHOT_NONE = 0,
    SNAPSHOT_PARTIAL, /* some of its facts can be read */
    SNAPSHOT_WHOLE,   /* or none is needed: the segment starts at 0 */
};

struct opened_segment {
    struct segment_file file;
    bool has_header;
    enum snapshot_state snapshot;
};

struct recovery {
    const struct journal_reading *reading;
    struct journal_replayer replayer;
    struct journal_recovered *out;
    struct opened_segment *segments; /* of out->segments; open from `opened` on */
    size_t opened;
};

static int refuse_identity(const struct recovery *recovery, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_IDENTITY,
                           "the journal in %s belongs to another job, or to an earlier version of "
                           "its job file or plug-in, and was left as it is: name another directory "
                           "with --dir, or move this one away",
                           recovery->reading->dir);
}

/* A header is the first witness of whose segment it is. */
static int check_header(struct recovery *recovery, struct opened_segment *segment,
                        struct sheaf_error *error)
{
    struct segment_header header;
    int code = segment_file_read_header(&segment->file, &header, error);
    segment->has_header = code == 0;
    if (code != 0)
        return code == SHEAF_ERROR_DAMAGED ? 0 : code;
    const unsigned char *identity = recovery->reading->identity;
    if (identity != NULL && memcmp(identity, header.identity, sizeof header.identity) != 0)
        return refuse_identity(recovery, error);
    if (!recovery->replayer.has_identity_tag) {
        recovery->replayer.has_identity_tag = true;
        recovery->replayer.identity_tag = segment_identity_tag(header.identity);
    }
    return 0;
}

/* Reads up to the end of the snapshot to see whether all of it is there. When the segment's header
 * is lost, the first sound block tells whose it is. */
static int inspect_snapshot(const struct recovery *recovery, struct opened_segment *segment,
                            struct sheaf_error *error)
{
    if (journal_selection_has_snapshot(&recovery->replayer.selection, &segment->file)) {
        segment->snapshot = SNAPSHOT_WHOLE;
        return 0;
    }
    struct segment_walk walk;
    segment_walk_init(&walk, &segment->file);
    struct segment_piece piece;
    const struct block_header *header = &walk.block.header;
    bool is_whole = true;
    bool has_snapshot = false;
    bool has_end = false;
    bool is_identified = segment->has_header || recovery->reading->identity == NULL;
    int code = 0;
    while (!has_end && segment_walk_next(&walk, &piece)) {
        bool is_carrier = piece.has_header && (header->flags & BLOCK_CARRIER) != 0;
        bool is_snapshot = piece.has_header && (header->flags & BLOCK_SNAPSHOT) != 0;
        if (piece.state != BLOCK_SOUND) {
            is_whole = is_whole && is_carrier;
            continue;
        }
        if (!is_identified && header->identity_tag != recovery->replayer.identity_tag) {
            code = refuse_identity(recovery, error);
            break;
        }
        is_identified = true;
        if (!is_carrier && !is_snapshot)
            break;
        has_snapshot |= is_snapshot;
        has_end = journal_block_ends_snapshot(&walk.block);
    }
    segment_walk_close(&walk);
    if (code == 0 && (segment->file.start_seq == 0 || (has_end && is_whole)))
        segment->snapshot = SNAPSHOT_WHOLE;
    else
        segment->snapshot = has_snapshot ? SNAPSHOT_PARTIAL : SNAPSHOT_NONE;
    return code;
}

static void close_segments(struct recovery *recovery)
{
    for (size_t i = recovery->opened; i < recovery->out->segments.count; i++)
        segment_file_close(&recovery->segments[i].file);
    free(recovery->segments);
    recovery->segments = NULL;
    recovery->opened = 0;
}

/* Opens segments from the last back to the newest whole snapshot. */
static int open_segments(struct recovery *recovery, struct sheaf_error *error)
{
    const struct journal_reading *reading = recovery->reading;
    struct segment_list *list = &recovery->out->segments;
    recovery->segments = memory_allocate_zeroed(list->count, sizeof *recovery->segments);
    recovery->opened = list->count;
    for (size_t i = list->count; i-- > 0;) {
        struct opened_segment *segment = &recovery->segments[i];
        int code =
            segment_file_open(reading->disk, reading->dir, list->starts[i], &segment->file, error);
        if (code != 0)
            return code;
        recovery->opened = i;
        code = check_header(recovery, segment, error);
        if (code == 0)
            code = inspect_snapshot(recovery, segment, error);
        if (code != 0)
            return code;
        if (segment->snapshot == SNAPSHOT_WHOLE)
            break;
    }
    return 0;
}

/* Lists and opens. A run that appends meanwhile may drop a listed segment, which then has a
 * successor: list again. */
static int find_segments(struct recovery *recovery, struct sheaf_error *error)
{
    int code = SHEAF_ERROR_NOT_FOUND;
    for (int i = 0; i < LISTINGS_MAX && code == SHEAF_ERROR_NOT_FOUND; i++) {
        close_segments(recovery);
        segment_list_close(&recovery->out->segments);
        code = segment_list_read(recovery->reading->dir, SEGMENT_SUFFIX, &recovery->out->segments,
                                 error);
        if (code != 0)
            return code;
        code = open_segments(recovery, error);
    }
    return code;
}

/* The newest whole snapshot; else the newest of which a part can be read; else the oldest that is
 * there. */
static size_t choose_base(const struct recovery *recovery)
{
    size_t base = recovery->opened;
    for (size_t i = recovery->out->segments.count; i-- > recovery->opened;) {
        if (recovery->segments[i].snapshot == SNAPSHOT_WHOLE)
            return i;
        if (recovery->segments[i].snapshot == SNAPSHOT_PARTIAL &&
            recovery->segments[base].snapshot == SNAPSHOT_NONE)
            base = i;
    }
    return base;
}

static void report_snapshots(struct recovery *recovery, size_t base)
{
    uint64_t base_seq = recovery->segments[base].file.start_seq;
    for (size_t i = recovery->out->segments.count; i-- > base;) {
        const struct opened_segment *segment = &recovery->segments[i];
        struct journal_damage damage = {0};
        if (!segment->has_header) {
            snprintf(damage.text, sizeof damage.text,
                     "damaged: the header; it is known from "
                     "the file's name");
            journal_report_damage(&recovery->replayer, &segment->file, &damage);
        }
        if (segment->snapshot == SNAPSHOT_WHOLE)
            continue;
        damage.offset_bytes = SEGMENT_HEADER_BYTES;
        if (i == base)
            snprintf(damage.text, sizeof damage.text,
                     "damaged: the snapshot, and no older one is whole; tasks whose results were "
                     "lost run again");
        else
            snprintf(damage.text, sizeof damage.text,
                     "damaged: the snapshot; the one at fact %" PRIu64 " is used instead",
                     base_seq);
        journal_report_damage(&recovery->replayer, &segment->file, &damage);
    }
}

static uint64_t find_last_seq(const struct recovery *recovery)
{
    const struct segment_list *list = &recovery->out->segments;
    uint64_t last = recovery->replayer.emitted_seq;
    last = recovery->replayer.lost_seq > last ? recovery->replayer.lost_seq : last;
    return list->starts[list->count - 1] > last ? list->starts[list->count - 1] : last;
}

static void replay_segments(struct recovery *recovery)
{
    struct journal_replayer *replayer = &recovery->replayer;
    struct journal_recovered *out = recovery->out;
    size_t base = choose_base(recovery);
    out->base = base;
    replayer->base_seq = recovery->segments[base].file.start_seq;
    replayer->seen_seq = replayer->base_seq;
    replayer->base_is_whole = recovery->segments[base].snapshot == SNAPSHOT_WHOLE;
    replayer->is_in_snapshot = replayer->base_seq > 0;
    report_snapshots(recovery, base);
    size_t count = out->segments.count;
    for (size_t i = base; i < count; i++) {
        struct replayed_segment segment = {
            .is_last = i + 1 == count,
            .next_start_seq = i + 1 < count ? out->segments.starts[i + 1] : 0,
        };
        journal_replay_segment(replayer, &recovery->segments[i].file, segment);
    }
    if (!recovery->segments[count - 1].has_header && out->tail_bytes == SEGMENT_HEADER_BYTES)
        out->tail_bytes = 0;
    out->last_seq = find_last_seq(recovery);
    journal_replay_end(replayer, out->last_seq);
}

int journal_recover(const struct journal_reading *reading, struct journal_recovery *recovery,
                    struct journal_recovered *recovered, struct sheaf_error *error)
{
    struct journal_recovered out = {0};
    struct recovery context = {.reading = reading, .out = &out};
    journal_replayer_init(&context.replayer, recovery, &out);
    if (reading->identity != NULL) {
        context.replayer.has_identity_tag = true;
        context.replayer.identity_tag = segment_identity_tag(reading->identity);
    }
    int code = find_segments(&context, error);
    if (code == 0 && out.segments.count > 0)
        replay_segments(&context);
    close_segments(&context);
    journal_replayer_close(&context.replayer);
    if (code != 0) {
        journal_recovered_close(&out);
        return code;
    }
    *recovered = out;
    return 0;
}

/* The newest header that can be read. */
int journal_read_identity(const char *dir, unsigned char identity[32], struct sheaf_error *error)
{
    struct segment_list list = {0};
    int code = segment_list_read(dir, SEGMENT_SUFFIX, &list, error);
    bool is_found = false;
    for (size_t i = list.count; code == 0 && !is_found && i-- > 0;) {
        struct segment_file file;
        struct segment_header header;
        if (segment_file_open(disk_system(), dir, list.starts[i], &file, NULL) != 0)
            continue;
        is_found = segment_file_read_header(&file, &header, NULL) == 0;
        if (is_found)
            memcpy(identity, header.identity, sizeof header.identity);
        segment_file_close(&file);
    }
    segment_list_close(&list);
    if (code == 0 && !is_found)
        code = sheaf_error_set(error, SHEAF_ERROR_NOT_FOUND, "%s holds no journal", dir);
    return code;
}

void journal_recovered_close(struct journal_recovered *recovered)
{
    segment_list_close(&recovered->segments);
    for (size_t i = 0; i < recovered->payloads.count; i++) {
        struct journal_block *block = recovered->payloads.items[i].block;
        if (--block->payload_count == 0)
            journal_block_destroy(block);
    }
    payload_table_close(&recovered->payloads);
    range_set_close(&recovered->damaged);
    byte_writer_close(&recovered->job);
}
