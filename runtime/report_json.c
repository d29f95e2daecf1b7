/* report_json.c - a report for scripts. */
#include "report.h"

#include "../scheduler/memory.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* JSON holds text only: other bytes become question marks. */
static json_t *text_of(const char *bytes, size_t size)
{
    json_t *text = json_stringn(size > 0 ? bytes : "", size);
    if (text != NULL)
        return text;
    char *plain = memory_copy(bytes, size);
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)plain[i] >= 0x80)
            plain[i] = '?';
    text = json_stringn(plain, size);
    free(plain);
    return text;
}

static json_t *number_of(uint64_t number)
{
    return json_integer((json_int_t)number);
}

/* "worker_lost" */
static json_t *cause_word(enum cause cause)
{
    static const char *const names[CAUSE_COUNT] = {[CAUSE_NONE] = "NONE",
#define X(name, text) [CAUSE_##name] = #name,
                                                   SHEAF_CAUSES(X)
#undef X
    };
    char word[64];
    snprintf(word, sizeof word, "%s", names[cause]);
    for (char *letter = word; *letter != '\0'; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    return json_string(word);
}

static json_t *example_of(const struct failure_group *group, const struct failure_example *example)
{
    json_t *json = json_object();
    json_object_set_new(json, "worker", number_of(example->worker));
    if (group->work == 0) {
        if (example->attempt > 0)
            json_object_set_new(json, "run", number_of(example->attempt));
        return json;
    }
    json_object_set_new(json, "first_task", number_of(example->range.first));
    json_object_set_new(json, "tasks", number_of(example->range.count));
    json_object_set_new(json, "attempt", number_of(example->attempt));
    json_object_set_new(json, "text", text_of(example->text, example->text_size));
    return json;
}

static json_t *group_of(const struct failure_group *group, const struct report_excerpt *excerpt)
{
    char how[REPORT_TEXT_BYTES];
    report_describe_cause(group->cause, group->detail, how, sizeof how);
    json_t *json = json_object();
    json_object_set_new(json, "work",
                        json_string(group->work == 0 ? "worker" : work_text(group->work)));
    json_object_set_new(json, "cause", cause_word(group->cause));
    json_object_set_new(json, "cause_text", text_of(how, strlen(how)));
    json_object_set_new(json, "detail", json_integer(group->detail));
    json_object_set_new(json, "host", text_of(group->host, strlen(group->host)));
    json_object_set_new(json, "count", number_of(group->count));
    json_object_set_new(json, "last_attempts", number_of(group->final_count));
    json_object_set_new(json, "orders_lost", number_of(group->order_count));
    json_t *examples = json_array();
    for (uint32_t i = 0; i < group->example_count; i++)
        json_array_append_new(examples, example_of(group, &group->examples[i]));
    json_object_set_new(json, "examples", examples);
    bool has_log = group->log_size > 0;
    json_object_set_new(json, "log",
                        has_log ? text_of(group->log, group->log_size)
                                : text_of(excerpt->text, excerpt->size));
    return json;
}

/* [[first, last], ...] */
static json_t *ranges_of(const struct range_set *tasks, uint64_t *left_out)
{
    json_t *ranges = json_array();
    struct range range = {0, 0};
    *left_out = tasks->task_count;
    for (int i = 0; i < REPORT_RANGES_MAX; i++) {
        if (!range_set_find_from(tasks, range_end(range), &range))
            break;
        json_array_append_new(
            ranges, json_pack("[II]", (json_int_t)range.first, (json_int_t)(range_end(range) - 1)));
        *left_out -= range.count;
    }
    return ranges;
}

json_t *report_to_json(const struct report *report)
{
    const struct task_counts *tasks = &report->tasks;
    char advice[REPORT_ADVICE_MAX][REPORT_TEXT_BYTES];
    const struct range_set *not_run = state_not_run(report->state);
    uint64_t left_out;
    json_t *json = json_object();
    const char *name = report->identity.job_name;
    json_object_set_new(json, "job", text_of(name, strlen(name)));
    json_object_set_new(json, "state", json_string(status_state_word(report->standing)));
    json_object_set_new(json, "tasks_total", number_of(tasks->total));
    json_object_set_new(json, "tasks_done", number_of(tasks->done));
    json_object_set_new(json, "tasks_failed", number_of(tasks->failed));
    json_object_set_new(json, "tasks_not_run", number_of(tasks->not_run));
    json_object_set_new(json, "tasks_running", number_of(tasks->running));
    json_object_set_new(json, "tasks_waiting", number_of(tasks->waiting));
    json_object_set_new(json, "tasks_open", number_of(tasks->open));
    json_object_set_new(json, "failed_ranges", ranges_of(&report->failed, &left_out));
    json_object_set_new(json, "failed_not_shown", number_of(left_out));
    json_object_set_new(json, "not_run_ranges", ranges_of(not_run, &left_out));
    json_object_set_new(json, "not_run_not_shown", number_of(left_out));
    json_object_set_new(json, "damaged_places", number_of(report->damage_count));
    json_t *groups = json_array();
    for (size_t i = 0; i < report->group_count; i++)
        json_array_append_new(groups, group_of(report->groups[i], &report->excerpts[i]));
    json_object_set_new(json, "groups", groups);
    if (report->prepare.size > 0)
        json_object_set_new(json, "prepare_log",
                            text_of(report->prepare.text, report->prepare.size));
    json_t *next = json_array();
    size_t count = report_advise(report, advice);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(next, json_string(advice[i]));
    json_object_set_new(json, "next", next);
    return json;
}
