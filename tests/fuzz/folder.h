/* folder.h - a folder for fuzz targets of what reads files. */
#ifndef SHEAF_FUZZ_FOLDER_H
#define SHEAF_FUZZ_FOLDER_H

#include <stddef.h>

/* Returns its path, borrowed; it is made by the first call, and goes with its files at the end. */
const char *fuzz_folder(void);
/* Writes the file NAME there, in a folder of its own if NAME has one. */
void fuzz_folder_put(const char *name, const void *data, size_t size);

#endif
