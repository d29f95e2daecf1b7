/* test_hosts.c - the hosts of a run are read from where they are given, and asked whether they
 * live.
 */
#include "../../runtime/host_probe.h"
#include "../../runtime/host_selection.h"
#include "../../runtime/host_slots.h"
#include "installation.h"
#include "scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void forget_batch_systems(void)
{
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_JOB_NUM_NODES");
    unsetenv("SLURM_JOB_NODELIST");
    unsetenv("PBS_NODEFILE");
}

static struct host_list given_list(const struct run_options *options)
{
    struct host_list list;
    assert_int_equal(host_list_read(options, &list, NULL), 0);
    return list;
}

static struct host_list given_hostfile(const char *text)
{
    struct scratch scratch = given_scratch();
    struct scratch_path path = scratch_write(&scratch, "hosts", text, strlen(text));
    struct host_list list = given_list(&(struct run_options){.hostfile = path.text});
    scratch_remove(&scratch);
    return list;
}

/* As mpirun would be told if a host that is not in the list had gone. Closes the list. */
static void assert_list(struct host_list *list, const char *expected)
{
    char text[1000] = "";
    for (size_t i = 0; i < list->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s:%u ", list->hosts[i].name,
                 list->hosts[i].slots);
    assert_string_equal(text, expected);
    host_list_close(list);
}

/* A program in the scratch folder. */
static struct scratch_path given_script(const struct scratch *scratch, const char *name,
                                        const char *text)
{
    struct scratch_path path = scratch_write(scratch, name, text, strlen(text));
    assert_int_equal(chmod(path.text, 0755), 0);
    return path;
}

static void each_host_is_listed_once_with_its_slots(void **state)
{
    (void)state;
    forget_batch_systems();
    struct host_list list = given_list(&(struct run_options){.host = NULL});
    assert_int_equal(host_list_usable_count(&list), 0);
    list = given_list(&(struct run_options){.host = "a,b:4,a,,c"});
    assert_int_equal(host_list_usable_count(&list), 3);
    assert_list(&list, "a:2 b:4 c:1 ");
    list =
        given_hostfile("# all\n a slots=4\nb max_slots=9 slots = 2\n\nc#\nd max_slots=3\r\nlast");
    assert_list(&list, "a:4 b:2 c:0 d:0 last:0 ");
}

static void hosts_of_a_batch_system_are_found(void **state)
{
    (void)state;
    forget_batch_systems();
    struct scratch scratch = given_scratch();
    struct scratch_path nodes = scratch_write(&scratch, "nodes", "a\na\nb\n", 6);
    setenv("PBS_NODEFILE", nodes.text, 1);
    struct host_list list = given_list(&(struct run_options){.host = NULL});
    assert_list(&list, "a:2 b:1 ");
    given_script(&scratch, "scontrol",
                 "#!/bin/sh\n[ \"$*\" = 'show hostnames n[1-2]' ] && printf 'n1\\nn2\\n'\n");
    char *path = strdup(getenv("PATH"));
    setenv("PATH", scratch.path, 1);
    setenv("SLURM_JOB_NUM_NODES", "2", 1);
    setenv("SLURM_JOB_NODELIST", "n[1-2]", 1);
    list = given_list(&(struct run_options){.host = NULL});
    assert_list(&list, "n1:0 n2:0 ");
    setenv("SLURM_JOB_NODELIST", "nobody[1-2]", 1); /* scontrol fails */
    list = given_list(&(struct run_options){.host = NULL});
    assert_int_equal(host_list_usable_count(&list), 2);
    assert_list(&list, "");
    setenv("PATH", path, 1);
    free(path);
    forget_batch_systems();
    scratch_remove(&scratch);
}

static void names_that_only_mpirun_understands_are_left_to_it(void **state)
{
    (void)state;
    forget_batch_systems();
    setenv("SLURM_JOB_ID", "7", 1);
    struct host_list list = given_list(&(struct run_options){.host = "+n0,a"});
    assert_int_equal(host_list_usable_count(&list), 2);
    assert_null(host_list_format(&list, true));
    assert_list(&list, "");
    forget_batch_systems();
}

