/* host_probe.c - asks the hosts of a run whether ranks can start there, in the way mpirun will. */
#include "host_probe.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "host_answer.h"
#include "inquiry.h"
#include "mpirun.h"
#include "start_room.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORDS_MAX = 40, OWN_WORDS_MAX = 8, AGENT_BYTES = 4096 };

/* What starts a command on a host: words before the host's name. */
struct agent {
    char text[AGENT_BYTES]; /* holds the words that the user gave */
    char connect_timeout[64];
    const char *words[WORDS_MAX];
    size_t count;
};

/* Open MPI 4.1 and 5, and older names of the same. */
static const char *const agent_parameters[] = {"plm_rsh_agent", "plm_ssh_agent", "orte_rsh_agent",
                                               "pls_rsh_agent"};

static const char *find_user_agent(const struct run_options *options)
{
    for (size_t i = 0; i < sizeof agent_parameters / sizeof *agent_parameters; i++) {
        const char *value = mpirun_find_parameter(options, agent_parameters[i]);
        if (value != NULL)
            return value;
    }
    return NULL;
}

bool host_probe_is_by_slurm(const struct run_options *options)
{
    const char *launcher = mpirun_find_parameter(options, "plm");
    bool is_by_agent =
        launcher != NULL ? strcmp(launcher, "slurm") != 0 : find_user_agent(options) != NULL;
    return getenv("SLURM_JOB_ID") != NULL && !is_by_agent;
}

static void add_words(struct agent *agent, const char *const *words)
{
    for (; *words != NULL && agent->count + OWN_WORDS_MAX < WORDS_MAX; words++)
        agent->words[agent->count++] = *words;
}

/* "ssh -q : rsh": words apart by blanks, and what to take if the first is not there. */
static void add_agent(struct agent *agent, const char *text)
{
    snprintf(agent->text, sizeof agent->text, "%.*s", (int)strcspn(text, ":"), text);
    char *state;
    for (char *word = strtok_r(agent->text, " \t", &state);
         word != NULL && agent->count + OWN_WORDS_MAX < WORDS_MAX;
         word = strtok_r(NULL, " \t", &state))
        agent->words[agent->count++] = word;
}

static void choose_agent(struct agent *agent, const struct host_probe_options *options)
{
    static const char *const slurm[] = {"srun", "--overlap", "--mem=0", "-N1", "-n1", "-w", NULL};
    if (host_probe_is_by_slurm(options->options)) {
        add_words(agent, slurm);
        return;
    }
    const char *text = find_user_agent(options->options);
    add_agent(agent, text != NULL ? text : "ssh");
    if (agent->count == 0)
        return;
    const char *slash = strrchr(agent->words[0], '/');
    snprintf(agent->connect_timeout, sizeof agent->connect_timeout, "ConnectTimeout=%" PRIu64,
             options->timeout_ns / SHEAF_NS_PER_S > 1 ? options->timeout_ns / SHEAF_NS_PER_S - 1
                                                      : 1);
    const char *const ssh[] = {"-x", "-o", "BatchMode=yes", "-o", agent->connect_timeout,
                               "--", NULL};
    if (strcmp(slash != NULL ? slash + 1 : agent->words[0], "ssh") == 0)
        add_words(agent, ssh);
}

/* Whether a socket of this host can have the name's address. */
static bool has_own_address(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool is_own = false;
    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return false;
    for (const struct addrinfo *at = found; at != NULL && !is_own; at = at->ai_next) {
        int descriptor = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
            continue;
        is_own = bind(descriptor, at->ai_addr, at->ai_addrlen) == 0;
        close(descriptor);
    }
    freeaddrinfo(found);
    return is_own;
}

/* In a process of its own: looking up an address may take long. */
static bool is_this_host(const void *context)
{
    const char *name = context;
    char own[256] = "";
    gethostname(own, sizeof own - 1);
    size_t size = strcspn(own, ".");
    bool is_own_name =
        strcmp(name, own) == 0 || (strncmp(name, own, size) == 0 && name[size] == '\0' && size > 0);
    return is_own_name || strcmp(name, "localhost") == 0 || has_own_address(name);
}

