/* status_command.c - `sheaf status`: where a run stands. */
#include "status_command.h"

#include "../scheduler/memory.h"
#include "clock.h"
#include "progress.h"
#include "run_directory.h"
#include "run_identity.h"
#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A master writes once a second: after so long something holds it up. */
enum { SILENT_S = 30 };

static int fail(const struct sheaf_error *error)
{
    fprintf(stderr, "sheaf: error: %s\n", error->text);
    return sheaf_error_exit_status(error->code);
}

static int print_json(const char *dir)
{
    char *path = run_directory_join(dir, "status.json");
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "sheaf: error: cannot read %s: the run has not begun yet\n", path);
        free(path);
        return 4;
    }
    char bytes[4096];
    for (size_t size; (size = fread(bytes, 1, sizeof bytes, file)) > 0;)
        fwrite(bytes, 1, size, stdout);
    putchar('\n');
    fclose(file);
    free(path);
    return 0;
}

static void __attribute__((format(printf, 2, 3)))
print_line(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%-10s ", name);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

static void print_figures(const struct status *status)
{
    char number[PROGRESS_NUMBER_BYTES];
    char total[PROGRESS_NUMBER_BYTES];
    progress_format_number(status->tasks_done, number);
    progress_format_number(status->tasks_total, total);
    print_line("done", "%s of %s tasks", number, status->tasks_total > 0 ? total : "?");
    if (status->tasks_failed > 0) {
        progress_format_number(status->tasks_failed, number);
        print_line("failed", "%s tasks", number);
    }
    if (!status->has_ended) {
        progress_format_number(status->tasks_in_flight, number);
        print_line("running", "%s tasks handed out to %" PRIu32 " workers with %" PRIu64 " slots",
                   number, status->workers, status->slots);
        progress_format_number(status->tasks_per_ks / 1000, number);
        print_line("rate", "%s tasks/s", number);
    }
    char duration[PROGRESS_DURATION_BYTES];
    progress_format_duration(status->elapsed_ms, duration);
    print_line("time", "%s in run %" PRIu64, duration, status->incarnation);
    if (!status->has_ended && status->remaining_ms > 0) {
        progress_format_duration(status->remaining_ms, duration);
        print_line("left", "about %s", duration);
    }
    if (status->has_ended)
        print_line("exit", "status %d", status->exit_status);
    if (status->output[0] != '\0' && strcmp(status->output, "-") != 0)
        print_line("output", "%s%s", status->output,
                   status->state == STATUS_FINISHED ? "" : " (when finished)");
}

/* What the figures do not tell: whether anybody is still at it. */
static void print_holder(const char *dir, const struct status *status)
{
    static const char advice[] = "repeat the command that began the run to continue it";
    struct run_directory_holder holder;
    int is_held = run_directory_find_holder(dir, &holder, NULL);
    uint64_t now_s = clock_wall_ns() / 1000000000;
    uint64_t age_s = now_s > status->written_unix_s ? now_s - status->written_unix_s : 0;
    char age[PROGRESS_DURATION_BYTES];
    progress_format_duration(age_s * 1000, age);
    if (is_held > 0)
        print_line("master", "process %" PRId64 " on %s", holder.process_id,
                   holder.host[0] != '\0' ? holder.host : "an unknown host");
    if (is_held > 0 && age_s > SILENT_S)
        print_line("note", "the figures are %s old: the master is held up, perhaps by its disk",
                   age);
    else if (is_held == 0 && !status->has_ended)
        print_line("note", "nobody works on it: its master is gone since about %s; %s", age,
                   advice);
    else if (is_held == 0 && (status->exit_status == 3 || status->exit_status == 4))
        print_line("note", "%s", advice);
}

static int print_for_people(const char *dir)
{
    struct run_identity identity;
    struct sheaf_error error;
    int code = run_identity_read(dir, &identity, &error);
    if (code == SHEAF_ERROR_NOT_FOUND) {
        fprintf(stderr, "sheaf: error: %s is not a run directory (NAME.sheaf)\n", dir);
        return 2;
    }
    if (code != 0)
        return fail(&error);
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    code = status_read(dir, status, &error);
    if (code == 0 || code == SHEAF_ERROR_NOT_FOUND) {
        print_line("job", "%s", identity.job_name);
        print_line("state", "%s", status_state_word(status->state));
    }
    if (code == 0) {
        print_figures(status);
        print_holder(dir, status);
    }
    free(status);
    return code == 0 || code == SHEAF_ERROR_NOT_FOUND ? 0 : fail(&error);
}

int status_command(int argc, char **argv)
{
    bool is_json = false;
    const char *dir = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = true;
        else if (argv[i][0] == '-' || dir != NULL)
            dir = "";
        else
            dir = argv[i];
    }
    if (dir == NULL || dir[0] == '\0') {
        fprintf(stderr, "Usage: sheaf status [--json] DIR\n");
        return 2;
    }
    return is_json ? print_json(dir) : print_for_people(dir);
}
