/* test_progress.c - the standing of a run in words, and how it is shown. */
#include "../../runtime/progress.h"
#include "../../runtime/progress_display.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND_NS UINT64_C(1000000000)

static struct status given_running(void)
{
    return (struct status){
        .state = STATUS_RUNNING,
        .job = "primes",
        .tasks.total = 100000,
        .tasks.done = 43000,
        .tasks_per_ks = 8312500,
        .remaining_ms = 7000,
        .elapsed_ms = 5000,
        .workers = 2,
        .slots = 4,
    };
}

static void assert_line(const struct status *status, size_t width, const char *expected)
{
    char line[PROGRESS_LINE_BYTES];
    progress_format(status, width, line);
    assert_string_equal(line, expected);
    assert_in_range(strlen(line), 0, width);
}

static void wide_line_has_everything(void **state)
{
    (void)state;
    struct status status = given_running();
    assert_line(&status, 200,
                "primes: running  43.0 %  43,000 of 100,000 tasks  8,312/s  7 s left  2 workers  "
                "after 5 s");
    status.tasks.failed = 1234;
    status.workers = 1;
    assert_line(&status, 200,
                "primes: running  44.2 %  43,000 of 100,000 tasks  8,312/s  7 s left  1 worker  "
                "after 5 s  1,234 failed");
}

static void narrow_line_keeps_what_matters_most(void **state)
{
    (void)state;
    struct status status = given_running();
    status.tasks.failed = 9;
    assert_line(&status, 80,
                "primes: running  43.0 %  43,000 of 100,000 tasks  8,312/s  7 s left  9 failed");
    assert_line(&status, 45, "primes: running  43.0 %  7 s left  9 failed");
    assert_line(&status, 33, "primes: running  43.0 %  9 failed");
    assert_line(&status, 10, "primes: ru");
}

static void every_width_is_respected(void **state)
{
    (void)state;
    struct status status = given_running();
    status.tasks.total = UINT64_C(1) << 62;
    status.tasks.done = status.tasks.total - 1;
    status.tasks_per_ks = UINT64_MAX;
    status.remaining_ms = UINT64_MAX / 2;
    memset(status.job, 'j', sizeof status.job - 1);
    for (size_t width = 0; width < PROGRESS_LINE_BYTES; width++) {
        char line[PROGRESS_LINE_BYTES];
        progress_format(&status, width, line);
        assert_in_range(strlen(line), 0, width);
    }
}

static void hundred_percent_is_said_only_when_nothing_is_missing(void **state)
{
    (void)state;
    struct status status = {.state = STATUS_RUNNING, .tasks.total = UINT64_C(1) << 62};
    status.tasks.done = status.tasks.total - 1;
    assert_line(&status, 30, "running  99.9 %");
    status.tasks.failed = 1;
    assert_line(&status, 30, "running  100.0 %  1 failed");
    assert_line(&(struct status){.state = STATUS_RUNNING, .tasks.total = 3, .tasks.done = 2}, 20,
                "running  66.6 %");
}

static void failed_end_is_no_hundred_percent(void **state)
{
    (void)state;
    struct status ended = given_running();
    ended.state = STATUS_FAILED;
    ended.has_ended = true;
    ended.tasks = (struct task_counts){.total = 5, .done = 1, .failed = 1, .not_run = 3};
    assert_line(&ended, 200, "primes: failed  1 of 5 tasks  after 5 s  1 failed  3 not run");
}

static void slow_rates_are_not_zero(void **state)
{
    (void)state;
    static const struct {
        uint64_t per_ks;
        const char *text;
    } rates[] = {{8312500, "8,312 tasks/s"}, {9990, "9.9 tasks/s"}, {333, "0.3 tasks/s"},
                 {100, "0.1 tasks/s"},       {99, "5 tasks/min"},   {17, "1 tasks/min"},
                 {16, "57 tasks/h"},         {1, "3 tasks/h"}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char text[PROGRESS_RATE_BYTES];
        progress_format_rate(rates[i].per_ks, " tasks", text);
        assert_string_equal(text, rates[i].text);
    }
}

static void one_task_is_not_several(void **state)
{
    (void)state;
    char text[PROGRESS_TASKS_BYTES];
    progress_format_tasks(1, text);
    assert_string_equal(text, "1 task");
    progress_format_tasks(1234, text);
    assert_string_equal(text, "1,234 tasks");
}

static void unknown_figures_are_left_out(void **state)
{
    (void)state;
    assert_line(&(struct status){.state = STATUS_SPLITTING}, 100, "splitting");
    struct status ended = given_running();
    ended.state = STATUS_FINISHED;
    ended.tasks.done = ended.tasks.total;
    ended.has_ended = true;
    assert_line(&ended, 200, "primes: finished  100.0 %  100,000 of 100,000 tasks  after 5 s");
}

