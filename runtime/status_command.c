/* status_command.c - `sheaf status`: where a run stands. */
#include "status_command.h"

#include "../scheduler/memory.h"
#include "clock.h"
#include "command_line.h"
#include "print_foreign.h"
#include "progress.h"
#include "run_directory.h"
#include "run_place.h"
#include "run_identity.h"
#include "stage_list.h"
#include "status.h"
#include "status_journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A master writes once a second: after so long something holds it up. */
enum { SILENT_S = 30 };

/* Between two masters the launcher is there. */
static bool is_abandoned(const char *dir)
{
    struct run_directory_holder holder;
    return run_directory_find_holder(dir, &holder, NULL) == 0 && !run_directory_is_alive(dir);
}

/* What the run wrote last, or, when nobody works on it, what that means now. When that cannot be
 * read: what the journal says, and that is told. */
static int read_status(const char *dir, struct status *status, struct sheaf_error *error)
{
    struct sheaf_error lost;
    int code = status_read(dir, status, error);
    if (code != 0 && status_from_journal(dir, status, &lost) == 0) {
        print_harmless(stderr,
                       "sheaf: %s/status.json is %s: these figures are the journal's, which knows "
                       "neither times nor workers; the next run writes the file again\n",
                       dir,
                       code == SHEAF_ERROR_NOT_FOUND ? "gone"
                                                     : "damaged, or of another version of sheaf");
        code = 0;
    }
    if (code == 0 && is_abandoned(dir))
        status_abandon(status);
    return code;
}

