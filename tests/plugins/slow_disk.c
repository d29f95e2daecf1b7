/* slow_disk.c - no plug-in, but preloaded into sheaf: makes the disk of its journals slow.
 *
 * Environment: SLOW_DISK_KIB_S limits what `write` takes in a second, SLOW_DISK_SYNC_MS is what
 * `fdatasync` takes. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

ssize_t write(int descriptor, const void *data, size_t size);
int fdatasync(int descriptor);

static int is_of_journal(int descriptor)
{
    char link[64];
    char path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return strstr(path, "/journal/") != NULL;
}

static uint64_t number(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void wait_us(uint64_t us)
{
    struct timespec left = {.tv_sec = (time_t)(us / 1000000),
                            .tv_nsec = (long)(us % 1000000 * 1000)};
    nanosleep(&left, NULL);
}

/* POSIX's way to make a function of what dlsym returns. */
static void find(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

__attribute__((visibility("default"))) ssize_t write(int descriptor, const void *data, size_t size)
{
    static ssize_t (*real)(int descriptor, const void *data, size_t size);
    uint64_t kib_s = number("SLOW_DISK_KIB_S");
    if (real == NULL)
        find("write", &real);
    if (kib_s > 0 && is_of_journal(descriptor))
        wait_us(size * 1000000 / (kib_s * 1024));
    return real(descriptor, data, size);
}

__attribute__((visibility("default"))) int fdatasync(int descriptor)
{
    static int (*real)(int descriptor);
    if (real == NULL)
        find("fdatasync", &real);
    if (is_of_journal(descriptor))
        wait_us(number("SLOW_DISK_SYNC_MS") * 1000);
    return real(descriptor);
}
