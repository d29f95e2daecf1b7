/* journal_fixture.h - a journal in a scratch folder, with the model of what it should hold. */
#ifndef SHEAF_TEST_JOURNAL_FIXTURE_H
#define SHEAF_TEST_JOURNAL_FIXTURE_H

#include "../../scheduler/check.h"
#include "journal_model.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

/* Whatever the machine does, this is long enough: a test that needs it has failed. */
enum { FIXTURE_DEADLINE_S = 60 };

struct journal_fixture {
    struct scratch scratch;
    struct scratch_path dir;
    struct journal_options options;
    struct journal_model model;
    struct journal_recovery recovery;
    struct journal *journal;
};

static inline void given_folder(struct journal_fixture *fixture)
{
    *fixture = (struct journal_fixture){.scratch = given_scratch()};
    fixture->dir = scratch_path(&fixture->scratch, "journal");
    journal_model_init(&fixture->model);
    fixture->options = (struct journal_options){
        .dir = fixture->dir.text,
        .disk = disk_system(),
        .identity = {1, 2, 3},
        .sync_interval_ns = UINT64_C(1000000000),
        .wake_descriptor = -1,
    };
}

static inline int try_open(struct journal_fixture *fixture, struct sheaf_error *error)
{
    fixture->recovery = journal_model_recovery(&fixture->model);
    int code = journal_open(&fixture->options, &fixture->recovery, &fixture->journal, error);
    if (code == 0)
        journal_model_continue(&fixture->model, &fixture->recovery);
    return code;
}

static inline void open_journal(struct journal_fixture *fixture)
{
    struct sheaf_error error = {0};
    int code = try_open(fixture, &error);
    if (code != 0)
        fail_msg("%s", error.text);
}

static inline void close_journal(struct journal_fixture *fixture)
{
    assert_int_equal(journal_close(fixture->journal, NULL), 0);
    fixture->journal = NULL;
}

static inline void reopen_journal(struct journal_fixture *fixture)
{
    close_journal(fixture);
    open_journal(fixture);
}

/* In a new folder, with the journal open. */
static inline void given_journal(struct journal_fixture *fixture)
{
    given_folder(fixture);
    open_journal(fixture);
}

static inline void fixture_close(struct journal_fixture *fixture)
{
    if (fixture->journal != NULL)
        close_journal(fixture);
    journal_model_close(&fixture->model);
    scratch_remove(&fixture->scratch);
}

static inline void append(struct journal_fixture *fixture, size_t count)
{
    journal_model_append_many(&fixture->model, fixture->journal, count);
}

/* Waits until `seq` is durable, or the journal has failed. */
static inline void wait_durable(struct journal_fixture *fixture, uint64_t seq)
{
    journal_want_durable(fixture->journal, seq);
    time_t deadline = time(NULL) + FIXTURE_DEADLINE_S;
    while (journal_durable_seq(fixture->journal) < seq &&
           journal_failure(fixture->journal, NULL) == 0) {
        assert_true(time(NULL) < deadline);
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
}

static inline void append_durably(struct journal_fixture *fixture, size_t count)
{
    append(fixture, count);
    wait_durable(fixture, fixture->model.last_seq);
}

/* Rotates, and one fact on: what is durable after a rotation tells that it is over. */
static inline void take_snapshot(struct journal_fixture *fixture)
{
    journal_model_snapshot(&fixture->model, fixture->journal);
    append_durably(fixture, 1);
}

#endif
