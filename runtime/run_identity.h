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
    bool is_made_again; /* from the journal, as the file was damaged: it is to be written */
};

/* NOT_FOUND when there is none; DAMAGED when it cannot be understood. */
int run_identity_read(const char *dir, struct run_identity *identity, struct sheaf_error *error);
int run_identity_write(const char *dir, const struct run_identity *identity,
                       struct sheaf_error *error);

/* Whether there is a journal in the run directory, and what it was begun as. */
bool run_identity_find_in_journal(const char *dir,
                                  unsigned char identity[RUN_DIRECTORY_IDENTITY_BYTES]);
/* The file is damaged or gone: the journal knows what the run was begun as, and the command who it
 * is. 1 when these agree, or need not; else IDENTITY, or DAMAGED where there is no journal. */
int run_identity_make_again(const struct run_directory_options *options,
                            struct run_identity *identity, struct sheaf_error *error);

/* Says whose run it is, and the ways out. IDENTITY. */
int run_identity_refuse(const struct run_directory_options *options,
                        const struct run_identity *identity, bool is_command,
                        struct sheaf_error *error);

#endif
