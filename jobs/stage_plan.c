/* stage_plan.c - orders the stages of a job, and knows how they refer to each other's results. */
#include "stage_plan.h"

#include "../scheduler/memory.h"
#include "job_path.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char reference_end[] = ".result}";

void stage_plan_destroy(struct stage_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->stages[i].name);
        free(plan->stages[i].after);
        free(plan->stages[i].reads);
        job_close(&plan->stages[i].job);
    }
    free(plan->stages);
    free(plan);
}

/* The length of the name at the start of `text`, 0 when there is none. */
static size_t match_name(const char *text)
{
    size_t length = 0;
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_' || text[length] == '-')
        length++;
    return length <= STAGE_NAME_BYTES_MAX ? length : 0;
}

bool stage_name_is_valid(const char *name)
{
    size_t length = match_name(name);
    return length > 0 && name[length] == '\0';
}

size_t stage_plan_find(const struct stage_plan *plan, const char *name, size_t length)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strlen(plan->stages[i].name) == length &&
            memcmp(plan->stages[i].name, name, length) == 0)
            return i;
    return plan->count;
}

/* Marks all that `stage` waits for. */
static void mark_before(const struct stage_plan *plan, size_t stage, bool *is_before)
{
    for (size_t i = 0; i < plan->stages[stage].after_count; i++) {
        size_t earlier = plan->stages[stage].after[i];
        if (is_before[earlier])
            continue;
        is_before[earlier] = true;
        mark_before(plan, earlier, is_before);
    }
}

bool stage_plan_is_after(const struct stage_plan *plan, size_t later, size_t earlier)
{
    bool is_before[STAGES_MAX] = {false};
    mark_before(plan, later, is_before);
    return is_before[earlier];
}

bool stage_plan_is_last(const struct stage_plan *plan, size_t stage)
{
    for (size_t i = 0; i < plan->count; i++)
        for (size_t j = 0; j < plan->stages[i].after_count; j++)
            if (plan->stages[i].after[j] == stage)
                return false;
    return true;
}

static bool is_ready(const struct stage *stage, const enum stage_state *states)
{
    for (size_t i = 0; i < stage->after_count; i++)
        if (states[stage->after[i]] != STAGE_DONE)
            return false;
    return true;
}

size_t stage_plan_next(const struct stage_plan *plan, const enum stage_state *states)
{
    size_t next = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        if (states[i] != STAGE_WAITING || !is_ready(&plan->stages[i], states))
            continue;
        if (next == plan->count || plan->stages[i].priority > plan->stages[next].priority)
            next = i;
    }
    return next;
}

/* Stages without a cycle behind them are taken away until nothing changes. Who is left waits for
 * somebody who is left, so that walking from one to the next comes back at last. */
size_t stage_plan_find_cycle(const struct stage_plan *plan, size_t cycle[STAGES_MAX])
{
    enum stage_state states[STAGES_MAX] = {STAGE_WAITING};
    for (size_t next; (next = stage_plan_next(plan, states)) < plan->count;)
        states[next] = STAGE_DONE;
    size_t at = 0;
    while (at < plan->count && states[at] == STAGE_DONE)
        at++;
    if (at == plan->count)
        return 0;
    size_t place[STAGES_MAX] = {0}; /* 1 and up: where in the walk a stage stands */
    size_t count = 0;
    while (place[at] == 0) {
        const struct stage *stage = &plan->stages[at];
        cycle[count] = at;
        place[at] = ++count;
        size_t i = 0;
        while (states[stage->after[i]] == STAGE_DONE)
            i++;
        at = stage->after[i];
    }
    size_t first = place[at] - 1;
    memmove(cycle, cycle + first, (count - first) * sizeof *cycle);
    return count - first;
}

size_t stage_reference_match(const char *text, size_t *name_length)
{
    size_t length = text[0] == '{' ? match_name(text + 1) : 0;
    if (length == 0 || strncmp(text + 1 + length, reference_end, strlen(reference_end)) != 0)
        return 0;
    *name_length = length;
    return 1 + length + strlen(reference_end);
}

const char *stage_reference_find(const char *text, size_t *name_length)
{
    for (const char *at = text; (at = strchr(at, '{')) != NULL; at++)
        if (stage_reference_match(at, name_length) > 0)
            return at;
    return NULL;
}

bool stage_reference_is_whole(const char *text)
{
    size_t name_length;
    size_t length = stage_reference_match(text, &name_length);
    return length > 0 && text[length] == '\0';
}

int stage_plan_resolve(const struct stage_plan *plan, size_t number, char *const *results,
                       struct sheaf_error *error)
{
    struct stage *stage = &plan->stages[number];
    struct split *split = &stage->job.split;
    split->result_paths = memory_allocate_zeroed(split->pattern_count, sizeof(char *));
    for (size_t i = 0; i < split->pattern_count; i++) {
        if (!stage_reference_is_whole(split->patterns[i]))
            continue;
        size_t length = strlen(split->patterns[i]) - strlen(reference_end) - 1;
        const char *path = results[stage_plan_find(plan, split->patterns[i] + 1, length)];
        free(split->patterns[i]);
        split->patterns[i] = job_path_escape(path);
        split->result_paths[split->result_count++] = memory_copy_string(path);
    }
    for (size_t i = 0; i < plan->count; i++) {
        if (!stage->reads[i])
            continue;
        char name[STAGE_NAME_BYTES_MAX + sizeof ".result"];
        snprintf(name, sizeof name, "%s.result", plan->stages[i].name);
        int code = parameter_list_set_string(&stage->job.parameters, name, results[i], error);
        if (code != 0)
            return code;
    }
    return 0;
}

int stage_plan_check(const struct stage_plan *plan, struct sheaf_error *error)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct stage *stage = &plan->stages[i];
        struct sheaf_error cause;
        int code = stage->after_count > 0 ? job_check_program(&stage->job, &cause)
                                          : job_check(&stage->job, &cause);
        if (code != 0)
            return sheaf_error_set(error, code, "stage \"%s\": %.1500s", stage->name, cause.text);
    }
    return 0;
}
