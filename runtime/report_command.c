/* report_command.c - `sheaf report`: what failed in a job, and why. */
#include "report_command.h"

#include "json_text.h"
#include "print_foreign.h"
#include "report.h"
#include "stage_list.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static int fail(const struct sheaf_error *error)
{
    int status = print_failure(error);
    return error->code == SHEAF_ERROR_NOT_FOUND ? EXIT_USAGE : status;
}

static const char help[] = "Usage: sheaf report [--json] [--tasks] [--stage NAME] DIR\n\n"
                           "Says what failed in the run in DIR, why, and what to do about it.\n\n"
                           "  --json         one object, for scripts\n"
                           "  --tasks        all tasks that failed for good or were not run\n"
                           "  --stage NAME   only this stage of a job in stages\n"
                           "  --shared-dir   believe a directory in which other users may write\n";

static int usage(void)
{
    fputs(help, stderr);
    return EXIT_USAGE;
}

struct report_request {
    const char *dir;
    const char *stage; /* the only one to report on, or NULL */
    bool is_json;
    bool lists_tasks;
    json_t *reports; /* so far: printed when all are there */
};

static int take(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    struct report_request *request = context;
    struct report report;
    int code = report_read(dir, &report, error);
    if (code != 0)
        return code;
    report.is_stage = stage != NULL;
    if (request->lists_tasks) {
        const struct report_tasks_form form = {stdout, stage, request->is_json};
        report_print_tasks(&report, &form);
    } else if (request->is_json) {
        json_t *json = report_to_json(&report);
        if (stage != NULL)
            json_object_set_new(json, "stage", json_string(stage));
        json_array_append_new(request->reports, json);
    } else {
        if (stage != NULL)
            printf("STAGE %s\n", stage);
        report_print_text(&report, stdout);
    }
    report_close(&report);
    return 0;
}

/* All stages in one object. Takes the reports. */
static int join_stages(const char *dir, const struct stage_list *list, json_t *reports,
                       json_t **joined, struct sheaf_error *error)
{
    struct run_identity identity;
    int code = run_identity_read(dir, &identity, error);
    if (code != 0) {
        json_decref(reports);
        return code;
    }
    json_t *waiting = json_array();
    for (size_t i = 0; i < list->count; i++) {
        bool has_begun = false;
        size_t at;
        json_t *report;
        json_array_foreach(reports, at, report)
        {
            const char *name = json_string_value(json_object_get(report, "stage"));
            has_begun |= strcmp(name, list->names[i]) == 0;
        }
        if (!has_begun)
            json_array_append_new(waiting, json_string(list->names[i]));
    }
    *joined = json_pack("{s:s, s:o, s:o}", "job", identity.job_name, "stages", reports,
                        "stages_not_begun", waiting);
    return 0;
}

/* Always one object: of the run, of the stage that was asked for, or of all its stages. */
static int print_json(struct report_request *request, struct sheaf_error *error)
{
    struct stage_list list;
    int code = stage_list_read(request->dir, &list, error);
    if (code != 0) {
        json_decref(request->reports);
        return code;
    }
    json_t *json = NULL;
    if (request->stage == NULL && list.count > 0) {
        code = join_stages(request->dir, &list, request->reports, &json, error);
    } else {
        json = json_incref(json_array_get(request->reports, 0));
        json_decref(request->reports);
    }
    stage_list_close(&list);
    char *text = code == 0 ? json_text_format(json) : NULL;
    if (code == 0 && (text == NULL || puts(text) == EOF))
        code = sheaf_error_set(error, SHEAF_ERROR_IO, "cannot write the report");
    free(text);
    json_decref(json);
    return code;
}

int report_command(int argc, char **argv)
{
    struct report_request request = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return fputs(help, stdout) < 0;
        if (strcmp(argv[i], "--json") == 0)
            request.is_json = true;
        else if (strcmp(argv[i], "--tasks") == 0)
            request.lists_tasks = true;
        else if (strcmp(argv[i], "--stage") == 0 && i + 1 < argc)
            request.stage = argv[++i];
        else if (argv[i][0] == '-' || argv[i][0] == '\0' || request.dir != NULL)
            return usage();
        else
            request.dir = argv[i];
    }
    if (request.dir == NULL)
        return usage();
    struct sheaf_error error;
    request.reports = request.is_json && !request.lists_tasks ? json_array() : NULL;
    int code = stage_list_visit(request.dir, request.stage, take, &request, &error);
    if (code == 0 && request.reports != NULL)
        code = print_json(&request, &error);
    else
        json_decref(request.reports);
    return code != 0 ? fail(&error) : 0;
}
