/* journal_selection.h - which blocks a view of a few tasks needs, as far as their headers tell. */
#ifndef SHEAF_JOURNAL_SELECTION_H
#define SHEAF_JOURNAL_SELECTION_H

#include "journal_internal.h"

/* A block of the snapshot that tells where payloads from first_seq on lie. */
struct payload_map {
    uint64_t offset_bytes;
    uint64_t first_seq;
};

/* All zero is valid: everything is needed. Owns `maps` and `seqs`. */
struct journal_selection {
    const struct journal_recovery *caller; /* borrowed; NULL: everything is needed */
    struct segment_file *file;             /* borrowed; of the snapshot */
    struct payload_map *maps;              /* passed over so far; ascending */
    size_t map_count;
    size_t map_capacity;
    uint64_t *seqs; /* of the payloads that matter, as far as the snapshot names them */
    size_t seq_count;
    size_t seq_capacity;
};

void journal_selection_close(struct journal_selection *selection);
/* Passes over blocks that are not needed. Maps of `file` are remembered when it is the base. */
void journal_selection_skip(struct journal_selection *selection, struct segment_walk *walk,
                            bool is_base);
/* True when, as the headers say and the last block confirms, a whole snapshot is there. False says
 * nothing. */
bool journal_selection_has_snapshot(const struct journal_selection *selection,
                                    struct segment_file *file);
/* Remembers the payloads of a result in the snapshot. */
void journal_selection_add_result(struct journal_selection *selection,
                                  const struct fact_result *result);
/* After all results of the snapshot. */
void journal_selection_sort(struct journal_selection *selection);
/* True when the map names payloads that matter. */
bool journal_selection_needs_map(const struct journal_selection *selection, size_t map);
bool journal_selection_needs_payload(const struct journal_selection *selection, uint64_t seq);

#endif
