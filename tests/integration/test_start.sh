#!/usr/bin/env bash
# test_start.sh - what dies while MPI starts is noticed at once, and what cannot work says why and
# holds up nobody.
. "$abs_top_srcdir/tests/integration/lib.sh"

make_held_mpirun
seq -s ' ' 0 9 | tr '\n' ' ' >expected

# begin DIR [OPTION...]: a job that lasts until it is released; its launcher is $launcher. What is
# not noticed in other ways is not noticed.
begin()
{
    local dir=$1
    shift
    HELD=$dir $sheaf run "$TEST_PLUGINS/hold.so" --tasks 10 --range-max 1 \
        --param "release=$dir.release" --workers 2 --slots 1 --dir "$dir" --start-timeout 10min \
        --lost-after 10min --workers-timeout 10min "$@" >"$dir.out" 2>"$dir.said" &
    launcher=$!
}

# is_said_soon TEXT DIR
is_said_soon()
{
    wait_for 60 grep -q -- "$1" "$2.said" || { cat "$2.said"; fail "it is not said: $1"; }
}

# ends_well DIR
ends_well()
{
    touch "$1.release"
    wait "$launcher" || { cat "$1.said"; fail "exit status $?"; return 1; }
    cat "$1.said"
    same_bytes expected "$1.out" && no_process_is_left "$1"
}

death_is_noticed()
{
    local rank=$1 dir=$work/dead-$1 process
    begin "$dir" --mpirun "$work/held-mpirun"
    wait_for 60 test -e "$dir.ready" || { cat "$dir.said"; fail "nothing starts"; return 1; }
    process=$(pid_of_rank "$dir" "$rank") || { fail "no rank $rank"; return 1; }
    kill -KILL "$process"
    touch "$dir.go"
    is_said_soon 'ended while MPI started' "$dir" && ends_well "$dir"
}

# A library that is needed to find the cores; MPI has its own ways.
worker_that_cannot_work_says_why()
{
    local dir=$work/useless
    begin "$dir" --restarts 0 --mpi-option -x --mpi-option HWLOC_COMPONENTS=-linux,-no_os,-x86,-xml
    wait "$launcher"
    [ $? = 4 ] || { cat "$dir.said"; fail "exit status $?"; return 1; }
    cat "$dir.said"
    grep -q "worker 1 has left: on $(hostname): " "$dir.said" || fail "it does not say why"
}

# Their processes are beside the master.
deaths_of_all_workers_are_noticed()
{
    local dir=$work/workers
    begin "$dir"
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; fail "nothing runs"; return 1; }
    kill -KILL "$(pid_of_rank "$dir" 1)" "$(pid_of_rank "$dir" 2)"
    is_said_soon 'worker 1 .*is lost: its process has ended' "$dir" &&
        is_said_soon 'lost its workers.*starting again' "$dir" && ends_well "$dir"
}

# The master is started by a shell, so that for it the workers might be anywhere.
make_far_mpirun()
{
    cat >far-rank <<'END'
#!/bin/sh
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || exec "$@"
"$@"
exit $?
END
    cat >far-mpirun <<'END'
#!/usr/bin/env bash
words=()
for word; do
    [ "${word##*/}" != sheaf ] || words+=("$(dirname "$0")/far-rank")
    words+=("$word")
done
exec mpirun "${words[@]}"
END
    chmod +x far-rank far-mpirun
}

death_of_far_worker_is_noticed()
{
    local dir=$work/far
    begin "$dir" --mpirun "$work/far-mpirun"
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; fail "nothing runs"; return 1; }
    kill -KILL "$(pid_of_rank "$dir" 1)"
    is_said_soon 'worker 1 .*is lost: its process has ended' "$dir" && ends_well "$dir" &&
        ! grep 'starting again' "$dir.said"
}

deaths_of_all_far_workers_are_noticed()
{
    local dir=$work/all-far
    begin "$dir" --mpirun "$work/far-mpirun"
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; fail "nothing runs"; return 1; }
    kill -KILL "$(pid_of_rank "$dir" 1)" "$(pid_of_rank "$dir" 2)"
    is_said_soon 'lost its workers.*starting again' "$dir" && ends_well "$dir" &&
        [ ! -e "$dir/ended-ranks" ] || fail "the list of ended ranks is left"
}

# is_refused STATUS TEXT OPTION...: before anything is started.
is_refused()
{
    local wanted=$1 text=$2 status=0
    shift 2
    $sheaf run "$TEST_PLUGINS/noop.so" --tasks 1 --dir "$work/refused" --mpirun "$work/counted" \
        "$@" >refused.said 2>&1 || status=$?
    cat refused.said
    [ $status = "$wanted" ] || { fail "exit status $status"; return 1; }
    [ ! -e "$work/launches" ] || { fail "mpirun was started"; return 1; }
    grep -q -- "$text" refused.said || fail "it does not say: $text"
}

# As above, when so few files may be open.
is_refused_with_few_files()
{
    ulimit -S -n "$1"
    is_refused 4 "needs [0-9]* open files, and the limit is $1: raise it with .ulimit -n"
}

# More ranks than cores are slow to start, but do.
many_workers_are_not_refused()
{
    $sheaf run "$TEST_PLUGINS/noop.so" --tasks 1 --dir "$work/many" -w 64 --dry-run
}

cat >counted <<'END'
#!/bin/sh
[ "$1" = --version ] || touch "$(dirname "$0")/launches"
exec mpirun "$@"
END
chmod +x counted

check far_too_many_workers_are_refused is_refused 2 'too many for this host.*--slots' -w 100000
check many_workers_are_not_refused many_workers_are_not_refused
check too_few_open_files_are_told is_refused_with_few_files 32
check master_that_dies_while_mpi_starts_is_noticed death_is_noticed 0
check worker_that_dies_while_mpi_starts_is_noticed death_is_noticed 1
# given_plugin SIGNAL: one that sends itself the signal when it is loaded for the first time.
given_plugin()
{
    cat >struck.c <<END
#include <sheaf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>

__attribute__((constructor)) static void begin(void)
{
    if (open("$work/loaded", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0)
        raise($1);
}

static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    return sheaf_emit_text(context, "%" PRIu64 " ", task->index);
}

SHEAF_PLUGIN(.run = run)
END
    rm -f loaded
    ${CC:-cc} -shared -fPIC -I"$abs_top_srcdir/jobs" -o struck.so struck.c
}

loading_that_somebody_kills_is_made_again()
{
    given_plugin SIGKILL
    "$sheaf" run --quiet ./struck.so --tasks 10 --dir "$work/killed" >printed 2>said ||
        { cat said; fail "exit status $?"; return 1; }
    [ -e loaded ] && same_bytes expected printed && [ ! -s said ]
}

loading_that_crashes_is_not_made_again()
{
    given_plugin SIGSEGV
    "$sheaf" run --quiet ./struck.so --tasks 10 --dir "$work/crashed" >printed 2>said
    [ $? = 2 ] && grep -q 'struck.so was killed by signal 11' said ||
        { cat said; fail "it is not said"; }
}

make_far_mpirun
check death_of_far_worker_is_noticed death_of_far_worker_is_noticed
check deaths_of_all_far_workers_are_noticed deaths_of_all_far_workers_are_noticed
check deaths_of_all_workers_are_noticed deaths_of_all_workers_are_noticed
check worker_that_cannot_work_says_why worker_that_cannot_work_says_why
check loading_that_somebody_kills_is_made_again loading_that_somebody_kills_is_made_again
check loading_that_crashes_is_not_made_again loading_that_crashes_is_not_made_again
finish
