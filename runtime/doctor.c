/* doctor.c - checks what a host needs to run jobs. */
#include "doctor.h"

#include "../jobs/job_path.h"
#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "clock.h"
#include "file_system.h"
#include "mpirun.h"
#include "placement.h"
#include "print_foreign.h"
#include "process_memory.h"
#include "start_room.h"
#include "unnamed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

struct doctor {
    const char *mpirun_path; /* NULL = the first in $PATH */
    const char *dir;
    uint32_t fail_count;
    char *trouble; /* where to put the first one, if nothing is to be printed; or NULL */
    size_t trouble_bytes;
};

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

static void say(struct doctor *doctor, enum verdict verdict, const char *subject,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

static void say(struct doctor *doctor, enum verdict verdict, const char *subject,
                const char *format, ...)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    va_list arguments;
    va_start(arguments, format);
    if (doctor->trouble == NULL) {
        printf("%-4s  %-12s  ", words[verdict], subject);
        print_harmless_list(stdout, format, arguments);
        putchar('\n');
        fflush(stdout);
    } else if (verdict != VERDICT_OK && doctor->trouble[0] == '\0') {
        int length = snprintf(doctor->trouble, doctor->trouble_bytes, "%s: ", subject);
        vsnprintf(doctor->trouble + length, doctor->trouble_bytes - (size_t)length, format,
                  arguments);
    }
    va_end(arguments);
    if (verdict == VERDICT_FAIL)
        doctor->fail_count++;
}

static void check_mpirun(struct doctor *doctor)
{
    struct mpirun mpirun;
    struct sheaf_error error;
    if (mpirun_find(doctor->mpirun_path, &mpirun, &error) != 0)
        say(doctor, VERDICT_FAIL, "mpirun", "%s", error.text);
    else
        say(doctor, VERDICT_OK, "mpirun", "%s is Open MPI %d.%d", mpirun.path, mpirun.major,
            mpirun.minor);
}

static void check_cores(struct doctor *doctor)
{
    struct topology topology;
    struct sheaf_error error;
    if (topology_discover(&topology, &error) != 0) {
        say(doctor, VERDICT_FAIL, "cores", "%s", error.text);
        return;
    }
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    for (uint32_t i = 0; i < topology.core_count; i++)
        CPU_OR(&allowed, &allowed, &topology.cores[i]);
    char described[200];
    cpu_set_describe(&allowed, described, sizeof described);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (CPU_COUNT(&allowed) < online)
        say(doctor, VERDICT_WARN, "cores",
            "%u may be used (CPUs %s of %ld): taskset or the batch system allows no more",
            topology.core_count, described, online);
    else
        say(doctor, VERDICT_OK, "cores", "%u (CPUs %s)", topology.core_count, described);
    topology_close(&topology);
}

static void check_memory(struct doctor *doctor)
{
    uint64_t usable = node_memory_bytes();
    uint64_t installed = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE);
    if (usable < installed / 100 * 99)
        say(doctor, VERDICT_WARN, "memory",
            "%.1f GiB may be used of %.1f GiB: the control group allows no more",
            (double)usable / (double)GIB, (double)installed / (double)GIB);
    else
        say(doctor, VERDICT_OK, "memory", "%.1f GiB", (double)usable / (double)GIB);
}

/* Ranks of one host talk through files in /dev/shm. */
static void check_shared_memory(struct doctor *doctor)
{
    struct statvfs status;
    char reason[200];
    if (statvfs("/dev/shm", &status) != 0) {
        say(doctor, VERDICT_FAIL, "/dev/shm", "%s; mount a tmpfs there", strerror(errno));
        return;
    }
    uint64_t free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    if (!start_room_check_shared(reason, sizeof reason))
        say(doctor, VERDICT_FAIL, "/dev/shm", "%s: no rank can start; make room there", reason);
    else if (free_bytes < 64 * MIB)
        say(doctor, VERDICT_WARN, "/dev/shm",
            "%.0f MiB free; Open MPI may need more (containers: --shm-size=1g)",
            (double)free_bytes / (double)MIB);
    else
        say(doctor, VERDICT_OK, "/dev/shm", "%.1f GiB free", (double)free_bytes / (double)GIB);
}

