#!/usr/bin/env bash
# test_left_files.sh - what runs keep outside their directory is gone after them, however they end.
. "$abs_top_srcdir/tests/integration/lib.sh"

# Open MPI's folder for temporary files, for each run its own; short, as it keeps sockets there.
sessions=$(mktemp -d "${TMPDIR:-/tmp}/s.XXXX")

# run_of NAME [SESSIONS]: 20 tasks in the run directory NAME, until they are done; the last four
# wait for NAME.go.
run_of()
{
    local name=$1 sessions=$sessions/${2:-$1}
    mkdir -p "$sessions"
    TMPDIR=$sessions "$sheaf" run "$TEST_PLUGINS/ledger.so" --quiet --tasks 20 \
        -p milliseconds=10 -p ledger="$work/$name.ledger" -p held=16 -p release="$work/$name.go" \
        --workers 2 --slots 2 \
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
    touch calm.go
    run_of calm && no_file_is_left_of calm
}

killed_mpirun_leaves_nothing()
{
    begun_run_of once || return 1
    touch once.go
    kill -KILL "$mpirun"
    wait $job || { fail "exit status $?"; return 1; }
    no_file_is_left_of once
}

next_start_removes_what_a_killed_run_left()
{
    begun_run_of all && kill_all_of all || return 1
    segments_are_there || { fail "nothing was left in /dev/shm, so this shows nothing"; return 1; }
    touch all.go
    run_of all || { fail "exit status $?"; return 1; }
    no_file_is_left_of all
}

# Without a launcher.
plain_run()
{
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 TMPDIR=$sessions/plain \
        mpirun --oversubscribe -n 3 "$sheaf" run "$TEST_PLUGINS/ledger.so" \
        --quiet --tasks 20 -p milliseconds=10 -p ledger="$work/plain.ledger" -p held=16 \
        -p release="$work/plain.go" --slots 2 --dir "$work/plain" >plain.out 2>>plain.said
}

plain_run_has_begun()
{
    local rank
    [ -s plain.ledger ] && rank=$(pid_of_rank "$work/plain" 1) &&
        segments=$(segments_of_rank "$rank") && [ -n "$segments" ]
}

next_start_without_a_launcher_removes_what_a_killed_run_left()
{
    mkdir -p "$sessions/plain"
    plain_run &
    wait_for 60 plain_run_has_begun || { cat plain.said; fail "no task runs"; return 1; }
    mpirun=$(pgrep -P $! -x 'mpirun|mpirun.openmpi|orterun|prterun')
    kill_all_of plain || return 1
    segments_are_there || { fail "nothing was left in /dev/shm, so this shows nothing"; return 1; }
    touch plain.go
    plain_run || { cat plain.said; fail "exit status $?"; return 1; }
    no_file_is_left_of plain
}

killed_launcher_leaves_nothing()
{
    begun_run_of alone || return 1
    touch alone.go
    kill -KILL "$(pgrep -P $job -x sheaf | head -n 1)"
    no_process_is_left "$work/alone" && wait_for 60 eval 'no_file_is_left_of alone' ||
        no_file_is_left_of alone
}

other_runs_keep_what_they_have()
{
    begun_run_of first && kill_all_of first || return 1
    touch first.go other.go
    run_of other first || { fail "exit status $?"; return 1; }
    segments_are_there && [ -n "$(find "$sessions/first" -name 'pid.*' -o -name 'prterun.*')" ] ||
        { fail "another run has removed what is not its own"; return 1; }
    run_of first || { fail "exit status $?"; return 1; }
    no_file_is_left_of first
}

# ---- beside output files, and in the run directory ----

# files_run NAME: 6 tasks that write files, of which the last waits for NAME.go.
files_run()
{
    "$sheaf" run --quiet --workers 2 --slots 2 --attempts 5 --lost-after 2s --dir "$work/$1" \
        --tasks 6 --output-file "$1-files/{}" \
        --command "[ {} != 5 ] || until [ -e $1.go ]; do sleep 0.05; done; echo {} >{out}" \
        >"$1.out" 2>>"$1.said"
}

# begun_files_run NAME: the same in the background, as $job, until the last task alone is left, and
# another attempt at task 0, as a killed copy would have left it.
begun_files_run()
{
    files_run "$1" &
    job=$!
    wait_for 60 last_alone_runs "$1" || { fail "the last task does not run"; return 1; }
    mkdir "$1-files/$hidden/0-$HOSTNAME-1-0" && touch "$1-files/$hidden/0-$HOSTNAME-1-0/0"
}

