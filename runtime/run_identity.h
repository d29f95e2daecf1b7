/* run_identity.h - the file DIR/identity: which job a run directory belongs to. */
#ifndef SHEAF_RUN_IDENTITY_H
#define SHEAF_RUN_IDENTITY_H

#include "run_directory.h"

enum { RUN_IDENTITY_NAME_BYTES = 256 };

struct run_identity {
    char job_name[RUN_IDENTITY_NAME_BYTES];
    unsigned char job[RUN_DIRECTORY_IDENTITY_BYTES];     /* who may continue */
    unsigned char journal[RUN_DIRECTORY_IDENTITY_BYTES]; /* who began; differs after --force */
    unsigned char
        commands[RUN_DIRECTORY_IDENTITY_BYTES]; /* who may change the list; zero: nobody */
};

/* NOT_FOUND when there is none; DAMAGED when it cannot be understood. */
int run_identity_read(const char *dir, struct run_identity *identity, struct sheaf_error *error);
int run_identity_write(const char *dir, const struct run_identity *identity,
                       struct sheaf_error *error);

#endif