/* Open MPI keeps Unix sockets some 40 bytes further down; such paths end at 107 bytes. */
static void check_temporary_files(struct doctor *doctor)
{
    enum { PATH_BYTES_MAX = 60 };
    const char *path = start_room_temporary();
    char reason[200];
    if (!start_room_check_temporary(reason, sizeof reason))
        say(doctor, VERDICT_FAIL, "TMPDIR",
            "%s: mpirun cannot start; make room there, or set TMPDIR to another directory", reason);
    else if (strlen(path) > PATH_BYTES_MAX)
        say(doctor, VERDICT_WARN, "TMPDIR",
            "%s is longer than %d bytes; Open MPI may be unable to make its sockets there", path,
            PATH_BYTES_MAX);
    else
        say(doctor, VERDICT_OK, "TMPDIR", "%s", path);
}

static void check_filesystem(struct doctor *doctor)
{
    struct file_system found;
    if (file_system_find(doctor->dir, &found) != 0) {
        say(doctor, VERDICT_FAIL, "filesystem", "%s: %s; make it, or name another directory",
            doctor->dir, strerror(errno));
        return;
    }
    double free_gib = found.free_bytes / (double)GIB;
    switch (found.trait) {
    case FILE_SYSTEM_LOCAL:
        say(doctor, free_gib < 1 ? VERDICT_WARN : VERDICT_OK, "filesystem",
            "%s is %s, %.1f GiB free", doctor->dir, found.name, free_gib);
        break;
    case FILE_SYSTEM_SHARED:
        say(doctor, free_gib < 1 ? VERDICT_WARN : VERDICT_OK, "filesystem",
            "%s is %s, %.1f GiB free; all nodes see it", doctor->dir, found.name, free_gib);
        break;
    case FILE_SYSTEM_NFS:
        say(doctor, VERDICT_WARN, "filesystem",
            "%s is %s, %.1f GiB free: its locks may fail to keep a second run out, and syncs are "
            "slow; where there is a cluster file system, prefer it (--dir)",
            doctor->dir, found.name, free_gib);
        break;
    case FILE_SYSTEM_VOLATILE:
        say(doctor, VERDICT_WARN, "filesystem",
            "%s is %s, %.1f GiB free: a restart of this host loses runs there, which then cannot "
            "be continued",
            doctor->dir, found.name, free_gib);
        break;
    }
}

static int compare_times(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The median time of some synced appends of 4 KiB, in *median_ns; 0 or errno. Ends after 2 s. */
static int measure_sync(int descriptor, uint64_t *median_ns)
{
    enum { ROUNDS = 9 };
    static const char block[4096];
    uint64_t times_ns[ROUNDS];
    size_t count = 0;
    uint64_t start_ns = clock_monotonic_ns();
    while (count < ROUNDS && clock_monotonic_ns() - start_ns < 2 * SHEAF_NS_PER_S) {
        uint64_t before_ns = clock_monotonic_ns();
        errno = ENOSPC;
        if (write(descriptor, block, sizeof block) != (ssize_t)sizeof block ||
            fdatasync(descriptor) != 0)
            return errno;
        times_ns[count++] = clock_monotonic_ns() - before_ns;
    }
    qsort(times_ns, count, sizeof *times_ns, compare_times);
    *median_ns = times_ns[count / 2];
    return 0;
}

/* What the lock of a run directory and its journal need. */
static void check_disk(struct doctor *doctor)
{
    int descriptor = unnamed_file_open(doctor->dir);
    if (descriptor < 0) {
        say(doctor, VERDICT_FAIL, "disk", "cannot make a file in %s: %s; use another directory",
            doctor->dir, strerror(errno));
        return;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_OFD_SETLK, &lock) != 0)
        say(doctor, VERDICT_FAIL, "locks",
            "cannot lock a file in %s: %s; use another directory (--dir)", doctor->dir,
            strerror(errno));
    else
        say(doctor, VERDICT_OK, "locks", "files in %s can be locked", doctor->dir);
    uint64_t median_ns = 0;
    int failed_errno = measure_sync(descriptor, &median_ns);
    double median_ms = (double)median_ns / (double)SHEAF_NS_PER_MS;
    if (failed_errno != 0)
        say(doctor, VERDICT_FAIL, "disk", "cannot write to a file in %s: %s", doctor->dir,
            strerror(failed_errno));
    else if (median_ns > 50 * SHEAF_NS_PER_MS)
        say(doctor, VERDICT_WARN, "disk",
            "a synced write takes %.1f ms: a longer --checkpoint disturbs short tasks less",
            median_ms);
    else
        say(doctor, VERDICT_OK, "disk", "a synced write takes %.2f ms", median_ms);
    close(descriptor);
}

