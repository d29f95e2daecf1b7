/* disk_fake.c - passes file operations on, fails some, and remembers what is durable. */
#include "disk_fake.h"

#include "../../scheduler/check.h"
#include "../../scheduler/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILES_MAX = 4096,
    DESCRIPTORS_MAX = 1024,
    NAME_BYTES = 64,
    SECTOR_BYTES = 512,
};

/* One file's bytes, whatever its names. */
struct file_model {
    unsigned char *bytes;
    size_t size;
    size_t capacity;
    unsigned char *synced;
    size_t synced_size;
    size_t stable_size; /* of `synced`: not cut off since */
};

struct name_model {
    char name[NAME_BYTES];
    size_t file;
};

struct name_table {
    struct name_model items[FILES_MAX];
    size_t count;
};

enum change_kind { CHANGE_CREATE, CHANGE_RENAME, CHANGE_UNLINK };

/* A change of names that is not durable yet. */
struct change {
    enum change_kind kind;
    char name[NAME_BYTES];
    char to[NAME_BYTES];
    size_t file;
};

struct disk_fake {
    struct disk disk;
    char *dir;
    pthread_mutex_t mutex;
    pthread_cond_t released;
    struct file_model files[FILES_MAX];
    size_t file_count;
    struct name_table names;
    struct name_table durable_names;
    struct change changes[FILES_MAX];
    size_t change_count;
    size_t file_of[DESCRIPTORS_MAX]; /* plus one; 0 when not followed */

    unsigned int failing_calls;
    uint64_t calls_to_failure; /* 0: none is to fail */
    int failure_errno;
    bool failure_is_lasting;
    bool has_failed;
    uint64_t calls_to_crash; /* 0: no crash */
    bool has_crashed;
    off_t bad_first_bytes;
    off_t bad_end_bytes;
    size_t write_size_max;
    bool has_space_limit;
    uint64_t space_left;
    bool is_held;
};

static struct name_model *find_name(struct name_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->items[i].name, name) == 0)
            return &table->items[i];
    }
    return NULL;
}

static void remove_name(struct name_table *table, const char *name)
{
    struct name_model *found = find_name(table, name);
    if (found != NULL)
        *found = table->items[--table->count];
}

static void set_name(struct name_table *table, const char *name, size_t file)
{
    remove_name(table, name);
    CHECK(table->count < FILES_MAX);
    struct name_model *added = &table->items[table->count++];
    snprintf(added->name, sizeof added->name, "%s", name);
    added->file = file;
}

static void apply_change(struct name_table *table, const struct change *change)
{
    remove_name(table, change->name);
    if (change->kind == CHANGE_CREATE)
        set_name(table, change->name, change->file);
    else if (change->kind == CHANGE_RENAME)
        set_name(table, change->to, change->file);
}

static void add_change(struct disk_fake *fake, const struct change *change)
{
    CHECK(fake->change_count < FILES_MAX);
    fake->changes[fake->change_count++] = *change;
    apply_change(&fake->names, change);
}

/* The name of a path directly in the folder, or NULL. */
static const char *name_in_folder(const struct disk_fake *fake, const char *path)
{
    size_t size = strlen(fake->dir);
    if (strncmp(path, fake->dir, size) != 0 || path[size] != '/' ||
        strchr(path + size + 1, '/') != NULL || strlen(path + size + 1) >= NAME_BYTES)
        return NULL;
    return path + size + 1;
}

static struct file_model *followed_file(struct disk_fake *fake, int descriptor)
{
    CHECK(descriptor < DESCRIPTORS_MAX);
    return fake->file_of[descriptor] > 0 ? &fake->files[fake->file_of[descriptor] - 1] : NULL;
}

/* What becomes of a call. */
enum fate { FATE_PASS, FATE_FAIL, FATE_LAST /* is done, but the caller never hears of it */ };

