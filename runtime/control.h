/* control.h - what the master tells the launcher, as lines hidden in its standard error.
 *
 * The launcher reads what mpirun forwards from all ranks, so that no port and no shared file is
 * needed. A control line is
 *
 *     \x1e "sheaf1 " CRC-32 of the rest in hexadecimal " " KIND " " FIELDS "\n"
 *
 * written by one write(2). A line that was torn, because other ranks wrote in its middle, fails its
 * CRC and is dropped: what counts is repeated (progress) or also lies in the run directory (end).
 * All of it is a hint, as others may write there, too: that a job has ended with a result is
 * believed when DIR/status.json says so.
 */
#ifndef SHEAF_CONTROL_H
#define SHEAF_CONTROL_H

#include "status.h"

#include <stddef.h>

enum {
    CONTROL_LINE_BYTES_MAX = 4096, /* PIPE_BUF: so much is written to a pipe as a whole */
    CONTROL_TEXT_BYTES = 1280,     /* of a message, with its NUL; more is cut */
};

#define CONTROL_LINE_BEGIN '\x1e'

enum control_kind {
    CONTROL_STARTED = 1, /* the master holds the run directory and has recovered */
    CONTROL_PROGRESS,    /* at least once a second, changed or not: silence has a deadline */
    CONTROL_MESSAGE,
    CONTROL_END,        /* everything is on disk; what follows is only leaving MPI */
    CONTROL_MPI_UP,     /* rank 0 says: all ranks have got so far that none waits for another */
    CONTROL_RANK_ENDED, /* says its witness */
};

/* NOTE: for the log alone. */
enum control_level { CONTROL_INFO = 1, CONTROL_WARNING, CONTROL_ERROR, CONTROL_NOTE };

struct control_line {
    enum control_kind kind;
    union {
        struct {
            uint64_t incarnation;
            int64_t process_id; /* SIGUSR1 to it asks for a stop */
            char host[STATUS_HOST_BYTES];
        } started;
        struct status progress; /* without job, output, host and times of writing */
        struct {
            enum control_level level;
            char text[CONTROL_TEXT_BYTES];
        } message;
        struct {
            int exit_status;
            bool has_output;               /* DIR/output is to be copied to standard output */
            bool is_worth_restarting;      /* another mpirun could go on where this one could not */
            char text[CONTROL_TEXT_BYTES]; /* why, for people; may be empty */
        } end;
        struct {
            int64_t process_id; /* of rank 0 */
            char host[STATUS_HOST_BYTES];
        } mpi_up;
        struct {
            int rank;
            char host[STATUS_HOST_BYTES];
        } rank_ended;
    } as;
};

/* Writes the line, newline included, without a NUL. Returns its size. */
size_t control_encode(const struct control_line *line, char bytes[CONTROL_LINE_BYTES_MAX]);
/* Reads a line without its newline. MALFORMED, with *line untouched, unless it is exactly one. */
int control_decode(const char *bytes, size_t size, struct control_line *line,
                   struct sheaf_error *error);

/* Writes the line to `descriptor` (the master's standard error) when it takes it within
 * `patience_ms`; false when it was dropped. Never waits longer: a launcher that hangs must not
 * hold the master. */
bool control_write(int descriptor, const struct control_line *line, int patience_ms);

/* Shorthands. The text is cut to CONTROL_TEXT_BYTES. */
bool control_write_message(int descriptor, enum control_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Separates control lines from ordinary text, whatever the pieces in which they arrive. */
struct control_reader;

struct control_events {
    void (*line)(void *context, const struct control_line *line);
    /* One line of ordinary text without its newline, or a piece of an overlong one. */
    void (*text)(void *context, const char *text, size_t size);
    void *context;
};

/* Copies events. */
struct control_reader *control_reader_create(const struct control_events *events);
void control_reader_destroy(struct control_reader *reader);
void control_reader_feed(struct control_reader *reader, const char *data, size_t size);
/* Gives out what has no newline yet: the stream has ended. */
void control_reader_flush(struct control_reader *reader);

#endif
