/* process_end.h - what the end of a process says about whose fault it was. */
#ifndef SHEAF_PROCESS_END_H
#define SHEAF_PROCESS_END_H

#include <stdbool.h>

/* By a status of waitpid (-1: not known): the process was ended by a signal that somebody has sent,
 * not by one that a bug of its own raises; or nobody knows how. */
bool process_end_is_foreign(int status);

#endif
