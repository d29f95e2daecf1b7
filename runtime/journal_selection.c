/* journal_selection.c - passes over blocks by their headers, and finds the payloads that matter. */
#include "journal_selection.h"

#include "../scheduler/memory.h"
#include "journal_replay.h"

#include <stdlib.h>

void journal_selection_close(struct journal_selection *selection)
{
    free(selection->maps);
    free(selection->seqs);
}

static void add_map(struct journal_selection *selection, struct payload_map map)
{
    void *maps = selection->maps;
    memory_grow(&maps, &selection->map_capacity, selection->map_count + 1, sizeof *selection->maps);
    selection->maps = maps;
    selection->maps[selection->map_count++] = map;
}

static bool is_needed(const struct journal_selection *selection, const struct block_header *header,
                      bool is_base)
{
    if ((header->flags & (BLOCK_CARRIER | BLOCK_MAP)) != 0)
        return false;
    if ((header->flags & BLOCK_SNAPSHOT) != 0 && !is_base)
        return false;
    return (header->flags & BLOCK_REVISES) != 0 ||
           selection->caller->matters(selection->caller->context, header->tasks);
}

void journal_selection_skip(struct journal_selection *selection, struct segment_walk *walk,
                            bool is_base)
{
    struct block_header header;
    while (selection->caller != NULL && segment_walk_peek(walk, &header) &&
           !is_needed(selection, &header, is_base)) {
        if (is_base && (header.flags & BLOCK_MAP) != 0) {
            selection->file = walk->file;
            add_map(selection, (struct payload_map){walk->offset_bytes, header.first_seq});
        }
        segment_walk_skip(walk, &header);
    }
}

bool journal_selection_has_snapshot(const struct journal_selection *selection,
                                    struct segment_file *file)
{
    struct segment_walk walk;
    struct segment_piece piece;
    struct block_header header;
    uint64_t last_offset_bytes = 0;
    if (selection->caller == NULL)
        return false;
    segment_walk_init(&walk, file);
    while (segment_walk_peek(&walk, &header) &&
           (header.flags & (BLOCK_CARRIER | BLOCK_SNAPSHOT)) != 0) {
        last_offset_bytes = walk.offset_bytes;
        segment_walk_skip(&walk, &header);
    }
    walk.offset_bytes = last_offset_bytes;
    bool has_end = last_offset_bytes > 0 && segment_walk_next(&walk, &piece) &&
                   piece.state == BLOCK_SOUND && journal_block_ends_snapshot(&walk.block);
    segment_walk_close(&walk);
    return has_end;
}

void journal_selection_add_result(struct journal_selection *selection,
                                  const struct fact_result *result)
{
    for (uint32_t i = 0; selection->caller != NULL && i < result->partial_count; i++) {
        const struct partial *partial = &result->partials[i];
        if (!selection->caller->matters(selection->caller->context, partial->range))
            continue;
        void *seqs = selection->seqs;
        memory_grow(&seqs, &selection->seq_capacity, selection->seq_count + 1,
                    sizeof *selection->seqs);
        selection->seqs = seqs;
        selection->seqs[selection->seq_count++] = partial->payload_seq;
    }
}

static int compare_seqs(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void journal_selection_sort(struct journal_selection *selection)
{
    if (selection->seq_count > 0)
        qsort(selection->seqs, selection->seq_count, sizeof *selection->seqs, compare_seqs);
}

/* The index of the first that is not below `seq`. */
static size_t find_seq(const struct journal_selection *selection, uint64_t seq)
{
    size_t low = 0;
    size_t high = selection->seq_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (selection->seqs[middle] < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool journal_selection_needs_map(const struct journal_selection *selection, size_t map)
{
    size_t found = find_seq(selection, selection->maps[map].first_seq);
    return found < selection->seq_count &&
           (map + 1 == selection->map_count ||
            selection->seqs[found] < selection->maps[map + 1].first_seq);
}

bool journal_selection_needs_payload(const struct journal_selection *selection, uint64_t seq)
{
    size_t found = find_seq(selection, seq);
    return selection->caller == NULL ||
           (found < selection->seq_count && selection->seqs[found] == seq);
}
