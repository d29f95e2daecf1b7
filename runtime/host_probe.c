/* host_probe.c - asks the hosts of a run whether they are there, in the way mpirun will. */
#include "host_probe.h"

#include "../scheduler/memory.h"
#include "../scheduler/scheduler.h"
#include "inquiry.h"
#include "mpirun.h"

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

/* The last line that says anything. */
static void explain(struct host *host, const struct inquiry *inquiry, uint64_t timeout_ns)
{
    const char *end = inquiry->text + strlen(inquiry->text);
    while (end > inquiry->text && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    const char *begin = end;
    while (begin > inquiry->text && begin[-1] != '\n')
        begin--;
    if (end > begin)
        snprintf(host->reason, sizeof host->reason, "%.*s", (int)(end - begin), begin);
    else if (!inquiry->has_ended)
        snprintf(host->reason, sizeof host->reason, "no answer within %" PRIu64 " s",
                 timeout_ns / SHEAF_NS_PER_S);
    else
        snprintf(host->reason, sizeof host->reason, "%s ended with status %d", inquiry->words[0],
                 inquiry->exit_status);
}

void host_probe_all(struct host_list *list, const struct host_probe_options *options)
{
    enum { TEXT_BYTES = 1024 };
    struct agent agent = {.count = 0};
    choose_agent(&agent, options);
    if (agent.count == 0 || list->count == 0)
        return;
    struct inquiry *inquiries = memory_allocate_zeroed(list->count, sizeof *inquiries);
    const char **words = memory_allocate_zeroed(list->count, (agent.count + 3) * sizeof *words);
    char *texts = memory_allocate_zeroed(list->count, TEXT_BYTES);
    for (size_t i = 0; i < list->count; i++) {
        const char **own = words + i * (agent.count + 3);
        memcpy(own, agent.words, agent.count * sizeof *own);
        own[agent.count] = list->hosts[i].name;
        own[agent.count + 1] = "true";
        inquiries[i] = (struct inquiry){.words = own,
                                        .stream = STDERR_FILENO,
                                        .is_needless = is_this_host,
                                        .context = list->hosts[i].name,
                                        .text = texts + i * TEXT_BYTES,
                                        .text_bytes = TEXT_BYTES};
    }
    inquiries_run(inquiries, list->count, options->timeout_ns, options->stop);
    for (size_t i = 0; i < list->count && !options->stop->is_asked; i++) {
        struct host *host = &list->hosts[i];
        if (inquiries[i].start_errno != 0)
            continue; /* nothing was learned about it */
        bool is_here = inquiries[i].has_ended && inquiries[i].exit_status == INQUIRY_NEEDLESS;
        bool has_answered = inquiries[i].has_ended && inquiries[i].exit_status == 0;
        host->is_gone = !is_here && !has_answered;
        host->has_answered |= has_answered;
        if (host->is_gone)
            explain(host, &inquiries[i], options->timeout_ns);
    }
    free(texts);
    free(words);
    free(inquiries);
}
