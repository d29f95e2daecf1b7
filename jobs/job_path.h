/* job_path.h - where a job's files are: makes paths absolute and finds plug-ins. */
#ifndef SHEAF_JOB_PATH_H
#define SHEAF_JOB_PATH_H

#include "../scheduler/error.h"

/* The same file gets the same path wherever the command is given from, so that a repeated command
 * is recognized: the directory is resolved, the last part is kept. *absolute is owned by the
 * caller. */
int job_path_absolute(const char *path, char **absolute, struct sheaf_error *error);

/* `name` in `directory`, or `name` itself when it is absolute. Returns a path the caller owns. */
char *job_path_join(const char *directory, const char *name);
/* Likewise for a glob pattern; the directory's characters stand for themselves. */
char *job_path_join_pattern(const char *directory, const char *pattern);

/* The glob pattern that matches just this path. Returns a string the caller owns. */
char *job_path_escape(const char *path);

/* The directory of an absolute path. Returns a string the caller owns. */
char *job_path_directory(const char *path);
/* The file's name without directory and ending. Returns a string the caller owns. */
char *job_path_stem(const char *path);

/* The directory of installed plug-ins: beside this program, wherever the installation has been
 * moved to, or else where the build has said. Returns a string the caller owns. */
char *job_path_installed_plugins(void);

/* Looks for the plug-in `name` in `directory`, the directories of $SHEAF_PLUGIN_PATH and the
 * installed ones. *found is owned by the caller. The PLUGIN error lists where it was looked for. */
int job_path_find_plugin(const char *name, const char *directory, char **found,
                         struct sheaf_error *error);

#endif
