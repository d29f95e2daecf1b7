/* test_control.c - control lines survive what mpirun's forwarding does to them, and noise does not.
 */
#include "../../runtime/control.h"
#include "../../runtime/noise.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What a reader gave out. */
struct heard {
    int line_count;
    struct control_line last;
    char text[20000]; /* lines joined by | */
};

static void hear_line(void *context, const struct control_line *line)
{
    struct heard *heard = context;
    heard->line_count++;
    heard->last = *line;
}

static void hear_text(void *context, const char *text, size_t size)
{
    struct heard *heard = context;
    size_t length = strlen(heard->text);
    snprintf(heard->text + length, sizeof heard->text - length, "%.*s|", (int)size, text);
}

static struct control_reader *given_reader(struct heard *heard)
{
    memset(heard, 0, sizeof *heard);
    return control_reader_create(
        &(struct control_events){.line = hear_line, .text = hear_text, .context = heard});
}

static struct control_line given_end(const char *text)
{
    struct control_line line = {.kind = CONTROL_END};
    line.as.end.exit_status = 3;
    line.as.end.is_worth_restarting = true;
    snprintf(line.as.end.text, sizeof line.as.end.text, "%s", text);
    return line;
}

static struct control_line given_progress(void)
{
    struct control_line line = {.kind = CONTROL_PROGRESS};
    line.as.progress = (struct status){
        .state = STATUS_MERGING,
        .incarnation = 3,
        .tasks.total = UINT64_C(1) << 62,
        .tasks.done = 17,
        .tasks.failed = 2,
        .tasks.running = 5,
        .workers = 100000,
        .slots = UINT64_C(6400000),
        .tasks_per_ks = UINT64_MAX,
        .remaining_ms = 1,
        .elapsed_ms = 2,
        .stage_number = 2,
        .stage_count = 3,
        .stages_tasks_ended = 12,
        .stage = "count",
    };
    return line;
}

static struct control_line after_a_round_trip(const struct control_line *line)
{
    char bytes[CONTROL_LINE_BYTES_MAX];
    size_t size = control_encode(line, bytes);
    assert_int_equal(bytes[0], CONTROL_LINE_BEGIN);
    assert_int_equal(bytes[size - 1], '\n');
    assert_null(memchr(bytes, '\n', size - 1));
    struct control_line decoded;
    assert_int_equal(control_decode(bytes, size - 1, &decoded, NULL), 0);
    assert_int_equal(decoded.kind, line->kind);
    return decoded;
}

static void every_kind_survives_a_round_trip(void **state)
{
    (void)state;
    struct control_line started = {.kind = CONTROL_STARTED};
    started.as.started.incarnation = UINT64_MAX;
    started.as.started.process_id = 4711;
    strcpy(started.as.started.host, "node 17");
    struct control_line decoded = after_a_round_trip(&started);
    assert_true(decoded.as.started.incarnation == UINT64_MAX);
    assert_int_equal(decoded.as.started.process_id, 4711);
    assert_string_equal(decoded.as.started.host, "node 17");

    struct control_line progress = given_progress();
    decoded = after_a_round_trip(&progress);
    assert_memory_equal(&decoded.as.progress, &progress.as.progress, sizeof decoded.as.progress);

    struct control_line end = given_end("");
    decoded = after_a_round_trip(&end);
    assert_int_equal(decoded.as.end.exit_status, 3);
    assert_false(decoded.as.end.has_output);
    assert_true(decoded.as.end.is_worth_restarting);
    assert_string_equal(decoded.as.end.text, "");

    struct control_line up = {.kind = CONTROL_MPI_UP, .as.mpi_up = {.process_id = 17, .host = "a"}};
    decoded = after_a_round_trip(&up);
    assert_int_equal(decoded.as.mpi_up.process_id, 17);
    assert_string_equal(decoded.as.mpi_up.host, "a");

    struct control_line ended = {.kind = CONTROL_RANK_ENDED,
                                 .as.rank_ended = {.rank = 3, .host = "b"}};
    decoded = after_a_round_trip(&ended);
    assert_int_equal(decoded.as.rank_ended.rank, 3);
    assert_string_equal(decoded.as.rank_ended.host, "b");
}

static void texts_keep_all_their_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", ".", "..", "100 % sure\nsecond\x1eline\t", " ", "M\xc3\xbc", "\x7f\x01%25", "%"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct control_line end = given_end(texts[i]);
        struct control_line decoded = after_a_round_trip(&end);
        assert_string_equal(decoded.as.end.text, texts[i]);
    }
}

static void longest_text_fits(void **state)
{
    (void)state;
    struct control_line line = {.kind = CONTROL_MESSAGE, .as.message.level = CONTROL_ERROR};
    memset(line.as.message.text, '\n', sizeof line.as.message.text - 1);
    struct control_line decoded = after_a_round_trip(&line);
    assert_string_equal(decoded.as.message.text, line.as.message.text);
}

static void damaged_lines_are_refused(void **state)
{
    (void)state;
    struct control_line end = given_end("some text");
    struct control_line decoded = {.kind = CONTROL_STARTED};
    char bytes[CONTROL_LINE_BYTES_MAX];
    size_t size = control_encode(&end, bytes) - 1;
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(control_decode(bytes, i, &decoded, NULL), SHEAF_ERROR_MALFORMED);
        bytes[i] ^= 1;
        assert_int_equal(control_decode(bytes, size, &decoded, NULL), SHEAF_ERROR_MALFORMED);
        bytes[i] ^= 1;
    }
    assert_int_equal(decoded.kind, CONTROL_STARTED);
    assert_int_equal(control_decode(bytes, size, &decoded, NULL), 0);
}