static int print_json(const char *dir, struct sheaf_error *error)
{
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    int code = read_status(dir, status, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        code = sheaf_error_set(error, SHEAF_ERROR_IO,
                               "cannot read %s/status.json: the run has not begun yet", dir);
    char *text = code == 0 ? status_format_json(status) : NULL;
    if (code == 0 && text == NULL)
        code = sheaf_error_set(error, SHEAF_ERROR_IO, "cannot put the status into words");
    if (code == 0)
        puts(text);
    free(text);
    free(status);
    return code;
}

static void __attribute__((format(printf, 2, 3)))
print_line(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    printf("%-10s ", name);
    if (length > 0)
        print_foreign(stdout, text, (size_t)length);
    putchar('\n');
    free(text);
}

static void print_count(const char *name, uint64_t count, const char *meaning)
{
    char tasks[PROGRESS_TASKS_BYTES];
    if (count == 0)
        return;
    progress_format_tasks(count, tasks);
    print_line(name, "%s%s", tasks, meaning);
}

static void print_tasks(const struct status *status)
{
    const struct task_counts *tasks = &status->tasks;
    char done[PROGRESS_NUMBER_BYTES];
    char total[PROGRESS_TASKS_BYTES] = "? tasks";
    progress_format_number(tasks->done, done);
    if (tasks->total > 0)
        progress_format_tasks(tasks->total, total);
    print_line("done", "%s of %s", done, total);
    print_count("failed", tasks->failed, " for good");
    print_count("not run", tasks->not_run,
                tasks->not_run == 1 ? ", since one before it failed"
                                    : ", since one before them failed");
    if (tasks->running > 0) {
        char running[PROGRESS_TASKS_BYTES];
        progress_format_tasks(tasks->running, running);
        print_line("running", "%s handed out to %" PRIu32 " worker%s with %" PRIu64 " slot%s",
                   running, status->workers, status->workers == 1 ? "" : "s", status->slots,
                   status->slots == 1 ? "" : "s");
    }
    print_count("waiting", tasks->waiting, " for another attempt, or for others to end");
    print_count("open", tasks->open, "");
}

static void print_figures(const struct status *status)
{
    if (status->stage_count == 0 || !status->has_ended)
        print_tasks(status);
    if (!status->has_ended && status->tasks_per_ks > 0) {
        char rate[PROGRESS_RATE_BYTES];
        progress_format_rate(status->tasks_per_ks, " tasks", rate);
        print_line("rate", "%s", rate);
    }
    char duration[PROGRESS_DURATION_BYTES];
    progress_format_duration(status->elapsed_ms, duration);
    if (status->written_unix_s > 0)
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

/* What is said of one stage is done by the run of all. */
static void print_way_on(const char *dir)
{
    char *run_dir = stage_list_run_of(dir);
    char *line = command_line_to_continue_run(run_dir);
    print_line("continue", "%s", line);
    free(line);
    free(run_dir);
}

/* What the figures do not tell: whether anybody is still at it. */
static void print_holder(const char *dir, const struct status *status)
{
    struct run_directory_holder holder;
    int is_held = run_directory_find_holder(dir, &holder, NULL);
    uint64_t now_s = clock_wall_ns() / 1000000000;
    uint64_t age_s = now_s > status->written_unix_s ? now_s - status->written_unix_s : 0;
    char age[PROGRESS_DURATION_BYTES];
    progress_format_duration(age_s * 1000, age);
    if (is_held > 0)
        print_line("master", "process %" PRId64 " on %s", holder.process_id,
                   holder.host[0] != '\0' ? holder.host : "an unknown host");
    if (is_held > 0 && age_s > SILENT_S && status->written_unix_s > 0)
        print_line("note", "the figures are %s old: the master is held up, perhaps by its disk",
                   age);
    else if (status->state == STATUS_INTERRUPTED && !status->has_ended)
        print_line("note", "nobody works on it%s%s",
                   status->written_unix_s > 0 ? ": its master is gone since about " : "",
                   status->written_unix_s > 0 ? age : "");
    bool is_unfinished =
        status->has_ended && (status->exit_status == 3 || status->exit_status == 4);
    if (is_held == 0 && (status->state == STATUS_INTERRUPTED || is_unfinished))
        print_way_on(dir);
}

static void print_stage(const char *run_dir, const char *name, const char *before_it_begins)
{
    char *dir = stage_list_directory(run_dir, name);
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    const struct task_counts *tasks = &status->tasks;
    char done[PROGRESS_NUMBER_BYTES];
    char total[PROGRESS_TASKS_BYTES] = "? tasks";
    char others[PROGRESS_OTHERS_BYTES];
    if (read_status(dir, status, NULL) != 0) {
        print_line("stage", "%s: %s", name, before_it_begins);
    } else {
        progress_format_number(tasks->done, done);
        if (tasks->total > 0)
            progress_format_tasks(tasks->total, total);
        progress_format_others(tasks, others);
        print_line("stage", "%s: %s, %s of %s done%s", name, status_state_word(status->state), done,
                   total, others);
    }
    free(status);
    free(dir);
}

/* A line for each stage, in the order of the job file. */
static int print_stages(const char *dir, bool has_ended, struct sheaf_error *error)
{
    struct stage_list list;
    int code = stage_list_read(dir, &list, error);
    if (code != 0)
        return code;
    for (size_t i = 0; i < list.count; i++)
        print_stage(dir, list.names[i], has_ended ? "did not run" : "waiting");
    stage_list_close(&list);
    return 0;
}

static int print_run(const char *dir, struct status *status, struct sheaf_error *error)
{
    struct run_identity identity;
    int code = run_identity_read(dir, &identity, error);
    if (code == SHEAF_ERROR_NOT_FOUND)
        return sheaf_error_set(error, SHEAF_ERROR_USAGE, "%s is not a run directory (NAME.sheaf)",
                               dir);
    if (code != 0)
        return code;
    code = read_status(dir, status, error);
    if (code != 0 && code != SHEAF_ERROR_NOT_FOUND)
        return code;
    print_line("job", "%s", identity.job_name);
    print_line("state", "%s", status_state_word(status->state));
    if (code != 0)
        return 0;
    if (status->stage_count > 0 && !status->has_ended)
        print_line("stage", "%s, %" PRIu64 " of %" PRIu64, status->stage, status->stage_number,
                   status->stage_count);
    print_figures(status);
    print_holder(dir, status);
    return print_stages(dir, status->has_ended, error);
}

static int print_for_people(const char *dir, struct sheaf_error *error)
{
    struct status *status = memory_allocate_zeroed(1, sizeof *status);
    int code = print_run(dir, status, error);
    free(status);
    return code;
}

/* What is asked for: all of `dir`, or one stage of it. */
static int print(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    const bool *is_json = context;
    (void)stage;
    return *is_json ? print_json(dir, error) : print_for_people(dir, error);
}

static const char usage[] = "Usage: sheaf status [--json] [--stage NAME] DIR\n\n"
                            "Says where the run in DIR stands.\n\n"
                            "  --json         for scripts\n"
                            "  --stage NAME   only this stage of a job in stages\n"
                            "  --shared-dir   believe a directory in which other users may write\n";

int status_command(int argc, char **argv)
{
    bool is_json = false;
    const char *dir = NULL;
    const char *stage = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(usage, stdout) < 0;
        if (strcmp(argv[i], "--json") == 0)
            is_json = true;
        else if (strcmp(argv[i], "--stage") == 0 && i + 1 < argc)
            stage = argv[++i];
        else if (argv[i][0] == '-' || dir != NULL)
            dir = "";
        else
            dir = argv[i];
    }
    if (dir == NULL || dir[0] == '\0') {
        fputs(usage, stderr);
        return 2;
    }
    struct sheaf_error error;
    int code = run_place_open(dir, &error);
    if (code == 0)
        code = stage != NULL ? stage_list_visit(dir, stage, print, &is_json, &error)
                             : print(&is_json, dir, NULL, &error);
    return code < 0 ? print_failure(&error) : 0;
}
