/* doctor.h - `sheaf doctor`: says whether this host can run jobs, and what to mend if not. */
#ifndef SHEAF_DOCTOR_H
#define SHEAF_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

/* `doctor [--mpirun PATH] [DIR]`: argv[0] is "doctor"; DIR (default: the working directory) is
 * where run directories will be. Prints a line a check, ok, warn or fail, to standard output.
 * Returns the exit status: 0, 1 when something failed, 2 for wrong usage. Leaves nothing behind. */
int doctor_command(int argc, char **argv);

/* Looks, without printing, for what may keep MPI from starting here. False when there is nothing;
 * else `text` says it. */
bool doctor_find_trouble(char *text, size_t size);

#endif
