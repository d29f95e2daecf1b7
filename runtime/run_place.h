/* run_place.h - run directories that nobody else may change, and the files in them.
 *
 * Folders of clusters are shared: what another user has put where a run directory belongs, or into
 * one, must neither be believed nor be followed. So a run directory is opened once and checked, and
 * what lies in it is opened below that: no link is followed, nothing that waits for another process
 * is waited for, and a file is a regular one of the user. A path that is in no opened directory is
 * taken as it is; its last name is still no link.
 *
 * One thread opens directories; any may use them. */
#ifndef SHEAF_RUN_PLACE_H
#define SHEAF_RUN_PLACE_H

#include "../scheduler/error.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

/* --shared-dir: from now on directories and files of others will do. */
void run_place_share(void);

/* PERMISSION when a link to the directory, or the directory, is another user's. When others may
 * write there they no longer may afterwards, which is told; PERMISSION when they have left
 * something. 0 also when there is no such directory, or it cannot be read: who uses it then says
 * so. */
int run_place_open(const char *dir, struct sheaf_error *error);
/* Whether the links that `path` names, one after the other, are the user's or root's: PERMISSION
 * names one that is not. */
int run_place_check_links(const char *path, struct sheaf_error *error);
/* The same, and whether what it names is root's or the user's, if it is there: for places outside
 * of run directories, in which the user lets write whom he likes. */
int run_place_check_owner(const char *path, struct sheaf_error *error);
/* In a process that has closed its descriptors. */
void run_place_forget(void);

/* Whether the path lies in a directory that was opened: then it leads there whatever now has the
 * name of the directory. */
bool run_place_contains(const char *path);

/* Like the functions of the system: -1, NULL or false with errno. ELOOP: a link; EPERM: of another
 * user; EMEDIUMTYPE: no regular file. */
int run_place_open_file(const char *path, int flags, mode_t mode);
/* `mode` = "r" or "a". */
FILE *run_place_open_stream(const char *path, const char *mode);
/* For syncing what it holds. */
int run_place_open_folder(const char *path);
DIR *run_place_list(const char *path);
int run_place_make_folder(const char *path);
int run_place_rename(const char *from, const char *to);
int run_place_link(const char *from, const char *to);
int run_place_unlink(const char *path);
/* Of a file, or a folder with all that is in it; 0 too when there is none. */
int run_place_remove(const char *path);
int run_place_stat(const char *path, struct stat *status);
bool run_place_has(const char *path);

#endif
