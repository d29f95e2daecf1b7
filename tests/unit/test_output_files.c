/* test_output_files.c - files that a command declares appear whole and together, whenever it or its
 * copies die. */
#include "../../runtime/output_files.h"
#include "../../runtime/staging.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

enum { KEY = 0x1234, TASK = 7, FILES = 2, TEXT_BYTES = 64 };

static struct sheaf_error error;

/* Two files in two folders that are not there yet. */
struct given {
    struct scratch scratch;
    struct scratch_path paths[FILES];
    char *targets[FILES];
};

static struct given *given_targets(void)
{
    static struct given given;
    given.scratch = given_scratch();
    given.paths[0] = scratch_path(&given.scratch, "a/first.txt");
    given.paths[1] = scratch_path(&given.scratch, "b/c/second.txt");
    for (size_t i = 0; i < FILES; i++)
        given.targets[i] = given.paths[i].text;
    return &given;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
}

static struct output_files *begun(const struct given *given, char *note)
{
    struct output_files *files = output_files_create(KEY, note);
    if (output_files_begin(files, TASK, given->targets, FILES, &error) != 0)
        fail_msg("%s", error.text);
    return files;
}

static void write_all(const struct output_files *files, const char *text)
{
    for (size_t i = 0; i < FILES; i++)
        write_text(output_files_staged(files, i), text);
}

static bool has_text(const char *path, const char *text)
{
    char found[TEXT_BYTES] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t size = fread(found, 1, sizeof found - 1, file);
    fclose(file);
    return size == strlen(text) && memcmp(found, text, size) == 0;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Nothing but the targets is in their folders. */
static void assert_nothing_is_left(const struct given *given)
{
    static const char *const folders[FILES] = {"a", "b/c"};
    for (size_t i = 0; i < FILES; i++) {
        DIR *stream = opendir(scratch_path(&given->scratch, folders[i]).text);
        assert_non_null(stream);
        for (const struct dirent *entry; (entry = readdir(stream)) != NULL;)
            if (entry->d_name[0] == '.' && strcmp(entry->d_name, ".") != 0 &&
                strcmp(entry->d_name, "..") != 0)
                fail_msg("%s is left in %s", entry->d_name, folders[i]);
        closedir(stream);
    }
}

static void files_appear_together_after_success(void **state)
{
    (void)state;
    struct given *given = given_targets();
    struct output_files *files = begun(given, NULL);
    write_all(files, "text");
    for (size_t i = 0; i < FILES; i++)
        assert_false(exists(given->targets[i]));
    assert_int_equal(output_files_publish(files, &error), 0);
    output_files_destroy(files);
    for (size_t i = 0; i < FILES; i++)
        assert_true(has_text(given->targets[i], "text"));
    assert_nothing_is_left(given);
    scratch_remove(&given->scratch);
}

static void nothing_appears_without_success(void **state)
{
    (void)state;
    struct given *given = given_targets();
    struct output_files *files = begun(given, NULL);
    write_text(output_files_staged(files, 0), "text");
    assert_int_equal(output_files_publish(files, &error), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "did not write its output"));
    assert_non_null(strstr(error.text, "second.txt"));
    output_files_destroy(files);
    for (size_t i = 0; i < FILES; i++)
        assert_false(exists(given->targets[i]));
    assert_nothing_is_left(given);
    scratch_remove(&given->scratch);
}

static void folder_in_the_place_of_a_file_keeps_all_away(void **state)
{
    (void)state;
    struct given *given = given_targets();
    struct output_files *files = begun(given, NULL);
    write_all(files, "text");
    assert_int_equal(mkdir(given->targets[1], 0700), 0);
    assert_int_equal(output_files_publish(files, &error), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "there is a folder where the output"));
    output_files_destroy(files);
    assert_false(exists(given->targets[0]));
    scratch_remove(&given->scratch);
}

static void name_that_is_none_or_comes_twice_is_refused(void **state)
{
    (void)state;
    struct given *given = given_targets();
    struct output_files *files = output_files_create(KEY, NULL);
    given->targets[1] = given->targets[0];
    assert_int_equal(output_files_begin(files, TASK, given->targets, FILES, &error),
                     SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "are the same file"));
    static const char *const names[] = {"", "a/", "a/..", "."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *target = (char *)names[i];
        assert_int_equal(output_files_begin(files, TASK, &target, 1, &error), SHEAF_ERROR_INPUT);
        assert_non_null(strstr(error.text, "is no name of a file"));
    }
    output_files_destroy(files);
    scratch_remove(&given->scratch);
}

