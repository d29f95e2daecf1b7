/* control.c - encodes, decodes and writes the lines from the ranks to the launcher. */
#include "control.h"

#include "../scheduler/check.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static const char line_head[] = "\x1esheaf1 ";

enum {
    HEAD_BYTES = sizeof line_head - 1,
    CRC_BYTES = 8,
    BODY_AT = HEAD_BYTES + CRC_BYTES + 1,
};

/* Room for the fields before a text, and for the newline, is left in any case. */
enum { ESCAPED_BYTES_MAX = CONTROL_LINE_BYTES_MAX - BODY_AT - 128 };

/* A text as one field: bytes that end or separate fields become %XX; never empty ("."). */
static void escape(const char *text, char escaped[ESCAPED_BYTES_MAX])
{
    size_t size = 0;
    for (const char *at = text; *at != '\0' && size + 4 < ESCAPED_BYTES_MAX; at++) {
        unsigned char byte = (unsigned char)*at;
        bool is_plain = byte > ' ' && byte != '%' && byte != 0x7f && !(at == text && byte == '.');
        size += (size_t)snprintf(escaped + size, ESCAPED_BYTES_MAX - size,
                                 is_plain ? "%c" : "%%%02X", byte);
    }
    if (size == 0)
        escaped[size++] = '.';
    escaped[size] = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* False when malformed. Cuts what does not fit. */
static bool unescape(const char *escaped, char *text, size_t text_bytes)
{
    size_t size = 0;
    if (strcmp(escaped, ".") == 0)
        escaped = "";
    while (*escaped != '\0') {
        int byte = (unsigned char)*escaped++;
        if (byte == '%') {
            int high = hex_value(escaped[0]);
            int low = high >= 0 ? hex_value(escaped[1]) : -1;
            byte = high * 16 + low;
            if (low < 0 || byte == 0)
                return false;
            escaped += 2;
        }
        if (size + 1 < text_bytes)
            text[size++] = (char)byte;
    }
    text[size] = '\0';
    return true;
}

static int encode_progress(const struct status *status, char *body, size_t size)
{
    const struct task_counts *tasks = &status->tasks;
    char stage[ESCAPED_BYTES_MAX];
    escape(status->stage, stage);
    return snprintf(body, size,
                    "progress %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                    " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64
                    " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
                    status_state_word(status->state), status->incarnation, tasks->total,
                    tasks->done, tasks->failed, tasks->not_run, tasks->running, tasks->waiting,
                    tasks->open, status->workers, status->slots, status->tasks_per_ks,
                    status->remaining_ms, status->elapsed_ms, status->stage_number,
                    status->stage_count, status->stages_tasks_ended, stage);
}

static int encode_body(const struct control_line *line, char *body, size_t size)
{
    char text[ESCAPED_BYTES_MAX];
    switch (line->kind) {
    case CONTROL_STARTED:
        escape(line->as.started.host, text);
        return snprintf(body, size, "started %" PRIu64 " %" PRId64 " %s",
                        line->as.started.incarnation, line->as.started.process_id, text);
    case CONTROL_PROGRESS:
        return encode_progress(&line->as.progress, body, size);
    case CONTROL_MESSAGE:
        escape(line->as.message.text, text);
        return snprintf(body, size, "message %d %s", (int)line->as.message.level, text);
    case CONTROL_END:
        escape(line->as.end.text, text);
        return snprintf(body, size, "end %d %d %d %s", line->as.end.exit_status,
                        line->as.end.has_output, line->as.end.is_worth_restarting, text);
    case CONTROL_MPI_UP:
        escape(line->as.mpi_up.host, text);
        return snprintf(body, size, "mpi-up %" PRId64 " %s", line->as.mpi_up.process_id, text);
    case CONTROL_RANK_ENDED:
        escape(line->as.rank_ended.host, text);
        return snprintf(body, size, "rank-ended %d %s", line->as.rank_ended.rank, text);
    }
    CHECK(false);
    return 0;
}

static uint32_t crc_of(const char *body, size_t size)
{
    return (uint32_t)crc32(0, (const unsigned char *)body, (unsigned)size);
}

size_t control_encode(const struct control_line *line, char bytes[CONTROL_LINE_BYTES_MAX])
{
    char *body = bytes + BODY_AT;
    size_t room = CONTROL_LINE_BYTES_MAX - BODY_AT - 1;
    int length = encode_body(line, body, room);
    CHECK(length > 0 && (size_t)length < room);
    char head[BODY_AT + 1];
    snprintf(head, sizeof head, "%s%08" PRIx32 " ", line_head, crc_of(body, (size_t)length));
    memcpy(bytes, head, BODY_AT);
    body[length] = '\n';
    return BODY_AT + (size_t)length + 1;
}

/* Each of these reads the fields after the kind; true when they are all there and nothing else. */
static bool decode_started(const char *fields, struct control_line *line)
{
    char text[CONTROL_LINE_BYTES_MAX];
    int end = -1;
    sscanf(fields, "%" SCNu64 " %" SCNd64 " %4095s%n", &line->as.started.incarnation,
           &line->as.started.process_id, text, &end);
    return end >= 0 && fields[end] == '\0' && line->as.started.process_id > 0 &&
           unescape(text, line->as.started.host, sizeof line->as.started.host);
}

static bool decode_progress(const char *fields, struct control_line *line)
{
    struct status *status = &line->as.progress;
    struct task_counts *tasks = &status->tasks;
    char word[32];
    char stage[256];
    int end = -1;
    sscanf(fields,
           "%31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
           " %" SCNu64 " %" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
           " %" SCNu64 " %" SCNu64 " %255s%n",
           word, &status->incarnation, &tasks->total, &tasks->done, &tasks->failed, &tasks->not_run,
           &tasks->running, &tasks->waiting, &tasks->open, &status->workers, &status->slots,
           &status->tasks_per_ks, &status->remaining_ms, &status->elapsed_ms, &status->stage_number,
           &status->stage_count, &status->stages_tasks_ended, stage, &end);
    if (end < 0 || fields[end] != '\0' || !status_state_find(word, &status->state) ||
        !unescape(stage, status->stage, sizeof status->stage))
        return false;
    status->has_ended = status_state_is_end(status->state);
    return true;
}

static bool decode_message(const char *fields, struct control_line *line)
{
    char text[CONTROL_LINE_BYTES_MAX];
    int level = 0;
    int end = -1;
    sscanf(fields, "%d %4095s%n", &level, text, &end);
    if (end < 0 || fields[end] != '\0' || level < CONTROL_INFO || level > CONTROL_NOTE)
        return false;
    line->as.message.level = (enum control_level)level;
    return unescape(text, line->as.message.text, sizeof line->as.message.text);
}

static bool decode_end(const char *fields, struct control_line *line)
{
    char text[CONTROL_LINE_BYTES_MAX];
    int status = 0;
    int has_output = 0;
    int is_worth_restarting = 0;
    int end = -1;
    sscanf(fields, "%d %d %d %4095s%n", &status, &has_output, &is_worth_restarting, text, &end);
    if (end < 0 || fields[end] != '\0' || status < 0 || status > 255 || (has_output & ~1) != 0 ||
        (is_worth_restarting & ~1) != 0)
        return false;
    line->as.end.exit_status = status;
    line->as.end.has_output = has_output;
    line->as.end.is_worth_restarting = is_worth_restarting;
    return unescape(text, line->as.end.text, sizeof line->as.end.text);
}

static bool decode_mpi_up(const char *fields, struct control_line *line)
{
    char text[CONTROL_LINE_BYTES_MAX];
    int end = -1;
    sscanf(fields, "%" SCNd64 " %4095s%n", &line->as.mpi_up.process_id, text, &end);
    return end >= 0 && fields[end] == '\0' && line->as.mpi_up.process_id > 0 &&
           unescape(text, line->as.mpi_up.host, sizeof line->as.mpi_up.host);
}

static bool decode_rank_ended(const char *fields, struct control_line *line)
{
    char text[CONTROL_LINE_BYTES_MAX];
    int end = -1;
    sscanf(fields, "%d %4095s%n", &line->as.rank_ended.rank, text, &end);
    return end >= 0 && fields[end] == '\0' && line->as.rank_ended.rank >= 0 &&
           unescape(text, line->as.rank_ended.host, sizeof line->as.rank_ended.host);
}

static bool decode_body(const char *body, struct control_line *line)
{
    static const struct {
        const char *word;
        enum control_kind kind;
        bool (*decode)(const char *fields, struct control_line *line);
    } kinds[] = {
        {"started ", CONTROL_STARTED, decode_started},
        {"progress ", CONTROL_PROGRESS, decode_progress},
        {"message ", CONTROL_MESSAGE, decode_message},
        {"end ", CONTROL_END, decode_end},
        {"mpi-up ", CONTROL_MPI_UP, decode_mpi_up},
        {"rank-ended ", CONTROL_RANK_ENDED, decode_rank_ended},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].word);
        if (strncmp(body, kinds[i].word, length) == 0) {
            line->kind = kinds[i].kind;
            return kinds[i].decode(body + length, line);
        }
    }
    return false;
}

