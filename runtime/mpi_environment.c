/* mpi_environment.c - tells the user's variables of MPI from those of the outer mpirun. */
#include "mpi_environment.h"

#include "../scheduler/bytes.h"
#include "../scheduler/memory.h"
#include "process_files.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Between variables of a word; '%' begins a byte in hexadecimal. */
enum { SEPARATOR = ':', ESCAPE = '%' };

/* Of Open MPI, its launcher and what the two speak to each other with; then what mpirun sets
 * otherwise. */
static const char *const prefixes[] = {"OMPI_",
                                       "PMIX_",
                                       "PMI_",
                                       "PRTE_",
                                       "HFI_NO_BACKTRACE=",
                                       "OPAL_USER_PARAMS_GIVEN=",
                                       "IPATH_NO_BACKTRACE="};

static bool is_of_mpi(const char *string)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(string, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* ---- words ---- */

static void encode_string(struct byte_writer *writer, const char *string)
{
    char text[8];
    for (; *string != '\0'; string++) {
        unsigned char byte = (unsigned char)*string;
        bool is_plain = isascii(byte) && (isalnum(byte) || strchr("_=.,/-+", byte) != NULL);
        int length = snprintf(text, sizeof text, is_plain ? "%c" : "%%%02x", byte);
        byte_writer_put(writer, text, (size_t)length);
    }
    byte_writer_put_u8(writer, SEPARATOR);
}

int mpi_environment_encode(char *const *environment, char **word, struct sheaf_error *error)
{
    struct byte_writer writer = {0};
    for (; *environment != NULL; environment++)
        if (is_of_mpi(*environment))
            encode_string(&writer, *environment);
    byte_writer_put_u8(&writer, '\0');
    if (writer.size > MPI_ENVIRONMENT_BYTES_MAX) {
        byte_writer_close(&writer);
        return sheaf_error_set(error, SHEAF_ERROR_USAGE,
                               "the variables of MPI in the environment (OMPI_*, PMIX_*, PMI_*, "
                               "PRTE_*) take more than 64 KiB: unset those that tasks do not need");
    }
    *word = memory_copy((char *)writer.data, writer.size);
    byte_writer_close(&writer);
    return 0;
}

static int hex_digit(char digit)
{
    return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

/* In place. False when it is not what encode has written. */
static bool decode_string(char *string)
{
    char *to = string;
    for (const char *from = string; *from != '\0'; from++) {
        if (*from != ESCAPE) {
            *to++ = *from;
            continue;
        }
        if (!isxdigit((unsigned char)from[1]) || !isxdigit((unsigned char)from[2]))
            return false;
        *to++ = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
        from += 2;
    }
    *to = '\0';
    return true;
}

void mpi_environment_restore(const char *word)
{
    char *copy = memory_copy_string(word);
    char *rest = copy;
    static const char separators[] = {SEPARATOR, '\0'};
    for (char *string; (string = strsep(&rest, separators)) != NULL;) {
        char *value = strchr(string, '=');
        if (value == NULL || !decode_string(string))
            continue;
        *value++ = '\0';
        setenv(string, value, 1);
    }
    free(copy);
}

/* ---- mpirun's own environment ---- */

/* What mpirun 5 sets before it becomes prterun, whose environment is all that can be seen. */
static bool is_of_wrapper(const char *string)
{
    static const char *const names[] = {
        "PRTE_MCA_schizo_proxy=", "OMPI_VERSION=", "OMPI_TOOL_NAME=", "OMPI_LIBDIR_LOC=",
        "OMPI_MCA_PREFIXES="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(string, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Not a daemon of mpirun on another host: what has started that may have added variables, too. */
static bool is_mpirun(pid_t process)
{
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "prterun"};
    size_t size;
    bool is_one = false;
    char *name = process_file_read(process, "comm", &size);
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof names[0]; i++)
        is_one |= strncmp(name, names[i], strlen(names[i])) == 0;
    free(name);
    return is_one;
}

char *mpi_environment_of_mpirun(pid_t process)
{
    size_t size;
    char *text = is_mpirun(process) ? process_file_read(process, "environ", &size) : NULL;
    if (text == NULL)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < size; i += strlen(text + i) + 1)
        count++;
    char **strings = memory_allocate_zeroed(count + 1, sizeof *strings);
    count = 0;
    for (size_t i = 0; i < size; i += strlen(text + i) + 1)
        if (!is_of_wrapper(text + i))
            strings[count++] = text + i;
    char *word = NULL;
    if (mpi_environment_encode(strings, &word, NULL) != 0)
        word = NULL;
    free(strings);
    free(text);
    return word;
}

/* ---- of tasks ---- */

void mpi_environment_remove(void)
{
    for (size_t i = 0; environ[i] != NULL;) {
        if (!is_of_mpi(environ[i])) {
            i++;
            continue;
        }
        char *name = memory_copy_string(environ[i]);
        name[strcspn(name, "=")] = '\0';
        if (unsetenv(name) != 0)
            i++;
        free(name);
    }
}

/* mpirun would bind to the first cores of the host, whatever cores it is on; would count all cores
 * of the host as places for ranks; and would spread its ranks over all nodes of the batch job. */
void mpi_environment_confine(uint32_t core_count)
{
    static const char batch_systems[] = "^slurm,tm,lsf,gridengine,alps,pbs";
    char cores[16];
    snprintf(cores, sizeof cores, "%u", core_count);
    if (getenv("OMPI_MCA_hwloc_base_cpu_list") == NULL)
        setenv("OMPI_MCA_hwloc_base_binding_policy", "none", 0);
    setenv("OMPI_MCA_orte_set_default_slots", cores, 0);
    setenv("OMPI_MCA_ras", batch_systems, 0);
    if (getenv("PRTE_MCA_hwloc_default_cpu_list") == NULL)
        setenv("PRTE_MCA_hwloc_default_binding_policy", "none", 0);
    setenv("PRTE_MCA_prte_set_default_slots", cores, 0);
    setenv("PRTE_MCA_ras", batch_systems, 0);
}
