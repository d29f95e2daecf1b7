/* master_export.c - keeps --joblog and --output-dir in step with the job. */
#include "master_private.h"

int master_export_open(struct master *master, struct sheaf_error *error)
{
    const struct exporter_options options = {
        .run_dir = run_directory_path(master->directory),
        .output_dir = master->options->output_dir,
        .log_path = master->options->log_path,
    };
    if (options.output_dir == NULL && options.log_path == NULL)
        return 0;
    return exporter_create(&options, scheduler_state(master->scheduler), &master->exporter, error);
}

bool master_export(struct master *master)
{
    struct sheaf_error error;
    if (master->exporter == NULL)
        return false;
    int code = exporter_step(master->exporter, scheduler_state(master->scheduler), master->journal,
                             &error);
    if (code >= 0)
        return code == 1;
    exporter_destroy(master->exporter);
    master->exporter = NULL;
    master_fail(master, &error);
    return false;
}
