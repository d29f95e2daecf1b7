/* start_room.h - whether a host has room for what Open MPI puts there when ranks start. */
#ifndef SHEAF_START_ROOM_H
#define SHEAF_START_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* The session directory of a daemon and its ranks, and a segment for each of two ranks. */
    START_ROOM_TEMPORARY_BYTES = 1 << 20,
    START_ROOM_SHARED_BYTES = 8 << 20,
};

/* Where Open MPI keeps its session directory: $TMPDIR, or /tmp. Borrowed. */
const char *start_room_temporary(void);

/* Tries to write `bytes` into a file there, which is gone again after that. Returns 0, or what
 * stood in the way, as an errno. */
int start_room_try(const char *dir, uint64_t bytes);

/* False, with what is wrong, when there is no room in one of both places. */
bool start_room_check(char *reason, size_t reason_bytes);
bool start_room_check_temporary(char *reason, size_t reason_bytes);
bool start_room_check_shared(char *reason, size_t reason_bytes);

#endif
