/* journal_text.c - prints what a journal holds: `sheaf journal verify` and `sheaf journal dump`. */
#include "journal_internal.h"
#include "print_foreign.h"

#include <inttypes.h>

enum { FACT_LINE_BYTES = 4096 };

/* What one walk over a segment has seen. */
struct segment_summary {
    uint64_t block_count;
    uint64_t record_count;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t snapshot_blocks;
    uint64_t carrier_blocks;
    uint64_t damage_count;
};

static void count_block(struct segment_summary *summary, const struct block_header *header)
{
    summary->block_count++;
    summary->record_count += header->record_count;
    if ((header->flags & BLOCK_SNAPSHOT) != 0) {
        summary->snapshot_blocks++;
    } else if ((header->flags & BLOCK_CARRIER) != 0) {
        summary->carrier_blocks++;
    } else {
        if (summary->last_seq == 0)
            summary->first_seq = header->first_seq;
        summary->last_seq = header->last_seq;
    }
}

static void print_piece(FILE *out, const struct segment_piece *piece,
                        const struct block_header *header)
{
    fprintf(out, "  damaged at %" PRIu64 ": %" PRIu64 " bytes", piece->offset_bytes,
            piece->end_bytes - piece->offset_bytes);
    if (piece->has_header && (header->flags & (BLOCK_SNAPSHOT | BLOCK_CARRIER)) == 0) {
        fprintf(out, ", facts %" PRIu64 " to %" PRIu64, header->first_seq, header->last_seq);
        if (!range_is_empty(header->tasks))
            fprintf(out, ", results within tasks %" PRIu64 " to %" PRIu64, header->tasks.first,
                    range_end(header->tasks) - 1);
    } else if (piece->has_header) {
        fputs((header->flags & BLOCK_SNAPSHOT) != 0 ? ", of a snapshot" : ", copied results", out);
    }
    fputc('\n', out);
}

/* A damaged stretch at the very end. In the last segment, behind whatever is sound, it is what a
 * crash cut short. */
struct torn_tail {
    bool is_open;
    struct segment_piece piece;
    struct block_header header;
};

static void print_blocks(struct segment_file *file, FILE *out, bool is_last,
                         struct segment_summary *summary)
{
    struct segment_walk walk;
    segment_walk_init(&walk, file);
    struct segment_piece piece;
    struct torn_tail tail = {0};
    while (segment_walk_next(&walk, &piece)) {
        if (piece.state != BLOCK_SOUND && !tail.is_open) {
            tail = (struct torn_tail){true, piece, walk.block.header};
            continue;
        }
        if (tail.is_open && piece.state != BLOCK_SOUND) {
            tail.piece.end_bytes = piece.end_bytes;
            continue;
        }
        if (tail.is_open) {
            summary->damage_count++;
            print_piece(out, &tail.piece, &tail.header);
        }
        tail.is_open = false;
        count_block(summary, &walk.block.header);
    }
    segment_walk_close(&walk);
    bool is_torn = tail.is_open && is_last &&
                   (file->start_seq == 0 || summary->last_seq > 0 || summary->snapshot_blocks > 0);
    if (is_torn)
        fprintf(out, "  torn tail at %" PRIu64 ": %" PRIu64 " bytes\n", tail.piece.offset_bytes,
                file->size_bytes - tail.piece.offset_bytes);
    else if (tail.is_open) {
        summary->damage_count++;
        print_piece(out, &tail.piece, &tail.header);
    }
}

static void print_summary(FILE *out, const char *name, const struct segment_file *file,
                          const struct segment_summary *summary)
{
    fprintf(out, "%s: %" PRIu64 " bytes, %" PRIu64 " blocks, %" PRIu64 " records", name,
            file->size_bytes, summary->block_count, summary->record_count);
    if (summary->snapshot_blocks > 0)
        fprintf(out, ", snapshot at %" PRIu64, file->start_seq);
    if (summary->carrier_blocks > 0)
        fprintf(out, ", %" PRIu64 " blocks of copied results", summary->carrier_blocks);
    if (summary->last_seq > 0)
        fprintf(out, ", facts %" PRIu64 " to %" PRIu64, summary->first_seq, summary->last_seq);
    fputc('\n', out);
}

