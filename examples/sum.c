/* sum.c - a floating-point sum whose last bits depend on the order of the additions.
 *
 * 1 - 1/2 + 1/3 - 1/4 + ... goes to ln 2. Each task adds `terms` neighbours, smallest index first;
 * merge adds two such sums. Addition of floating-point numbers is not associative, so this is the
 * same in every run only because merge is called in the same order in every run. */
#include <sheaf.h>

#include <inttypes.h>
#include <string.h>

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    uint64_t terms = (uint64_t)sheaf_parameter_integer(context, "terms");
    double sum = 0;

    for (uint64_t k = task->index * terms; k < (task->index + 1) * terms; k++) {
        double term = 1 / (double)(k + 1);
        sum += k % 2 == 0 ? term : -term;
    }
    return sheaf_emit(context, &sum, sizeof sum);
}

static double sum_of(struct sheaf_bytes result)
{
    double sum;
    memcpy(&sum, result.data, sizeof sum);
    return sum;
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    double sum = sum_of(left) + sum_of(right);
    return sheaf_emit(context, &sum, sizeof sum);
}

/* All bits of the sum, for a computer and for people. */
static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    return sheaf_emit_text(context, "%a %.17g\n", sum_of(result), sum_of(result));
}

SHEAF_PLUGIN(.run = run, .merge = merge, .finish = finish)
