/* report_command.c - `sheaf report`: what failed in a job, and why. */
#include "report_command.h"

#include "report.h"
#include "stage_list.h"

#include <string.h>

enum { EXIT_USAGE = 2, EXIT_CANNOT = 4 };

static int fail(const struct sheaf_error *error)
{
    fprintf(stderr, "sheaf: error: %s\n", error->text);
    return error->code == SHEAF_ERROR_NOT_FOUND ? EXIT_USAGE : sheaf_error_exit_status(error->code);
}

static int usage(void)
{
    fprintf(stderr, "Usage: sheaf report [--json] [--stage NAME] DIR\n");
    return EXIT_USAGE;
}

struct report_options {
    bool is_json;
    bool is_printed; /* all of it has left */
};

static int print(void *context, const char *dir, const char *stage, struct sheaf_error *error)
{
    struct report_options *options = context;
    struct report report;
    int code = report_read(dir, &report, error);
    if (code != 0)
        return code;
    if (stage != NULL && !options->is_json)
        printf("STAGE %s\n", stage);
    if (options->is_json)
        options->is_printed &= report_print_json(&report, stdout);
    else
        report_print_text(&report, stdout);
    report_close(&report);
    return 0;
}

int report_command(int argc, char **argv)
{
    struct report_options options = {.is_printed = true};
    const char *dir = NULL;
    const char *stage = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options.is_json = true;
        else if (strcmp(argv[i], "--stage") == 0 && i + 1 < argc)
            stage = argv[++i];
        else if (argv[i][0] == '-' || argv[i][0] == '\0' || dir != NULL)
            return usage();
        else
            dir = argv[i];
    }
    if (dir == NULL)
        return usage();
    struct sheaf_error error;
    if (stage_list_visit(dir, stage, print, &options, &error) != 0)
        return fail(&error);
    return options.is_printed ? 0 : EXIT_CANNOT;
}
