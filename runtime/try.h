/* try.h - `sheaf try`: one task of a job, in the foreground, in this process. */
#ifndef SHEAF_TRY_H
#define SHEAF_TRY_H

/* argv[0] is "try". Prints the result on standard output, the rest on standard error. Returns the
 * exit status: 0, 1 when the task failed, 2 for wrong usage or a bad job. */
int try_command(int argc, char **argv);

#endif
