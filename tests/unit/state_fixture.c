/* state_fixture.c - builders of states for their tests. */
#include "state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

uint64_t apply(struct state *job, struct fact fact)
{
    fact.seq = state_last_seq(job) + 1;
    state_apply(job, &fact);
    const char *problem = state_check(job);
    if (problem != NULL)
        fail_msg("after fact %llu of kind %d: %s", (unsigned long long)fact.seq, (int)fact.kind,
                 problem);
    return fact.seq;
}

void run_started(struct state *job, uint64_t incarnation)
{
    apply(job, (struct fact){.kind = FACT_RUN_STARTED, .as.run_started = {incarnation}});
}

void joined(struct state *job, uint32_t worker)
{
    apply(job, (struct fact){.kind = FACT_WORKER_JOINED, .as.worker_joined = {worker, 2, 0}});
}

struct state *given_job(struct fact_job_accepted accepted)
{
    struct state *job = state_create();
    run_started(job, 1);
    apply(job, (struct fact){.kind = FACT_JOB_ACCEPTED, .as.job_accepted = accepted});
    joined(job, 1);
    joined(job, 2);
    return job;
}

struct state *given_tasks(uint64_t task_count)
{
    return given_job((struct fact_job_accepted){.task_count = task_count, .has_merge = true});
}

struct fact_attempt_failed failure_of(uint64_t assignment, uint64_t task)
{
    return (struct fact_attempt_failed){.worker = 1,
                                        .assignment = assignment,
                                        .work = WORK_RUN,
                                        .range = {task, 1},
                                        .cause = CAUSE_PLUGIN};
}
