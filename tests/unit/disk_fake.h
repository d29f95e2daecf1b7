/* disk_fake.h - a disk that fails when asked to, and that can lose what was not synced.
 *
 * It passes every call on to real files below one folder, so that they can be listed and read, and
 * keeps in memory what of them is durable. It never really syncs. Safe to use from two threads. */
#ifndef SHEAF_TEST_DISK_FAKE_H
#define SHEAF_TEST_DISK_FAKE_H

#include "../../runtime/disk.h"

#include <stdbool.h>

enum disk_call {
    DISK_OPEN = 1 << 0,
    DISK_WRITE = 1 << 1,
    DISK_PREAD = 1 << 2,
    DISK_DATASYNC = 1 << 3,
    DISK_TRUNCATE = 1 << 4,
    DISK_RENAME = 1 << 5,
    DISK_UNLINK = 1 << 6,
    DISK_SYNC_DIRECTORY = 1 << 7,
    DISK_MAKE_DIRECTORY = 1 << 8,
    DISK_CHANGING = DISK_WRITE | DISK_DATASYNC | DISK_TRUNCATE | DISK_RENAME | DISK_UNLINK |
                    DISK_SYNC_DIRECTORY,
    DISK_ALL = (1 << 9) - 1,
};

struct disk_fake;

/* Returns a fake, owned by the caller. Only files directly in the folder `dir`, which need not
 * exist yet, are followed; those that are there already are durable as they are. */
struct disk_fake *disk_fake_create(const char *dir);
void disk_fake_destroy(struct disk_fake *fake);
/* Borrowed; lives as long as the fake. */
const struct disk *disk_fake_disk(struct disk_fake *fake);

/* The nth call from now on (1 is the next) among `calls` fails with errno_value, and so do all
 * after it when is_lasting. */
void disk_fake_fail(struct disk_fake *fake, unsigned int calls, uint64_t nth, int errno_value,
                    bool is_lasting);
/* True when the call that was to fail has come. */
bool disk_fake_has_failed(struct disk_fake *fake);
/* Bytes from first_bytes up to end_bytes of any file cannot be read; 0 and 0: all can. */
void disk_fake_break(struct disk_fake *fake, off_t first_bytes, off_t end_bytes);
/* The nth changing call from now on is begun, and nothing after it happens. */
void disk_fake_crash(struct disk_fake *fake, uint64_t nth);
/* Writes take at most size_max bytes at a time; 0 for no limit. */
void disk_fake_shorten_writes(struct disk_fake *fake, size_t size_max);
/* After so many more bytes, writes find the disk full. */
void disk_fake_limit_space(struct disk_fake *fake, uint64_t size_bytes);
/* Writes wait while held. */
void disk_fake_hold_writes(struct disk_fake *fake, bool is_held);

/* Writes into the new folder `dir` what a crash at this moment may leave behind: everything
 * synced, and of the rest any sectors and any changes of names, as `seed` has it. */
void disk_fake_survive(struct disk_fake *fake, const char *dir, uint64_t seed);

#endif
