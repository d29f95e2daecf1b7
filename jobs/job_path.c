/* job_path.c - makes paths absolute and finds plug-ins. */
#include "job_path.h"

#include "../scheduler/memory.h"
#include "installation.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    bool has_slash = length > 0 && directory[length - 1] == '/';
    size_t size = length + strlen(name) + 2;
    char *path = memory_allocate(size);
    snprintf(path, size, "%s%s%s", directory, has_slash ? "" : "/", name);
    return path;
}

char *job_path_join(const char *directory, const char *name)
{
    return name[0] == '/' ? memory_copy_string(name) : join(directory, name);
}

char *job_path_escape(const char *path)
{
    char *escaped = memory_allocate(2 * strlen(path) + 1);
    size_t size = 0;
    for (const char *at = path; *at != '\0'; at++) {
        if (strchr("*?[]\\", *at) != NULL)
            escaped[size++] = '\\';
        escaped[size++] = *at;
    }
    escaped[size] = '\0';
    return escaped;
}

char *job_path_join_pattern(const char *directory, const char *pattern)
{
    char *escaped = job_path_escape(directory);
    char *path = job_path_join(escaped, pattern);
    free(escaped);
    return path;
}

char *job_path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    char *directory = memory_copy_string(path);
    directory[length] = '\0';
    if (length > 0)
        return directory;
    free(directory);
    return memory_copy_string(slash == NULL ? "." : "/");
}

/* As far from the directory of this program as the build said that it would be; NULL if the program
 * was never installed, or its plug-ins have not come with it. Owned by the caller. */
static char *beside_program(const char *program)
{
    static const char bin[] = SHEAF_BINDIR;
    static const char plugins[] = SHEAF_PLUGINDIR;
    size_t shared = 0;
    for (size_t i = 0; bin[i] != '\0' && bin[i] == plugins[i]; i++)
        if (bin[i] == '/')
            shared = i;
    char *directory = job_path_directory(program);
    size_t length = strlen(directory);
    size_t own_length = strlen(bin) - shared;
    char *found = NULL;
    if (length >= own_length && strcmp(directory + length - own_length, bin + shared) == 0) {
        directory[length - own_length] = '\0';
        found = join(directory, plugins + shared + 1);
    }
    free(directory);
    if (found != NULL && access(found, F_OK) == 0)
        return found;
    free(found);
    return NULL;
}

char *job_path_installed_plugins(void)
{
    char *program = realpath("/proc/self/exe", NULL);
    char *found = program != NULL ? beside_program(program) : NULL;
    free(program);
    return found != NULL ? found : memory_copy_string(SHEAF_PLUGINDIR);
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *job_path_stem(const char *path)
{
    char *stem = memory_copy_string(last_part(path));
    char *dot = strrchr(stem, '.');
    if (dot != NULL && dot != stem)
        *dot = '\0';
    return stem;
}

int job_path_absolute(const char *path, char **absolute, struct sheaf_error *error)
{
    char *directory = job_path_directory(path);
    char *resolved = realpath(directory, NULL);
    if (resolved == NULL) {
        int code = sheaf_error_set_errno(error, errno, "cannot find the directory %s of %s",
                                         directory, path);
        free(directory);
        return code;
    }
    *absolute = join(resolved, last_part(path));
    free(resolved);
    free(directory);
    return 0;
}

/* Where a plug-in is looked for, and what the error then says. */
struct plugin_search {
    const char *name;
    char *found;
    char looked[600];
    size_t looked_length;
};

static void look_in(struct plugin_search *search, const char *directory)
{
    if (search->found != NULL)
        return;
    char *path = join(directory, search->name);
    struct stat status;
    if (stat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        search->found = path;
        return;
    }
    free(path);
    if (search->looked_length < sizeof search->looked)
        search->looked_length += (size_t)snprintf(
            search->looked + search->looked_length, sizeof search->looked - search->looked_length,
            "%s%s", search->looked_length > 0 ? ", " : "", directory);
}

static void look_in_plugin_path(struct plugin_search *search)
{
    const char *setting = getenv("SHEAF_PLUGIN_PATH");
    char *copy = memory_copy_string(setting != NULL ? setting : "");
    char *rest = copy;
    for (char *entry = strsep(&rest, ":"); entry != NULL; entry = strsep(&rest, ":")) {
        char *directory = entry[0] != '\0' ? realpath(entry, NULL) : NULL;
        if (entry[0] != '\0')
            look_in(search, directory != NULL ? directory : entry);
        free(directory);
    }
    free(copy);
}

/* The sources from which a plug-in may be built, and by which compiler. */
static const struct source_kind {
    const char *ending;
    const char *compiler;
} source_kinds[] = {{".c", "cc"}, {".cpp", "c++"}, {".cc", "c++"}};

/* The source lies beside: most likely it was not built yet. *stem is owned by the caller. */
static const struct source_kind *find_source(const char *name, const char *directory, char **stem)
{
    size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 3, ".so") != 0)
        return NULL;
    char *path = job_path_join(directory, name);
    path[strlen(path) - 3] = '\0';
    size_t size = strlen(path) + sizeof ".cpp";
    char *source = memory_allocate(size);
    const struct source_kind *found = NULL;
    for (size_t i = 0; i < sizeof source_kinds / sizeof *source_kinds && found == NULL; i++) {
        snprintf(source, size, "%s%s", path, source_kinds[i].ending);
        found = access(source, F_OK) == 0 ? &source_kinds[i] : NULL;
    }
    free(source);
    if (found == NULL)
        free(path);
    else
        *stem = path;
    return found;
}

static int not_found(const struct plugin_search *search, const char *directory,
                     struct sheaf_error *error)
{
    char *stem;
    const struct source_kind *source = find_source(search->name, directory, &stem);
    if (source != NULL) {
        int code =
            sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                            "the plug-in %s is not there, but its source is; build it, such as by "
                            "%s -O2 -shared -fPIC -o %s.so %s%s",
                            search->name, source->compiler, stem, stem, source->ending);
        free(stem);
        return code;
    }
    if (search->name[0] == '/')
        return sheaf_error_set(error, SHEAF_ERROR_PLUGIN, "there is no plug-in %s", search->name);
    return sheaf_error_set(error, SHEAF_ERROR_PLUGIN,
                           "no plug-in \"%.200s\" in %s%s; build it, or add its directory to "
                           "SHEAF_PLUGIN_PATH",
                           search->name, search->looked,
                           search->looked_length >= sizeof search->looked ? "..." : "");
}

int job_path_find_plugin(const char *name, const char *directory, char **found,
                         struct sheaf_error *error)
{
    struct plugin_search search = {.name = name};
    struct stat status;
    if (name[0] == '/') {
        if (stat(name, &status) == 0 && S_ISREG(status.st_mode))
            search.found = memory_copy_string(name);
    } else {
        look_in(&search, directory);
        look_in_plugin_path(&search);
        char *installed = job_path_installed_plugins();
        look_in(&search, installed);
        free(installed);
    }
    if (search.found == NULL)
        return not_found(&search, directory, error);
    *found = search.found;
    return 0;
}
