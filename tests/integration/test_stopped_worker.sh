#!/usr/bin/env bash
# test_stopped_worker.sh - a worker that falls silent is lost, and welcome when it speaks again.
. "$abs_top_srcdir/tests/integration/lib.sh"

# Stops rank 1 with all its processes until the others have done its tasks, then lets it go on.
stopped_worker_is_replaced_admitted_again_and_counted_once()
{
    local dir=$work/stopped rank family
    $sheaf run "$TEST_PLUGINS/count.so" --tasks 500000000 --workers 2 --lost-after 1s \
        --verbose --dir "$dir" >"$dir.out" 2>"$dir.said" &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 1000 || { cat "$dir.said"; return 1; }
    rank=$(pid_of_rank "$dir" 1) || { fail "no rank 1"; return 1; }
    family="$rank $(pgrep -P "$rank") $(executors_of "$rank")"
    kill -STOP $family
    wait_for 60 grep -q 'worker 1 .*is lost' "$dir.said" ||
        { cat "$dir.said"; fail "not lost"; return 1; }
    kill -CONT $family
    wait_for 60 joined_twice "$dir.said" ||
        { cat "$dir.said"; fail "not admitted again"; return 1; }
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    [ "$(cat "$dir.out")" = 124999999750000000 ] ||
        { fail "the sum is $(cat "$dir.out")"; return 1; }
    no_process_is_left "$dir"
}

joined_twice()
{
    [ "$(grep -c 'worker 1 joined' "$1")" = 2 ]
}

check stopped_worker_is_replaced_admitted_again_and_counted_once \
    stopped_worker_is_replaced_admitted_again_and_counted_once
finish