static enum fate decide_fate(struct disk_fake *fake, enum disk_call call)
{
    if (fake->has_crashed) {
        errno = EIO;
        return FATE_FAIL;
    }
    if ((call & DISK_CHANGING) != 0 && fake->calls_to_crash > 0 && --fake->calls_to_crash == 0) {
        fake->has_crashed = true;
        errno = EIO;
        return FATE_LAST;
    }
    if ((call & fake->failing_calls) == 0 || fake->calls_to_failure == 0)
        return FATE_PASS;
    if (fake->calls_to_failure > 1) {
        fake->calls_to_failure--;
        return FATE_PASS;
    }
    if (!fake->failure_is_lasting)
        fake->calls_to_failure = 0;
    fake->has_failed = true;
    errno = fake->failure_errno;
    return FATE_FAIL;
}

/* After FATE_LAST: nothing of the real call's outcome is told. */
static int told(enum fate fate, int result)
{
    if (fate == FATE_PASS)
        return result;
    errno = EIO;
    return -1;
}

static void cut_file(struct file_model *file, size_t size)
{
    file->size = size;
    if (size < file->stable_size)
        file->stable_size = size;
}

static void follow(struct disk_fake *fake, const char *path, int flags, int descriptor)
{
    CHECK(descriptor < DESCRIPTORS_MAX);
    fake->file_of[descriptor] = 0;
    const char *name = name_in_folder(fake, path);
    if (name == NULL)
        return;
    struct name_model *found = find_name(&fake->names, name);
    if (found == NULL) {
        CHECK((flags & O_CREAT) != 0); /* the model knows every file of the folder */
        CHECK(fake->file_count < FILES_MAX);
        struct change change = {.kind = CHANGE_CREATE, .file = fake->file_count++};
        snprintf(change.name, sizeof change.name, "%s", name);
        add_change(fake, &change);
        found = find_name(&fake->names, name);
    }
    if ((flags & O_TRUNC) != 0)
        cut_file(&fake->files[found->file], 0);
    fake->file_of[descriptor] = found->file + 1;
}

static int fake_open(void *context, const char *path, int flags, mode_t mode)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    int descriptor = -1;
    if (decide_fate(fake, DISK_OPEN) == FATE_PASS) {
        descriptor = disk_system()->open(NULL, path, flags, mode);
        if (descriptor >= 0)
            follow(fake, path, flags, descriptor);
    }
    int open_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = open_errno;
    return descriptor;
}

static int fake_close(void *context, int descriptor)
{
    (void)context;
    return disk_system()->close(NULL, descriptor);
}

static void add_bytes(struct file_model *file, const void *data, size_t size)
{
    void *bytes = file->bytes;
    memory_grow(&bytes, &file->capacity, file->size + size, 1);
    file->bytes = bytes;
    memcpy(file->bytes + file->size, data, size);
    file->size += size;
}

/* How much of a write is taken; 0 with errno when the disk is full. */
static size_t take_space(struct disk_fake *fake, size_t size)
{
    if (fake->write_size_max > 0 && size > fake->write_size_max)
        size = fake->write_size_max;
    if (!fake->has_space_limit)
        return size;
    if (size > fake->space_left)
        size = (size_t)fake->space_left;
    fake->space_left -= size;
    errno = ENOSPC;
    return size;
}

static ssize_t fake_write(void *context, int descriptor, const void *data, size_t size)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    while (fake->is_held)
        pthread_cond_wait(&fake->released, &fake->mutex);
    ssize_t written = -1;
    enum fate fate = decide_fate(fake, DISK_WRITE);
    size_t taken = fate != FATE_FAIL ? take_space(fake, size) : 0;
    if (taken > 0) {
        struct file_model *file = followed_file(fake, descriptor);
        if (file != NULL)
            add_bytes(file, data, taken);
        written = disk_system()->write(NULL, descriptor, data, taken);
        CHECK(written == (ssize_t)taken);
        if (fate == FATE_LAST) {
            written = -1;
            errno = EIO;
        }
    }
    int write_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = write_errno;
    return written;
}

