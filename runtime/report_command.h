/* report_command.h - `sheaf report`. */
#ifndef SHEAF_REPORT_COMMAND_H
#define SHEAF_REPORT_COMMAND_H

/* Returns the exit status of the program. */
int report_command(int argc, char **argv);

#endif
