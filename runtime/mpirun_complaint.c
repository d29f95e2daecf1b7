/* mpirun_complaint.c - finds the line that says why mpirun does not start. */
#include "mpirun_complaint.h"

#include "hosts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is known to be the cause; what it means, where that is not what it says. */
static const struct known {
    const char *words;
    const char *meaning; /* NULL: the line says it */
    bool is_fatal;
} known_causes[] = {
    {"system limit on number of pipes", "too few open files are allowed: raise `ulimit -n`", true},
    {"system limit on number of network", "too few open files are allowed: raise `ulimit -n`",
     true},
    {"system limit on number of children", "too few processes are allowed: raise `ulimit -u`",
     true},
    {"Too many open files", "too few open files are allowed: raise `ulimit -n`", false},
    {"error while loading shared libraries", NULL, false},
    {"not enough slots available", NULL, false},
    {"Could not resolve hostname", NULL, false},
    {"Name or service not known", NULL, false},
    {"Permission denied", NULL, false},
    {"Connection refused", NULL, false},
    {"Connection timed out", NULL, false},
    {"No route to host", NULL, false},
    {"Host key verification failed", NULL, false},
    {"No space left on device", NULL, false},
    {"command not found", NULL, false},
    {"No such file or directory", NULL, false},
};

static const struct known *find_known(const char *line, size_t size)
{
    for (size_t i = 0; i < sizeof known_causes / sizeof *known_causes; i++)
        if (memmem(line, size, known_causes[i].words, strlen(known_causes[i].words)) != NULL)
            return &known_causes[i];
    return NULL;
}

/* Without blanks at both ends. */
static void trim(const char **line, size_t *size)
{
    while (*size > 0 && isspace((unsigned char)(*line)[*size - 1]))
        (*size)--;
    while (*size > 0 && isspace((unsigned char)(*line)[0])) {
        (*line)++;
        (*size)--;
    }
}

/* A frame around text, or what is made of no letters at all. */
static bool is_empty(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (isalpha((unsigned char)line[i]))
            return false;
    return true;
}

static void take(struct mpirun_complaint *complaint, enum complaint_grade grade, const char *line,
                 size_t size)
{
    complaint->grade = grade;
    snprintf(complaint->text, sizeof complaint->text, "%.*s", (int)size, line);
}

/* Up to the end of its sentence. */
static void add(struct mpirun_complaint *complaint, const char *line, size_t size)
{
    size_t length = strlen(complaint->text);
    snprintf(complaint->text + length, sizeof complaint->text - length, " %.*s", (int)size, line);
}

static void end_sentence(struct mpirun_complaint *complaint)
{
    size_t length = strlen(complaint->text);
    bool is_ended = length > 0 && strchr(".:", complaint->text[length - 1]) != NULL;
    if (is_ended)
        complaint->text[length - 1] = '\0';
    complaint->goes_on = !is_ended && length < MPIRUN_COMPLAINT_BYTES / 2;
}

/* "[HOST:17] ...", or "  Node: HOST" and its like: where it went wrong. NULL when nothing says. */
static const char *find_host(const char *line, size_t size, size_t *host_size)
{
    static const char *const marks[] = {"Node:", "Local host:", "Hostname:"};
    const char *host = NULL;
    if (size > 0 && line[0] == '[')
        host = line + 1;
    for (size_t i = 0; i < sizeof marks / sizeof *marks && host == NULL; i++)
        if (size > strlen(marks[i]) && strncmp(line, marks[i], strlen(marks[i])) == 0)
            host = line + strlen(marks[i]);
    while (host != NULL && host < line + size && *host == ' ')
        host++;
    *host_size = 0;
    while (host != NULL && host + *host_size < line + size &&
           (isalnum((unsigned char)host[*host_size]) || strchr("-._", host[*host_size]) != NULL))
        (*host_size)++;
    bool is_prefix = host == line + 1 && line[0] == '[';
    if (is_prefix && (host + *host_size >= line + size || host[*host_size] != ':'))
        return NULL;
    return host != NULL && *host_size > 0 ? host : NULL;
}

static void take_host(struct mpirun_complaint *complaint, const char *line, size_t size)
{
    char own[MPIRUN_COMPLAINT_HOST_BYTES] = "";
    size_t host_size;
    const char *host = find_host(line, size, &host_size);
    gethostname(own, sizeof own - 1);
    if (host == NULL || host_size >= sizeof complaint->host ||
        host_names_are_same(host, host_size, own))
        return;
    if (complaint->host[0] == '\0')
        memcpy(complaint->host, host, host_size);
    else if (!host_names_are_same(host, host_size, complaint->host))
        complaint->has_several_hosts = true;
}

void mpirun_complaint_feed(struct mpirun_complaint *complaint, const char *line, size_t size)
{
    trim(&line, &size);
    take_host(complaint, line, size);
    const struct known *known = find_known(line, size);
    bool goes_on = complaint->goes_on;
    complaint->goes_on = false;
    if (known != NULL && complaint->grade < COMPLAINT_KNOWN) {
        const char *text = known->meaning != NULL ? known->meaning : line;
        take(complaint, COMPLAINT_KNOWN, text, known->meaning != NULL ? strlen(text) : size);
        complaint->is_fatal = known->is_fatal;
        if (known->meaning == NULL)
            end_sentence(complaint);
    } else if (is_empty(line, size)) {
        return;
    } else if (goes_on && line[0] != '[') {
        add(complaint, line, size);
        end_sentence(complaint);
    } else if (line[0] == '[' && complaint->grade < COMPLAINT_INTERNAL) {
        take(complaint, COMPLAINT_INTERNAL, line, size);
    } else if (line[0] != '[' && complaint->grade < COMPLAINT_PLAIN) {
        take(complaint, COMPLAINT_PLAIN, line, size);
        end_sentence(complaint);
    }
}