/* The file that the first copy has put in its place stays: not even its inode changes. */
static void second_copy_does_not_touch_the_files_of_the_first(void **state)
{
    (void)state;
    struct given *given = given_targets();
    struct output_files *first = begun(given, NULL);
    struct output_files *second = begun(given, NULL);
    write_all(first, "text");
    write_all(second, "text");
    assert_int_equal(output_files_publish(first, &error), 0);
    struct stat before;
    struct stat after;
    assert_int_equal(stat(given->targets[1], &before), 0);
    assert_int_equal(output_files_publish(second, &error), 0);
    assert_int_equal(stat(given->targets[1], &after), 0);
    assert_true(before.st_ino == after.st_ino);
    output_files_destroy(first);
    output_files_destroy(second);
    assert_nothing_is_left(given);
    scratch_remove(&given->scratch);
}

static void other_bytes_take_the_place_of_old_ones(void **state)
{
    (void)state;
    struct given *given = given_targets();
    static const char *const texts[] = {"old text", "new", "newer"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct output_files *files = begun(given, NULL);
        write_all(files, texts[i]);
        assert_int_equal(output_files_publish(files, &error), 0);
        output_files_destroy(files);
        for (size_t j = 0; j < FILES; j++)
            assert_true(has_text(given->targets[j], texts[i]));
    }
    scratch_remove(&given->scratch);
}

/* Every step that changes what is on the disk: this process dies before number crash_at. */
static unsigned steps;
static unsigned crash_at;

static void step(void)
{
    if (++steps == crash_at)
        kill(getpid(), SIGKILL);
}

/* These stand in the place of the C library's. */
int renameat(int from, const char *old_name, int to, const char *new_name)
{
    step();
    return (int)syscall(SYS_renameat2, from, old_name, to, new_name, 0);
}

int fsync(int descriptor)
{
    step();
    return (int)syscall(SYS_fsync, descriptor);
}

int remove(const char *path)
{
    step();
    return unlink(path) == 0 || rmdir(path) == 0 ? 0 : -1;
}

/* In a process of its own. True when it came to its end. */
static bool attempt(const struct given *given, unsigned dies_at)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        steps = 0;
        crash_at = dies_at;
        struct output_files *files = output_files_create(KEY, NULL);
        CHECK(output_files_begin(files, TASK, given->targets, FILES, &error) == 0);
        write_all(files, "text");
        CHECK(output_files_publish(files, &error) == 0);
        output_files_destroy(files);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Once the next attempt has begun, all files are there or none; and nothing else is left. */
static void attempt_that_dies_at_any_step_leaves_all_files_or_none(void **state)
{
    (void)state;
    bool has_ended = false;
    unsigned rolled_forward = 0;
    for (unsigned dies_at = 1; !has_ended; dies_at++) {
        struct given *given = given_targets();
        has_ended = attempt(given, dies_at);
        for (size_t i = 0; i < FILES; i++)
            if (exists(given->targets[i]))
                assert_true(has_text(given->targets[i], "text"));
        bool was_half = exists(given->targets[0]) != exists(given->targets[1]);
        struct output_files *files = begun(given, NULL);
        assert_true(exists(given->targets[0]) == exists(given->targets[1]));
        rolled_forward += was_half;
        write_all(files, "text");
        assert_int_equal(output_files_publish(files, &error), 0);
        output_files_destroy(files);
        for (size_t i = 0; i < FILES; i++)
            assert_true(has_text(given->targets[i], "text"));
        assert_nothing_is_left(given);
        scratch_remove(&given->scratch);
    }
    assert_true(rolled_forward > 0);
}

/* The next attempt dies, too, while it completes what the first one has decided. */
static void second_death_changes_nothing(void **state)
{
    (void)state;
    bool has_ended = false;
    for (unsigned dies_at = 1; !has_ended; dies_at++) {
        bool second_has_ended = false;
        for (unsigned again_at = 1; !second_has_ended; again_at += 7) {
            struct given *given = given_targets();
            has_ended = attempt(given, dies_at);
            second_has_ended = attempt(given, again_at);
            struct output_files *files = begun(given, NULL);
            assert_true(exists(given->targets[0]) == exists(given->targets[1]));
            output_files_destroy(files);
            assert_nothing_is_left(given);
            scratch_remove(&given->scratch);
        }
    }
}

