/* job_log.c - writes lines that other programs can read. */
#include "job_log.h"

#include <inttypes.h>
#include <string.h>

void job_log_begin(FILE *out)
{
    fputs("Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n", out);
}

void job_log_add(FILE *out, const struct command_record *record)
{
    fprintf(out,
            "%" PRIu64 "\t%.*s\t%" PRIu64 ".%03u\t%" PRIu64 ".%03u\t0\t%zu\t%" PRId32 "\t%" PRId32
            "\t",
            record->task + 1, (int)record->host_bytes, record->host,
            record->start_unix_us / 1000000, (unsigned)(record->start_unix_us / 1000 % 1000),
            record->duration_us / 1000000, (unsigned)(record->duration_us / 1000 % 1000),
            record->out_bytes, record->exit_status, record->signal);
    for (size_t i = 0; i < record->command_bytes; i++)
        putc(strchr("\n\t", record->command[i]) != NULL ? ' ' : record->command[i], out);
    putc('\n', out);
}