/* For a login shell; Slurm's srun has none. The caller owns it. */
static char *quote_for_agent(const struct run_options *options, const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+";
    if (host_probe_is_by_slurm(options) || path[strspn(path, plain)] == '\0')
        return memory_copy_string(path);
    char *text = memory_allocate(4 * strlen(path) + sizeof "''");
    char *end = text;
    *end++ = '\'';
    for (; *path != '\0'; path++) {
        if (*path == '\'')
            end = stpcpy(end, "'\\'");
        *end++ = *path;
    }
    strcpy(end, "'");
    return text;
}

/* mpirun itself needs room for its session here, or nothing starts at all: that is told when it is
 * so. What its ranks share they need only where there are any. */
static void look_at_this_host(struct host *host)
{
    char own[256] = "";
    gethostname(own, sizeof own - 1);
    free(host->own_name);
    host->own_name = memory_copy_string(own);
    host->is_gone = !start_room_check_shared(host->reason, sizeof host->reason);
}

static void take_answer(struct host *host, const struct inquiry *inquiry,
                        const struct host_probe_options *options)
{
    const struct host_answer answer = {
        .text = inquiry->text,
        .exit_status = inquiry->has_ended ? inquiry->exit_status : -1,
        .program = options->program,
    };
    if (inquiry->has_ended && inquiry->exit_status == INQUIRY_NEEDLESS) {
        look_at_this_host(host);
        return;
    }
    host->reason[0] = '\0';
    host_answer_take(&answer, host);
    if (!host->is_gone || host->reason[0] != '\0')
        return;
    if (inquiry->has_ended)
        snprintf(host->reason, sizeof host->reason, "%s ended with status %d", inquiry->words[0],
                 inquiry->exit_status);
    else if (inquiry->deadline_ns < inquiry->last_deadline_ns)
        snprintf(host->reason, sizeof host->reason, "no answer, while others have answered");
    else
        snprintf(host->reason, sizeof host->reason, "no answer within %" PRIu64 " s",
                 options->timeout_ns / SHEAF_NS_PER_S);
}

void host_probe_all(struct host_list *list, const struct host_probe_options *options)
{
    enum { TEXT_BYTES = 4096, QUESTION_WORDS = 4 };
    struct agent agent = {.count = 0};
    choose_agent(&agent, options);
    if (agent.count == 0 || list->count == 0)
        return;
    struct inquiry *inquiries = memory_allocate_zeroed(list->count, sizeof *inquiries);
    size_t word_count = agent.count + QUESTION_WORDS + 1;
    const char **words = memory_allocate_zeroed(list->count, word_count * sizeof *words);
    char *texts = memory_allocate_zeroed(list->count, TEXT_BYTES);
    char *program = quote_for_agent(options->options, options->program);
    for (size_t i = 0; i < list->count; i++) {
        const char **own = words + i * word_count;
        memcpy(own, agent.words, agent.count * sizeof *own);
        own[agent.count] = list->hosts[i].name;
        own[agent.count + 1] = program;
        own[agent.count + 2] = HOST_ANSWER_COMMAND;
        own[agent.count + 3] = HOST_ANSWER_OPTION;
        inquiries[i] = (struct inquiry){.words = own,
                                        .stream = INQUIRY_BOTH_STREAMS,
                                        .is_needless = is_this_host,
                                        .context = list->hosts[i].name,
                                        .is_doubtful = list->hosts[i].is_gone,
                                        .text = texts + i * TEXT_BYTES,
                                        .text_bytes = TEXT_BYTES};
    }
    const struct inquiry_patience patience = {.timeout_ns = options->timeout_ns,
                                              .quiet_ns = options->quiet_ns,
                                              .doubtful_quiet_ns = options->gone_quiet_ns,
                                              .stop = options->stop};
    inquiries_run_patiently(inquiries, list->count, &patience);
    for (size_t i = 0; i < list->count && !options->stop->is_asked; i++)
        if (inquiries[i].start_errno == 0) /* else nothing was learned about it */
            take_answer(&list->hosts[i], &inquiries[i], options);
    free(program);
    free(texts);
    free(words);
    free(inquiries);
}
