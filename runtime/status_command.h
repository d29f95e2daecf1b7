/* status_command.h - `sheaf status`: where a run stands, for people or programs. */
#ifndef SHEAF_STATUS_COMMAND_H
#define SHEAF_STATUS_COMMAND_H

/* `status [--json] DIR`: argv[0] is "status". Prints on standard output. Returns the exit status:
 * 0, 2 for wrong usage or when DIR is no run directory, 4 when it cannot be read. */
int status_command(int argc, char **argv);

#endif
