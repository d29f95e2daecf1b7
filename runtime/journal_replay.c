/* journal_replay.c - replays the records of sound blocks, and reports the stretches between. */
#include "journal_replay.h"

#include "../scheduler/memory.h"
#include "compress.h"

#include <stdlib.h>
#include <stdio.h>

void journal_replayer_init(struct journal_replayer *replayer, struct journal_recovery *caller,
                           struct journal_recovered *out)
{
    *replayer = (struct journal_replayer){.caller = caller, .out = out};
    if (caller->matters != NULL)
        replayer->selection.caller = caller;
    replayer->partials = memory_allocate(FACT_PARTIALS_MAX * sizeof *replayer->partials);
}

void journal_replayer_close(struct journal_replayer *replayer)
{
    free(replayer->partials);
    journal_selection_close(&replayer->selection);
}

static void tell_caller(struct journal_replayer *replayer, const struct segment_file *file,
                        struct journal_damage *damage)
{
    segment_name(file->start_seq, damage->segment);
    if (replayer->caller->damaged != NULL)
        replayer->caller->damaged(replayer->caller->context, damage);
}

void journal_report_damage(struct journal_replayer *replayer, const struct segment_file *file,
                           struct journal_damage *damage)
{
    replayer->out->is_damaged = true;
    range_set_add(&replayer->out->damaged, (struct range){file->start_seq, 1});
    tell_caller(replayer, file, damage);
}

static void emit(struct journal_replayer *replayer, const struct fact *fact)
{
    replayer->emitted_seq = fact->seq;
    replayer->caller->replay(replayer->caller->context, fact);
}

static void emit_read(struct journal_replayer *replayer, const struct fact *fact)
{
    if (fact->kind == FACT_JOB_ACCEPTED)
        replayer->has_job = true;
    replayer->out->fact_count++;
    emit(replayer, fact);
}

/* Later blocks of this journal begin with the copy. */
static void keep_job(struct journal_replayer *replayer, const struct record *record)
{
    struct record copy = *record;
    copy.kind = RECORD_JOB;
    copy.payload_bytes = 0;
    byte_writer_clear(&replayer->out->job);
    record_put(&replayer->out->job, &copy);
}

/* A copy of the job counts when the block that held the job is lost. In a whole snapshot the job
 * follows; in a damaged one it may not. */
static void replay_job_copy(struct journal_replayer *replayer, const struct record *record,
                            bool is_snapshot)
{
    if (replayer->has_job || (is_snapshot && replayer->base_is_whole))
        return;
    struct fact fact;
    if (fact_decode(FACT_JOB_ACCEPTED, record->fact, record->fact_bytes, replayer->partials, &fact,
                    NULL) != 0)
        return;
    fact.seq = replayer->is_in_snapshot ? replayer->base_seq : record->seq;
    if (!replayer->is_in_snapshot && fact.seq <= replayer->emitted_seq)
        return;
    keep_job(replayer, record);
    emit_read(replayer, &fact);
}

static void add_payload(struct journal_replayer *replayer, struct payload *payload,
                        struct block_location location)
{
    struct payload_table *table = &replayer->out->payloads;
    struct payload *last = table->count > 0 ? &table->items[table->count - 1] : NULL;
    if (last != NULL && last->seq >= payload->seq)
        return;
    bool is_same = last != NULL && last->block->location.start_seq == location.start_seq &&
                   last->block->location.offset_bytes == location.offset_bytes;
    payload->block = is_same ? last->block : journal_block_create_on_disk(location);
    payload->block->payload_count++;
    payload_table_add(table, payload);
}

static void replay_map(struct journal_replayer *replayer, const struct record *record)
{
    struct byte_reader reader = byte_reader_of(record->payload, record->payload_bytes);
    while (byte_reader_left(&reader) >= PAYLOAD_ENTRY_BYTES) {
        struct payload payload = {0};
        struct block_location location;
        payload_entry_get(&reader, &payload, &location);
        if (payload.seq <= replayer->base_seq && location.start_seq <= replayer->base_seq &&
            journal_selection_needs_payload(&replayer->selection, payload.seq))
            add_payload(replayer, &payload, location);
    }
}