/* Of a segment before the newest snapshot only results are needed that live: so many of these
 * cannot be read. */
static uint64_t count_lost_results(const char *dir, const struct journal_recovered *recovered,
                                   uint64_t start_seq, FILE *out)
{
    struct payload_reader reader = {.disk = disk_system(), .dir = dir};
    uint64_t count = 0;
    for (size_t i = 0; i < recovered->payloads.count; i++) {
        const struct payload *payload = &recovered->payloads.items[i];
        const unsigned char *bytes;
        count += payload->block->location.start_seq == start_seq &&
                 payload_reader_find(&reader, payload, &bytes, NULL) != 0;
    }
    payload_reader_close(&reader);
    if (count > 0)
        fprintf(out, "  lost with it: the results of %" PRIu64 " facts\n", count);
    else
        fputs("  nothing of it is needed any more\n", out);
    return count;
}

/* 0, or an error that is not damage; damage to what is needed is counted. */
static int verify_segment(const char *dir, const struct journal_recovered *recovered, size_t number,
                          FILE *out, uint64_t *damage_count, struct sheaf_error *error)
{
    const uint64_t start_seq = recovered->segments.starts[number];
    const bool is_last = number + 1 == recovered->segments.count;
    struct segment_file file;
    int code = segment_file_open(disk_system(), dir, start_seq, &file, error);
    if (code != 0)
        return code;
    char name[SEGMENT_NAME_BYTES];
    segment_name(start_seq, name);
    struct segment_header header;
    struct segment_summary summary = {0};
    code = segment_file_read_header(&file, &header, error);
    if (code == SHEAF_ERROR_DAMAGED) {
        summary.damage_count++;
        fprintf(out, "%s: the header is damaged\n", name);
        code = 0;
    }
    if (code == 0) {
        print_blocks(&file, out, is_last, &summary);
        print_summary(out, name, &file, &summary);
        if (summary.damage_count > 0 && number < recovered->base)
            summary.damage_count = count_lost_results(dir, recovered, start_seq, out);
        *damage_count += summary.damage_count;
    }
    segment_file_close(&file);
    return code;
}

/* Here only what lies where is of interest. */
static void pass_over(void *context, const struct fact *fact)
{
    (void)context;
    (void)fact;
}

int journal_verify(const char *dir, FILE *out, struct sheaf_error *error)
{
    const struct journal_reading reading = {.dir = dir, .disk = disk_system()};
    struct journal_recovery recovery = {.replay = pass_over};
    struct journal_recovered recovered;
    int code = journal_recover(&reading, &recovery, &recovered, error);
    if (code != 0)
        return code;
    uint64_t damage_count = 0;
    for (size_t i = 0; code == 0 && i < recovered.segments.count; i++) {
        code = verify_segment(dir, &recovered, i, out, &damage_count, error);
        if (code == SHEAF_ERROR_NOT_FOUND && i + 1 < recovered.segments.count)
            code = 0; /* dropped by a run that is under way */
    }
    journal_recovered_close(&recovered);
    if (code == 0 && damage_count > 0)
        return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                               "%" PRIu64 " places in the journal %s are damaged; repeat the "
                               "command of the run to continue with what is sound",
                               damage_count, dir);
    return code;
}

static void dump_fact(void *context, const struct fact *fact)
{
    FILE *out = context;
    char line[FACT_LINE_BYTES];
    fact_describe(fact, line, sizeof line);
    print_harmless(out, "%" PRIu64 " %s\n", fact->seq, line);
}

static void dump_damage(void *context, const struct journal_damage *damage)
{
    FILE *out = context;
    print_harmless(out, "# %s at %" PRIu64 ": %s\n", damage->segment, damage->offset_bytes,
                   damage->text);
}

int journal_dump(const char *dir, FILE *out, struct sheaf_error *error)
{
    fputs("# number and fact, in the order in which they happened; the journal holds no times\n",
          out);
    struct journal_recovery recovery = {
        .replay = dump_fact,
        .damaged = dump_damage,
        .context = out,
    };
    return journal_scan(dir, &recovery, error);
}