static void numbers_and_durations_are_for_people(void **state)
{
    (void)state;
    static const struct {
        uint64_t duration_ms;
        const char *text;
    } durations[] = {{0, "0 s"},
                     {59499, "59 s"},
                     {59500, "1 min 00 s"},
                     {200000, "3 min 20 s"},
                     {7500000, "2 h 05 min"},
                     {UINT64_C(273600000), "3 d 4 h"}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        char text[PROGRESS_DURATION_BYTES];
        progress_format_duration(durations[i].duration_ms, text);
        assert_string_equal(text, durations[i].text);
    }
    char number[PROGRESS_NUMBER_BYTES];
    progress_format_number(0, number);
    assert_string_equal(number, "0");
    progress_format_number(999, number);
    assert_string_equal(number, "999");
    progress_format_number(UINT64_MAX, number);
    assert_string_equal(number, "18,446,744,073,709,551,615");
}

/* A display that writes into a pipe (no terminal, unless told otherwise). */
struct screen {
    struct progress_display display;
    int read_end;
    char shown[4000];
};

static void given_screen(struct screen *screen, bool is_terminal)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    progress_display_init(&screen->display, ends[1], false);
    assert_false(screen->display.is_terminal);
    screen->display.is_terminal = is_terminal;
    screen->read_end = ends[0];
}

/* What was written since the last call. */
static const char *shown_on(struct screen *screen)
{
    ssize_t size = read(screen->read_end, screen->shown, sizeof screen->shown - 1);
    screen->shown[size > 0 ? size : 0] = '\0';
    return screen->shown;
}

static void screen_close(struct screen *screen)
{
    close(screen->display.descriptor);
    close(screen->read_end);
}

static void file_gets_a_line_now_and_then(void **state)
{
    (void)state;
    struct screen screen;
    given_screen(&screen, false);
    struct status status = {.state = STATUS_RUNNING, .tasks.total = 10};
    progress_display_update(&screen.display, &status, SECOND_NS);
    assert_string_equal(shown_on(&screen), "running  0.0 %  0 of 10 tasks\n");
    status.tasks.done = 5;
    progress_display_update(&screen.display, &status, 10 * SECOND_NS);
    assert_string_equal(shown_on(&screen), "");
    progress_display_update(&screen.display, &status, 11 * SECOND_NS);
    assert_string_equal(shown_on(&screen), "running  50.0 %  5 of 10 tasks\n");
    status.state = STATUS_MERGING;
    progress_display_update(&screen.display, &status, 12 * SECOND_NS);
    assert_string_equal(shown_on(&screen), "merging  50.0 %  5 of 10 tasks\n");
    progress_display_say(&screen.display, "sheaf: ", "words...", 5);
    assert_string_equal(shown_on(&screen), "sheaf: words\n");
    screen_close(&screen);
}

static void terminal_line_is_written_over_and_makes_room_for_messages(void **state)
{
    (void)state;
    struct screen screen;
    given_screen(&screen, true);
    struct status status = {.state = STATUS_RUNNING};
    progress_display_update(&screen.display, &status, SECOND_NS);
    assert_string_equal(shown_on(&screen), "\rrunning\x1b[K");
    progress_display_say(&screen.display, "", "news", 4);
    assert_string_equal(shown_on(&screen), "\r\x1b[Knews\n\rrunning\x1b[K");
    progress_display_finish(&screen.display);
    assert_string_equal(shown_on(&screen), "\rrunning\x1b[K\n");
    progress_display_finish(&screen.display);
    assert_string_equal(shown_on(&screen), "");
    screen_close(&screen);
}

static void quiet_display_shows_messages_only(void **state)
{
    (void)state;
    struct screen screen;
    given_screen(&screen, false);
    screen.display.is_quiet = true;
    progress_display_update(&screen.display, &(struct status){.state = STATUS_RUNNING}, SECOND_NS);
    assert_string_equal(shown_on(&screen), "");
    progress_display_say(&screen.display, "", "news", 4);
    assert_string_equal(shown_on(&screen), "news\n");
    screen_close(&screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_line_has_everything),
        cmocka_unit_test(narrow_line_keeps_what_matters_most),
        cmocka_unit_test(every_width_is_respected),
        cmocka_unit_test(hundred_percent_is_said_only_when_nothing_is_missing),
        cmocka_unit_test(failed_end_is_no_hundred_percent),
        cmocka_unit_test(slow_rates_are_not_zero),
        cmocka_unit_test(one_task_is_not_several),
        cmocka_unit_test(unknown_figures_are_left_out),
        cmocka_unit_test(numbers_and_durations_are_for_people),
        cmocka_unit_test(file_gets_a_line_now_and_then),
        cmocka_unit_test(terminal_line_is_written_over_and_makes_room_for_messages),
        cmocka_unit_test(quiet_display_shows_messages_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