/* Now that the payloads that matter are known. */
static void replay_needed_maps(struct journal_replayer *replayer)
{
    struct journal_selection *selection = &replayer->selection;
    struct block_buffer block = {0};
    struct record record;
    journal_selection_sort(selection);
    for (size_t i = 0; i < selection->map_count; i++) {
        if (!journal_selection_needs_map(selection, i))
            continue;
        uint64_t offset_bytes = selection->maps[i].offset_bytes;
        if (segment_file_read_block(selection->file, offset_bytes, &block) != BLOCK_SOUND) {
            struct journal_damage damage = {.offset_bytes = offset_bytes,
                                            .text = "damaged: part of a snapshot"};
            journal_report_damage(replayer, selection->file, &damage);
            continue;
        }
        struct byte_reader reader = byte_reader_of(block.raw, block.header.raw_bytes);
        while (record_next(&reader, &record)) {
            if (record.kind == RECORD_PAYLOAD_MAP)
                replay_map(replayer, &record);
        }
    }
    block_buffer_close(&block);
}

static void leave_snapshot(struct journal_replayer *replayer)
{
    replay_needed_maps(replayer);
    replayer->is_in_snapshot = false;
}

static void emit_snapshot_end(struct journal_replayer *replayer, uint64_t seq)
{
    struct fact fact = {.kind = FACT_SNAPSHOT_END, .seq = seq};
    if (replayer->is_in_snapshot)
        leave_snapshot(replayer);
    emit(replayer, &fact);
}

static void report_record(struct journal_replayer *replayer, uint64_t offset_bytes, uint64_t seq)
{
    struct journal_damage damage = {
        .offset_bytes = offset_bytes,
        .first_seq = seq,
        .last_seq = seq,
        .text = "a record that this version of sheaf does not understand is passed over",
    };
    journal_report_damage(replayer, replayer->file, &damage);
}

/* False when the record is not a fact. */
static bool replay_fact(struct journal_replayer *replayer, const struct record *record,
                        struct block_location location, bool is_snapshot)
{
    struct fact fact;
    if (fact_decode(record->kind, record->fact, record->fact_bytes, replayer->partials, &fact,
                    NULL) != 0)
        return false;
    fact.seq = record->seq;
    if (fact.kind == FACT_JOB_ACCEPTED) {
        if (is_snapshot && replayer->has_job)
            return true;
        keep_job(replayer, record);
    }
    if (is_snapshot && fact.kind == FACT_RESULT)
        journal_selection_add_result(&replayer->selection, &fact.as.result);
    if (is_snapshot && fact.kind == FACT_SNAPSHOT_END)
        leave_snapshot(replayer);
    if (!is_snapshot && replayer->is_in_snapshot)
        emit_snapshot_end(replayer, replayer->base_seq);
    if (record->payload_bytes > 0) {
        struct payload payload = {
            .seq = record->seq,
            .size_bytes = record->payload_bytes,
            .record_offset_bytes = record->offset_bytes,
        };
        add_payload(replayer, &payload, location);
    }
    emit_read(replayer, &fact);
    return true;
}

/* A fact is replayed once, and only in order. */
static bool is_expected(const struct journal_replayer *replayer, const struct record *record,
                        bool is_snapshot)
{
    if (is_snapshot)
        return replayer->is_in_snapshot && record->seq == replayer->base_seq;
    return record->seq > replayer->emitted_seq && record->seq > replayer->base_seq;
}

static void replay_block(struct journal_replayer *replayer, const struct block_buffer *block,
                         uint64_t offset_bytes)
{
    const struct block_header *header = &block->header;
    bool is_snapshot = (header->flags & BLOCK_SNAPSHOT) != 0;
    if ((header->flags & BLOCK_CARRIER) != 0 ||
        (is_snapshot && replayer->file->start_seq != replayer->base_seq))
        return;
    struct block_location location = {replayer->file->start_seq, offset_bytes};
    struct byte_reader reader = byte_reader_of(block->raw, header->raw_bytes);
    struct record record;
    while (record_next(&reader, &record)) {
        if (record.kind == RECORD_JOB && record.seq <= header->last_seq) {
            replay_job_copy(replayer, &record, is_snapshot);
        } else if (record.kind == RECORD_PAYLOAD_MAP && is_snapshot) {
            replay_map(replayer, &record);
        } else if (record.seq < header->first_seq || record.seq > header->last_seq) {
            report_record(replayer, offset_bytes, record.seq);
        } else if (is_expected(replayer, &record, is_snapshot) &&
                   !replay_fact(replayer, &record, location, is_snapshot)) {
            report_record(replayer, offset_bytes, record.seq);
        }
    }
    if (reader.failed)
        report_record(replayer, offset_bytes, 0);
}

