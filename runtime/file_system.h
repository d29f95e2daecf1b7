/* file_system.h - what kind of file system a file lies on. */
#ifndef SHEAF_FILE_SYSTEM_H
#define SHEAF_FILE_SYSTEM_H

enum file_system_trait {
    FILE_SYSTEM_LOCAL,
    FILE_SYSTEM_SHARED, /* all nodes of a cluster see it */
    FILE_SYSTEM_NFS,    /* likewise, with the weaknesses of NFS */
    FILE_SYSTEM_VOLATILE,
};

struct file_system {
    const char *name; /* static */
    enum file_system_trait trait;
    double free_bytes;
};

/* 0, or -1 with errno. One of an unknown type counts as local. */
int file_system_find(const char *path, struct file_system *found);

#endif
