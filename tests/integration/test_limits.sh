#!/usr/bin/env bash
# test_limits.sh - a slow disk, results faster than the master takes them, many inputs and tasks
# that print for ever: memory and logs stay below the documented limits.
. "$abs_top_srcdir/tests/integration/lib.sh"

mib=1024 # in KiB, as /proc tells memory

# The most memory that each rank of the run in $1 has had, "RANK KIB": sampled until it ends.
watch_memory()
{
    local dir=$1 launcher=$2 rank pid kib
    local -A high=()
    while kill -0 "$launcher" 2>/dev/null; do
        for rank in 0 1 2; do
            pid=$(pid_of_rank "$dir" $rank) || continue
            kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null)
            [ "${kib:-0}" -le "${high[$rank]:-0}" ] || high[$rank]=$kib
        done
        sleep 0.2
    done
    for rank in 0 1 2; do
        echo "$rank ${high[$rank]:-0}"
    done >"$dir.memory"
}

# memory_is_below NAME MASTER_MIB WORKER_MIB
memory_is_below()
{
    local rank kib limit
    while read -r rank kib; do
        limit=$3
        [ "$rank" != 0 ] || limit=$2
        echo "# $1: rank $rank had at most $((kib / mib)) MiB of $limit" >&3
        [ "$kib" -gt 0 ] || { fail "rank $rank was not seen"; return 1; }
        [ "$kib" -lt $((limit * mib)) ] || { fail "rank $rank had $((kib / mib)) MiB"; return 1; }
    done <"$1.memory"
}

# run_watched NAME COMMAND...: a run with two workers; succeeds if the command does.
run_watched()
{
    local name=$1 launcher status=0
    shift
    "$@" --workers 2 --dir "$work/$name" >"$name.out" 2>"$name.said" &
    launcher=$!
    watch_memory "$work/$name" $launcher
    wait $launcher || status=$?
    [ $status = 0 ] || { cat "$name.said"; fail "exit status $status"; }
}

# 400 MiB of results for a disk that takes 40 MiB/s, with a master that is stopped in between.
slow_disk_slows_the_tasks_and_fills_no_memory()
{
    (
        wait_for 60 tasks_done_are "$work/slow" 50
        master=$(pid_of_rank "$work/slow" 0) && kill -STOP "$master" && touch slow.stopped &&
            touch slow.release && sleep 2 && kill -CONT "$master"
    ) &
    SLOW_DISK_KIB_S=40000 SLOW_DISK_SYNC_MS=300 LD_PRELOAD=$TEST_PLUGINS/slow_disk.so \
        run_watched slow $sheaf run "$TEST_PLUGINS/large.so" --tasks 400 \
        --param bytes=1048576 --param held=300 --param release="$work/slow.release" || return 1
    wait
    [ -e slow.stopped ] || { fail "the master was not stopped"; return 1; }
    [ "$(stat -c %s slow.out)" = $((400 << 20)) ] || { fail "wrong size of the output"; return 1; }
    memory_is_below slow 304 80
}

check_slow_disk()
{
    slow_disk_slows_the_tasks_and_fills_no_memory
    local status=$?
    rm -rf slow slow.out
    return $status
}

# 400 MB of inputs: they are on disk, and what is read of them does not stay in memory.
many_inputs_fill_no_memory()
{
    cat >inputs.yaml <<END
plugin: $TEST_PLUGINS/taster.so
split: plugin
parameters: {named: 8000000, bytes: 32}
END
    run_watched inputs $sheaf run inputs.yaml || return 1
    [ "$(cat inputs.out)" = "8000000 tasks, 256000000 bytes" ] ||
        { fail "the output is $(cat inputs.out)"; return 1; }
    memory_is_below inputs 304 80
}

# What the log takes of the disk at any time, in KiB, goes to $1.log_kib.
watch_logs()
{
    local high=0 kib
    while kill -0 "$2" 2>/dev/null; do
        kib=$(du -sk "$1/logs" 2>/dev/null | cut -f 1)
        [ "${kib:-0}" -le $high ] || high=$kib
        sleep 0.1
    done
    echo $high >"$1.log_kib"
}

task_that_prints_for_ever_fills_no_disk()
{
    local launcher status=0
    $sheaf run "$TEST_PLUGINS/trouble.so" --tasks 2 --param where=run --param task=1 \
        --param how="print without end" --timeout 3s --attempts 1 --workers 1 --slots 1 \
        --dir "$work/print" >print.out 2>print.said &
    launcher=$!
    watch_logs "$work/print" $launcher
    wait $launcher || status=$?
    [ $status = 1 ] || { cat print.said; fail "exit status $status"; return 1; }
    local apparent
    apparent=$(du -sk --apparent-size print/logs | cut -f 1)
    echo "# a task printed $((apparent / mib)) MiB; its log had at most" \
        "$(($(cat print.log_kib) / mib)) MiB of the disk, $(($(du -sk print/logs |
            cut -f 1) / mib)) in the end" >&3
    [ "$apparent" -gt $((64 * mib)) ] || { fail "did not print much"; return 1; }
    [ "$(du -sk print/logs | cut -f 1)" -le $((17 * mib)) ] ||
        { fail "the log is large"; return 1; }
    # The very last line may be cut: it was killed in the middle of it.
    tail -n 2 print/logs/executor-* | grep -q 'each of which says' || fail "the end is not kept"
}

exec 3>&1
check slow_disk_slows_the_tasks_and_fills_no_memory check_slow_disk
check many_inputs_fill_no_memory many_inputs_fill_no_memory
check task_that_prints_for_ever_fills_no_disk task_that_prints_for_ever_fills_no_disk
finish
