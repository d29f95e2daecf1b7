/* progress_display.h - shows progress and messages on standard error without mixing them up.
 *
 * On a terminal the progress is one line that is written over; elsewhere it is a line now and then:
 * when the state changes and every 10 s. */
#ifndef SHEAF_PROGRESS_DISPLAY_H
#define SHEAF_PROGRESS_DISPLAY_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

struct progress_display {
    int descriptor;
    bool is_terminal;
    bool is_quiet;      /* no progress; messages only */
    bool is_line_shown; /* on a terminal: the cursor stands behind a progress line */
    bool is_anything_shown;
    uint64_t shown_ns;
    struct status status; /* the latest */
};

/* Looks at what `descriptor` is. */
void progress_display_init(struct progress_display *display, int descriptor, bool is_quiet);
/* Shows what has changed, not more often than people can read. */
void progress_display_update(struct progress_display *display, const struct status *status,
                             uint64_t now_ns);
/* A line of its own: `prefix` and `text` (not NUL-terminated), in which controls are shown. */
void progress_display_say(struct progress_display *display, const char *prefix, const char *text,
                          size_t text_size);
/* Leaves the latest progress as a line of its own. */
void progress_display_finish(struct progress_display *display);

#endif
