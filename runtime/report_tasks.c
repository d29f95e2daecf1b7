/* report_tasks.c - all tasks of a job that have no result and will have none, a line each. */
#include "report.h"

#include <inttypes.h>

static void print_task(uint64_t task, const char *word, const struct report_tasks_form *form)
{
    if (form->is_json && form->stage != NULL)
        fprintf(form->out, "{\"stage\": \"%s\", \"task\": %" PRIu64 ", \"state\": \"%s\"}\n",
                form->stage, task, word);
    else if (form->is_json)
        fprintf(form->out, "{\"task\": %" PRIu64 ", \"state\": \"%s\"}\n", task, word);
    else if (form->stage != NULL)
        fprintf(form->out, "%s\t%" PRIu64 "\t%s\n", form->stage, task, word);
    else
        fprintf(form->out, "%" PRIu64 "\t%s\n", task, word);
}

void report_print_tasks(const struct report *report, const struct report_tasks_form *form)
{
    const struct range_set *not_run = state_not_run(report->state);
    struct range range = {0, 0};
    while (range_set_find_from(state_failed(report->state), range_end(range), &range))
        for (uint64_t task = range.first; task < range_end(range); task++)
            print_task(task,
                       range_set_contains(not_run, (struct range){task, 1}) ? "not run" : "failed",
                       form);
}