static ssize_t fake_pread(void *context, int descriptor, void *data, size_t size, off_t offset)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    enum fate fate = decide_fate(fake, DISK_PREAD);
    int read_errno = errno;
    off_t bad_first = fake->bad_first_bytes;
    off_t bad_end = fake->bad_end_bytes;
    pthread_mutex_unlock(&fake->mutex);
    errno = read_errno;
    if (fate == FATE_PASS && offset >= bad_first && offset < bad_end) {
        errno = EIO;
        return -1;
    }
    if (offset < bad_first && size > (size_t)(bad_first - offset))
        size = (size_t)(bad_first - offset);
    return fate == FATE_PASS ? disk_system()->pread(NULL, descriptor, data, size, offset) : -1;
}

static int fake_datasync(void *context, int descriptor)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    enum fate fate = decide_fate(fake, DISK_DATASYNC);
    struct file_model *file = followed_file(fake, descriptor);
    if (fate == FATE_PASS && file != NULL) {
        file->synced = memory_resize(file->synced, file->size);
        file->synced_size = file->stable_size = file->size;
        if (file->size > 0)
            memcpy(file->synced, file->bytes, file->size);
    }
    int sync_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = sync_errno;
    return fate == FATE_PASS ? 0 : -1;
}

static int fake_truncate(void *context, int descriptor, off_t size)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    int result = -1;
    enum fate fate = decide_fate(fake, DISK_TRUNCATE);
    if (fate != FATE_FAIL) {
        struct file_model *file = followed_file(fake, descriptor);
        static const unsigned char zeros[SECTOR_BYTES];
        if (file != NULL && file->size < (size_t)size)
            add_bytes(file, zeros, (size_t)size - file->size);
        if (file != NULL)
            cut_file(file, (size_t)size);
        result = told(fate, disk_system()->truncate(NULL, descriptor, size));
    }
    int truncate_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = truncate_errno;
    return result;
}

static int fake_rename(void *context, const char *from, const char *to)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    int result = -1;
    enum fate fate = decide_fate(fake, DISK_RENAME);
    if (fate != FATE_FAIL) {
        result = disk_system()->rename(NULL, from, to);
        const char *name = name_in_folder(fake, from);
        CHECK(result == 0 && name != NULL);
        struct change change = {.kind = CHANGE_RENAME, .file = find_name(&fake->names, name)->file};
        snprintf(change.name, sizeof change.name, "%s", name);
        snprintf(change.to, sizeof change.to, "%s", name_in_folder(fake, to));
        add_change(fake, &change);
        result = told(fate, result);
    }
    int rename_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = rename_errno;
    return result;
}

static int fake_unlink(void *context, const char *path)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    int result = -1;
    enum fate fate = decide_fate(fake, DISK_UNLINK);
    const char *name = name_in_folder(fake, path);
    if (fate != FATE_FAIL) {
        result = disk_system()->unlink(NULL, path);
        if (result == 0 && name != NULL) {
            struct change change = {.kind = CHANGE_UNLINK};
            snprintf(change.name, sizeof change.name, "%s", name);
            add_change(fake, &change);
        }
        result = told(fate, result);
    }
    int unlink_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = unlink_errno;
    return result;
}

static int fake_sync_directory(void *context, const char *path)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    enum fate fate = decide_fate(fake, DISK_SYNC_DIRECTORY);
    if (fate == FATE_PASS && strcmp(path, fake->dir) == 0) {
        fake->durable_names = fake->names;
        fake->change_count = 0;
    }
    int sync_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = sync_errno;
    return fate == FATE_PASS ? 0 : -1;
}

