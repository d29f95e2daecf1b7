/* process_files.h - reads what /proc says of a process. */
#ifndef SHEAF_PROCESS_FILES_H
#define SHEAF_PROCESS_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All of /proc/PROCESS/NAME, ended by NUL, which is not counted in *size. NULL when the process has
 * gone, or must not be looked at. The caller owns it. */
char *process_file_read(pid_t process, const char *name, size_t *size);

#endif