last_alone_runs()
{
    hidden=$(cd "$1-files" 2>/dev/null && compgen -G '.sheaf-*') &&
        [ "$(cd "$1-files" && compgen -G '.sheaf-*/*' | grep -c '/5-')" = 1 ] &&
        tasks_done_are "$work/$1" 5
}

only_files_are_in()
{
    [ "$(ls -A "$1-files" | paste -sd ' ')" = "0 1 2 3 4 5" ] ||
        fail "in the folder of the output files: $(ls -A "$1-files" | paste -sd ' ')"
}

staged_files_of_killed_copies_go_at_the_end_of_the_run()
{
    begun_files_run lost || return 1
    kill -KILL "$(pid_of_rank "$work/lost" 1)" || { fail "no rank 1"; return 1; }
    wait_for 60 worker_is_lost lost || { fail "no worker was lost"; return 1; }
    touch lost.go
    wait $job || { fail "exit status $?"; return 1; }
    only_files_are_in lost
}

worker_is_lost()
{
    grep -q 'worker.*\(lost\|ended\)' "$1.said"
}

staged_files_of_killed_copies_go_with_the_next_run()
{
    begun_files_run again || return 1
    mpirun=$(mpirun_of "$(pgrep -P $job -x sheaf)")
    kill_all_of again || return 1
    touch again.go
    files_run again || { fail "exit status $?"; return 1; }
    only_files_are_in again
}

# input_run NAME: the tasks that standard input lists.
input_run()
{
    "$sheaf" run --quiet --workers 1 --slots 2 --dir "$work/$1" -c 'echo {}' - >"$1.out" \
        2>>"$1.said"
}

list_of_a_launcher_that_was_killed_while_it_read_goes_with_the_next_start()
{
    mkfifo endless
    exec 9<>endless
    input_run read <endless &
    job=$!
    wait_for 60 has_begun_to_read || { fail "no list is begun"; return 1; }
    kill -KILL "$(pgrep -P $job -x sheaf)"
    exec 9>&-
    wait $job
    seq 3 | input_run read || { fail "exit status $?"; return 1; }
    seq 3 | cmp - read.out && [ "$(compgen -G 'read/stdin-*' | grep -c .)" = 1 ] ||
        fail "left: $(compgen -G 'read/stdin-*' | paste -sd ' ')"
}

has_begun_to_read()
{
    compgen -G 'read/stdin-??????' >/dev/null
}

list_that_no_run_has_used_goes_with_the_next_run()
{
    seq 3 | input_run lists || { fail "exit status $?"; return 1; }
    touch lists/stdin-0123456789abcdef
    chmod 600 lists/stdin-0123456789abcdef
    seq 3 | input_run lists || { fail "exit status $?"; return 1; }
    [ "$(compgen -G 'lists/stdin-*' | grep -c .)" = 1 ] || fail "it is still there"
}

journal_before_an_edit_is_not_kept()
{
    seq 3 | input_run edited && seq 2 4 | input_run edited || { fail "exit status $?"; return 1; }
    seq 2 4 | cmp - edited.out || return 1
    mkdir edited/discarded # as a kill in the middle leaves it
    seq 2 4 | input_run edited || { fail "exit status $?"; return 1; }
    [ ! -e edited/discarded ] || fail "the discarded journal is still there"
}

journal_before_an_edit_goes_at_once()
{
    seq 3 | input_run swapped && seq 2 4 | input_run swapped || { fail "exit status $?"; return 1; }
    [ ! -e swapped/discarded ] || fail "the discarded journal is still there"
}

check undisturbed_run_leaves_nothing undisturbed_run_leaves_nothing
check killed_mpirun_leaves_nothing killed_mpirun_leaves_nothing
check next_start_removes_what_a_killed_run_left next_start_removes_what_a_killed_run_left
check next_start_without_a_launcher_removes_what_a_killed_run_left \
    next_start_without_a_launcher_removes_what_a_killed_run_left
check killed_launcher_leaves_nothing killed_launcher_leaves_nothing
check other_runs_keep_what_they_have other_runs_keep_what_they_have
for name in staged_files_of_killed_copies_go_at_the_end_of_the_run \
    staged_files_of_killed_copies_go_with_the_next_run \
    list_of_a_launcher_that_was_killed_while_it_read_goes_with_the_next_start \
    list_that_no_run_has_used_goes_with_the_next_run \
    journal_before_an_edit_goes_at_once journal_before_an_edit_is_not_kept; do
    check $name $name
done
finish
