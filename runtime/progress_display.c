/* progress_display.c - shows progress and messages on standard error. */
#include "progress_display.h"

#include "../scheduler/memory.h"
#include "../scheduler/printable.h"
#include "../scheduler/scheduler.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TERMINAL_INTERVAL_NS (100 * SHEAF_NS_PER_MS)
#define PLAIN_INTERVAL_NS    (10 * SHEAF_NS_PER_S)

enum { PLAIN_WIDTH = 200, TERMINAL_WIDTH_DEFAULT = 80 };

void progress_display_init(struct progress_display *display, int descriptor, bool is_quiet)
{
    const char *terminal = getenv("TERM");
    *display = (struct progress_display){
        .descriptor = descriptor,
        .is_terminal = isatty(descriptor) && terminal != NULL && strcmp(terminal, "dumb") != 0,
        .is_quiet = is_quiet,
    };
}

/* One write a line, so that lines of several processes stay whole. What cannot be written is lost:
 * there is nobody to tell. */
static void put(const struct progress_display *display, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(display->descriptor, text, size);
        if (written <= 0)
            return;
        text += written;
        size -= (size_t)written;
    }
}

static size_t terminal_width(int descriptor)
{
    struct winsize window;
    if (ioctl(descriptor, TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
        return TERMINAL_WIDTH_DEFAULT;
    return window.ws_col;
}

static void show_on_terminal(struct progress_display *display)
{
    char line[PROGRESS_LINE_BYTES];
    char bytes[PROGRESS_LINE_BYTES + 8];
    /* The last column stays free: some terminals wrap as soon as it is written. */
    progress_format(&display->status, terminal_width(display->descriptor) - 1, line);
    int length = snprintf(bytes, sizeof bytes, "\r%s\x1b[K", line);
    put(display, bytes, (size_t)length);
    display->is_line_shown = true;
}

static void show_as_line(const struct progress_display *display)
{
    char line[PROGRESS_LINE_BYTES];
    char bytes[PROGRESS_LINE_BYTES + 1];
    progress_format(&display->status, PLAIN_WIDTH, line);
    int length = snprintf(bytes, sizeof bytes, "%s\n", line);
    put(display, bytes, (size_t)length);
}

void progress_display_update(struct progress_display *display, const struct status *status,
                             uint64_t now_ns)
{
    bool is_news = !display->is_anything_shown || display->status.state != status->state ||
                   display->status.stage_number != status->stage_number;
    uint64_t interval_ns = display->is_terminal ? TERMINAL_INTERVAL_NS : PLAIN_INTERVAL_NS;
    display->status = *status;
    if (display->is_quiet || (!is_news && now_ns < display->shown_ns + interval_ns))
        return;
    display->is_anything_shown = true;
    display->shown_ns = now_ns;
    if (display->is_terminal)
        show_on_terminal(display);
    else
        show_as_line(display);
}

static void clear(struct progress_display *display)
{
    if (display->is_line_shown)
        put(display, "\r\x1b[K", strlen("\r\x1b[K"));
    display->is_line_shown = false;
}

void progress_display_say(struct progress_display *display, const char *prefix, const char *text,
                          size_t text_size)
{
    bool is_to_be_redrawn = display->is_line_shown;
    clear(display);
    size_t prefix_size = strlen(prefix);
    size_t room = prefix_size + PRINTABLE_GROWTH * text_size + 2;
    char *bytes = memory_allocate(room);
    memcpy(bytes, prefix, prefix_size);
    size_t size = prefix_size + printable(text, text_size, bytes + prefix_size, room - prefix_size);
    bytes[size++] = '\n'; /* in the NUL's place */
    put(display, bytes, size);
    free(bytes);
    if (is_to_be_redrawn)
        show_on_terminal(display);
}

void progress_display_finish(struct progress_display *display)
{
    if (!display->is_line_shown)
        return;
    show_on_terminal(display);
    put(display, "\n", 1);
    display->is_line_shown = false;
}
