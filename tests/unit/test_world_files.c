/* test_world_files.c - what a dead world has left is removed, and nothing else is. */
#include "../../runtime/world_files.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

enum { OWNER = 0x3fffffff }; /* no process has so high a number */

struct fixture {
    struct scratch scratch;
    struct world_host host;
    struct world_record record;
    struct scratch_path shared;   /* ompi.HOST.UID */
    struct scratch_path session;  /* pid.OWNER in it */
    struct scratch_path segments; /* the folder of segments */
};

static struct scratch_path in(const struct scratch_path *folder, const char *name)
{
    struct scratch_path path;
    int length = snprintf(path.text, sizeof path.text, "%.300s/%.200s", folder->text, name);
    assert_true(length > 0 && (size_t)length < sizeof path.text);
    return path;
}

static struct scratch_path made_folder(const struct scratch_path *path)
{
    assert_int_equal(mkdir(path->text, 0700), 0);
    return *path;
}

static void made_file(const struct scratch_path *path)
{
    int file = open(path->text, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(file >= 0);
    close(file);
}

static bool is_there(const struct scratch_path *path)
{
    struct stat status;
    return lstat(path->text, &status) == 0;
}

static void note_session(struct fixture *fixture, const struct scratch_path *session)
{
    struct stat status;
    snprintf(fixture->record.session, sizeof fixture->record.session, "%s", session->text);
    assert_int_equal(lstat(session->text, &status), 0);
    fixture->record.session_device = status.st_dev;
    fixture->record.session_inode = status.st_ino;
}

/* A session directory of the world 1f0001 with a file in it. */
static void given_fixture(struct fixture *fixture)
{
    char name[64];
    *fixture = (struct fixture){.scratch = given_scratch()};
    struct scratch_path top = {.text = ""};
    snprintf(top.text, sizeof top.text, "%s", fixture->scratch.path);
    snprintf(fixture->host.name, sizeof fixture->host.name, "node1.example");
    snprintf(name, sizeof name, "ompi.node1.%u", (unsigned)geteuid());
    fixture->shared = in(&top, name);
    made_folder(&fixture->shared);
    snprintf(name, sizeof name, "pid.%d", OWNER);
    fixture->session = in(&fixture->shared, name);
    made_folder(&fixture->session);
    struct scratch_path file = in(&fixture->session, "contact.txt");
    made_file(&file);
    fixture->segments = in(&top, "shm");
    made_folder(&fixture->segments);
    fixture->host.segments_folder = fixture->segments.text;
    fixture->record.owner = OWNER;
    fixture->record.owner_start = 1;
    note_session(fixture, &fixture->session);
    snprintf(fixture->record.number, sizeof fixture->record.number, "1f0001");
}

static void fixture_close(struct fixture *fixture)
{
    scratch_remove(&fixture->scratch);
}

static struct scratch_path segment(const struct fixture *fixture, const char *format)
{
    char name[128];
    snprintf(name, sizeof name, "%s", format);
    char *user = strchr(name, 'U');
    if (user != NULL) {
        char rest[64];
        snprintf(rest, sizeof rest, "%s", user + 1);
        snprintf(user, sizeof name - (size_t)(user - name), "%u%s", (unsigned)geteuid(), rest);
    }
    return in(&fixture->segments, name);
}

static struct scratch_path made_segment(const struct fixture *fixture, const char *format)
{
    struct scratch_path path = segment(fixture, format);
    made_file(&path);
    return path;
}

/* ---- what goes ---- */

static void session_of_dead_world_is_removed_with_the_empty_shared_folder(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_false(is_there(&fixture.session));
    assert_false(is_there(&fixture.shared));
    fixture_close(&fixture);
}

static void shared_folder_stays_while_another_world_uses_it(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path other = in(&fixture.shared, "pid.17");
    made_folder(&other);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_false(is_there(&fixture.session));
    assert_true(is_there(&other));
    fixture_close(&fixture);
}

static void session_is_found_by_its_owner_where_no_rank_has_named_it(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    fixture.record.session[0] = '\0';
    snprintf(fixture.record.base, sizeof fixture.record.base, "%s", fixture.scratch.path);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_false(is_there(&fixture.shared));
    fixture_close(&fixture);
}

static void session_of_a_number_that_is_taken_again_waits(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    fixture.record.session[0] = '\0';
    fixture.record.owner = getpid();
    snprintf(fixture.record.base, sizeof fixture.record.base, "%s", fixture.scratch.path);
    assert_false(world_files_remove(&fixture.record, &fixture.host));
    assert_true(is_there(&fixture.session));
    fixture_close(&fixture);
}

static void session_of_open_mpi_5_is_removed(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    char name[64];
    snprintf(name, sizeof name, "prterun.node1.%d.%u", OWNER, (unsigned)geteuid());
    struct scratch_path session = scratch_path(&fixture.scratch, name);
    made_folder(&session);
    note_session(&fixture, &session);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_false(is_there(&session));
    assert_true(is_there(&fixture.session));
    fixture_close(&fixture);
}

static void segments_of_the_world_alone_are_removed(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path own[] = {
        made_segment(&fixture, "vader_segment.node1.U.1f0001.0"),
        made_segment(&fixture, "vader_segment.node1.example.U.1f0001.12"),
        made_segment(&fixture, "sm_segment.node1.U.1f0001.3"),
    };
    struct scratch_path others[] = {
        made_segment(&fixture, "vader_segment.node1.U.1f00011.0"),
        made_segment(&fixture, "vader_segment.node1.U.1f0001.0.old"),
        made_segment(&fixture, "vader_segment.node1.U.1f0001."),
        made_segment(&fixture, "vader_segment.node2.U.1f0001.0"),
        made_segment(&fixture, "vader_segment.node1.U7.1f0001.0"),
        made_segment(&fixture, "segment.node1.U.1f0001.0"),
    };
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_false(is_there(&own[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(is_there(&others[i]));
    fixture_close(&fixture);
}

/* ---- what stays ---- */

static void no_link_is_followed(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path precious = scratch_path(&fixture.scratch, "precious");
    made_folder(&precious);
    struct scratch_path file = in(&precious, "file");
    made_file(&file);
    struct scratch_path within = in(&fixture.session, "link");
    struct scratch_path jobs = in(&fixture.shared, "jf.5");
    struct scratch_path of_segment = segment(&fixture, "vader_segment.node1.U.1f0001.0");
    assert_int_equal(symlink(precious.text, within.text), 0);
    assert_int_equal(symlink(precious.text, jobs.text), 0);
    assert_int_equal(symlink(file.text, of_segment.text), 0);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    note_session(&fixture, &jobs);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_true(is_there(&file));
    assert_true(is_there(&jobs));
    assert_true(is_there(&of_segment));
    fixture_close(&fixture);
}

static void linked_shared_folder_is_not_followed(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path moved = scratch_path(&fixture.scratch, "moved");
    assert_int_equal(rename(fixture.shared.text, moved.text), 0);
    assert_int_equal(symlink(moved.text, fixture.shared.text), 0);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_true(is_there(&fixture.session));
    fixture_close(&fixture);
}

static void folder_of_another_name_stays(void **state)
{
    static const char *const names[] = {"precious", "pid.17", "pid.1073741823x", "jf.", "jf.5x"};
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct scratch_path path = in(&fixture.shared, names[i]);
        made_folder(&path);
        note_session(&fixture, &path);
        assert_true(world_files_remove(&fixture.record, &fixture.host));
        assert_true(is_there(&path));
    }
    struct scratch_path around = in(&fixture.session, "../pid.17");
    note_session(&fixture, &around);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_true(is_there(&around));
    fixture_close(&fixture);
}

static void folder_that_others_may_write_to_stays(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    assert_int_equal(chmod(fixture.shared.text, 0777), 0);
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_true(is_there(&fixture.session));
    fixture_close(&fixture);
}

static void session_that_another_world_has_by_now_stays_with_its_segments(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path one = made_segment(&fixture, "vader_segment.node1.U.1f0001.0");
    fixture.record.session_inode++;
    assert_true(world_files_remove(&fixture.record, &fixture.host));
    assert_true(is_there(&fixture.session));
    assert_true(is_there(&one));
    fixture_close(&fixture);
}

static void number_of_a_world_is_no_pattern(void **state)
{
    static const char *const numbers[] = {"", ".", "..", "1f0001.0", "*", "1F0001"};
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path one = made_segment(&fixture, "vader_segment.node1.U.1f0001.0");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(fixture.record.number, sizeof fixture.record.number, "%s", numbers[i]);
        assert_true(world_files_remove(&fixture.record, &fixture.host));
        assert_true(is_there(&one));
    }
    fixture_close(&fixture);
}

/* ---- who is dead ---- */

static pid_t started_child(void)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    assert_true(child > 0);
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void world_lives_as_long_as_its_owner(void **state)
{
    struct world_record record;
    (void)state;
    pid_t child = started_child();
    assert_true(world_record_begin(&record, child));
    assert_false(world_record_is_dead(&record));
    kill(child, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
    assert_true(world_record_is_dead(&record)); /* even if nobody has collected it */
    end_child(child);
    assert_true(world_record_is_dead(&record));
    assert_true(world_record_number_is_free(&record));
}

static void process_that_has_taken_the_number_is_not_the_owner(void **state)
{
    struct world_record record;
    (void)state;
    assert_true(world_record_begin(&record, getpid()));
    assert_false(world_record_is_dead(&record));
    record.owner_start++;
    assert_true(world_record_is_dead(&record));
    assert_false(world_record_number_is_free(&record));
}

static void world_of_an_earlier_boot_is_dead(void **state)
{
    struct world_record record;
    (void)state;
    assert_true(world_record_begin(&record, getpid()));
    record.boot[0] = record.boot[0] == '0' ? '1' : '0';
    assert_true(world_record_is_dead(&record));
}

static void world_in_another_container_is_not_known_to_be_dead(void **state)
{
    struct world_record record;
    (void)state;
    assert_true(world_record_begin(&record, getpid()));
    record.owner_start++;
    snprintf(record.numbering, sizeof record.numbering, "pid:[1]");
    assert_false(world_record_is_dead(&record));
}

static void world_lives_as_long_as_a_rank(void **state)
{
    struct world_record record;
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        char mark[] = "PMIX_NAMESPACE=world-of-this-test";
        char *const environment[] = {mark, NULL};
        char *const words[] = {(char[]){"sleep"}, (char[]){"600"}, NULL};
        execve("/bin/sleep", words, environment);
        _exit(127);
    }
    assert_true(world_record_begin(&record, getpid()));
    record.owner_start++;
    snprintf(record.process_mark, sizeof record.process_mark, "world-of-this-test");
    for (int i = 0; i < 1000 && world_record_is_dead(&record); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); /* until it executes that */
    assert_false(world_record_is_dead(&record));
    end_child(child);
    assert_true(world_record_is_dead(&record));
}

/* ---- records ---- */

static void record_is_read_as_it_was_written_or_not_at_all(void **state)
{
    struct world_record record;
    struct world_record read;
    struct byte_writer text = {0};
    (void)state;
    assert_true(world_record_begin(&record, getpid()));
    snprintf(record.base, sizeof record.base, "/a folder");
    snprintf(record.session, sizeof record.session, "/x/ompi.h.0/pid.1");
    snprintf(record.number, sizeof record.number, "ff0001");
    snprintf(record.process_mark, sizeof record.process_mark, "prterun-h-1@1");
    record.session_device = 3;
    record.session_inode = UINT64_MAX;
    assert_true(world_record_encode(&record, &text));
    byte_writer_put_u8(&text, 0);
    for (size_t size = 0; size < text.size; size++) {
        char *cut = strndup((const char *)text.data, size);
        assert_int_equal(world_record_decode(cut, &read), size == text.size - 1);
        free(cut);
    }
    assert_string_equal(read.boot, record.boot);
    assert_string_equal(read.numbering, record.numbering);
    assert_int_equal(read.owner, record.owner);
    assert_int_equal(read.owner_start, record.owner_start);
    assert_string_equal(read.base, record.base);
    assert_string_equal(read.session, record.session);
    assert_int_equal(read.session_device, 3);
    assert_true(read.session_inode == UINT64_MAX);
    assert_string_equal(read.number, record.number);
    assert_string_equal(read.process_mark, record.process_mark);
    byte_writer_close(&text);
}

static struct scratch_path written_record(const struct scratch_path *folder, const char *ending,
                                          const char *text)
{
    char host[128] = "";
    char name[200];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "0123456789abcdef-%.100s%.60s", host, ending);
    struct scratch_path path = in(folder, name);
    FILE *file = fopen(path.text, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void sweep_removes_records_of_the_dead_and_half_written_ones(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path folder = scratch_path(&fixture.scratch, "worlds");
    made_folder(&folder);
    struct scratch_path half = written_record(&folder, ".ranks.sheaf-tmp", "sheaf world 1\nboot");
    struct scratch_path dead =
        written_record(&folder, ".ranks",
                       "sheaf world 1\nboot an-earlier-one\nnumbering pid:[1]\nowner 1073741823 5\n"
                       "base \nsession \nsession-file 0 0\nnumber \nprocess-mark \n");
    world_files_sweep(fixture.scratch.path);
    assert_false(is_there(&half));
    assert_false(is_there(&dead));
    assert_false(is_there(&folder));
    fixture_close(&fixture);
}

static void sweep_keeps_records_of_the_living_and_of_other_hosts_for_some_days(void **state)
{
    struct fixture fixture;
    struct byte_writer text = {0};
    (void)state;
    given_fixture(&fixture);
    struct scratch_path folder = scratch_path(&fixture.scratch, "worlds");
    made_folder(&folder);
    assert_true(world_record_begin(&fixture.record, getpid()));
    assert_true(world_record_encode(&fixture.record, &text));
    byte_writer_put_u8(&text, 0);
    struct scratch_path living = written_record(&folder, ".mpirun", (const char *)text.data);
    struct scratch_path foreign = written_record(&folder, "x.ranks", "");
    struct scratch_path old = written_record(&folder, "y.ranks", "");
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, old.text, times, 0), 0);
    world_files_sweep(fixture.scratch.path);
    assert_true(is_there(&living));
    assert_true(is_there(&foreign));
    assert_false(is_there(&old));
    byte_writer_close(&text);
    fixture_close(&fixture);
}

static void sweep_does_not_read_what_others_may_have_written(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    struct scratch_path folder = scratch_path(&fixture.scratch, "worlds");
    made_folder(&folder);
    struct scratch_path record = written_record(&folder, ".ranks", "");
    assert_int_equal(chmod(record.text, 0666), 0);
    world_files_sweep(fixture.scratch.path);
    assert_true(is_there(&record));
    assert_int_equal(chmod(record.text, 0600), 0);
    assert_int_equal(chmod(folder.text, 0777), 0);
    world_files_sweep(fixture.scratch.path);
    assert_true(is_there(&record));
    assert_int_equal(chmod(folder.text, 0700), 0);
    world_files_sweep(fixture.scratch.path);
    assert_false(is_there(&record));
    fixture_close(&fixture);
}

static void records_of_a_world_that_ended_in_order_go_on_all_hosts(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    char *world = world_files_begin(fixture.scratch.path);
    assert_non_null(world);
    struct scratch_path foreign;
    snprintf(foreign.text, sizeof foreign.text, "%.400s-elsewhere.ranks", world);
    made_file(&foreign);
    world_files_note_mpirun(world, "/tmp");
    world_files_finish(fixture.scratch.path, world, true);
    struct scratch_path folder = scratch_path(&fixture.scratch, "worlds");
    assert_false(is_there(&folder));
    fixture_close(&fixture);
}

/* The child has the program of its parent, as a rank that its launcher has adopted. */
static void rank_without_its_mpirun_leaves_no_record(void **state)
{
    struct fixture fixture;
    (void)state;
    given_fixture(&fixture);
    char *world = world_files_begin(fixture.scratch.path);
    assert_non_null(world);
    pid_t child = fork();
    if (child == 0) {
        world_files_note_rank(world, false);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct scratch_path folder = scratch_path(&fixture.scratch, "worlds");
    assert_int_equal(rmdir(folder.text) == 0 || errno == ENOENT, 1);
    world_files_finish(fixture.scratch.path, world, true);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_of_dead_world_is_removed_with_the_empty_shared_folder),
        cmocka_unit_test(shared_folder_stays_while_another_world_uses_it),
        cmocka_unit_test(session_is_found_by_its_owner_where_no_rank_has_named_it),
        cmocka_unit_test(session_of_a_number_that_is_taken_again_waits),
        cmocka_unit_test(session_of_open_mpi_5_is_removed),
        cmocka_unit_test(segments_of_the_world_alone_are_removed),
        cmocka_unit_test(no_link_is_followed),
        cmocka_unit_test(linked_shared_folder_is_not_followed),
        cmocka_unit_test(folder_of_another_name_stays),
        cmocka_unit_test(folder_that_others_may_write_to_stays),
        cmocka_unit_test(session_that_another_world_has_by_now_stays_with_its_segments),
        cmocka_unit_test(number_of_a_world_is_no_pattern),
        cmocka_unit_test(world_lives_as_long_as_its_owner),
        cmocka_unit_test(process_that_has_taken_the_number_is_not_the_owner),
        cmocka_unit_test(world_of_an_earlier_boot_is_dead),
        cmocka_unit_test(world_in_another_container_is_not_known_to_be_dead),
        cmocka_unit_test(world_lives_as_long_as_a_rank),
        cmocka_unit_test(record_is_read_as_it_was_written_or_not_at_all),
        cmocka_unit_test(sweep_removes_records_of_the_dead_and_half_written_ones),
        cmocka_unit_test(sweep_keeps_records_of_the_living_and_of_other_hosts_for_some_days),
        cmocka_unit_test(sweep_does_not_read_what_others_may_have_written),
        cmocka_unit_test(records_of_a_world_that_ended_in_order_go_on_all_hosts),
        cmocka_unit_test(rank_without_its_mpirun_leaves_no_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
