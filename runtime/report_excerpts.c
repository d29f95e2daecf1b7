/* report_excerpts.c - what commands that failed, and a prepare that failed, have written: the first
 * and the last lines, and where the rest is. */
#include "report.h"

#include "../scheduler/memory.h"
#include "both_ends.h"
#include "command_line.h"
#include "executor_log.h"
#include "failed_output.h"
#include "last_lines.h"
#include "run_place.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXCERPT_BYTES_MAX = 4000 };

static const char prepare_log_prefix[] = "spawner-";

/* The text of a failure has the last lines of it: nothing is said twice. */
static bool says_more(const struct command_record *record)
{
    const char *bytes = (const char *)record->err;
    size_t size = both_ends_trim(bytes, record->err_bytes);
    return size > 0 && both_ends_first(bytes, size, LAST_LINES_MAX) < size;
}

static void describe_place(const struct report *report, uint64_t task,
                           struct report_excerpt *excerpt)
{
    char *dir = command_line_format(&(char *){(char *)report->dir}, 1);
    if (asprintf(&excerpt->place,
                 "what task %" PRIu64 " wrote to standard error; all of it: `sheaf output --failed "
                 "--stderr --task %" PRIu64 " %s`",
                 task, task, dir) < 0)
        excerpt->place = NULL;
    free(dir);
}

/* Of the first task in the group of which there is something to tell. */
static void add_group(struct report *report, size_t number, const struct failed_outputs *outputs)
{
    const struct failure_group *group = report->groups[number];
    struct report_excerpt *excerpt = &report->excerpts[number];
    if (group->work != WORK_RUN || group->log_size > 0 || group->cause == CAUSE_NOT_RUN)
        return;
    for (uint32_t i = 0; i < group->example_count && excerpt->text == NULL; i++) {
        uint64_t task = group->examples[i].range.first;
        const struct command_record *record = failed_outputs_find(outputs, task);
        if (record == NULL || !says_more(record))
            continue;
        excerpt->text = memory_allocate(EXCERPT_BYTES_MAX);
        excerpt->size = both_ends((const char *)record->err, record->err_bytes, excerpt->text,
                                  EXCERPT_BYTES_MAX);
        describe_place(report, task, excerpt);
    }
}

/* The log of a prepare that was written last; the caller owns the path. NULL when there is none. */
static char *find_prepare_log(const char *dir)
{
    char *folder = run_directory_join(dir, "logs");
    DIR *stream = run_place_list(folder);
    char *found = NULL;
    struct timespec newest = {0};
    for (const struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        struct stat status;
        if (strncmp(entry->d_name, prepare_log_prefix, strlen(prepare_log_prefix)) != 0)
            continue;
        char *path = run_directory_join(folder, entry->d_name);
        bool is_newer =
            run_place_stat(path, &status) == 0 && status.st_size > 0 &&
            (status.st_mtim.tv_sec > newest.tv_sec ||
             (status.st_mtim.tv_sec == newest.tv_sec && status.st_mtim.tv_nsec >= newest.tv_nsec));
        if (is_newer) {
            newest = status.st_mtim;
            free(found);
            found = path;
        } else {
            free(path);
        }
    }
    if (stream != NULL)
        closedir(stream);
    free(folder);
    return found;
}

static void add_prepare(struct report *report)
{
    const struct fact_job_failed *failure = state_job_failure(report->state);
    char *path = failure != NULL && failure->work == 0 ? find_prepare_log(report->dir) : NULL;
    if (path == NULL)
        return;
    struct report_excerpt *excerpt = &report->prepare;
    const struct executor_log_span all = {.end_bytes = UINT64_MAX};
    excerpt->text = memory_allocate(EXCERPT_BYTES_MAX);
    excerpt->size = executor_log_read(path, all, excerpt->text, EXCERPT_BYTES_MAX);
    excerpt->place = memory_copy_string("what prepare wrote, the last time that it wrote anything");
    free(path);
}

void report_gather_excerpts(struct report *report)
{
    struct failed_outputs *outputs;
    report->excerpts = memory_allocate_zeroed(report->group_count + 1, sizeof *report->excerpts);
    add_prepare(report);
    if (failed_outputs_read(report->dir, &outputs, NULL) != 0)
        return;
    for (size_t i = 0; i < report->group_count; i++)
        add_group(report, i, outputs);
    failed_outputs_close(outputs);
}

static void close_excerpt(struct report_excerpt *excerpt)
{
    free(excerpt->text);
    free(excerpt->place);
}

void report_close_excerpts(struct report *report)
{
    for (size_t i = 0; i < report->group_count; i++)
        close_excerpt(&report->excerpts[i]);
    close_excerpt(&report->prepare);
    free(report->excerpts);
}
