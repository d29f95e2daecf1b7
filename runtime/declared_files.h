/* declared_files.h - where the files are that the tasks of a job have declared as their outputs. */
#ifndef SHEAF_DECLARED_FILES_H
#define SHEAF_DECLARED_FILES_H

#include "../jobs/job.h"
#include "input_store.h"

struct declared_files;

/* NULL when the tasks of the job declare none, or such as are known only where they run. Keeps the
 * job, and the place of its inputs, which may be opened anew; NULL is there when tasks have none.
 */
struct declared_files *declared_files_create(const struct job *job,
                                             struct input_store *const *inputs);
/* NULL is fine. */
void declared_files_destroy(struct declared_files *files);

/* How many each task declares. */
size_t declared_files_count(const struct declared_files *files);
/* Looks up those of a task. */
int declared_files_look_up(struct declared_files *files, uint64_t task, struct sheaf_error *error);
/* The place of file i of the task that was looked up last. Borrowed until the next look-up. */
const char *declared_files_path(const struct declared_files *files, size_t i);

#endif
