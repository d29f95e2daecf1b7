/* ledger_merged.c - the plug-in `ledger` with `merge` and `finish`. */
#define LEDGER_MERGES
#include "ledger.c" /* tests build each plug-in from one file */