static void hostfile_without_hosts_is_refused(void **state)
{
    (void)state;
    struct scratch scratch = given_scratch();
    struct scratch_path path = scratch_write(&scratch, "hosts", "# none\n", 7);
    struct run_options options = {.hostfile = path.text};
    struct host_list list;
    struct sheaf_error error;
    assert_int_equal(host_list_read(&options, &list, &error), SHEAF_ERROR_INPUT);
    options.hostfile = "/nowhere/hosts";
    assert_int_equal(host_list_read(&options, &list, &error), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, "/nowhere/hosts"));
    scratch_remove(&scratch);
}

static void assert_refused(const struct run_options *options, const char *where)
{
    struct host_list list;
    struct sheaf_error error;
    assert_int_equal(host_list_read(options, &list, &error), SHEAF_ERROR_INPUT);
    assert_non_null(strstr(error.text, where));
    assert_non_null(strstr(error.text, "name"));
}

static void words_that_are_no_names_of_hosts_are_refused(void **state)
{
    (void)state;
    forget_batch_systems();
    static const char *const words[] = {"-oProxyCommand=touch${IFS}X",
                                        "-F/path",
                                        "a b",
                                        "a;b",
                                        "$(x)",
                                        "a/b",
                                        "'a'",
                                        "\"-o\"",
                                        "@a",
                                        "u@-o",
                                        "-u@a",
                                        "+-o",
                                        "^-F",
                                        "\xc3\xa9",
                                        "a:4,-v",
                                        "a:4;x",
                                        ":4",
                                        "a\nb",
                                        "+",
                                        "@"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert_refused(&(struct run_options){.host = words[i]}, "--host");
    struct host_list list = given_list(&(struct run_options){.host = "u-1@n_1.x,fe80::1%eth0"});
    assert_int_equal(list.count, 2);
    host_list_close(&list);
}

static void hostfiles_are_refused_with_file_and_line(void **state)
{
    (void)state;
    forget_batch_systems();
    static const char *const lines[] = {"-oProxyCommand=x", "a \"-F\"", "a /*", "a\vb", "a\rb",
                                        "b slots=1;x",      "\"-v\"",   "// x"};
    struct scratch scratch = given_scratch();
    char where[sizeof(struct scratch_path) + 20];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[100];
        snprintf(text, sizeof text, "a\n# -v\n%s\n", lines[i]);
        struct scratch_path path = scratch_write(&scratch, "hosts", text, strlen(text));
        snprintf(where, sizeof where, "%s:3: ", path.text);
        assert_refused(&(struct run_options){.hostfile = path.text}, where);
        const char *words[] = {"--default-hostfile", path.text};
        assert_refused(&(struct run_options){.mpi_options = words, .mpi_option_count = 2}, where);
        setenv("PBS_NODEFILE", path.text, 1);
        assert_refused(&(struct run_options){.host = NULL}, where);
        unsetenv("PBS_NODEFILE");
    }
    struct scratch_path nul = scratch_write(&scratch, "hosts", "a\0-v\n", 5);
    assert_refused(&(struct run_options){.hostfile = nul.text}, ":1: ");
    const char *words[] = {"-H", "a,-v"};
    assert_refused(&(struct run_options){.mpi_options = words, .mpi_option_count = 2}, "-H");
    setenv("SLURM_JOB_NUM_NODES", "2", 1);
    setenv("SLURM_JOB_NODELIST", "--help", 1);
    assert_refused(&(struct run_options){.host = NULL}, "SLURM_JOB_NODELIST");
    forget_batch_systems();
    scratch_remove(&scratch);
}

static void hosts_that_are_gone_are_left_out(void **state)
{
    (void)state;
    forget_batch_systems();
    struct host_list list = given_list(&(struct run_options){.host = "a,a,b,c"});
    assert_null(host_list_format(&list, true));
    list.hosts[1].is_gone = true;
    char *text = host_list_format(&list, true);
    assert_string_equal(text, "a:2,c");
    assert_int_equal(host_list_usable_count(&list), 2);
    free(text);
    host_list_close(&list);
}

static void assert_mpirun_hears(struct host_list *list, uint32_t ranks, const char *expected)
{
    host_slots_deal(list, ranks);
    char *text = host_list_format(list, true);
    assert_string_equal(text, expected);
    free(text);
}

