/* status_journal.h - where a run stands, when DIR/status.json is lost or another version's. */
#ifndef SHEAF_STATUS_JOURNAL_H
#define SHEAF_STATUS_JOURNAL_H

#include "status.h"

/* Overwrites *status with what the journal tells, which knows neither times nor workers. NOT_FOUND
 * when the run has no tasks yet. */
int status_from_journal(const char *dir, struct status *status, struct sheaf_error *error);

#endif
