/* no_table.c - a shared object that is not a plug-in. */
#include <sheaf.h>

SHEAF_EXPORT int not_a_plugin;
int not_a_plugin = 1;
