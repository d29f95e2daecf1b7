/* test_journal_view.c - a view of a few tasks, which leaves out most of a journal, tells of them
 * what one of the whole journal tells. */
#include "result_journal.h"

#include "../../jobs/task_list.h"
#include "../../runtime/segment_file.h"
#include "disk_unsynced.h"
#include "scratch.h"
#include "seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    TASKS = 3000,
    ROUNDS = 30,
    FACTS_MAX = 1500,
    PAYLOAD_BYTES_MAX = 3000,
    LISTS = 20,
    RANGES_MAX = 3,
    FLIPS = 40,
    CUT_BLOCKS = 5,
    DEADLINE_S = 60, /* whatever the machine does */
};

/* ---- journals ---- */

struct view_fixture {
    struct scratch scratch;
    struct scratch_path dir;
    unsigned *seed;
    unsigned char payload[PAYLOAD_BYTES_MAX];
};

static uint64_t random_below(struct view_fixture *fixture, uint64_t end)
{
    return (uint64_t)rand_r(fixture->seed) % end;
}

static struct range random_range(struct view_fixture *fixture, uint64_t count_max)
{
    uint64_t first = random_below(fixture, TASKS);
    uint64_t count = 1 + random_below(fixture, count_max);
    return range_between(first, first + count < TASKS ? first + count : TASKS);
}

/* Of the first tasks that are open, as a rule. */
static void append_result(struct view_fixture *fixture, struct result_journal *journal)
{
    struct range range;
    uint64_t from = random_below(fixture, 50) == 0 ? random_below(fixture, TASKS) : 0;
    if (!range_set_find_from(state_open(journal->state), from, &range))
        return;
    uint64_t count = 1 + random_below(fixture, 40);
    range.count = count < range.count ? count : range.count;
    size_t size = (size_t)random_below(fixture, PAYLOAD_BYTES_MAX);
    memset(fixture->payload, (int)random_below(fixture, 256), size);
    result_journal_append_result(journal, range, fixture->payload, size);
}

static struct fact random_fact(struct view_fixture *fixture)
{
    struct range range = random_range(fixture, 5);
    switch (random_below(fixture, 100)) {
    case 0:
        return (struct fact){.kind = FACT_RESULT_LOST, .as.result_lost = {range}};
    case 1:
        return (struct fact){.kind = FACT_FAILED_REOPENED, .as.failed_reopened = {range}};
    case 2:
    case 3:
    case 4:
        return (struct fact){
            .kind = FACT_ATTEMPT_FAILED,
            .as.attempt_failed = {
                .worker = 1, .work = WORK_RUN, .range = {range.first, 1}, .is_final = true}};
    default:
        return (struct fact){
            .kind = FACT_ASSIGNED,
            .as.assigned = {.worker = 1, .work = WORK_RUN, .range = range, .attempt = 1}};
    }
}

