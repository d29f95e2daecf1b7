/* unnamed_file.h - files that are gone once they are closed, however that comes about. */
#ifndef SHEAF_UNNAMED_FILE_H
#define SHEAF_UNNAMED_FILE_H

/* Opens an empty file in the folder for reading and writing. Returns its descriptor, or -1 with
 * errno. */
int unnamed_file_open(const char *dir);

#endif
