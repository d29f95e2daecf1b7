/* file_beside.h - new files beside those that they are to replace, under names nobody can foresee.
 *
 * Where others may write in the folder a known name could be a link of theirs, or a pipe. So the
 * name, PATH.sheaf-tmp-RANDOM, is random, and the file is made by the call. What a killed process
 * leaves is swept by the next run that replaces the same file. */
#ifndef SHEAF_FILE_BESIDE_H
#define SHEAF_FILE_BESIDE_H

#include <sys/types.h>

/* Makes the file, to be written; `mode` less umask. -1 with errno. *beside is owned by the caller.
 * The file is locked (flock) where that is possible, for as long as it is open. */
int file_beside_make(const char *path, mode_t mode, char **beside);
/* A name for what is made by other means. The caller owns it. */
char *file_beside_name(const char *path);
/* Removes what the user's processes have left beside `path`: nobody has it open, and for a minute
 * nothing was written to it. */
void file_beside_sweep(const char *path);
/* The same for whatever files of the folder. */
void file_beside_sweep_folder(const char *folder);

#endif
