/* primes.c - how many primes there are up to `limit`: a segmented sieve.
 *
 * Each task counts the primes of one segment of equal length. prepare finds the primes up to the
 * root of the limit once in each worker; every executor reads the same copy of them. merge adds,
 * and finish prints. */
#include <sheaf.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct sieve {
    uint64_t limit;
    uint64_t prime_count;
    uint32_t *primes; /* all primes up to the root of the limit, ascending */
};

static int prepare(struct sheaf_context *context, void **shared)
{
    int64_t limit = sheaf_parameter_integer(context, "limit");
    if (limit < 0 || limit > INT64_C(1000000000000000))
        return sheaf_fail(context, "limit is %" PRId64 ", not within 0 and 10^15", limit);

    uint64_t root = 1;
    while ((root + 1) * (root + 1) <= (uint64_t)limit)
        root++;

    struct sieve *sieve = calloc(1, sizeof *sieve);
    unsigned char *composite = calloc(root + 1, 1);
    uint32_t *primes = calloc(root + 1, sizeof *primes);
    if (sieve == NULL || composite == NULL || primes == NULL) {
        free(primes);
        free(composite);
        free(sieve);
        return sheaf_fail(context, "no memory for the primes up to %" PRIu64, root);
    }

    *sieve = (struct sieve){.limit = (uint64_t)limit, .primes = primes};
    for (uint64_t n = 2; n <= root; n++) {
        if (composite[n])
            continue;
        primes[sieve->prime_count++] = (uint32_t)n;
        for (uint64_t multiple = n * n; multiple <= root; multiple += n)
            composite[multiple] = 1;
    }

    free(composite);
    *shared = sieve;
    return 0;
}

/* Numbers in each segment, so that all tasks together cover 0 .. limit. */
static uint64_t segment_length(const struct sheaf_context *context)
{
    const struct sieve *sieve = sheaf_shared(context);
    return sieve->limit / sheaf_task_count(context) + 1;
}

/* The executor's own state: one segment, a byte a number. */
static int open_segment(struct sheaf_context *context, void **local)
{
    *local = malloc(segment_length(context));
    return *local != NULL ? 0 : sheaf_fail(context, "no memory for a segment: use more tasks");
}

static void close_segment(struct sheaf_context *context, void *local)
{
    (void)context;
    free(local);
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    const struct sieve *sieve = sheaf_shared(context);
    unsigned char *composite = sheaf_local(context);
    uint64_t length = segment_length(context);
    uint64_t first = task->index * length;
    uint64_t end = first + length <= sieve->limit ? first + length : sieve->limit + 1;
    uint64_t count = 0;

    memset(composite, 0, length);
    for (uint64_t i = 0; i < sieve->prime_count; i++) {
        uint64_t prime = sieve->primes[i];
        uint64_t multiple = prime * prime;
        if (multiple >= end)
            break;
        if (multiple < first)
            multiple = (first + prime - 1) / prime * prime;
        for (; multiple < end; multiple += prime)
            composite[multiple - first] = 1;
    }
    for (uint64_t n = first < 2 ? 2 : first; n < end; n++)
        count += !composite[n - first];
    return sheaf_emit(context, &count, sizeof count);
}

static uint64_t count_of(struct sheaf_bytes result)
{
    uint64_t count;
    memcpy(&count, result.data, sizeof count);
    return count;
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    uint64_t count = count_of(left) + count_of(right);
    return sheaf_emit(context, &count, sizeof count);
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    return sheaf_emit_text(context, "%" PRIu64 "\n", count_of(result));
}

SHEAF_PLUGIN(.prepare = prepare, .open = open_segment, .close = close_segment, .run = run,
             .merge = merge, .finish = finish)
