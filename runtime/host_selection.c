/* host_selection.c - which hosts the next start of a run uses, and what people are told of it. */
#include "host_selection.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "host_probe.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* For a host to answer, at least: a login can be slow. Else twice --lost-after. */
#define PROBE_NS_MIN  (5 * SHEAF_NS_PER_S)
/* When it is not the first time, the run stands still meanwhile, and how fast hosts are is known:
 * for another to answer, when some have, unless --lost-after is more; and for those alone that did
 * not the last time. */
#define QUIET_NS_MIN  (3 * SHEAF_NS_PER_S)
#define GONE_QUIET_NS SHEAF_NS_PER_S

enum { NAMES_MAX = 3, LINES_MAX = 5 };

static void __attribute__((format(printf, 2, 3)))
say(const struct host_selection *selection, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length >= 0)
        selection->say(selection->context, text);
    free(text);
}

/* A way of asking that has never reached any host says nothing about them: mpirun may know another.
 * Unless it does not get there either. */
static bool says_something(const struct host_selection *selection)
{
    return host_list_has_answered(selection->list) || selection->has_failed_to_start;
}

/* ssh finds no address for the name: then mpirun, which uses it, has none either. */
static bool is_unknown(const struct host *host)
{
    return strstr(host->reason, "Could not resolve hostname") != NULL;
}

/* Two hosts are out for the same reason: but for their own names in it. */
static bool are_out_alike(const struct host *left, const struct host *right)
{
    const char *a = left->reason;
    const char *b = right->reason;
    size_t a_size = strlen(left->name);
    size_t b_size = strlen(right->name);
    while (*a != '\0' && *b != '\0') {
        if (strncmp(a, left->name, a_size) == 0 && strncmp(b, right->name, b_size) == 0) {
            a += a_size;
            b += b_size;
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

/* "a, b, c and 297 more": the first ones of those that are marked. */
static char *format_names(const struct host_list *list, const bool *is_marked, size_t count)
{
    char *text = memory_copy_string("");
    size_t shown = 0;
    for (size_t i = 0; i < list->count && shown < NAMES_MAX; i++) {
        if (!is_marked[i])
            continue;
        char *longer = NULL;
        if (asprintf(&longer, "%s%s%s", text, shown++ > 0 ? ", " : "", list->hosts[i].name) < 0)
            continue;
        free(text);
        text = longer;
    }
    char *longer = NULL;
    if (count > shown && asprintf(&longer, "%s and %zu more", text, count - shown) >= 0) {
        free(text);
        text = longer;
    }
    return text;
}

/* Those that are out since now, in groups by their reasons; a few of these are told. */
static void tell_gone(const struct host_selection *selection, bool *is_news)
{
    const struct host_list *list = selection->list;
    bool *is_alike = memory_allocate_zeroed(list->count, sizeof *is_alike);
    size_t lines = 0;
    size_t untold = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t alike = 0;
        untold += is_news[i] && lines == LINES_MAX;
        if (!is_news[i] || lines == LINES_MAX)
            continue;
        for (size_t j = i; j < list->count; j++) {
            is_alike[j] = is_news[j] && are_out_alike(&list->hosts[i], &list->hosts[j]);
            alike += is_alike[j];
            is_news[j] = is_news[j] && !is_alike[j];
        }
        char *names = format_names(list, is_alike, alike);
        if (alike > 1)
            say(selection, "warning: %zu hosts are left out, %s: %s", alike, names,
                list->hosts[i].reason);
        else
            say(selection, "warning: host %s is left out: %s", names, list->hosts[i].reason);
        memset(is_alike, 0, list->count * sizeof *is_alike);
        free(names);
        lines++;
    }
    if (untold > 0)
        say(selection, "warning: %zu more hosts are left out, for other reasons", untold);
    free(is_alike);
}

static void tell_back(const struct host_selection *selection, const bool *is_news, size_t count)
{
    char *names = format_names(selection->list, is_news, count);
    if (count > 1)
        say(selection, "%zu hosts are there again, and are used again: %s", count, names);
    else if (count == 1)
        say(selection, "host %s is there again, and is used again", names);
    free(names);
}

static void tell(const struct host_selection *selection, const bool *was_gone)
{
    const struct host_list *list = selection->list;
    bool *is_news = memory_allocate_zeroed(list->count, sizeof *is_news);
    size_t back = 0;
    for (size_t i = 0; i < list->count; i++)
        is_news[i] = list->hosts[i].is_gone && !was_gone[i];
    tell_gone(selection, is_news);
    for (size_t i = 0; i < list->count; i++) {
        is_news[i] = !list->hosts[i].is_gone && was_gone[i];
        back += is_news[i];
    }
    tell_back(selection, is_news, back);
    free(is_news);
}

/* Without those on which the last start failed, if then some are left. */
static void leave_out_blamed(struct host_list *list)
{
    size_t blamed = 0;
    for (size_t i = 0; i < list->count; i++)
        blamed += !list->hosts[i].is_gone && list->hosts[i].has_failed_start;
    if (blamed == host_list_usable_count(list))
        return;
    for (size_t i = 0; i < list->count; i++) {
        struct host *host = &list->hosts[i];
        if (host->is_gone || !host->has_failed_start)
            continue;
        host->is_gone = true;
        snprintf(host->reason, sizeof host->reason, "the last start failed there: %.200s",
                 host->blame);
    }
}

void host_selection_ask(struct host_selection *selection)
{
    struct host_list *list = selection->list;
    uint64_t lost_after_ns = selection->options->lost_after_ns;
    struct host_probe_options options = {
        .options = selection->options,
        .program = selection->program,
        .timeout_ns = 2 * lost_after_ns > PROBE_NS_MIN ? 2 * lost_after_ns : PROBE_NS_MIN,
        .quiet_ns = lost_after_ns > QUIET_NS_MIN ? lost_after_ns : QUIET_NS_MIN,
        .gone_quiet_ns = GONE_QUIET_NS,
        .stop = selection->stop,
    };
    if (!selection->has_asked)
        options.quiet_ns = options.gone_quiet_ns = UINT64_MAX;
    bool *was_gone = memory_allocate_zeroed(list->count, sizeof *was_gone);
    for (size_t i = 0; i < list->count; i++)
        was_gone[i] = list->hosts[i].is_gone;
    host_probe_all(list, &options);
    selection->has_asked = true;
    if (!says_something(selection))
        for (size_t i = 0; i < list->count; i++)
            list->hosts[i].is_gone &= is_unknown(&list->hosts[i]);
    leave_out_blamed(list);
    tell(selection, was_gone);
    free(was_gone);
}

bool host_selection_blame(struct host_selection *selection, const char *host, const char *reason)
{
    struct host_list *list = selection->list;
    for (size_t i = 0; i < list->count; i++) {
        struct host *blamed = &list->hosts[i];
        if (blamed->is_gone || !host_is_called(blamed, host))
            continue;
        blamed->has_failed_start = host_list_usable_count(list) > 1;
        snprintf(blamed->blame, sizeof blamed->blame, "%s", reason);
        return blamed->has_failed_start;
    }
    return false;
}

void host_selection_forget_blame(struct host_selection *selection)
{
    for (size_t i = 0; i < selection->list->count; i++)
        selection->list->hosts[i].has_failed_start = false;
}
