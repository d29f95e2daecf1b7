/* hosts.h - the hosts of a run: which they are, and how mpirun is told. */
#ifndef SHEAF_HOSTS_H
#define SHEAF_HOSTS_H

#include "../scheduler/bytes.h"
#include "options.h"

enum { HOST_REASON_BYTES = 256 };

struct host {
    char *name;
    uint32_t slots;                 /* as given or counted; 0 = not said */
    bool has_slots;                 /* the user has said so: as many tasks run at a time */
    bool has_master;                /* as dealt last */
    uint32_t ranks;                 /* likewise, that of the master included */
    char *own_name;                 /* as it calls itself; NULL: not known */
    bool has_answered;              /* at least once, over the network */
    bool is_gone;                   /* no answer, or a bad one, when it was asked last */
    bool has_failed_start;          /* the last one failed there, and is tried without it */
    char reason[HOST_REASON_BYTES]; /* why */
    char blame[HOST_REASON_BYTES];  /* why the start failed there */
};

struct host_list {
    struct host *hosts; /* in the order given, each once */
    size_t count;
    size_t capacity;
    /* Instead of `hosts`: how many there are, where no name is known or one has a meaning that
     * only mpirun knows. They are used as they are given. */
    uint32_t unnamed_count;
    struct byte_writer file; /* the hostfile, as it was read */
    bool is_to_be_dealt;     /* mpirun would take slots for ranks, or not understand the file */
};

/* Reads --hostfile, --host or the allocation of a batch system (Slurm, PBS), in this order. Empty
 * when none of them names any, so that the run stays on this host. INPUT when the hostfile cannot
 * be read or names none, when a word is not the name of a host (host_name.h), also where mpirun is
 * told of it by --mpi-option or a parameter, and when it says slots that mean nothing. */
int host_list_read(const struct run_options *options, struct host_list *list,
                   struct sheaf_error *error);
void host_list_close(struct host_list *list);

/* Whether it is the one that calls itself `own`. Where one of the names has no domain that of the
 * other says nothing. */
bool host_is_called(const struct host *host, const char *own);
/* The same of a name that need not end with NUL. */
bool host_names_are_same(const char *name, size_t size, const char *own);

/* Whether any host has ever answered over the network. */
bool host_list_has_answered(const struct host_list *list);
/* How many can be used. */
uint32_t host_list_usable_count(const struct host_list *list);
/* "a:4,b": those that can be used, for --host of mpirun. The caller owns it. NULL when all can, so
 * that mpirun reads what the user gave. With `is_dealt` each has as many as it was dealt ranks,
 * where the user has said how many slots there are, and then it is never NULL. */
char *host_list_format(const struct host_list *list, bool is_dealt);

#endif
