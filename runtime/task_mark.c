/* task_mark.c - makes marks, sets them where /proc shows them, and reads them. */
#include "task_mark.h"

#include "process_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A string of the length of a mark. */
#define ROOM_NAME   "SHEAF_ROOM_FOR_THE_MARK_OF"
#define ROOM_NUMBER "0000000000000000"
#define TWO_NUMBERS ROOM_NUMBER "-" ROOM_NUMBER
#define ROOM_VALUE  TWO_NUMBERS "-" TWO_NUMBERS "-" TWO_NUMBERS "-" ROOM_NUMBER

_Static_assert(sizeof ROOM_NAME == TASK_MARK_NAME_BYTES, "a name must fit into the room");
_Static_assert(sizeof ROOM_VALUE == TASK_MARK_VALUE_BYTES, "a value must fit into the room");

bool task_mark_reserve(void)
{
    return getenv(ROOM_NAME) == NULL && setenv(ROOM_NAME, ROOM_VALUE, 1) == 0;
}

/* FNV-1a. */
static uint64_t hash(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t value = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        value = (value ^ bytes[i]) * 0x100000001b3;
    return value;
}

/* The link reads "pid:[4026531836]", for one. */
static uint64_t find_namespace(const char *path)
{
    char target[64];
    uint64_t number = 0;
    ssize_t size = readlink(path, target, sizeof target - 1);
    target[size > 0 ? size : 0] = '\0';
    return sscanf(target, "%*[a-z]:[%" SCNu64 "]", &number) == 1 ? number : 0;
}

static uint64_t find_directory(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return 0;
    const uint64_t numbers[] = {status.st_dev, status.st_ino};
    return hash(numbers, sizeof numbers) | 1;
}

static uint64_t find_start(pid_t process)
{
    struct process_stat stat;
    return process_stat_read(process, &stat) ? stat.start_ticks : 0;
}

void task_mark_make(struct task_mark *mark, const char *run_dir, uint64_t world, pid_t rank_process)
{
    struct task_owner owner = {
        .world = world,
        .process_namespace = find_namespace("/proc/self/ns/pid"),
        .mount_namespace = find_namespace("/proc/self/ns/mnt"),
        .directory = find_directory(run_dir),
        .rank_start_ticks = find_start(rank_process),
        .spawner = (uint64_t)getpid(),
        .spawner_start_ticks = find_start(getpid()),
    };
    *mark = (struct task_mark){.owner = owner};
    snprintf(mark->name, sizeof mark->name, "SHEAF_RUN_%016" PRIx64,
             hash(run_dir, strlen(run_dir)));
    task_mark_write_owner(&owner, mark->value);
    const char *inherited = getenv(mark->name);
    if (inherited != NULL)
        snprintf(mark->inherited, sizeof mark->inherited, "%s", inherited);
}

void task_mark_set(const struct task_mark *mark)
{
    char *room = getenv(ROOM_NAME);
    bool fits = room != NULL && strlen(room) == strlen(mark->value);
    unsetenv(ROOM_NAME);
    if (fits) {
        memcpy(room - sizeof ROOM_NAME, mark->name, sizeof mark->name - 1);
        memcpy(room, mark->value, strlen(mark->value));
    }
    setenv(mark->name, mark->value, 1);
}

void task_mark_write_owner(const struct task_owner *owner, char value[TASK_MARK_VALUE_BYTES])
{
    const uint64_t numbers[] = {owner->world,
                                owner->process_namespace,
                                owner->mount_namespace,
                                owner->directory,
                                owner->rank_start_ticks,
                                owner->spawner,
                                owner->spawner_start_ticks};
    _Static_assert(sizeof numbers / sizeof *numbers == TASK_MARK_NUMBERS, "each has its place");
    char *end = value;
    for (size_t i = 0; i < TASK_MARK_NUMBERS; i++)
        end += snprintf(end, (size_t)(value + TASK_MARK_VALUE_BYTES - end), "%s%016" PRIx64,
                        i > 0 ? "-" : "", numbers[i]);
}

bool task_mark_read_owner(const char *value, struct task_owner *owner)
{
    struct task_owner found;
    uint64_t *const numbers[] = {&found.world,
                                 &found.process_namespace,
                                 &found.mount_namespace,
                                 &found.directory,
                                 &found.rank_start_ticks,
                                 &found.spawner,
                                 &found.spawner_start_ticks};
    if (strlen(value) != sizeof ROOM_VALUE - 1)
        return false;
    for (size_t i = 0; i < TASK_MARK_NUMBERS; i++, value += sizeof ROOM_NUMBER) {
        int end = 0;
        char after = i + 1 < TASK_MARK_NUMBERS ? '-' : '\0';
        if (sscanf(value, "%16" SCNx64 "%n", numbers[i], &end) != 1 ||
            end != sizeof ROOM_NUMBER - 1 || value[end] != after)
            return false;
    }
    *owner = found;
    return true;
}

bool task_mark_is_of_one_run(const struct task_owner *a, const struct task_owner *b)
{
    if (a->process_namespace != b->process_namespace)
        return false;
    return a->directory != 0 && b->directory != 0 ? a->directory == b->directory
                                                  : a->mount_namespace == b->mount_namespace;
}
