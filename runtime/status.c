/* status.c - writes and reads DIR/status.json. */
#include "status.h"

#include "../scheduler/check.h"
#include "atomic_file.h"
#include "clock.h"
#include "json_text.h"
#include "run_directory.h"
#include "run_place.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { EXIT_STATUS_MAX = 255 };

static const char *const state_words[STATUS_STATE_COUNT] = {
#define X(name, word) word,
    STATUS_STATES(X)
#undef X
};

const char *status_state_word(enum status_state state)
{
    CHECK(state < STATUS_STATE_COUNT);
    return state_words[state];
}

bool status_state_is_end(enum status_state state)
{
    return state == STATUS_FINISHED || state == STATUS_FAILED || state == STATUS_STOPPED ||
           state == STATUS_INTERRUPTED;
}

enum status_state status_state_of_job(const struct state *state)
{
    const struct fact_job_accepted *job = state_job(state);
    switch (state_phase(state)) {
    case PHASE_NEW:
        return STATUS_SPLITTING;
    case PHASE_RUNNING:
        return state_done(state)->task_count == job->task_count ? STATUS_MERGING : STATUS_RUNNING;
    case PHASE_FINISHING:
        return STATUS_MERGING;
    case PHASE_PUBLISHING:
        return STATUS_PUBLISHING;
    case PHASE_FINISHED:
        return state_failed_task_count(state) > 0 ? STATUS_FAILED : STATUS_FINISHED;
    case PHASE_FAILED:
        return STATUS_FAILED;
    }
    return STATUS_RUNNING;
}

enum status_state status_state_of_exit(int exit_status)
{
    switch (exit_status) {
    case 0:
        return STATUS_FINISHED;
    case 3:
        return STATUS_STOPPED;
    case 4:
        return STATUS_INTERRUPTED;
    default:
        return STATUS_FAILED;
    }
}

void status_abandon(struct status *status)
{
    task_counts_abandon(&status->tasks);
    status->workers = 0;
    status->slots = 0;
    status->tasks_per_ks = 0;
    status->remaining_ms = 0;
    if (!status->has_ended)
        status->state = STATUS_INTERRUPTED;
}

bool status_state_find(const char *word, enum status_state *state)
{
    for (int i = 0; i < (int)STATUS_STATE_COUNT; i++) {
        if (strcmp(word, state_words[i]) == 0) {
            *state = (enum status_state)i;
            return true;
        }
    }
    return false;
}

/* The number members, by name. Those that are not required are zero in most files. */
static const struct {
    const char *name;
    size_t offset;
    bool is_required;
} status_numbers[] = {
#define MEMBER(name, member, is_required)                                                          \
    {                                                                                              \
        name, offsetof(struct status, member), is_required                                         \
    }
#define NUMBER(name, is_required) MEMBER(#name, name, is_required)
#define COUNT(name)               MEMBER("tasks_" #name, tasks.name, true)
    NUMBER(incarnation, true),
    COUNT(total),
    COUNT(done),
    COUNT(failed),
    COUNT(not_run),
    COUNT(running),
    COUNT(waiting),
    COUNT(open),
    NUMBER(slots, true),
    NUMBER(tasks_per_ks, true),
    NUMBER(remaining_ms, true),
    NUMBER(elapsed_ms, true),
    NUMBER(written_unix_s, true),
    NUMBER(stage_number, false),
    NUMBER(stage_count, false),
    NUMBER(stages_tasks_ended, false),
#undef COUNT
#undef NUMBER
#undef MEMBER
};

enum { STATUS_NUMBERS = sizeof status_numbers / sizeof *status_numbers };

static json_t *status_to_json(const struct status *status)
{
    json_t *json = json_pack("{ss sI si}", "state", status_state_word(status->state), "process_id",
                             (json_int_t)status->process_id, "workers", (int)status->workers);
    if (json == NULL)
        return NULL;
    /* JSON holds text only: a name with other bytes (json_string gives NULL) is left out. */
    json_object_set_new(json, "job", json_string(status->job));
    json_object_set_new(json, "output", json_string(status->output));
    if (status->stage_count > 0)
        json_object_set_new(json, "stage", json_string(status->stage));
    json_object_set_new(json, "host", json_string(status->host));
    for (size_t i = 0; i < STATUS_NUMBERS; i++) {
        uint64_t value;
        memcpy(&value, (const char *)status + status_numbers[i].offset, sizeof value);
        json_object_set_new(json, status_numbers[i].name, json_integer((json_int_t)value));
    }
    if (status->has_ended)
        json_object_set_new(json, "exit_status", json_integer(status->exit_status));
    return json;
}

char *status_format_json(const struct status *status)
{
    json_t *json = status_to_json(status);
    char *text = json != NULL ? json_text_format(json) : NULL;
    json_decref(json);
    return text;
}