static void check_plugin_directory(struct doctor *doctor, const char *path, const char *origin)
{
    struct stat status;
    if (stat(path, &status) != 0)
        say(doctor, VERDICT_WARN, "plug-ins", "%s (%s): %s", path, origin, strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        say(doctor, VERDICT_WARN, "plug-ins", "%s (%s) is not a directory", path, origin);
    else
        say(doctor, VERDICT_OK, "plug-ins", "%s (%s)", path, origin);
}

static void check_plugin_path(struct doctor *doctor)
{
    const char *setting = getenv("SHEAF_PLUGIN_PATH");
    char *copy = memory_copy_string(setting != NULL ? setting : "");
    char *rest = copy;
    for (char *entry = strsep(&rest, ":"); entry != NULL; entry = strsep(&rest, ":"))
        if (entry[0] != '\0')
            check_plugin_directory(doctor, entry, "from SHEAF_PLUGIN_PATH");
    free(copy);
    char *installed = job_path_installed_plugins();
    if (access(installed, F_OK) == 0)
        check_plugin_directory(doctor, installed, "installed");
    else
        say(doctor, VERDICT_OK, "plug-ins", "beside job files; none are installed in %s",
            installed);
    free(installed);
}

/* What a rank needs at least, or is limited by. */
static const struct {
    int resource;
    const char *name;
    rlim_t wanted;
    const char *advice;
} limit_table[] = {
    {RLIMIT_NOFILE, "open files", 1024, "ulimit -n 4096; each slot needs some"},
    {RLIMIT_NPROC, "processes", 1024, "ulimit -u 4096; each slot is a process"},
    {RLIMIT_FSIZE, "file size", RLIM_INFINITY, "ulimit -f unlimited; outputs end there"},
    {RLIMIT_AS, "memory", RLIM_INFINITY, "ulimit -v unlimited; use limits.memory of the job"},
    {RLIMIT_CPU, "CPU time", RLIM_INFINITY, "ulimit -t unlimited; the run is killed after that"},
};

static void check_limits(struct doctor *doctor)
{
    bool is_good = true;
    for (size_t i = 0; i < sizeof limit_table / sizeof *limit_table; i++) {
        struct rlimit limit;
        if (getrlimit((__rlimit_resource_t)limit_table[i].resource, &limit) != 0 ||
            limit.rlim_cur >= limit_table[i].wanted)
            continue;
        is_good = false;
        say(doctor, VERDICT_WARN, "limits", "%s: %llu (%s)", limit_table[i].name,
            (unsigned long long)limit.rlim_cur, limit_table[i].advice);
    }
    if (is_good)
        say(doctor, VERDICT_OK, "limits", "open files, processes, file size, memory, CPU time");
}

static int usage(const char *problem, const char *argument)
{
    print_harmless(stderr, "sheaf doctor: %s%s\n", problem, argument);
    fputs("Usage: sheaf doctor [--mpirun PATH] [DIR]\n", stderr);
    return sheaf_error_exit_status(SHEAF_ERROR_USAGE);
}

/* 0 = go on, -1 = end well, else the exit status. */
static int parse_arguments(int argc, char **argv, struct doctor *doctor)
{
    static const struct option options[] = {
        {"mpirun", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 0;
    opterr = 0;
    for (;;) {
        int letter = getopt_long(argc, argv, ":h", options, NULL);
        if (letter == -1)
            break;
        if (letter == 'h') {
            printf("Usage: sheaf doctor [--mpirun PATH] [DIR]\n"
                   "Says whether this host can run jobs with run directories in DIR (default: the "
                   "working\ndirectory), and what to mend if not.\n");
            return -1;
        }
        if (letter != 'm')
            return usage(letter == ':' ? "a value is missing after " : "unknown option ",
                         argv[optind - 1]);
        doctor->mpirun_path = optarg;
    }
    if (optind + 1 < argc)
        return usage("one directory at a time; this is one too many: ", argv[optind + 1]);
    if (optind < argc)
        doctor->dir = argv[optind];
    return 0;
}

int doctor_command(int argc, char **argv)
{
    static void (*const checks[])(struct doctor * doctor) = {
        check_mpirun,        check_cores,           check_memory,
        check_shared_memory, check_temporary_files, check_filesystem,
        check_disk,          check_plugin_path,     check_limits,
    };
    struct doctor doctor = {.dir = "."};
    int status = parse_arguments(argc, argv, &doctor);
    if (status != 0)
        return status < 0 ? 0 : status;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](&doctor);
    return doctor.fail_count > 0 ? 1 : 0;
}

bool doctor_find_trouble(char *text, size_t size)
{
    struct doctor doctor = {.dir = ".", .trouble = text, .trouble_bytes = size};
    text[0] = '\0';
    check_shared_memory(&doctor);
    check_temporary_files(&doctor);
    check_limits(&doctor);
    return text[0] != '\0';
}