static int fake_make_directory(void *context, const char *path, mode_t mode)
{
    struct disk_fake *fake = context;
    pthread_mutex_lock(&fake->mutex);
    enum fate fate = decide_fate(fake, DISK_MAKE_DIRECTORY);
    int result = fate == FATE_PASS ? disk_system()->make_directory(NULL, path, mode) : -1;
    int make_errno = errno;
    pthread_mutex_unlock(&fake->mutex);
    errno = make_errno;
    return result;
}

static off_t fake_size(void *context, int descriptor)
{
    (void)context;
    return disk_system()->size(NULL, descriptor);
}

/* A file that was there before the fake: durable as it is. */
static void adopt_file(struct disk_fake *fake, const char *name)
{
    CHECK(fake->file_count < FILES_MAX);
    size_t file = fake->file_count++;
    struct file_model *adopted = &fake->files[file];
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", fake->dir, name);
    FILE *in = fopen(path, "r");
    struct stat status;
    CHECK(in != NULL && fstat(fileno(in), &status) == 0);
    adopted->size = adopted->capacity = (size_t)status.st_size;
    adopted->synced_size = adopted->stable_size = adopted->size;
    adopted->bytes = memory_allocate(adopted->size);
    CHECK(fread(adopted->bytes, 1, adopted->size, in) == adopted->size);
    fclose(in);
    adopted->synced = memory_copy(adopted->bytes, adopted->size);
    set_name(&fake->durable_names, name, file);
    set_name(&fake->names, name, file);
}

static void adopt_files(struct disk_fake *fake)
{
    DIR *directory = opendir(fake->dir);
    if (directory == NULL)
        return;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.')
            adopt_file(fake, entry->d_name);
    }
    closedir(directory);
}

struct disk_fake *disk_fake_create(const char *dir)
{
    struct disk_fake *fake = memory_allocate_zeroed(1, sizeof *fake);
    fake->disk = (struct disk){
        .context = fake,
        .open = fake_open,
        .close = fake_close,
        .write = fake_write,
        .pread = fake_pread,
        .datasync = fake_datasync,
        .truncate = fake_truncate,
        .rename = fake_rename,
        .unlink = fake_unlink,
        .sync_directory = fake_sync_directory,
        .make_directory = fake_make_directory,
        .size = fake_size,
    };
    fake->dir = memory_copy_string(dir);
    pthread_mutex_init(&fake->mutex, NULL);
    pthread_cond_init(&fake->released, NULL);
    adopt_files(fake);
    return fake;
}

void disk_fake_destroy(struct disk_fake *fake)
{
    for (size_t i = 0; i < fake->file_count; i++) {
        free(fake->files[i].bytes);
        free(fake->files[i].synced);
    }
    pthread_cond_destroy(&fake->released);
    pthread_mutex_destroy(&fake->mutex);
    free(fake->dir);
    free(fake);
}

const struct disk *disk_fake_disk(struct disk_fake *fake)
{
    return &fake->disk;
}

void disk_fake_fail(struct disk_fake *fake, unsigned int calls, uint64_t nth, int errno_value,
                    bool is_lasting)
{
    pthread_mutex_lock(&fake->mutex);
    fake->failing_calls = calls;
    fake->calls_to_failure = nth;
    fake->failure_errno = errno_value;
    fake->failure_is_lasting = is_lasting;
    fake->has_failed = false;
    pthread_mutex_unlock(&fake->mutex);
}

bool disk_fake_has_failed(struct disk_fake *fake)
{
    pthread_mutex_lock(&fake->mutex);
    bool has_failed = fake->has_failed || fake->has_crashed;
    pthread_mutex_unlock(&fake->mutex);
    return has_failed;
}

void disk_fake_break(struct disk_fake *fake, off_t first_bytes, off_t end_bytes)
{
    pthread_mutex_lock(&fake->mutex);
    fake->bad_first_bytes = first_bytes;
    fake->bad_end_bytes = end_bytes;
    pthread_mutex_unlock(&fake->mutex);
}