/* Of everything else in it; what a disk has done to a number shows in no other way. */
static uint32_t checksum_of(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(1));
    uint32_t checksum =
        text != NULL ? (uint32_t)crc32(0, (const unsigned char *)text, (unsigned)strlen(text)) : 0;
    free(text);
    return checksum;
}

static char *format_with_checksum(const struct status *status)
{
    json_t *json = status_to_json(status);
    char *text = NULL;
    if (json != NULL &&
        json_object_set_new(json, "checksum", json_integer((json_int_t)checksum_of(json))) == 0)
        text = json_text_format(json);
    json_decref(json);
    return text;
}

int status_write(const char *dir, const struct status *status, struct sheaf_error *error)
{
    struct status written = *status;
    written.process_id = getpid();
    written.written_unix_s = clock_wall_ns() / 1000000000;
    gethostname(written.host, sizeof written.host - 1);
    char *text = format_with_checksum(&written);
    if (text == NULL)
        return sheaf_error_set(error, SHEAF_ERROR_IO, "cannot put the status into words");
    char *path = run_directory_join(dir, "status.json");
    struct atomic_file file = {.path = path, .data = text, .size = strlen(text), .mode = 0600};
    int code = atomic_file_write(&file, error);
    free(path);
    free(text);
    return code;
}

/* That of an older version has none. */
static bool is_intact(json_t *json)
{
    const json_t *checksum = json_object_get(json, "checksum");
    if (checksum == NULL)
        return true;
    json_int_t value = json_integer_value(checksum);
    json_object_del(json, "checksum");
    return value == (json_int_t)checksum_of(json);
}

static void copy_text(const json_t *json, const char *name, char *text, size_t text_bytes)
{
    const char *value = json_string_value(json_object_get(json, name));
    snprintf(text, text_bytes, "%s", value != NULL ? value : "");
}

static bool status_from_json(const json_t *json, struct status *status)
{
    const char *word = json_string_value(json_object_get(json, "state"));
    if (word == NULL || !status_state_find(word, &status->state))
        return false;
    for (size_t i = 0; i < STATUS_NUMBERS; i++) {
        const json_t *number = json_object_get(json, status_numbers[i].name);
        if (number == NULL && !status_numbers[i].is_required)
            continue;
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return false;
        uint64_t value = (uint64_t)json_integer_value(number);
        memcpy((char *)status + status_numbers[i].offset, &value, sizeof value);
    }
    status->workers = (uint32_t)json_integer_value(json_object_get(json, "workers"));
    status->process_id = json_integer_value(json_object_get(json, "process_id"));
    const json_t *exit_status = json_object_get(json, "exit_status");
    status->has_ended = exit_status != NULL;
    if (status->has_ended &&
        (!json_is_integer(exit_status) || json_integer_value(exit_status) < 0 ||
         json_integer_value(exit_status) > EXIT_STATUS_MAX))
        return false;
    status->exit_status = (int)json_integer_value(exit_status);
    copy_text(json, "job", status->job, sizeof status->job);
    copy_text(json, "output", status->output, sizeof status->output);
    copy_text(json, "stage", status->stage, sizeof status->stage);
    copy_text(json, "host", status->host, sizeof status->host);
    return true;
}

int status_read(const char *dir, struct status *status, struct sheaf_error *error)
{
    char *path = run_directory_join(dir, "status.json");
    int code = 0;
    json_t *json = NULL;
    json_error_t json_error;
    FILE *file = run_place_open_stream(path, "r");
    if (file == NULL) {
        code = sheaf_error_set_errno(error, errno, "cannot read %s", path);
        goto out;
    }
    json = json_loadf(file, 0, &json_error);
    struct status read = {.state = STATUS_STARTING};
    if (json == NULL || !is_intact(json) || !status_from_json(json, &read))
        code =
            sheaf_error_set(error, SHEAF_ERROR_DAMAGED,
                            "%s cannot be understood (%s): it is damaged, or of another version of "
                            "sheaf; the next run there writes it anew",
                            path, json == NULL ? json_error.text : "a field is missing or damaged");
    else
        *status = read;
    json_decref(json);
    fclose(file);
out:
    free(path);
    return code;
}

struct status_mark status_mark_of(const char *dir)
{
    struct stat status;
    struct status_mark mark = {0};
    char *path = run_directory_join(dir, "status.json");
    if (run_place_stat(path, &status) == 0) {
        mark.file = status.st_ino;
        mark.changed_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
    }
    free(path);
    return mark;
}

bool status_find_end(const char *dir, const struct status_mark *before, struct status *status)
{
    const struct status_mark now = status_mark_of(dir);
    bool is_new = now.file != before->file || now.changed_ns != before->changed_ns;
    return is_new && status_read(dir, status, NULL) == 0 && status->has_ended;
}
