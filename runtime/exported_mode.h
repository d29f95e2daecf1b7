/* exported_mode.h - modes of what is made outside of the run directory: the umask applies, and
 * nothing is writable for everybody, whatever it says. */
#ifndef SHEAF_EXPORTED_MODE_H
#define SHEAF_EXPORTED_MODE_H

enum {
    EXPORTED_FILE_MODE = 0664,
    EXPORTED_FOLDER_MODE = 0775,
};

#endif