void disk_fake_crash(struct disk_fake *fake, uint64_t nth)
{
    pthread_mutex_lock(&fake->mutex);
    fake->calls_to_crash = nth;
    pthread_mutex_unlock(&fake->mutex);
}

void disk_fake_shorten_writes(struct disk_fake *fake, size_t size_max)
{
    pthread_mutex_lock(&fake->mutex);
    fake->write_size_max = size_max;
    pthread_mutex_unlock(&fake->mutex);
}

void disk_fake_limit_space(struct disk_fake *fake, uint64_t size_bytes)
{
    pthread_mutex_lock(&fake->mutex);
    fake->has_space_limit = true;
    fake->space_left = size_bytes;
    pthread_mutex_unlock(&fake->mutex);
}

void disk_fake_hold_writes(struct disk_fake *fake, bool is_held)
{
    pthread_mutex_lock(&fake->mutex);
    fake->is_held = is_held;
    pthread_cond_broadcast(&fake->released);
    pthread_mutex_unlock(&fake->mutex);
}

/* SplitMix64, by Sebastiano Vigna (https://prng.di.unimi.it/splitmix64.c). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* One sector behind what is stable: what was written last, or what was there before a cut that is
 * not synced, or nothing. */
static void survive_sector(const struct file_model *file, size_t first, unsigned char *target,
                           size_t size, uint64_t *seed)
{
    bool is_old = file->stable_size < file->synced_size && draw(seed) % 2 == 0;
    const unsigned char *source = is_old ? file->synced : file->bytes;
    size_t source_size = is_old ? file->synced_size : file->size;
    memset(target, 0, size);
    if (first >= source_size || draw(seed) % 3 == 0)
        return;
    memcpy(target, source + first, source_size - first < size ? source_size - first : size);
}

/* What is left of a file: all that was synced and not cut off, and of the rest any length and any
 * sectors. Half of the time the rest is whole. */
static void write_survivor(const struct file_model *file, const char *path, uint64_t *seed)
{
    bool was_cut = file->stable_size < file->synced_size;
    size_t size_max = was_cut && file->synced_size > file->size ? file->synced_size : file->size;
    size_t stable = file->stable_size;
    size_t size = draw(seed) % 3 == 0 ? size_max : stable + draw(seed) % (size_max - stable + 1);
    bool is_whole = draw(seed) % 2 == 0;
    if (is_whole && size > file->size)
        size = file->size;
    unsigned char *bytes = memory_allocate(size);
    memcpy(bytes, file->bytes, is_whole ? size : stable);
    for (size_t first = stable; !is_whole && first < size;) {
        size_t part = SECTOR_BYTES - first % SECTOR_BYTES;
        part = part < size - first ? part : size - first;
        survive_sector(file, first, bytes + first, part, seed);
        first += part;
    }
    FILE *out = fopen(path, "w");
    CHECK(out != NULL && fwrite(bytes, 1, size, out) == size && fclose(out) == 0);
    free(bytes);
}

void disk_fake_survive(struct disk_fake *fake, const char *dir, uint64_t seed)
{
    pthread_mutex_lock(&fake->mutex);
    struct name_table *names = memory_copy(&fake->durable_names, sizeof fake->durable_names);
    bool is_ordered = draw(&seed) % 2 == 0;
    size_t prefix = (size_t)(draw(&seed) % (fake->change_count + 1));
    for (size_t i = 0; i < fake->change_count; i++) {
        if (is_ordered ? i < prefix : draw(&seed) % 2 == 0)
            apply_change(names, &fake->changes[i]);
    }
    CHECK(mkdir(dir, 0700) == 0);
    for (size_t i = 0; i < names->count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", dir, names->items[i].name);
        write_survivor(&fake->files[names->items[i].file], path, &seed);
    }
    free(names);
    pthread_mutex_unlock(&fake->mutex);
}
