#!/usr/bin/env bash
# test_left_files.sh - what runs keep outside their directory is gone after them, however they end.
. "$abs_top_srcdir/tests/integration/lib.sh"

# Open MPI's folder for temporary files, for each run its own; short, as it keeps sockets there.
sessions=$(mktemp -d "${TMPDIR:-/tmp}/s.XXXX")

# run_of NAME [SESSIONS]: 60 tasks of 100 ms in the run directory NAME, until they are done.
run_of()
{
    local name=$1 sessions=$sessions/${2:-$1}
    mkdir -p "$sessions"
    TMPDIR=$sessions "$sheaf" run "$TEST_PLUGINS/ledger.so" --quiet --tasks 60 \
        -p milliseconds=100 -p ledger="$work/$name.ledger" --workers 2 --slots 2 \
        --dir "$work/$name" >"$name.out" 2>>"$name.said"
}

# begun_run_of NAME: the same in the background, as $job, once tasks run; leaves its mpirun in
# $mpirun, and what its segments are called in $segments.
begun_run_of()
{
    run_of "$1" &
    job=$!
    wait_for 60 tasks_run_in "$1" || fail "no task runs, or no mpirun or segments were found"
}

tasks_run_in()
{
    local launcher rank
    [ -s "$work/$1.ledger" ] && launcher=$(pgrep -P $job -x sheaf) &&
        mpirun=$(mpirun_of "$launcher") && rank=$(pid_of_rank "$work/$1" 1) &&
        segments=$(segments_of_rank "$rank") && [ -n "$segments" ]
}

# segments_of_rank PROCESS: the segments that it has mapped, without the numbers of the ranks.
segments_of_rank()
{
    sed -n 's|.* \(/dev/shm/[a-z]*_segment\..*\)\.[0-9]*$|\1|p' "/proc/$1/maps" | sort -u
}

segments_are_there()
{
    compgen -G "$segments.*" >/dev/null
}

# no_file_is_left_of NAME: neither in Open MPI's folders nor in the run directory.
no_file_is_left_of()
{
    local left
    left=$(find "$sessions/$1" -mindepth 1
        find "$work/$1" -name worlds
        compgen -G "$segments.*")
    [ -z "$left" ] || fail "left: $left"
}

# Of all processes of a run, at once: nobody can clean up.
kill_all_of()
{
    local all
    all=$(pids_of "$work/$1")
    kill -KILL "$mpirun" $all
    wait_for 20 is_quiet "$work/$1" || fail "processes are left"
}

undisturbed_run_leaves_nothing()
{
    segments=/dev/shm/none
    run_of calm && no_file_is_left_of calm
}

killed_mpirun_leaves_nothing()
{
    begun_run_of once || return 1
    kill -KILL "$mpirun"
    wait $job || { fail "exit status $?"; return 1; }
    no_file_is_left_of once
}

next_start_removes_what_a_killed_run_left()
{
    begun_run_of all && kill_all_of all || return 1
    segments_are_there || { fail "nothing was left in /dev/shm, so this shows nothing"; return 1; }
    run_of all || { fail "exit status $?"; return 1; }
    no_file_is_left_of all
}

other_runs_keep_what_they_have()
{
    begun_run_of first && kill_all_of first || return 1
    run_of other first || { fail "exit status $?"; return 1; }
    segments_are_there && [ -n "$(find "$sessions/first" -name 'pid.*' -o -name 'prterun.*')" ] ||
        { fail "another run has removed what is not its own"; return 1; }
    run_of first || { fail "exit status $?"; return 1; }
    no_file_is_left_of first
}

check undisturbed_run_leaves_nothing undisturbed_run_leaves_nothing
check killed_mpirun_leaves_nothing killed_mpirun_leaves_nothing
check next_start_removes_what_a_killed_run_left next_start_removes_what_a_killed_run_left
check other_runs_keep_what_they_have other_runs_keep_what_they_have
finish
