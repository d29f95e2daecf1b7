/* state_fixture.h - builders of states for their tests. */
#ifndef SHEAF_STATE_FIXTURE_H
#define SHEAF_STATE_FIXTURE_H

#include "../../scheduler/state.h"

/* Applies a fact as the next one, checks the invariants, and returns its seq. */
uint64_t apply(struct state *job, struct fact fact);
void run_started(struct state *job, uint64_t incarnation);
/* With two slots. */
void joined(struct state *job, uint32_t worker);

/* An accepted job with workers 1 and 2. */
struct state *given_job(struct fact_job_accepted accepted);
/* The same, a merge job of so many tasks. */
struct state *given_tasks(uint64_t task_count);

/* The plug-in's failure of one task on worker 1. */
struct fact_attempt_failed failure_of(uint64_t assignment, uint64_t task);

#endif