static struct range range_hull(struct range a, struct range b)
{
    if (range_is_empty(a) || range_is_empty(b))
        return range_is_empty(a) ? b : a;
    uint64_t first = a.first < b.first ? a.first : b.first;
    uint64_t end = range_end(a) > range_end(b) ? range_end(a) : range_end(b);
    return range_between(first, end);
}

static void extend_stretch(struct damaged_stretch *stretch, const struct segment_piece *piece,
                           const struct block_header *header)
{
    if (!stretch->is_open)
        *stretch = (struct damaged_stretch){
            .is_open = true, .has_headers = true, .offset_bytes = piece->offset_bytes};
    if (!piece->has_header) {
        stretch->has_headers = false;
        return;
    }
    stretch->flags |= header->flags;
    if ((header->flags & (BLOCK_SNAPSHOT | BLOCK_CARRIER)) != 0)
        return;
    if (!stretch->has_facts)
        stretch->first_seq = header->first_seq;
    stretch->has_facts = true;
    stretch->last_seq = header->last_seq;
    stretch->tasks = range_hull(stretch->tasks, header->tasks);
}

static void describe_stretch(const struct damaged_stretch *stretch, struct journal_damage *damage)
{
    unsigned long long first = damage->first_seq;
    unsigned long long last = damage->last_seq;
    if (last > 0 && !range_is_empty(damage->tasks))
        snprintf(damage->text, sizeof damage->text,
                 "damaged: facts %llu to %llu are lost; tasks %llu to %llu run again where their "
                 "results were among them",
                 first, last, (unsigned long long)damage->tasks.first,
                 (unsigned long long)range_end(damage->tasks) - 1);
    else if (last > 0 && stretch->has_headers)
        snprintf(damage->text, sizeof damage->text,
                 "damaged: facts %llu to %llu are lost; no results were among them", first, last);
    else if (last > 0)
        snprintf(damage->text, sizeof damage->text,
                 "damaged: facts %llu to %llu are lost; tasks whose results were among them run "
                 "again",
                 first, last);
    else if (stretch->has_headers && (stretch->flags & BLOCK_SNAPSHOT) != 0)
        snprintf(damage->text, sizeof damage->text, "damaged: part of a snapshot");
    else if (stretch->has_headers && (stretch->flags & BLOCK_CARRIER) != 0)
        snprintf(damage->text, sizeof damage->text,
                 "damaged: results copied from older segments; their tasks run again when the "
                 "results are needed");
    else
        snprintf(damage->text, sizeof damage->text, "damaged: bytes that cannot be understood");
}

/* Reports the stretch. What no header tells is taken from the neighbours: the facts between the
 * last sound block and next_seq, the first seq that is sound again. */
static void close_stretch(struct journal_replayer *replayer, uint64_t next_seq)
{
    struct damaged_stretch *stretch = &replayer->stretch;
    if (!stretch->is_open)
        return;
    stretch->is_open = false;
    struct journal_damage damage = {.offset_bytes = stretch->offset_bytes};
    if (stretch->has_headers) {
        damage.first_seq = stretch->first_seq;
        damage.last_seq = stretch->last_seq;
        damage.tasks = stretch->tasks;
    } else if (next_seq > replayer->seen_seq + 1) {
        damage.first_seq = replayer->seen_seq + 1;
        damage.last_seq = next_seq - 1;
    }
    uint64_t lost_seq = stretch->last_seq > damage.last_seq ? stretch->last_seq : damage.last_seq;
    if (lost_seq > replayer->lost_seq)
        replayer->lost_seq = lost_seq;
    describe_stretch(stretch, &damage);
    journal_report_damage(replayer, replayer->file, &damage);
}

/* Nothing sound follows in the last segment: a write that a crash cut short. Not damage. */
static void close_torn_tail(struct journal_replayer *replayer)
{
    struct damaged_stretch *stretch = &replayer->stretch;
    stretch->is_open = false;
    struct journal_damage damage = {
        .offset_bytes = stretch->offset_bytes,
        .first_seq = stretch->first_seq,
        .last_seq = stretch->last_seq,
        .text = "torn tail",
    };
    if (stretch->has_headers)
        damage.tasks = stretch->tasks;
    tell_caller(replayer, replayer->file, &damage);
}

/* Bytes at the end that cannot be read now may be read another time: they are kept, and facts are
 * numbered on behind all that can be among them. Returns where the next block may begin. */