/* So that the block which is open takes no more. */
static void await_durable(const struct result_journal *journal)
{
    uint64_t seq = state_last_seq(journal->state);
    journal_want_durable(journal->journal, seq);
    time_t deadline = time(NULL) + DEADLINE_S;
    while (journal_durable_seq(journal->journal) < seq) {
        assert_true(time(NULL) < deadline);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
}

static void fill(struct view_fixture *fixture, struct result_journal *journal)
{
    for (uint64_t left = random_below(fixture, FACTS_MAX); left > 0; left--) {
        uint64_t choice = random_below(fixture, 1000);
        if (choice < 500)
            result_journal_append(journal, random_fact(fixture), NULL, 0);
        else
            append_result(fixture, journal);
        if (choice < 3)
            result_journal_snapshot(journal);
        if (choice % 20 == 0) /* or all would lie in a few blocks */
            await_durable(journal);
    }
}

/* Several runs of one job; now and then its tasks turn out to be other ones. */
static void given_random_journal(struct view_fixture *fixture, unsigned *seed)
{
    *fixture = (struct view_fixture){.scratch = given_scratch(), .seed = seed};
    fixture->dir = scratch_path(&fixture->scratch, "journal");
    const struct journal_options options = {
        .dir = fixture->dir.text,
        .disk = disk_unsynced(),
        .sync_interval_ns = UINT64_C(1000000000),
        .segment_bytes_min = 64 << 10,
        .wake_descriptor = -1,
    };
    for (uint64_t run = 1 + random_below(fixture, 3); run > 0; run--) {
        struct result_journal journal = result_journal_open(&options);
        const struct fact accepted = {
            .kind = FACT_JOB_ACCEPTED,
            .as.job_accepted = {.task_count = TASKS,
                                .input_crc = (uint32_t)random_below(fixture, 4)}};
        if (state_job(journal.state) == NULL || random_below(fixture, 4) == 0)
            result_journal_append(&journal, accepted, NULL, 0);
        fill(fixture, &journal);
        result_journal_close(&journal);
    }
}

static void view_fixture_close(struct view_fixture *fixture)
{
    scratch_remove(&fixture->scratch);
}

/* ---- views ---- */

struct view {
    const struct task_list *tasks;
    struct state *state;
    struct journal_view *journal;
    size_t fact_count;
    size_t damage_count;
};

static void apply(void *context, const struct fact *fact)
{
    struct view *view = context;
    view->fact_count++;
    state_apply(view->state, fact);
}

static void count_damage(void *context, const struct journal_damage *damage)
{
    (void)damage;
    struct view *view = context;
    view->damage_count++;
}

static bool is_listed(void *context, struct range tasks)
{
    const struct view *view = context;
    for (size_t i = 0; i < view->tasks->count; i++) {
        if (range_intersects(view->tasks->ranges[i], tasks))
            return true;
    }
    return false;
}

/* Of all tasks when `tasks` is NULL. */
static struct view *open_view(const struct view_fixture *fixture, const struct task_list *tasks)
{
    struct view *view = calloc(1, sizeof *view);
    CHECK(view != NULL);
    *view = (struct view){.tasks = tasks, .state = state_create()};
    struct journal_recovery recovery = {
        .replay = apply,
        .damaged = count_damage,
        .matters = tasks != NULL ? is_listed : NULL,
        .context = view,
    };
    CHECK(journal_view_open(fixture->dir.text, &recovery, &view->journal, NULL) == 0);
    return view;
}

static void close_view(struct view *view)
{
    journal_view_close(view->journal);
    state_destroy(view->state);
    free(view);
}

/* The partial that holds the task, or NULL. */
static const struct partial *partial_of(const struct view *view, uint64_t task)
{
    const struct partial *partial = state_find_partial(view->state, task);
    return partial != NULL && range_contains(partial->range, (struct range){task, 1}) ? partial
                                                                                      : NULL;
}

/* `some` may have found damage in place of a result. */
static void assert_same_result(struct view *some, struct view *all, uint64_t task, bool is_damaged)
{
    const struct partial *partial = partial_of(some, task);
    const struct partial *expected = partial_of(all, task);
    assert_true((partial == NULL) == (expected == NULL));
    if (partial == NULL)
        return;
    assert_int_equal(partial->range.first, expected->range.first);
    assert_int_equal(partial->range.count, expected->range.count);
    assert_int_equal(partial->is_absent, expected->is_absent);
    assert_int_equal(partial->size_bytes, expected->size_bytes);
    struct byte_writer bytes = {0};
    struct byte_writer expected_bytes = {0};
    int code = journal_view_read(some->journal, partial, &bytes, NULL);
    assert_true(code == 0 || (is_damaged && code == SHEAF_ERROR_DAMAGED));
    if (code == 0) {
        assert_int_equal(journal_view_read(all->journal, expected, &expected_bytes, NULL), 0);
        assert_int_equal(bytes.size, expected_bytes.size);
        if (bytes.size > 0)
            assert_memory_equal(bytes.data, expected_bytes.data, bytes.size);
    }
    byte_writer_close(&bytes);
    byte_writer_close(&expected_bytes);
}

static void assert_same_results(struct view *some, struct view *all, bool is_damaged)
{
    for (size_t i = 0; i < some->tasks->count; i++) {
        struct range range = some->tasks->ranges[i];
        for (uint64_t task = range.first; task < range_end(range); task++)
            assert_same_result(some, all, task, is_damaged);
    }
}

static struct task_list random_list(struct view_fixture *fixture, struct range *room)
{
    struct task_list list = {.ranges = room, .count = 1 + random_below(fixture, RANGES_MAX)};
    for (size_t i = 0; i < list.count; i++)
        room[i] = random_range(fixture, i == 0 ? 3 : 30);
    return list;
}

/* ---- tests ---- */

static void a_view_of_few_tasks_tells_of_them_what_a_whole_one_tells(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    size_t fact_count = 0;
    size_t whole_count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct view_fixture fixture;
        struct range ranges[RANGES_MAX];
        given_random_journal(&fixture, &seed);
        struct view *all = open_view(&fixture, NULL);
        for (int i = 0; i < LISTS; i++) {
            struct task_list list = random_list(&fixture, ranges);
            struct view *some = open_view(&fixture, &list);
            assert_int_equal(some->damage_count, 0);
            assert_same_results(some, all, false);
            fact_count += some->fact_count;
            whole_count += all->fact_count;
            close_view(some);
        }
        close_view(all);
        view_fixture_close(&fixture);
    }
    assert_true(fact_count < whole_count / 4 * 3); /* a half, in general */
}

