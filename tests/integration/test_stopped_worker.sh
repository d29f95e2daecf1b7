#!/usr/bin/env bash
# test_stopped_worker.sh - a worker that falls silent is lost, and welcome when it speaks again.
. "$abs_top_srcdir/tests/integration/lib.sh"

# Stops rank 1 with all its processes until it is lost, then lets it go on beside those that got its
# tasks: all of them are done twice. The job lasts until it is released.
stopped_worker_is_replaced_admitted_again_and_counted_once()
{
    local dir=$work/stopped rank family
    $sheaf run "$TEST_PLUGINS/hold.so" --tasks 40 --range-max 1 --param "release=$work/release" \
        --workers 2 --slots 2 --lost-after 1s --verbose --dir "$dir" >"$dir.out" 2>"$dir.said" &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; return 1; }
    rank=$(pid_of_rank "$dir" 1) || { fail "no rank 1"; return 1; }
    family="$rank $(pgrep -P "$rank") $(executors_of "$rank")"
    kill -STOP $family
    wait_for 60 grep -q 'worker 1 .*is lost' "$dir.said" ||
        { cat "$dir.said"; fail "not lost"; return 1; }
    kill -CONT $family
    wait_for 60 joined_twice "$dir.said" ||
        { cat "$dir.said"; fail "not admitted again"; return 1; }
    touch "$work/release"
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    seq -s ' ' 0 39 | tr '\n' ' ' >"$work/expected"
    same_bytes "$work/expected" "$dir.out" && no_process_is_left "$dir"
}

joined_twice()
{
    [ "$(grep -c 'worker 1 joined' "$1")" = 2 ]
}

check stopped_worker_is_replaced_admitted_again_and_counted_once \
    stopped_worker_is_replaced_admitted_again_and_counted_once
finish