static void each_host_gets_a_worker_whatever_its_slots(void **state)
{
    (void)state;
    forget_batch_systems();
    struct host_list list = given_hostfile("h1 slots=1\nh2 slots=4\nh3 slots=2\n");
    assert_mpirun_hears(&list, 4, "h1:2,h2,h3");
    assert_true(list.hosts[0].has_master);
    assert_mpirun_hears(&list, 8, "h1:2,h2:4,h3:2");
    assert_mpirun_hears(&list, 2, "h1,h2");
    list.hosts[0].is_gone = true;
    assert_mpirun_hears(&list, 3, "h2:2,h3");
    assert_true(list.hosts[1].has_master);
    assert_false(list.hosts[0].has_master);
    char *own = host_list_format(&list, false); /* where the user's words say where ranks go */
    assert_string_equal(own, "h2:4,h3:2");
    free(own);
    host_list_close(&list);
    list = given_list(&(struct run_options){.host = "a:1,b"});
    assert_mpirun_hears(&list, 20, "a:2,b:18");
    host_list_close(&list);
}

static void slots_are_found_by_the_name_of_a_host(void **state)
{
    (void)state;
    forget_batch_systems();
    struct host_list list = given_hostfile("h1 slots=1\nh2\nh3.x.org slots=2\nh10 slots=7\n");
    char *text = host_slots_format(&list);
    assert_string_equal(text, "h1=1,h3.x.org=2,h10=7");
    assert_int_equal(host_slots_find(text, "h1"), 1);
    assert_int_equal(host_slots_find(text, "h2"), 0);
    assert_int_equal(host_slots_find(text, "h3"), 2);
    assert_int_equal(host_slots_find(text, "h3.y.org"), 0);
    assert_int_equal(host_slots_find(text, "h10.x.org"), 7);
    assert_int_equal(host_slots_find("10.0.0.1=3", "10.0.0.2"), 0);
    assert_int_equal(host_slots_find(NULL, "h1"), 0);
    free(text);
    host_list_close(&list);
}

static void hostfile_of_another_system_is_read(void **state)
{
    (void)state;
    forget_batch_systems();
    struct host_list list = given_hostfile("a\r\nb slots=2\r\n\r\n");
    assert_mpirun_hears(&list, 3, "a:2,b");
    assert_list(&list, "a:0 b:2 ");
    list = given_hostfile("a\r\nb\r\n");
    assert_mpirun_hears(&list, 3, "a:2,b");
    assert_list(&list, "a:0 b:0 ");
    list = given_hostfile("a slots=1 max_slots=2\nb\n"); /* this is mpirun's to read */
    assert_null(host_list_format(&list, true));
    assert_list(&list, "a:1 b:0 ");
}

static void slots_that_are_none_are_refused_with_file_and_line(void **state)
{
    (void)state;
    forget_batch_systems();
    static const char *const lines[] = {"b slots=-1", "b slots=0",     "b slots=x",    "b slots",
                                        "b slots 4",  "b slots=",      "b slots=4097", "+n0",
                                        "^b",         "b slots=1\r\n", "b slots = 2"};
    enum { BAD = sizeof lines / sizeof *lines - 2 };
    struct scratch scratch = given_scratch();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[100];
        struct host_list list = {.hosts = NULL};
        struct sheaf_error error = {.text = ""};
        snprintf(text, sizeof text, "# all\na\n%s\n", lines[i]);
        struct scratch_path path = scratch_write(&scratch, "hosts", text, strlen(text));
        struct run_options options = {.hostfile = path.text};
        assert_int_equal(host_list_read(&options, &list, &error), i < BAD ? SHEAF_ERROR_INPUT : 0);
        snprintf(text, sizeof text, "%.80s:3: ", path.text);
        assert_true((strncmp(error.text, text, strlen(text)) == 0) == (i < BAD));
        host_list_close(&list);
    }
    struct host_list list;
    struct sheaf_error error;
    struct run_options options = {.host = "a,b:-1"};
    assert_int_equal(host_list_read(&options, &list, &error), SHEAF_ERROR_INPUT);
    options.host = "+n0";
    assert_int_equal(host_list_read(&options, &list, &error), SHEAF_ERROR_INPUT);
    scratch_remove(&scratch);
}

