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

# The only worker is stopped, again and again, while results larger than its window are under way:
# most likely in the middle of one, of which the rest comes too late. The job lasts until it is
# released.
worker_stopped_in_the_middle_of_a_result_goes_on()
{
    local dir=$work/middle stop rank bytes=0
    $sheaf run "$TEST_PLUGINS/large.so" --tasks 40 --param bytes=10000000 --param held=39 \
        --param "release=$work/released" --workers 1 --slots 1 --range-max 1 --lost-after 2s \
        --dir "$dir" --output "$work/large" 2>"$dir.said" &
    local launcher=$!
    for stop in 1 2 3; do
        bytes=$((bytes + 50000000))
        wait_for 60 journal_holds "$dir" $bytes || { cat "$dir.said"; return 1; }
        rank=$(pid_of_rank "$dir" 1) || { fail "no rank 1"; return 1; }
        kill -STOP "$rank"
        wait_for 60 lost_times "$dir.said" $stop || { cat "$dir.said"; fail "not lost"; return 1; }
        kill -CONT "$rank"
    done
    touch "$work/released"
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    for index in $(seq 0 39); do
        head -c 10000000 /dev/zero | tr '\0' "\\$(printf %03o "$index")"
    done >"$work/expected"
    same_bytes "$work/expected" "$work/large" && no_process_is_left "$dir"
}

lost_times()
{
    [ "$(grep -c 'worker 1 .*is lost' "$1")" -ge "$2" ]
}

# run_over_slow_link RANKS DIR OPTION...: long messages of these ranks take seconds; but everybody
# is there all the time.
run_over_slow_link()
{
    local ranks=$1 dir=$work/$2 status=0
    shift 2
    SLOW_LINK_US=1500 SLOW_LINK_FROM=$ranks LD_PRELOAD=$TEST_PLUGINS/slow_link.so "$sheaf" run \
        --slots 1 --lost-after 1s --dir "$dir" "$@" >"$dir.out" 2>"$dir.said" ||
        status=$?
    [ $status = 0 ] && ! grep -q 'is lost\|heard nothing' "$dir.said" ||
        { cat "$dir.said" && fail "exit status $status, or somebody counts as lost"; }
}

# Two results of 1500 fragments each.
long_result_is_no_silence()
{
    run_over_slow_link 12 result "$TEST_PLUGINS/large.so" --workers 2 --tasks 2 \
        --param bytes=6000000 || return 1
    [ "$(stat -c %s "$work/result.out")" = 12000000 ] || fail "wrong size of the output"
}

# A worker is patient six times as long as a master.
long_input_is_no_silence()
{
    cat >input.yaml <<END
plugin: $TEST_PLUGINS/splitter.so
split: plugin
parameters: {counted: 0, named: 1, bytes: 16500000}
END
    run_over_slow_link 0 input input.yaml --workers 1 || return 1
    [ "$(stat -c %s "$work/input.out")" = 16500000 ] || fail "wrong size of the output"
}

check stopped_worker_is_replaced_admitted_again_and_counted_once \
    stopped_worker_is_replaced_admitted_again_and_counted_once
check worker_stopped_in_the_middle_of_a_result_goes_on \
    worker_stopped_in_the_middle_of_a_result_goes_on
check long_result_is_no_silence long_result_is_no_silence
check long_input_is_no_silence long_input_is_no_silence
finish