/* Flips a bit of a random segment; again, and it is as before. */
static void flip(const struct view_fixture *fixture, uint64_t choice)
{
    struct segment_list list = {0};
    CHECK(segment_list_read(fixture->dir.text, SEGMENT_SUFFIX, &list, NULL) == 0);
    char *path = segment_path(fixture->dir.text, list.starts[choice % list.count], SEGMENT_SUFFIX);
    FILE *file = fopen(path, "r+");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    long offset = (long)(choice / list.count % (uint64_t)ftell(file));
    CHECK(fseek(file, offset, SEEK_SET) == 0);
    int byte = fgetc(file);
    CHECK(fseek(file, offset, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
    CHECK(fclose(file) == 0);
    free(path);
    segment_list_close(&list);
}

static void a_view_of_few_tasks_is_right_or_tells_of_damage(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    for (int round = 0; round < ROUNDS / 3; round++) {
        struct view_fixture fixture;
        struct range ranges[RANGES_MAX];
        given_random_journal(&fixture, &seed);
        struct view *all = open_view(&fixture, NULL);
        for (int i = 0; i < FLIPS; i++) {
            struct task_list list = random_list(&fixture, ranges);
            uint64_t choice = ((uint64_t)rand_r(&seed) << 16) + (uint64_t)rand_r(&seed);
            flip(&fixture, choice);
            struct view *some = open_view(&fixture, &list);
            flip(&fixture, choice);
            if (some->damage_count == 0)
                assert_same_results(some, all, true);
            close_view(some);
        }
        close_view(all);
        view_fixture_close(&fixture);
    }
}

/* Cuts the last segment at the beginning of one of its last blocks. False: none was left. */
static bool cut(const struct view_fixture *fixture, uint64_t choice)
{
    struct segment_list list = {0};
    struct segment_file file;
    struct segment_walk walk;
    struct segment_piece piece;
    uint64_t ends[CUT_BLOCKS] = {0}; /* of the last blocks, in a ring */
    size_t count = 0;
    CHECK(segment_list_read(fixture->dir.text, SEGMENT_SUFFIX, &list, NULL) == 0);
    uint64_t start_seq = list.starts[list.count - 1];
    CHECK(segment_file_open(disk_system(), fixture->dir.text, start_seq, &file, NULL) == 0);
    segment_walk_init(&walk, &file);
    for (; segment_walk_next(&walk, &piece); count++)
        ends[count % CUT_BLOCKS] = piece.offset_bytes;
    segment_walk_close(&walk);
    segment_file_close(&file);
    char *path = segment_path(fixture->dir.text, start_seq, SEGMENT_SUFFIX);
    size_t last_count = count < CUT_BLOCKS ? count : CUT_BLOCKS;
    if (count > 0)
        CHECK(truncate(path, (off_t)ends[choice % last_count]) == 0);
    free(path);
    segment_list_close(&list);
    return count > 0;
}

static void a_view_of_few_tasks_falls_back_as_a_whole_one_does(void **state)
{
    (void)state;
    unsigned seed = test_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct view_fixture fixture;
        struct range ranges[RANGES_MAX];
        given_random_journal(&fixture, &seed);
        while (cut(&fixture, (uint64_t)rand_r(&seed))) {
            struct task_list list = random_list(&fixture, ranges);
            struct view *all = open_view(&fixture, NULL);
            struct view *some = open_view(&fixture, &list);
            if (some->damage_count == 0)
                assert_same_results(some, all, false);
            close_view(some);
            close_view(all);
        }
        view_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_of_few_tasks_tells_of_them_what_a_whole_one_tells),
        cmocka_unit_test(a_view_of_few_tasks_is_right_or_tells_of_damage),
        cmocka_unit_test(a_view_of_few_tasks_falls_back_as_a_whole_one_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
