/* plugin.h - loads a plug-in and checks that it speaks this version of the interface. */
#ifndef SHEAF_PLUGIN_LOADER_H
#define SHEAF_PLUGIN_LOADER_H

#include "../scheduler/error.h"
#include "sheaf.h"

/* Loads the shared object at `path` (dlopen, RTLD_NOW). *table is kept until the process ends. The
 * error says what is wrong: not there, not a shared object (with the linker's words), no table,
 * another interface version (both numbers), no run. */
int plugin_load(const char *path, const struct sheaf_plugin **table, struct sheaf_error *error);

#endif
