/* output_command.h - `sheaf output`: what the commands of a run have written. */
#ifndef SHEAF_OUTPUT_COMMAND_H
#define SHEAF_OUTPUT_COMMAND_H

/* `output [--task LIST] [--stderr] [--failed] [--joblog] DIR`: argv[0] is "output". Prints on
 * standard output, in the order of the tasks, also while the run goes on. Returns the exit status:
 * 0; 1 when a task that was asked for has no result; 2 for wrong usage; 4 when DIR cannot be read.
 */
int output_command(int argc, char **argv);

#endif
