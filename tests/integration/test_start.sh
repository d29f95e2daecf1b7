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
    touch "$dir.go"
    kill -KILL "$process"
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

check master_that_dies_while_mpi_starts_is_noticed death_is_noticed 0
check worker_that_dies_while_mpi_starts_is_noticed death_is_noticed 1
check deaths_of_all_workers_are_noticed deaths_of_all_workers_are_noticed
check worker_that_cannot_work_says_why worker_that_cannot_work_says_why
finish