/* Hosts are asked by a script that gets the words after its own name, and leaves them beside it. */
struct probing {
    struct scratch scratch;
    struct scratch_path agent;
    char words[600];
    const char *mpi_options[3];
    struct run_options options;
    struct host_list list;
    struct stop_request stop;
    uint64_t quiet_ns;
};

static void given_probing(struct probing *probing, const char *hosts, const char *script)
{
    forget_batch_systems();
    memset(probing, 0, sizeof *probing);
    probing->scratch = given_scratch();
    probing->agent = given_script(&probing->scratch, "agent", script);
    snprintf(probing->words, sizeof probing->words, "%s -q : rsh", probing->agent.text);
    probing->mpi_options[0] = "--mca";
    probing->mpi_options[1] = "plm_rsh_agent";
    probing->mpi_options[2] = probing->words;
    probing->options = (struct run_options){
        .host = hosts, .mpi_options = probing->mpi_options, .mpi_option_count = 3};
    probing->list = given_list(&probing->options);
    probing->stop.descriptor = -1;
    probing->quiet_ns = UINT64_MAX;
}

static void probe(struct probing *probing, uint64_t timeout_ns)
{
    host_probe_all(&probing->list, &(struct host_probe_options){.options = &probing->options,
                                                                .program = "/bin/sheaf",
                                                                .timeout_ns = timeout_ns,
                                                                .quiet_ns = probing->quiet_ns,
                                                                .stop = &probing->stop});
}

static void probing_close(struct probing *probing)
{
    host_list_close(&probing->list);
    scratch_remove(&probing->scratch);
}

static const char agent_script[] =
    "#!/bin/sh\n"
    "[ \"$1 $3 $4 $5\" = '-q /bin/sheaf version --for-start' ] || exit 9\n"
    "case $2 in\n"
    "good.invalid) exit 0 ;;\n"
    "bad.invalid) printf 'a banner\\nno way\\n\\n' >&2; exit 255 ;;\n"
    "mute.invalid) exit 1 ;;\n"
    "slow.invalid) exec sleep 1000 ;;\n"
    "esac\n"
    "exit 9\n";

static void hosts_are_asked_with_the_users_own_agent(void **state)
{
    (void)state;
    struct probing probing;
    given_probing(&probing, "good.invalid,bad.invalid,mute.invalid", agent_script);
    probe(&probing, 60 * UINT64_C(1000000000));
    const struct host *hosts = probing.list.hosts;
    assert_false(hosts[0].is_gone);
    assert_true(hosts[0].has_answered);
    assert_true(hosts[1].is_gone);
    assert_string_equal(hosts[1].reason, "no way");
    assert_true(hosts[2].is_gone);
    assert_non_null(strstr(hosts[2].reason, "status 1"));
    assert_false(hosts[2].has_answered);
    probing_close(&probing);
}

static void name_of_a_host_follows_the_options_of_ssh(void **state)
{
    (void)state;
    struct probing probing;
    given_probing(&probing, "good.invalid", "");
    struct scratch_path agent = given_script(&probing.scratch, "ssh",
                                             "#!/bin/sh\n"
                                             "[ \"$6 $7 $8\" = '-- good.invalid /bin/sheaf' ]\n");
    snprintf(probing.words, sizeof probing.words, "%s", agent.text);
    probe(&probing, 60 * UINT64_C(1000000000));
    assert_true(probing.list.hosts[0].has_answered);
    probing_close(&probing);
}

static void host_that_does_not_answer_in_time_is_gone(void **state)
{
    (void)state;
    struct probing probing;
    given_probing(&probing, "slow.invalid", agent_script);
    probe(&probing, UINT64_C(1000000000));
    assert_true(probing.list.hosts[0].is_gone);
    assert_string_equal(probing.list.hosts[0].reason, "no answer within 1 s");
    probing_close(&probing);
}