static void attempt_that_runs_is_left_alone(void **state)
{
    (void)state;
    struct given *given = given_targets();
    struct output_files *first = begun(given, NULL);
    write_all(first, "text");
    struct output_files *second = begun(given, NULL);
    for (size_t i = 0; i < FILES; i++)
        assert_true(has_text(output_files_staged(first, i), "text"));
    output_files_destroy(second);
    assert_int_equal(output_files_publish(first, &error), 0);
    output_files_destroy(first);
    assert_nothing_is_left(given);
    scratch_remove(&given->scratch);
}

static char *shared_note(void)
{
    char *note = staging_note_of(staging_notes_make(1), 0);
    CHECK(note != NULL);
    return note;
}

/* Writes its files, and is killed before it puts them anywhere. */
static void start_and_kill(const struct given *given, char *note)
{
    pid_t child = fork();
    if (child == 0) {
        struct output_files *files = output_files_create(KEY, note);
        CHECK(output_files_begin(files, TASK, given->targets, FILES, &error) == 0);
        write_all(files, "text");
        kill(getpid(), SIGKILL);
    }
    CHECK(waitpid(child, NULL, 0) == child);
}

/* As the spawner does after a copy that came too late was killed. */
static void note_tells_what_a_killed_attempt_has_left(void **state)
{
    (void)state;
    struct given *given = given_targets();
    char *note = shared_note();
    start_and_kill(given, note);
    assert_int_not_equal(note[0], '\0');
    staging_sweep(note);
    assert_int_equal(note[0], '\0');
    assert_nothing_is_left(given);
    struct output_files *files = begun(given, note);
    assert_int_not_equal(note[0], '\0');
    output_files_destroy(files);
    assert_int_equal(note[0], '\0');
    staging_notes_close(note, 1);
    assert_nothing_is_left(given);
    scratch_remove(&given->scratch);
}

struct done_task {
    uint64_t task;
    bool is_done;
};

static bool is_done_task(void *context, uint64_t task)
{
    const struct done_task *done = context;
    return done->is_done && task == done->task;
}

static void remove_left(const struct given *given, bool is_done)
{
    struct done_task done = {TASK, is_done};
    for (size_t i = 0; i < FILES; i++) {
        char *folder = output_files_folder(given->targets[i]);
        staging_remove_left(folder, KEY, is_done_task, &done);
        free(folder);
    }
}

/* As the end of a run, and the next run, do. */
static void what_a_killed_attempt_has_left_goes_once_its_task_is_done(void **state)
{
    (void)state;
    struct given *given = given_targets();
    start_and_kill(given, NULL);
    struct output_files *files = output_files_create(KEY + 1, NULL); /* of another run */
    assert_int_equal(output_files_begin(files, TASK, given->targets, FILES, &error), 0);
    remove_left(given, false);
    struct output_files *running = begun(given, NULL);
    start_and_kill(given, NULL);
    remove_left(given, true);
    write_all(running, "text");
    write_all(files, "other");
    output_files_destroy(files);
    assert_int_equal(output_files_publish(running, &error), 0);
    output_files_destroy(running);
    assert_nothing_is_left(given);
    assert_true(has_text(given->targets[0], "text"));
    scratch_remove(&given->scratch);
}

static void staging_of_a_task_that_is_not_done_is_left_to_its_next_attempt(void **state)
{
    (void)state;
    struct given *given = given_targets();
    char *note = shared_note();
    start_and_kill(given, note);
    remove_left(given, false);
    assert_true(exists(note));
    remove_left(given, true);
    assert_false(exists(note));
    staging_notes_close(note, 1);
    assert_nothing_is_left(given);
    scratch_remove(&given->scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_appear_together_after_success),
        cmocka_unit_test(nothing_appears_without_success),
        cmocka_unit_test(folder_in_the_place_of_a_file_keeps_all_away),
        cmocka_unit_test(name_that_is_none_or_comes_twice_is_refused),
        cmocka_unit_test(second_copy_does_not_touch_the_files_of_the_first),
        cmocka_unit_test(other_bytes_take_the_place_of_old_ones),
        cmocka_unit_test(attempt_that_dies_at_any_step_leaves_all_files_or_none),
        cmocka_unit_test(second_death_changes_nothing),
        cmocka_unit_test(attempt_that_runs_is_left_alone),
        cmocka_unit_test(note_tells_what_a_killed_attempt_has_left),
        cmocka_unit_test(what_a_killed_attempt_has_left_goes_once_its_task_is_done),
        cmocka_unit_test(staging_of_a_task_that_is_not_done_is_left_to_its_next_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