int control_decode(const char *bytes, size_t size, struct control_line *line,
                   struct sheaf_error *error)
{
    char body[CONTROL_LINE_BYTES_MAX];
    char crc[CRC_BYTES + 2];
    struct control_line decoded;
    memset(&decoded, 0, sizeof decoded);
    if (size <= BODY_AT || size >= CONTROL_LINE_BYTES_MAX ||
        memcmp(bytes, line_head, HEAD_BYTES) != 0 || memchr(bytes, '\0', size) != NULL)
        goto malformed;
    memcpy(body, bytes + BODY_AT, size - BODY_AT);
    body[size - BODY_AT] = '\0';
    snprintf(crc, sizeof crc, "%08" PRIx32 " ", crc_of(body, size - BODY_AT));
    if (memcmp(bytes + HEAD_BYTES, crc, CRC_BYTES + 1) != 0 || !decode_body(body, &decoded))
        goto malformed;
    *line = decoded;
    return 0;
malformed:
    return sheaf_error_set(error, SHEAF_ERROR_MALFORMED, "not a control line, or a torn one");
}

bool control_write(int descriptor, const struct control_line *line, int patience_ms)
{
    char bytes[CONTROL_LINE_BYTES_MAX];
    size_t size = control_encode(line, bytes);
    /* A pipe that polls writable has room for PIPE_BUF bytes: the write below cannot wait. */
    struct pollfd poll_descriptor = {.fd = descriptor, .events = POLLOUT};
    if (poll(&poll_descriptor, 1, patience_ms) != 1 || (poll_descriptor.revents & POLLOUT) == 0)
        return false;
    return write(descriptor, bytes, size) == (ssize_t)size;
}

bool control_write_message(int descriptor, enum control_level level, const char *format, ...)
{
    struct control_line line = {.kind = CONTROL_MESSAGE, .as.message.level = level};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line.as.message.text, sizeof line.as.message.text, format, arguments);
    va_end(arguments);
    return control_write(descriptor, &line, 100);
}