static uint64_t keep_unreadable_tail(struct journal_replayer *replayer)
{
    struct damaged_stretch *stretch = &replayer->stretch;
    stretch->is_open = false;
    uint64_t size_bytes = replayer->file->size_bytes - stretch->offset_bytes;
    uint64_t fact_count_max = size_bytes / RECORD_HEADER_BYTES * COMPRESS_RATIO_MAX;
    replayer->lost_seq = replayer->seen_seq + fact_count_max;
    struct journal_damage damage = {.offset_bytes = stretch->offset_bytes};
    snprintf(damage.text, sizeof damage.text,
             "unreadable: the last %llu bytes; they are kept, and tasks whose results are among "
             "them run again",
             (unsigned long long)size_bytes);
    replayer->out->is_damaged = true; /* but the segment is not to go */
    tell_caller(replayer, replayer->file, &damage);
    const uint64_t mask = BLOCK_ALIGNMENT - 1;
    return (replayer->file->size_bytes + mask) & ~mask;
}

/* A sound block of another journal is the content of a payload whose own block is damaged. */
static bool is_own_block(struct journal_replayer *replayer, const struct block_header *header)
{
    if (!replayer->has_identity_tag) {
        replayer->has_identity_tag = true;
        replayer->identity_tag = header->identity_tag;
    }
    return header->identity_tag == replayer->identity_tag;
}

static void replay_sound_block(struct journal_replayer *replayer, const struct block_buffer *block,
                               uint64_t offset_bytes)
{
    const struct block_header *header = &block->header;
    bool has_facts = (header->flags & (BLOCK_SNAPSHOT | BLOCK_CARRIER)) == 0;
    close_stretch(replayer, has_facts ? header->first_seq : 0);
    replay_block(replayer, block, offset_bytes);
    if (has_facts && header->last_seq > replayer->seen_seq)
        replayer->seen_seq = header->last_seq;
}

bool journal_block_ends_snapshot(const struct block_buffer *block)
{
    if ((block->header.flags & BLOCK_SNAPSHOT) == 0)
        return false;
    struct byte_reader reader = byte_reader_of(block->raw, block->header.raw_bytes);
    struct record record;
    while (record_next(&reader, &record)) {
        if (record.kind == FACT_SNAPSHOT_END)
            return true;
    }
    return false;
}

void journal_replay_segment(struct journal_replayer *replayer, struct segment_file *file,
                            struct replayed_segment segment)
{
    struct segment_walk walk;
    segment_walk_init(&walk, file);
    struct segment_piece piece;
    bool is_past_snapshot = file->start_seq == 0;
    uint64_t tail_bytes = SEGMENT_HEADER_BYTES;
    uint64_t head_bytes = SEGMENT_HEADER_BYTES;
    replayer->file = file;
    for (;;) {
        journal_selection_skip(&replayer->selection, &walk, file->start_seq == replayer->base_seq);
        if (!segment_walk_next(&walk, &piece))
            break;
        const struct block_header *header = &walk.block.header;
        if (piece.state == BLOCK_SOUND && !is_own_block(replayer, header)) {
            piece.state = BLOCK_BAD_HEADER;
            piece.has_header = false;
        }
        if (piece.state != BLOCK_SOUND) {
            extend_stretch(&replayer->stretch, &piece, header);
            continue;
        }
        replay_sound_block(replayer, &walk.block, piece.offset_bytes);
        tail_bytes = piece.end_bytes;
        if (journal_block_ends_snapshot(&walk.block)) {
            is_past_snapshot = true;
            head_bytes = tail_bytes;
        }
        is_past_snapshot |= (header->flags & (BLOCK_SNAPSHOT | BLOCK_CARRIER)) == 0;
    }
    segment_walk_close(&walk);
    bool has_tail = replayer->stretch.is_open && segment.is_last;
    if (has_tail && file->unreadable_end_bytes > replayer->stretch.offset_bytes)
        tail_bytes = keep_unreadable_tail(replayer);
    else if (has_tail && is_past_snapshot)
        close_torn_tail(replayer);
    close_stretch(replayer, segment.is_last ? 0 : segment.next_start_seq + 1);
    replayer->out->tail_bytes = tail_bytes;
    replayer->out->head_bytes = head_bytes;
}

void journal_replay_end(struct journal_replayer *replayer, uint64_t last_seq)
{
    if (last_seq > replayer->emitted_seq || replayer->is_in_snapshot)
        emit_snapshot_end(replayer, last_seq);
}