/* What each host answers, and what is made of it. */
static void hosts_that_cannot_start_ranks_are_left_out(void **state)
{
    (void)state;
    struct probing probing;
    given_probing(
        &probing,
        "good.invalid,full.invalid,old.invalid,none.invalid,barred.invalid,silent.invalid,"
        "bare.invalid,lost.invalid",
        "#!/bin/sh\n"
        "case ${2%.invalid} in\n"
        "good) printf 'hello\\nsheaf " SHEAF_VERSION "\\ncan start on n7\\n' ;;\n"
        "full) printf 'sheaf " SHEAF_VERSION "\\ncannot start on n8: /x is full\\n' ;;\n"
        "old) printf 'sheaf 0.0.9\\n' ;;\n"
        "none) echo 'sh: 1: /bin/sheaf: not found' >&2; exit 127 ;;\n"
        "barred) echo 'sh: 1: /bin/sheaf: Permission denied' >&2; exit 126 ;;\n"
        "silent) exit 0 ;;\n"
        "bare) echo 'error while loading shared libraries: libmpi.so' >&2; exit 127 ;;\n"
        "lost) echo 'no way' >&2; exit 255 ;;\n"
        "esac\n");
    probe(&probing, 60 * UINT64_C(1000000000));
    static const char *const reasons[] = {
        NULL,
        "/x is full",
        "/bin/sheaf there is version 0.0.9, and this one is " SHEAF_VERSION,
        "/bin/sheaf is not there",
        "/bin/sheaf cannot be executed there",
        NULL,
        NULL,
        "no way"};
    for (size_t i = 0; i < probing.list.count; i++) {
        const struct host *host = &probing.list.hosts[i];
        assert_int_equal(host->is_gone, reasons[i] != NULL);
        if (reasons[i] != NULL)
            assert_string_equal(host->reason, reasons[i]);
        assert_int_equal(host->has_answered, i != 7);
    }
    assert_true(host_is_called(&probing.list.hosts[0], "n7"));
    assert_true(host_is_called(&probing.list.hosts[1], "n8.x.org"));
    assert_true(host_is_called(&probing.list.hosts[2], "old"));
    assert_false(host_is_called(&probing.list.hosts[0], "good"));
    probing_close(&probing);
}

/* A dead one costs the others little when it is known how fast they answer. */
static void host_is_not_waited_for_long_once_others_have_answered(void **state)
{
    (void)state;
    struct probing probing;
    given_probing(&probing, "good.invalid,slow.invalid", agent_script);
    probing.quiet_ns = 2 * UINT64_C(1000000000);
    probe(&probing, 1000 * UINT64_C(1000000000));
    assert_false(probing.list.hosts[0].is_gone);
    assert_string_equal(probing.list.hosts[1].reason, "no answer, while others have answered");
    probing_close(&probing);
}

/* The words of a selection, a line each. */
struct selecting {
    struct probing probing;
    struct host_selection selection;
    char said[2000];
};

static void hear(void *context, const char *text)
{
    struct selecting *selecting = context;
    size_t length = strlen(selecting->said);
    snprintf(selecting->said + length, sizeof selecting->said - length, "%s\n", text);
}

static void given_selecting(struct selecting *selecting, const char *hosts, const char *script)
{
    memset(selecting, 0, sizeof *selecting);
    given_probing(&selecting->probing, hosts, script);
    selecting->probing.options.lost_after_ns = 100 * UINT64_C(1000000000);
    selecting->selection = (struct host_selection){.options = &selecting->probing.options,
                                                   .program = "/bin/sheaf",
                                                   .list = &selecting->probing.list,
                                                   .stop = &selecting->probing.stop,
                                                   .say = hear,
                                                   .context = selecting};
}

static void ask(struct selecting *selecting, const char *expected)
{
    selecting->said[0] = '\0';
    host_selection_ask(&selecting->selection);
    assert_string_equal(selecting->said, expected);
}

static void hosts_that_are_out_alike_are_told_in_one_line(void **state)
{
    (void)state;
    struct selecting selecting;
    given_selecting(&selecting, "a.invalid,b.invalid,c.invalid,d.invalid,e.invalid,f.invalid",
                    "#!/bin/sh\n"
                    "[ $2 != a.invalid ] || exit 0\n"
                    "[ $2 != f.invalid ] || { echo f is burning >&2; exit 255; }\n"
                    "[ ! -e \"${0%/*}/healed\" ] || exit 0\n"
                    "echo \"no way to $2\" >&2\n"
                    "exit 255\n");
    ask(&selecting,
        "warning: 4 hosts are left out, b.invalid, c.invalid, d.invalid and 1 more: no way "
        "to b.invalid\n"
        "warning: host f.invalid is left out: f is burning\n");
    ask(&selecting, "");
    scratch_write(&selecting.probing.scratch, "healed", "", 0);
    ask(&selecting,
        "4 hosts are there again, and are used again: b.invalid, c.invalid, d.invalid and 1 "
        "more\n");
    probing_close(&selecting.probing);
}

