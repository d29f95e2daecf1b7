#!/usr/bin/env bash
# test_idle.sh - who waits does not burn a core: CPU time of sleeping ranks over 3 s.
. "$abs_top_srcdir/tests/integration/lib.sh"

# CPU time of a process so far, in ms.
cpu_ms()
{
    local ticks
    ticks=$(sed 's/^.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }')
    echo $((ticks * 1000 / $(getconf CLK_TCK)))
}

# Counted CPU time, not elapsed time: a busy machine makes it smaller.
waiting_ranks_use_less_than_2_percent_of_a_core()
{
    local dir=$work/idle pids=() before=() rank spent
    $sheaf run "$TEST_PLUGINS/slow.so" --tasks 8 --param milliseconds=10000 --workers 2 --slots 2 \
        --dir "$dir" --quiet >"$dir.out" 2>"$dir.said" &
    wait_for 60 test -e "$dir/status.json" || { cat "$dir.said"; return 1; }
    wait_for 60 work_is_out "$dir" || { cat "$dir.said"; fail "no task started"; return 1; }
    for rank in 0 1 2; do
        pids[rank]=$(pid_of_rank "$dir" $rank) || { fail "no rank $rank"; return 1; }
    done
    sleep 1
    for rank in 0 1 2; do
        before[rank]=$(cpu_ms "${pids[rank]}")
    done
    sleep 3
    local is_good=0
    for rank in 0 1 2; do
        spent=$(($(cpu_ms "${pids[rank]}") - before[rank]))
        echo "rank $rank used $spent ms of CPU time in 3 s"
        [ $spent -lt $((60 * ${SHEAF_TEST_TIME_FACTOR:-1})) ] || is_good=1
    done
    pkill -KILL -f -- "--dir $dir( |\$)"
    return $is_good
}

work_is_out()
{
    [ "$(status_field "$1" tasks_running)" -ge 4 ]
}

check waiting_ranks_use_less_than_2_percent_of_a_core \
    waiting_ranks_use_less_than_2_percent_of_a_core
finish
