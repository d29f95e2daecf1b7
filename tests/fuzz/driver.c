/* driver.c - runs a fuzz target without libFuzzer: replays a corpus, then tries mutations of it.
 *
 *   TARGET [-seed=N] [-runs=N] [-max_total_time=S] [-max_len=N] [-timeout=S] [FILE|FOLDER...]
 *
 * The options are those of libFuzzer. Without -runs and -max_total_time the corpus is only
 * replayed. An input that ends the process or takes longer than -timeout (default 10 s) is left in
 * the file crash-input. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The target, and two hooks that are there only in some builds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argument_count, char ***arguments) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum {
    CORPUS_INPUTS_MAX = 4096,
    MUTATIONS_MAX = 8,
    TIMEOUT_DEFAULT_S = 10,
    INPUT_BYTES_DEFAULT = 4096,
};

struct input {
    uint8_t *data;
    size_t size;
};

struct options {
    uint64_t seed;
    uint64_t runs;
    uint64_t total_time_s;
    uint64_t size_max;
    uint64_t timeout_s;
};

struct corpus {
    struct input inputs[CORPUS_INPUTS_MAX];
    size_t count;
};

/* What the signal handler saves. */
static struct input current;

static void save_current_input(void)
{
    int descriptor = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    static const char text[] = "driver: the input is in the file crash-input\n";
    if (descriptor < 0 || write(descriptor, current.data, current.size) < 0)
        return;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    close(descriptor);
}

static void handle_deadly_signal(int signal_number)
{
    save_current_input();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* A sanitizer reports bad memory accesses better than the default action does: those stay its own.
 */
static void catch_deaths(void)
{
    static const int always[] = {SIGABRT, SIGALRM};
    static const int without_sanitizer[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        signal(always[i], handle_deadly_signal);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save_current_input);
        return;
    }
    for (size_t i = 0; i < sizeof without_sanitizer / sizeof without_sanitizer[0]; i++)
        signal(without_sanitizer[i], handle_deadly_signal);
}

_Noreturn static void give_up(const char *what, const char *where)
{
    fprintf(stderr, "driver: %s %s: %s\n", what, where, strerror(errno));
    _exit(2);
}

static void *allocate(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL)
        give_up("no memory for", "an input");
    return memory;
}

static void add_file(struct corpus *corpus, const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) < 0)
        give_up("cannot read", path);
    if (corpus->count < CORPUS_INPUTS_MAX) {
        struct input *input = &corpus->inputs[corpus->count++];
        input->data = allocate((size_t)status.st_size);
        input->size = fread(input->data, 1, (size_t)status.st_size, file);
    }
    fclose(file);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void add_path(struct corpus *corpus, const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        give_up("cannot read", path);
    if (!S_ISDIR(status.st_mode)) {
        add_file(corpus, path);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0)
        give_up("cannot list", path);
    for (int i = 0; i < count; i++) {
        char *name;
        if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
            give_up("no memory for", path);
        add_file(corpus, name);
        free(name);
        free(entries[i]);
    }
    free(entries);
}

/* SplitMix64, by Sebastiano Vigna (https://prng.di.unimi.it/splitmix64.c). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t draw_below(uint64_t *seed, size_t bound)
{
    return bound > 0 ? (size_t)(draw(seed) % bound) : 0;
}

/* Values at which lengths and counts go wrong, as little-endian fields of 1, 2, 4 or 8 bytes. */
static void put_edge_value(struct input *input, uint64_t *seed)
{
    static const uint64_t edges[] = {0,          1,          0x7f,      0x80,
                                     0xff,       0x7fff,     0xffff,    0x7fffffff,
                                     1U << 31,   UINT32_MAX, INT64_MAX, (uint64_t)1 << 63,
                                     UINT64_MAX, 1U << 20,   1ULL << 40};
    uint64_t value = edges[draw_below(seed, sizeof edges / sizeof edges[0])];
    size_t width = (size_t)1 << draw_below(seed, 4);
    if (width > input->size)
        return;
    size_t at = draw_below(seed, input->size - width + 1);
    for (size_t i = 0; i < width; i++)
        input->data[at + i] = (uint8_t)(value >> (8 * i));
}

static void remove_bytes(struct input *input, uint64_t *seed)
{
    size_t at = draw_below(seed, input->size);
    size_t count = draw_below(seed, input->size - at + 1);
    memmove(input->data + at, input->data + at + count, input->size - at - count);
    input->size -= count;
}

