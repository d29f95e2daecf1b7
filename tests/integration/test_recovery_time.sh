#!/usr/bin/env bash
# test_recovery_time.sh - how soon work goes on after a loss, and how much is done again. Times are
# printed, not judged: the machine may be slow.
. "$abs_top_srcdir/tests/integration/lib.sh"

tasks=3000
task_ms=20

now_ms()
{
    local us=${EPOCHREALTIME/[.,]/}
    echo "${us:0:-3}"
}

# start NAME OPTION...: some 10 s of sleeping tasks on four slots; $launcher.
start()
{
    local name=$1
    shift
    $sheaf run "$TEST_PLUGINS/ledger.so" --tasks $tasks --param milliseconds=$task_ms \
        --param ledger="$work/$name.ledger" --workers 2 --slots 2 --dir "$work/$name" "$@" \
        >"$name.out" 2>>"$name.said" &
    launcher=$!
}

ends_well()
{
    local status=0
    wait $launcher || status=$?
    [ $status = 0 ] || { cat "$1.said"; fail "exit status $status"; return 1; }
    same_bytes expected "$1.out" && no_process_is_left "$work/$1"
}

# What executors in $2 had begun last when they died at $3 is begun elsewhere: prints how many ms
# later the first of it was.
first_start_of_lost_work()
{
    awk -v victims=" $2 " -v when="$3" '
    index(victims, " " $2 " ") && $1 <= when { last[$2] = $3 }
    $1 > when && !index(victims, " " $2 " ") && !found {
        for (executor in last)
            if (last[executor] == $3) {
                print $1 - when
                found = 1
            }
    }' "$1.ledger"
}

lost_worker_is_replaced_after_lost_after()
{
    local worker victims when after
    start worker --lost-after 1s
    wait_for 60 tasks_done_are "$work/worker" 600 || { cat worker.said; return 1; }
    worker=$(pid_of_rank "$work/worker" 1) || { fail "no rank 1"; return 1; }
    victims=$(echo $(executors_of "$worker"))
    when=$(now_ms)
    kill -KILL "$worker"
    ends_well worker || return 1
    after=$(first_start_of_lost_work worker "$victims" "$when")
    echo "# worker killed, --lost-after 1000 ms: its work begins again after $after ms" >&3
    [ -n "$after" ] || fail "what it had begun was not begun again"
}

# first_start_after NAME TIME_MS: ms until the first task that starts after that time.
first_start_after()
{
    awk -v when="$2" '$1 > when { print $1 - when; exit }' "$1.ledger"
}

dead_mpirun_is_replaced()
{
    local when after
    start mpirun --checkpoint 200ms
    wait_for 60 tasks_done_are "$work/mpirun" 600 || { cat mpirun.said; return 1; }
    pkill -KILL -P $launcher mpirun
    # What was under way ends within a moment; the next run's tasks come later than any start.
    wait_for 20 grep -q 'starting again' mpirun.said || { cat mpirun.said; return 1; }
    when=$(now_ms)
    ends_well mpirun || return 1
    after=$(first_start_after mpirun "$when")
    echo "# mpirun killed: the first task of the next run starts after $after ms" >&3
    [ -n "$after" ] || fail "no task was started by the second mpirun"
}

seq -s ' ' 0 $((tasks - 1)) | tr '\n' ' ' >expected
exec 3>&1
check lost_worker_is_replaced_after_lost_after lost_worker_is_replaced_after_lost_after
check dead_mpirun_is_replaced dead_mpirun_is_replaced
finish
