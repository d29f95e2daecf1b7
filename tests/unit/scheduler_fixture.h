/* scheduler_fixture.h - builders and expectations for tests of the scheduler.
 *
 * Each input is one step. What it gives out must be expected, in order, before the next input:
 * effects all of them, facts all but those that an effect or a builder implies. */
#ifndef SHEAF_SCHEDULER_FIXTURE_H
#define SHEAF_SCHEDULER_FIXTURE_H

#include "../../scheduler/scheduler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { INCARNATION = 1 };

struct given {
    struct scheduler *scheduler;
    struct output output;
    size_t effects_seen;
    size_t facts_seen;
    uint64_t now_ns;
};

struct given *given_scheduler(const struct scheduler_config *config);
/* Restarts from what was journalled: a snapshot. */
void restarted(struct given *given, uint64_t incarnation);
void restarted_as(struct given *given, const struct scheduler_config *config,
                  struct input_start start);
void given_end(struct given *given);

/* Started, with a merge job of so many tasks. */
struct given *given_tasks(uint64_t task_count);
struct given *given_tasks_in_ranges(uint64_t task_count, uint64_t range_count);
struct given *given_job(const struct scheduler_config *config, struct fact_job_accepted job);

const struct state *state_of(const struct given *given);

/* Inputs. */
void started(struct given *given, uint64_t incarnation);
void accepted(struct given *given, struct fact_job_accepted job);
/* A worker on a node of its own. */
void hello(struct given *given, uint32_t worker, uint32_t slot_count);
void hello_from(struct given *given, uint32_t worker, uint32_t slot_count, uint32_t node);
void hello_as(struct given *given, struct input_hello from);
void heard(struct given *given, uint32_t worker);
void heard_as(struct given *given, struct input_heard heard);
void ticked(struct given *given);
/* Advances the clock, with ticks wherever the scheduler asks for one, until one has a result. */
void passed(struct given *given, uint64_t ns);
void published(struct given *given);
void stopped(struct given *given);
void result_lost(struct given *given, uint64_t first, uint64_t count);
/* The same, but that of some tasks it is known. */
void lost_but(struct given *given, struct range range, const struct partial *kept, uint32_t count);
void checked(struct given *given);
void goodbye(struct given *given, uint32_t worker, bool prepare_failed);
void said_goodbye(struct given *given, struct input_goodbye goodbye);
/* A report of the whole range of an ASSIGN effect, in nodes of the tree. */
void reported(struct given *given, const struct effect *assign);
/* The same, with a time for each task. */
void reported_in(struct given *given, const struct effect *assign, uint64_t task_ns);
void sent(struct given *given, struct input_report report);
void returned(struct given *given, const struct effect *assign, uint64_t first, uint64_t count);
void failed(struct given *given, const struct effect *assign, uint64_t task, bool is_crash);
/* The caller fills in how; the rest is that of the assignment. */
void failed_with(struct given *given, const struct effect *assign,
                 struct input_attempt_failed failure);
void failed_for(struct given *given, const struct effect *assign, enum cause cause);

/* Expectations. */
struct effect expect_any_assign(struct given *given);
struct effect expect_assign(struct given *given, uint32_t worker, enum work work,
                            struct range range);
struct effect expect_run(struct given *given, uint32_t worker, uint64_t first, uint64_t count);
void expect_welcome(struct given *given, uint32_t worker);
void expect_take_back(struct given *given, const struct effect *assign);
void expect_cancel(struct given *given, const struct effect *assign);
void expect_publish(struct given *given);
void expect_run_end(struct given *given, enum run_end end);
/* The next fact of this kind; those of other kinds before it must be ASSIGNED or WORKER_JOINED. */
const struct fact *expect_fact(struct given *given, enum fact_kind kind);
/* Nothing is left of the step. */
void expect_no_more(struct given *given);
/* What a step gave out does not matter here. */
void skip_output(struct given *given);

#endif
