/* mpirun_output.c - sorts what mpirun and the ranks print. */
#include "mpirun_output.h"

#include "../scheduler/memory.h"
#include "mpirun_complaint.h"
#include "noise.h"
#include "run_place.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A log that has reached the first is kept as PATH.old when the next is begun; one that reaches the
 * second gets no more. */
enum { LOG_ROTATE_BYTES = 4 << 20, LOG_BYTES_MAX = 32 << 20, EARLY_BYTES_MAX = 64 << 10 };

struct mpirun_output {
    struct mpirun_output_events events;
    bool is_verbose;
    bool is_master_heard;
    bool has_lost_host;
    struct control_reader *readers[MPIRUN_STREAMS];
    struct noise_filter *noise;
    struct mpirun_complaint complaint; /* from before the master's first word */
    char *held;                        /* likewise, lines that are shown if it comes */
    size_t held_size;
    FILE *log; /* NULL before it is opened, and when it cannot be */
    long log_size;
    bool is_log_opened; /* tried to */
    char *early;        /* of the log, before it is opened */
    size_t early_size;
};

static void write_log(struct mpirun_output *output, const char *text, size_t size)
{
    if (!output->is_log_opened) {
        if (output->early_size + size + 1 > EARLY_BYTES_MAX)
            return;
        memcpy(output->early + output->early_size, text, size);
        output->early_size += size;
        output->early[output->early_size++] = '\n';
        return;
    }
    if (output->log == NULL || output->log_size > LOG_BYTES_MAX)
        return;
    output->log_size += (long)size + 1;
    if (output->log_size > LOG_BYTES_MAX)
        fputs("(this log is full)\n", output->log);
    else
        fprintf(output->log, "%.*s\n", (int)size, text);
}

void mpirun_output_note(struct mpirun_output *output, const char *format, ...)
{
    char stamp[64];
    char *text = NULL;
    char *line = NULL;
    time_t now = time(NULL);
    struct tm parts;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &parts));
    if (length >= 0 && (length = asprintf(&line, "== %s %s", stamp, text)) >= 0)
        write_log(output, line, (size_t)length);
    free(line);
    free(text);
}

/* What only seemed to be trouble is shown when the master is there. */
static void hold(struct mpirun_output *output, const char *text, size_t size)
{
    mpirun_complaint_feed(&output->complaint, text, size);
    if (output->held_size + size + 1 > EARLY_BYTES_MAX)
        return;
    memcpy(output->held + output->held_size, text, size);
    output->held_size += size;
    output->held[output->held_size++] = '\n';
}

static void show_held(struct mpirun_output *output)
{
    const char *line = output->held;
    const char *end = line + output->held_size;
    while (line < end) {
        size_t size = (size_t)((const char *)memchr(line, '\n', (size_t)(end - line)) - line);
        noise_filter_feed(output->noise, line, size);
        line += size + 1;
    }
    output->held_size = 0;
}

static void take_line(void *context, const struct control_line *line)
{
    struct mpirun_output *output = context;
    output->is_master_heard |= line->kind != CONTROL_MPI_UP && line->kind != CONTROL_RANK_ENDED;
    if (output->is_master_heard && !output->is_verbose)
        show_held(output);
    switch (line->kind) {
    case CONTROL_STARTED:
        mpirun_output_note(output, "master started: run %" PRIu64 ", process %" PRId64 " on %s",
                           line->as.started.incarnation, line->as.started.process_id,
                           line->as.started.host);
        break;
    case CONTROL_MESSAGE:
        mpirun_output_note(output, "%s", line->as.message.text);
        break;
    case CONTROL_END:
        mpirun_output_note(output, "end with status %d%s%s", line->as.end.exit_status,
                           line->as.end.text[0] != '\0' ? ": " : "", line->as.end.text);
        break;
    case CONTROL_MPI_UP:
        mpirun_output_note(output, "MPI has started");
        break;
    case CONTROL_RANK_ENDED:
        mpirun_output_note(output, "rank %d on %s ended before MPI had started",
                           line->as.rank_ended.rank, line->as.rank_ended.host);
        break;
    case CONTROL_PROGRESS:
        break;
    }
    output->events.line(output->events.context, line);
}

/* Control lines are the master's, and come by standard error. */
static void ignore_line(void *context, const struct control_line *line)
{
    (void)context;
    (void)line;
}

static void take_plain_text(void *context, const char *text, size_t size)
{
    struct mpirun_output *output = context;
    write_log(output, text, size);
    output->events.show(output->events.context, text, size);
}

static void take_error_text(void *context, const char *text, size_t size)
{
    struct mpirun_output *output = context;
    write_log(output, text, size);
    output->has_lost_host |= noise_tells_of_lost_host(text, size);
    if (!output->is_master_heard)
        hold(output, text, size);
    if (output->is_verbose)
        output->events.show(output->events.context, text, size);
    else if (output->is_master_heard)
        noise_filter_feed(output->noise, text, size);
}

struct mpirun_output *mpirun_output_create(const struct mpirun_output_events *events,
                                           bool is_verbose)
{
    struct mpirun_output *output = memory_allocate_zeroed(1, sizeof *output);
    output->events = *events;
    output->is_verbose = is_verbose;
    output->early = memory_allocate(EARLY_BYTES_MAX);
    output->held = memory_allocate(EARLY_BYTES_MAX);
    output->noise = noise_filter_create(events->show, events->context);
    output->readers[MPIRUN_STREAM_OUT] = control_reader_create(
        &(struct control_events){.line = ignore_line, .text = take_plain_text, .context = output});
    output->readers[MPIRUN_STREAM_ERROR] = control_reader_create(
        &(struct control_events){.line = take_line, .text = take_error_text, .context = output});
    return output;
}

void mpirun_output_destroy(struct mpirun_output *output)
{
    if (output->log != NULL)
        fclose(output->log);
    for (int i = 0; i < MPIRUN_STREAMS; i++)
        control_reader_destroy(output->readers[i]);
    noise_filter_destroy(output->noise);
    free(output->early);
    free(output->held);
    free(output);
}

static void rotate(const char *path)
{
    char *old = NULL;
    if (asprintf(&old, "%s.old", path) >= 0)
        run_place_rename(path, old);
    free(old);
}

void mpirun_output_open_log(struct mpirun_output *output, const char *path)
{
    if (output->is_log_opened)
        return;
    output->is_log_opened = true;
    output->log = run_place_open_stream(path, "a");
    if (output->log != NULL && ftell(output->log) > LOG_ROTATE_BYTES) {
        fclose(output->log);
        rotate(path);
        output->log = run_place_open_stream(path, "a");
    }
    if (output->log == NULL)
        return;
    setvbuf(output->log, NULL, _IOLBF, BUFSIZ);
    output->log_size = ftell(output->log) + (long)output->early_size;
    fwrite(output->early, 1, output->early_size, output->log);
}

void mpirun_output_feed(struct mpirun_output *output, enum mpirun_stream stream, const char *data,
                        size_t size)
{
    control_reader_feed(output->readers[stream], data, size);
}

bool mpirun_output_has_lost_host(const struct mpirun_output *output)
{
    return output->has_lost_host;
}

const struct mpirun_complaint *mpirun_output_complaint(const struct mpirun_output *output)
{
    return &output->complaint;
}

void mpirun_output_flush(struct mpirun_output *output)
{
    for (int i = 0; i < MPIRUN_STREAMS; i++)
        control_reader_flush(output->readers[i]);
    noise_filter_flush(output->noise);
}