/* Copies bytes from anywhere in `source` into the input; its buffer holds size_max bytes. */
static void insert_bytes(struct input *input, const struct input *source, size_t size_max,
                         uint64_t *seed)
{
    size_t from = draw_below(seed, source->size);
    size_t count = draw_below(seed, source->size - from + 1);
    size_t at = draw_below(seed, input->size + 1);
    if (count > size_max - input->size)
        count = size_max - input->size;
    memmove(input->data + at + count, input->data + at, input->size - at);
    memcpy(input->data + at, source->data + from, count);
    input->size += count;
}

static void mutate(struct input *input, const struct input *other, size_t size_max, uint64_t *seed)
{
    switch (draw_below(seed, 6)) {
    case 0:
        if (input->size > 0)
            input->data[draw_below(seed, input->size)] ^= (uint8_t)(1U << draw_below(seed, 8));
        break;
    case 1:
        if (input->size > 0)
            input->data[draw_below(seed, input->size)] = (uint8_t)draw(seed);
        break;
    case 2:
        put_edge_value(input, seed);
        break;
    case 3:
        input->size = draw_below(seed, input->size + 1);
        break;
    case 4:
        remove_bytes(input, seed);
        break;
    default:
        insert_bytes(input, other, size_max, seed);
        break;
    }
}

/* The target gets a copy of exactly the input's size, so that a sanitizer sees a read past it. */
static void try_input(const struct input *input, const struct options *options)
{
    current = (struct input){.data = allocate(input->size), .size = input->size};
    if (input->size > 0)
        memcpy(current.data, input->data, input->size);
    alarm((unsigned int)options->timeout_s);
    LLVMFuzzerTestOneInput(current.data, current.size);
    alarm(0);
    free(current.data);
    current = (struct input){0};
}

static void try_mutations(const struct corpus *corpus, const struct options *options)
{
    uint64_t seed = options->seed;
    struct input input = {.data = allocate(options->size_max)};
    time_t end = time(NULL) + (time_t)options->total_time_s;
    uint64_t run = 0;
    for (; options->runs == 0 || run < options->runs; run++) {
        if (options->total_time_s > 0 && time(NULL) > end)
            break;
        const struct input *start = &corpus->inputs[draw_below(&seed, corpus->count)];
        const struct input *other = &corpus->inputs[draw_below(&seed, corpus->count)];
        input.size = start->size < options->size_max ? start->size : options->size_max;
        memcpy(input.data, start->data, input.size);
        for (size_t left = 1 + draw_below(&seed, MUTATIONS_MAX); left > 0; left--)
            mutate(&input, other, options->size_max, &seed);
        try_input(&input, options);
    }
    free(input.data);
    printf("driver: %" PRIu64 " mutations, seed %" PRIu64 "\n", run, options->seed);
}

/* Takes "-name=number"; false if it is not this option. */
static bool take_option(const char *argument, const char *name, uint64_t *value)
{
    size_t size = strlen(name);
    if (strncmp(argument, name, size) != 0 || argument[size] != '=')
        return false;
    char *end;
    errno = 0;
    *value = strtoull(argument + size + 1, &end, 10);
    if (*end != '\0' || end == argument + size + 1)
        errno = EINVAL;
    if (errno != 0)
        give_up("no number in", argument);
    return true;
}

int main(int argument_count, char **arguments)
{
    static struct corpus corpus;
    struct options options = {.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32,
                              .timeout_s = TIMEOUT_DEFAULT_S,
                              .size_max = INPUT_BYTES_DEFAULT};
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argument_count, &arguments);
    for (int i = 1; i < argument_count; i++) {
        const char *argument = arguments[i];
        if (!take_option(argument, "-seed", &options.seed) &&
            !take_option(argument, "-runs", &options.runs) &&
            !take_option(argument, "-max_total_time", &options.total_time_s) &&
            !take_option(argument, "-max_len", &options.size_max) &&
            !take_option(argument, "-timeout", &options.timeout_s))
            add_path(&corpus, argument);
    }
    catch_deaths();
    printf("driver: %zu inputs of the corpus\n", corpus.count);
    for (size_t i = 0; i < corpus.count; i++)
        try_input(&corpus.inputs[i], &options);
    if (corpus.count == 0)
        corpus.inputs[corpus.count++] = (struct input){.data = allocate(0)};
    if (options.runs > 0 || options.total_time_s > 0)
        try_mutations(&corpus, &options);
    for (size_t i = 0; i < corpus.count; i++)
        free(corpus.inputs[i].data);
    return 0;
}
