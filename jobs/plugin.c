/* plugin.c - loads a plug-in and checks its table before anything in it is called. */
#include "plugin.h"

#include "../scheduler/memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What to do about what the linker says. */
static const char *load_hint(const char *words)
{
    if (strstr(words, "cannot open shared object file") != NULL)
        return "a library that it needs is not found (`ldd` with the plug-in's path shows which): "
               "install it on every host, or name its folder in LD_LIBRARY_PATH";
    if (strstr(words, "undefined symbol") != NULL)
        return "link it with the library that has this symbol (`ldd -r` with the plug-in's path "
               "shows what is missing)";
    if (strstr(words, "version `") != NULL)
        return "it was built with newer libraries than this host has: build it here, or with older "
               "ones";
    return "build it with `cc -shared -fPIC -o NAME.so NAME.c`";
}

/* The linker names the file itself in most of its texts; the rest must not repeat it. */
static const char *linker_words(const char *path)
{
    const char *words = dlerror();
    if (words == NULL)
        return "no reason given";
    size_t length = strlen(path);
    if (strncmp(words, path, length) == 0 && strncmp(words + length, ": ", 2) == 0)
        words += length + 2;
    return words;
}

static int check_table(const char *path, const struct sheaf_plugin *table,
                       struct sheaf_error *error)
{
    if (table->interface_version != SHEAF_INTERFACE_VERSION)
        return sheaf_error_set(
            error, SHEAF_ERROR_PLUGIN,
            "%s: speaks interface version %u, this sheaf speaks version %d: rebuild it with this "
            "version's sheaf.h",
            path, table->interface_version, SHEAF_INTERFACE_VERSION);
    if (table->size_bytes > sizeof *table)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "%s: was built with a newer sheaf.h (a table of %u bytes, this "
                               "sheaf knows %zu): rebuild it with this version's sheaf.h",
                               path, table->size_bytes, sizeof *table);
    if (table->size_bytes < offsetof(struct sheaf_plugin, run) + sizeof table->run)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "%s: its table is too small (%u bytes): define it with "
                               "SHEAF_PLUGIN(.run = run)",
                               path, table->size_bytes);
    if (table->run == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "%s: its table has no run: define it with SHEAF_PLUGIN(.run = run)",
                               path);
    return 0;
}

/* A table from an older header is shorter: the hooks that it lacks are NULL. */
static const struct sheaf_plugin *complete_table(const struct sheaf_plugin *table)
{
    struct sheaf_plugin *complete = memory_allocate_zeroed(1, sizeof *complete);
    memcpy(complete, table, table->size_bytes);
    return complete;
}

int plugin_load(const char *path, const struct sheaf_plugin **table, struct sheaf_error *error)
{
    char *resolved = realpath(path, NULL); /* dlopen would search a name without a slash */
    if (resolved == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "%s: cannot be loaded: %s", path,
                               strerror(errno));
    void *library = dlopen(resolved, RTLD_NOW | RTLD_LOCAL);
    int code = 0;
    if (library == NULL) {
        const char *words = linker_words(resolved);
        code = sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "%s: cannot be loaded: %s; %s", path,
                               words, load_hint(words));
        goto end;
    }
    const struct sheaf_plugin *found = dlsym(library, "sheaf_plugin");
    if (found == NULL) {
        code = sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                               "%s: has no table `sheaf_plugin`: end the source with "
                               "SHEAF_PLUGIN(.run = run)",
                               path);
        goto close;
    }
    code = check_table(path, found, error);
    if (code != 0)
        goto close;
    *table = found->size_bytes < sizeof *found ? complete_table(found) : found;
    goto end;
close:
    dlclose(library);
end:
    free(resolved);
    return code;
}