static void line_is_found_wherever_chunks_are_cut(void **state)
{
    (void)state;
    struct control_line end = given_end("x");
    char bytes[CONTROL_LINE_BYTES_MAX + 100] = "before ";
    size_t size = strlen(bytes);
    size += control_encode(&end, bytes + size);
    size += (size_t)sprintf(bytes + size, "after\nnext\n");
    for (size_t cut = 0; cut <= size; cut++) {
        struct heard heard;
        struct control_reader *reader = given_reader(&heard);
        control_reader_feed(reader, bytes, cut);
        control_reader_feed(reader, bytes + cut, size - cut);
        assert_int_equal(heard.line_count, 1);
        assert_int_equal(heard.last.as.end.exit_status, 3);
        assert_string_equal(heard.text, "before after|next|");
        control_reader_destroy(reader);
    }
}

static void torn_line_costs_only_itself(void **state)
{
    (void)state;
    struct control_line end = given_end("x");
    char bytes[CONTROL_LINE_BYTES_MAX];
    size_t size = control_encode(&end, bytes);
    struct heard heard;
    struct control_reader *reader = given_reader(&heard);
    control_reader_feed(reader, bytes, size / 2);
    control_reader_feed(reader, bytes, size); /* a new one begins in its middle */
    assert_int_equal(heard.line_count, 1);
    control_reader_feed(reader, bytes, size / 2);
    control_reader_feed(reader, "text\n", 5);
    control_reader_feed(reader, bytes, size);
    assert_int_equal(heard.line_count, 2);
    control_reader_destroy(reader);
}

static void endless_lines_are_given_out_in_pieces(void **state)
{
    (void)state;
    struct heard heard;
    struct control_reader *reader = given_reader(&heard);
    char begin = CONTROL_LINE_BEGIN;
    control_reader_feed(reader, &begin, 1);
    for (int i = 0; i < 3 * CONTROL_LINE_BYTES_MAX; i++)
        control_reader_feed(reader, "a", 1);
    control_reader_flush(reader);
    assert_int_equal(heard.line_count, 0);
    assert_in_range(strlen(heard.text), CONTROL_LINE_BYTES_MAX, sizeof heard.text - 1);
    control_reader_destroy(reader);
}

static void unfinished_text_comes_at_the_end(void **state)
{
    (void)state;
    struct heard heard;
    struct control_reader *reader = given_reader(&heard);
    control_reader_feed(reader, "no newline", 10);
    assert_string_equal(heard.text, "");
    control_reader_flush(reader);
    assert_string_equal(heard.text, "no newline|");
    control_reader_destroy(reader);
}

static void full_pipe_never_holds_the_master(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct control_line end = given_end("x");
    int written = 0;
    while (written < 100000 && control_write(ends[1], &end, 0))
        written++;
    assert_in_range(written, 100, 99999);
    assert_false(control_write(ends[1], &end, 1));
    close(ends[0]);
    close(ends[1]);
}

static void assert_filtered(const char *const *lines, size_t count, const char *expected)
{
    struct heard heard = {.line_count = 0};
    struct noise_filter *filter = noise_filter_create(hear_text, &heard);
    for (size_t i = 0; i < count; i++)
        noise_filter_feed(filter, lines[i], strlen(lines[i]));
    noise_filter_flush(filter);
    noise_filter_destroy(filter);
    assert_string_equal(heard.text, expected);
}

#define DASHES "------------------------------------------------------------------------"

static void noise_is_left_out_and_the_rest_passes_in_order(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "first",
        "[vm:06109] PMIX ERROR: BAD-PARAM in file ../../../src/event/pmix_event_notification.c",
        "[vm][[6600,1],1][../btl_tcp_proc.c:266:mca_btl_tcp_proc_create_interface_graph] Unable",
        "to find reachable pairing between local and remote interfaces",
        DASHES,
        "mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 9 (Killed).",
        DASHES,
        DASHES,
        "A help text that is news",
        DASHES,
        "last",
    };
    assert_filtered(lines, sizeof lines / sizeof *lines,
                    "first|" DASHES "|A help text that is news|" DASHES "|last|");
}

static void word_of_a_lost_host_is_understood(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "ORTE has lost communication with a remote daemon.",
        "PRTE has lost communication with a remote daemon.",
        "ORTE was unable to reliably start one or more daemons.",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_true(noise_tells_of_lost_host(lines[i], strlen(lines[i])));
    assert_false(noise_tells_of_lost_host("a daemon", 8));
}

static void block_without_an_end_passes(void **state)
{
    (void)state;
    static const char *const lines[] = {DASHES, "mpirun noticed that process rank 1", "more"};
    assert_filtered(lines, 3, DASHES "|mpirun noticed that process rank 1|more|");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives_a_round_trip),
        cmocka_unit_test(texts_keep_all_their_bytes),
        cmocka_unit_test(longest_text_fits),
        cmocka_unit_test(damaged_lines_are_refused),
        cmocka_unit_test(line_is_found_wherever_chunks_are_cut),
        cmocka_unit_test(torn_line_costs_only_itself),
        cmocka_unit_test(endless_lines_are_given_out_in_pieces),
        cmocka_unit_test(unfinished_text_comes_at_the_end),
        cmocka_unit_test(full_pipe_never_holds_the_master),
        cmocka_unit_test(noise_is_left_out_and_the_rest_passes_in_order),
        cmocka_unit_test(word_of_a_lost_host_is_understood),
        cmocka_unit_test(block_without_an_end_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
