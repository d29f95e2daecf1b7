/* journal_view.c - reads facts and results of a journal without opening it for writing. */
#include "journal_internal.h"

#include "../scheduler/memory.h"

#include <stdlib.h>

struct journal_view {
    struct journal_recovered recovered;
    struct payload_reader reader;
};

int journal_view_open(const char *dir, struct journal_recovery *recovery,
                      struct journal_view **view, struct sheaf_error *error)
{
    const struct journal_reading reading = {.dir = dir, .disk = disk_system()};
    struct journal_view *opened = memory_allocate_zeroed(1, sizeof *opened);
    int code = journal_recover(&reading, recovery, &opened->recovered, error);
    if (code != 0) {
        free(opened);
        return code;
    }
    recovery->is_new = opened->recovered.fact_count == 0;
    recovery->last_seq = opened->recovered.last_seq;
    opened->reader = (struct payload_reader){.disk = disk_system(), .dir = dir};
    *view = opened;
    return 0;
}

void journal_view_close(struct journal_view *view)
{
    if (view == NULL)
        return;
    payload_reader_close(&view->reader);
    journal_recovered_close(&view->recovered);
    free(view);
}

int journal_view_read(struct journal_view *view, const struct partial *partial,
                      struct byte_writer *writer, struct sheaf_error *error)
{
    if (partial->is_absent || partial->size_bytes == 0)
        return 0;
    const struct payload *held = payload_table_find_slice(&view->recovered.payloads, partial);
    if (held == NULL)
        return payload_is_lost(partial, error);
    return payload_reader_copy(&view->reader, held, partial, writer, error);
}

int journal_scan(const char *dir, struct journal_recovery *recovery, struct sheaf_error *error)
{
    struct journal_view *view;
    int code = journal_view_open(dir, recovery, &view, error);
    if (code == 0)
        journal_view_close(view);
    return code;
}
