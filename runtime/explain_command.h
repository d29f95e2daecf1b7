/* explain_command.h - `sheaf explain DIR --task I`: what became of one task, and why it waits. */
#ifndef SHEAF_EXPLAIN_COMMAND_H
#define SHEAF_EXPLAIN_COMMAND_H

int explain_command(int argc, char **argv);

#endif
