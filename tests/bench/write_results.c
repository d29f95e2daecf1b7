/* write_results.c - writes the run directory of a command list that has ended.
 *
 * Usage: write_results DIR TASKS TASKS_A_RESULT. Each command wrote its index and a newline. */
#include "../../jobs/command_record.h"
#include "../../runtime/run_identity.h"
#include "../../scheduler/check.h"
#include "../unit/result_journal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DURATION_US = 1000 };

/* A block for each result, as of commands that take longer than the journal groups. */
static void append_result(struct result_journal *journal, struct range range,
                          struct byte_writer *payload)
{
    byte_writer_clear(payload);
    for (uint64_t task = range.first; task < range_end(range); task++) {
        char out[32];
        struct command_record record = {
            .task = task,
            .attempt = 1,
            .duration_us = DURATION_US,
            .host = "host",
            .host_bytes = strlen("host"),
            .command = "echo",
            .command_bytes = strlen("echo"),
            .out_bytes = (size_t)snprintf(out, sizeof out, "%" PRIu64 "\n", task),
        };
        command_record_put_head(&record, payload);
        byte_writer_put(payload, out, record.out_bytes);
    }
    result_journal_append_result(journal, range, payload->data, payload->size);
    journal_want_durable(journal->journal, state_last_seq(journal->state));
    if (journal_wants_snapshot(journal->journal))
        result_journal_snapshot(journal);
}

static void write_journal(const char *dir, uint64_t task_count, uint64_t result_tasks)
{
    const struct journal_options options = {.dir = dir,
                                            .disk = disk_system(),
                                            .sync_interval_ns = UINT64_C(60000000000),
                                            .wake_descriptor = -1};
    struct result_journal journal = result_journal_open(&options);
    struct byte_writer payload = {0};
    const struct fact accepted = {.kind = FACT_JOB_ACCEPTED,
                                  .as.job_accepted = {.task_count = task_count}};
    const struct fact finished = {.kind = FACT_JOB_FINISHED};
    result_journal_append(&journal, accepted, NULL, 0);
    for (uint64_t first = 0; first < task_count; first += result_tasks) {
        struct range range = {first, result_tasks};
        range.count = result_tasks < task_count - first ? result_tasks : task_count - first;
        append_result(&journal, range, &payload);
    }
    result_journal_append(&journal, finished, NULL, 0);
    result_journal_close(&journal);
    byte_writer_close(&payload);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    const struct run_identity identity = {.job_name = "echo"};
    CHECK(mkdir(argv[1], 0700) == 0);
    CHECK(run_identity_write(argv[1], &identity, NULL) == 0);
    char *journal = run_directory_join(argv[1], "journal");
    write_journal(journal, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    free(journal);
    return 0;
}
