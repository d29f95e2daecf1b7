/* wordcount.c - how often each word stands in a set of text files.
 *
 * A word is a run of the letters A-Z and a-z, in lower case. The job's split `lines` hands each
 * task some whole lines. A result is a table of lines "word count", sorted by word; merge joins two
 * of them like the merge step of merge sort, and finish sorts by count. The output is that of
 *
 *     cat FILES | tr -cs A-Za-z '\n' | grep . | tr A-Z a-z | LC_ALL=C sort | uniq -c |
 *         LC_ALL=C sort -k1,1nr -k2
 */
#include <sheaf.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const char *word; /* `length` bytes, not terminated */
    size_t length;
    uint64_t count;
};

static int compare_words(const struct entry *a, const struct entry *b)
{
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->word, b->word, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_word(const void *a, const void *b)
{
    return compare_words(a, b);
}

static int by_count_then_word(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    return left->count != right->count ? (left->count < right->count ? 1 : -1)
                                       : compare_words(left, right);
}

static int emit_entry(struct sheaf_context *context, const struct entry *entry)
{
    int status = sheaf_emit(context, entry->word, entry->length);
    return status != 0 ? status : sheaf_emit_text(context, " %" PRIu64 "\n", entry->count);
}

/* Reads the next line "word count" of a table; 0 at its end. */
static int next_entry(struct sheaf_bytes *table, struct entry *entry)
{
    const char *text = table->data;
    if (table->size == 0)
        return 0;

    const char *space = memchr(text, ' ', table->size);
    char *end;
    *entry = (struct entry){.word = text, .length = (size_t)(space - text)};
    entry->count = strtoull(space + 1, &end, 10); /* ends at the newline */
    table->size -= (size_t)(end + 1 - text);
    table->data = end + 1;
    return 1;
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    size_t size = task->input.size;
    char *text = malloc(size + 1); /* the input in lower case, 0 for what is no letter */
    struct entry *entries = malloc((size / 2 + 1) * sizeof *entries);
    size_t count = 0;
    int status = 0;

    if (text == NULL || entries == NULL) {
        free(entries);
        free(text);
        return sheaf_fail(context, "no memory for %zu bytes of text", size);
    }
    for (size_t i = 0; i <= size; i++) {
        char c = i < size ? ((const char *)task->input.data)[i] : 0;
        text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c >= 'a' && c <= 'z' ? c : 0;
        if (text[i] == 0)
            continue;
        if (i == 0 || text[i - 1] == 0) {
            entries[count++] = (struct entry){.word = text + i};
        }
        entries[count - 1].length++;
    }
    qsort(entries, count, sizeof *entries, by_word);
    for (size_t i = 0, next; i < count && status == 0; i = next) {
        for (next = i; next < count && by_word(&entries[i], &entries[next]) == 0; next++)
            entries[i].count++;
        status = emit_entry(context, &entries[i]);
    }

    free(entries);
    free(text);
    return status;
}

static int merge(struct sheaf_context *context, struct sheaf_bytes left, struct sheaf_bytes right)
{
    struct entry a;
    struct entry b;
    int has_a = next_entry(&left, &a);
    int has_b = next_entry(&right, &b);
    int status = 0;

    while ((has_a || has_b) && status == 0) {
        int order = !has_a ? 1 : !has_b ? -1 : compare_words(&a, &b);
        struct entry first = order <= 0 ? a : b;
        first.count = (order <= 0 ? a.count : 0) + (order >= 0 ? b.count : 0);
        status = emit_entry(context, &first);
        has_a = order <= 0 ? next_entry(&left, &a) : has_a;
        has_b = order >= 0 ? next_entry(&right, &b) : has_b;
    }
    return status;
}

static int finish(struct sheaf_context *context, struct sheaf_bytes result)
{
    struct entry *entries = malloc((result.size / 4 + 1) * sizeof *entries); /* "a 1\n" at least */
    size_t count = 0;
    int status = 0;

    if (entries == NULL)
        return sheaf_fail(context, "no memory for a table of %zu bytes", result.size);
    while (next_entry(&result, &entries[count]))
        count++;
    qsort(entries, count, sizeof *entries, by_count_then_word);
    for (size_t i = 0; i < count && status == 0; i++) {
        status = sheaf_emit_text(context, "%7" PRIu64 " %.*s\n", entries[i].count,
                                 (int)entries[i].length, entries[i].word);
    }

    free(entries);
    return status;
}

SHEAF_PLUGIN(.run = run, .merge = merge, .finish = finish)
