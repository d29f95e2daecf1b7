/* journal_state.h - snapshots of a state in the journal of its facts. */
#ifndef SHEAF_JOURNAL_STATE_H
#define SHEAF_JOURNAL_STATE_H

#include "../scheduler/state.h"
#include "journal.h"

/* Like journal_snapshot, with the facts that tell the state: the fold of all that was appended. */
void journal_snapshot_state(struct journal *journal, const struct state *state);

#endif
