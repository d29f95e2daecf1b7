/* sim.c - runs seeds of the simulation and says which hold. */
#include "sim.h"

#include "../../scheduler/memory.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: sim [--seed N | --seeds A-B] [--twice] [--workers N] [--tasks N] [--verbose]\n"
    "       sim --scale\n"
    "Simulates the scheduler with faults drawn from each seed and checks it after every step.\n"
    "  --seed N      one seed (default 1)\n"
    "  --seeds A-B   all seeds from A to B\n"
    "  --twice       run each seed twice and compare the traces\n"
    "  --workers N   instead of the number that the seed draws\n"
    "  --tasks N     likewise\n"
    "  --verbose     print the plan and everything that happens\n"
    "  --scale       measure decisions with 100,000 workers\n";

struct arguments {
    struct options options;
    uint64_t seed_first;
    uint64_t seed_last;
    bool is_twice;
    bool is_scale;
};

/* The seed that runs, for the handler of a crash. */
static struct world *running;

static void on_crash(int signal_number)
{
    if (running != NULL && setjmp(running->on_violation) == 0)
        violate(running, "the code under test ended in signal %d", signal_number);
    _exit(1);
}

static int parse_number(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' ? 0 : -1;
}

static int parse_seeds(const char *text, struct arguments *arguments)
{
    char *copy = memory_copy_string(text);
    char *dash = strchr(copy, '-');
    int status = -1;
    if (dash != NULL) {
        *dash = '\0';
        status = parse_number(copy, &arguments->seed_first) |
                 parse_number(dash + 1, &arguments->seed_last);
    }
    free(copy);
    return status;
}

static int parse_option(int option, struct arguments *arguments)
{
    uint64_t number = 0;
    switch (option) {
    case 's':
        arguments->is_scale = true;
        return 0;
    case 't':
        arguments->is_twice = true;
        return 0;
    case 'v':
        arguments->options.is_verbose = true;
        return 0;
    case 'S':
        return parse_seeds(optarg, arguments);
    case 'n':
        if (parse_number(optarg, &arguments->seed_first) != 0)
            return -1;
        arguments->seed_last = arguments->seed_first;
        return 0;
    case 'k':
        arguments->options.has_task_count = true;
        return parse_number(optarg, &arguments->options.task_count);
    case 'w':
        if (parse_number(optarg, &number) != 0 || number == 0 || number > 100000)
            return -1;
        arguments->options.worker_count = (uint32_t)number;
        return 0;
    default:
        return -1;
    }
}

static int parse(int argument_count, char **argument_values, struct arguments *arguments)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 'n'},  {"seeds", required_argument, NULL, 'S'},
        {"twice", no_argument, NULL, 't'},       {"workers", required_argument, NULL, 'w'},
        {"tasks", required_argument, NULL, 'k'}, {"verbose", no_argument, NULL, 'v'},
        {"scale", no_argument, NULL, 's'},       {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argument_count, argument_values, "", options, NULL)) != -1)
        if (parse_option(option, arguments) != 0)
            return -1;
    return optind == argument_count ? 0 : -1;
}

static bool run_seed(const struct options *options, uint64_t *hash)
{
    struct world *world = memory_allocate_zeroed(1, sizeof *world);
    running = world;
    bool is_ok = world_run(options, world);
    running = NULL;
    if (is_ok && options->is_verbose)
        printf("seed %" PRIu64 ": %" PRIu64 " ns, %" PRIu64 " events, %" PRIu64
               " steps, %zu facts, trace %016" PRIx64 "\n",
               options->seed, world->now_ns, world->events_handled, world->step_count,
               world->journal.count, world->trace_hash);
    *hash = world->trace_hash;
    if (is_ok) /* after a violation the world may be in the middle of anything */
        world_close(world);
    free(world);
    return is_ok;
}

int main(int argument_count, char **argument_values)
{
    struct arguments arguments = {.seed_first = 1, .seed_last = 1};
    if (parse(argument_count, argument_values, &arguments) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    if (arguments.is_scale)
        return scale_run();
    for (uint64_t seed = arguments.seed_first; seed <= arguments.seed_last; seed++) {
        struct options options = arguments.options;
        options.seed = seed;
        uint64_t hash = 0;
        uint64_t hash_again = 0;
        if (!run_seed(&options, &hash))
            return 1;
        if (arguments.is_twice && (!run_seed(&options, &hash_again) || hash != hash_again)) {
            printf("not ok - seed %" PRIu64 " gives another trace the second time\n", seed);
            return 1;
        }
    }
    printf("ok - seeds %" PRIu64 " to %" PRIu64 " hold%s\n", arguments.seed_first,
           arguments.seed_last, arguments.is_twice ? ", twice with the same trace" : "");
    return 0;
}
