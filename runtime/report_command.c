/* report_command.c - `sheaf report`: what failed in a job, and why. */
#include "report_command.h"

#include "report.h"

#include <string.h>

enum { EXIT_USAGE = 2, EXIT_CANNOT = 4 };

static int fail(const struct sheaf_error *error)
{
    fprintf(stderr, "sheaf: error: %s\n", error->text);
    return error->code == SHEAF_ERROR_NOT_FOUND ? EXIT_USAGE : sheaf_error_exit_status(error->code);
}

static int usage(void)
{
    fprintf(stderr, "Usage: sheaf report [--json] DIR\n");
    return EXIT_USAGE;
}

int report_command(int argc, char **argv)
{
    bool is_json = false;
    const char *dir = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            is_json = true;
        else if (argv[i][0] == '-' || argv[i][0] == '\0' || dir != NULL)
            return usage();
        else
            dir = argv[i];
    }
    if (dir == NULL)
        return usage();
    struct report report;
    struct sheaf_error error;
    int code = report_read(dir, &report, &error);
    if (code != 0)
        return fail(&error);
    bool is_printed = true;
    if (is_json)
        is_printed = report_print_json(&report, stdout);
    else
        report_print_text(&report, stdout);
    report_close(&report);
    return is_printed ? 0 : EXIT_CANNOT;
}
