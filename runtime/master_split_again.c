/* master_split_again.c - the stored inputs of tasks that the plug-in's split has named are damaged:
 * its split is asked again, on a worker, and must name the same. */
#include "master_private.h"

#include "run_place.h"
#include "run_swap.h"

#include <errno.h>
#include <stdlib.h>

enum { SPLITS_AGAIN_MAX = 3 }; /* a disk that damages what was just written is of no use */

static int refuse(const struct master *master, struct sheaf_error *error)
{
    return sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                           "the stored inputs of the tasks in %s are damaged, and the plug-in's "
                           "split does not name the same again: repeat the command with what the "
                           "split reads as it was when the run began, or run the job in another "
                           "directory (--dir). The results so far stay in this one",
                           run_directory_path(master->directory));
}

int master_split_want_again(struct master *master, struct sheaf_error *error)
{
    if (master->inputs != NULL)
        input_store_close(master->inputs);
    master->inputs = NULL;
    if (master->splits_again_count++ >= SPLITS_AGAIN_MAX)
        return refuse(master, error);
    master->split_again = SPLIT_AGAIN_WANTED;
    return 0;
}

bool master_split_ask_again(struct master *master)
{
    if (master->split_again == SPLIT_AGAIN_WANTED) {
        master->split_again = SPLIT_AGAIN_ASKED;
        master_tell(master, CONTROL_WARNING,
                    "the stored inputs of the tasks are damaged: the plug-in's split is asked for "
                    "them again");
        struct input input = {.kind = INPUT_INPUTS_LOST, .now_ns = master->now_ns};
        master_step(master, &input, NULL, 0);
    }
    return master->split_again == SPLIT_AGAIN_ASKED;
}

int master_split_make_folder(struct master *master, struct sheaf_error *error)
{
    const char *dir = run_directory_path(master->directory);
    char *folder = run_directory_join(dir, INPUTS_AGAIN_NAME);
    int code = run_swap_remove(dir, INPUTS_AGAIN_NAME, error);
    if (code == 0 && run_place_make_folder(folder) != 0)
        code = sheaf_error_set_errno(error, errno, "cannot make %s", folder);
    free(folder);
    return code;
}

static int take_inputs(struct master *master, const struct fact_job_accepted *named,
                       struct sheaf_error *error)
{
    const char *dir = run_directory_path(master->directory);
    const struct fact_job_accepted *job = state_job(scheduler_state(master->scheduler));
    if (named->task_count != job->task_count || named->input_bytes != job->input_bytes ||
        named->input_crc != job->input_crc)
        return refuse(master, error);
    char *folder = run_directory_join(dir, INPUTS_AGAIN_NAME);
    int code = master_inputs_move(folder, dir, error);
    free(folder);
    if (code == 0)
        code = input_store_open(dir, job->task_count, job->input_bytes, job->input_crc,
                                &master->inputs, error);
    return code;
}

void master_split_end_again(struct master *master, const struct fact_job_accepted *named)
{
    struct sheaf_error error;
    int code = take_inputs(master, named, &error);
    /* In the way of nobody if it stays. */
    run_swap_remove(run_directory_path(master->directory), INPUTS_AGAIN_NAME, NULL);
    if (code != 0) {
        master_fail(master, &error);
        return;
    }
    master->split_again = SPLIT_AGAIN_NONE;
    struct input input = {.kind = INPUT_INPUTS_MADE, .now_ns = master->now_ns};
    master_step(master, &input, NULL, 0);
}