static void start_that_fails_on_one_host_is_tried_without_it(void **state)
{
    (void)state;
    struct selecting selecting;
    given_selecting(&selecting, "a.invalid,b.invalid,c.invalid", "#!/bin/sh\nexit 0\n");
    ask(&selecting, "");
    assert_false(host_selection_blame(&selecting.selection, "x", "it burns"));
    assert_true(host_selection_blame(&selecting.selection, "b.invalid", "it burns"));
    ask(&selecting, "warning: host b.invalid is left out: the last start failed there: it burns\n");
    assert_int_equal(host_list_usable_count(&selecting.probing.list), 2);
    host_selection_forget_blame(&selecting.selection);
    ask(&selecting, "host b.invalid is there again, and is used again\n");
    host_selection_blame(&selecting.selection, "a.invalid", "");
    host_selection_blame(&selecting.selection, "b.invalid", "");
    host_selection_blame(&selecting.selection, "c.invalid", "");
    ask(&selecting, ""); /* without all of them nothing could be tried */
    probing_close(&selecting.probing);
}

static void this_host_is_not_asked(void **state)
{
    (void)state;
    char own[256] = "";
    char hosts[400];
    gethostname(own, sizeof own - 1);
    snprintf(hosts, sizeof hosts, "%s,localhost,127.0.0.1", own);
    struct probing probing;
    given_probing(&probing, hosts, "#!/bin/sh\nexit 1\n");
    probe(&probing, 60 * UINT64_C(1000000000));
    for (size_t i = 0; i < probing.list.count; i++) {
        assert_false(probing.list.hosts[i].is_gone);
        assert_false(probing.list.hosts[i].has_answered);
    }
    probing_close(&probing);
}

static void more_hosts_than_can_be_asked_at_a_time_are_all_asked(void **state)
{
    (void)state;
    enum { HOSTS = 300 };
    char hosts[HOSTS * 16] = "";
    for (int i = 0; i < HOSTS; i++)
        snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), "h%d.invalid,", i);
    struct probing probing;
    given_probing(&probing, hosts, "#!/bin/sh\nexit 0\n");
    probe(&probing, 100 * UINT64_C(1000000000));
    assert_int_equal(host_list_usable_count(&probing.list), HOSTS);
    for (size_t i = 0; i < HOSTS; i++)
        assert_true(probing.list.hosts[i].has_answered);
    probing_close(&probing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_host_is_listed_once_with_its_slots),
        cmocka_unit_test(hosts_of_a_batch_system_are_found),
        cmocka_unit_test(names_that_only_mpirun_understands_are_left_to_it),
        cmocka_unit_test(hostfile_without_hosts_is_refused),
        cmocka_unit_test(words_that_are_no_names_of_hosts_are_refused),
        cmocka_unit_test(hostfiles_are_refused_with_file_and_line),
        cmocka_unit_test(hosts_that_are_gone_are_left_out),
        cmocka_unit_test(name_of_a_host_follows_the_options_of_ssh),
        cmocka_unit_test(each_host_gets_a_worker_whatever_its_slots),
        cmocka_unit_test(slots_are_found_by_the_name_of_a_host),
        cmocka_unit_test(hostfile_of_another_system_is_read),
        cmocka_unit_test(slots_that_are_none_are_refused_with_file_and_line),
        cmocka_unit_test(hosts_are_asked_with_the_users_own_agent),
        cmocka_unit_test(host_that_does_not_answer_in_time_is_gone),
        cmocka_unit_test(hosts_that_cannot_start_ranks_are_left_out),
        cmocka_unit_test(host_is_not_waited_for_long_once_others_have_answered),
        cmocka_unit_test(hosts_that_are_out_alike_are_told_in_one_line),
        cmocka_unit_test(start_that_fails_on_one_host_is_tried_without_it),
        cmocka_unit_test(this_host_is_not_asked),
        cmocka_unit_test(more_hosts_than_can_be_asked_at_a_time_are_all_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
