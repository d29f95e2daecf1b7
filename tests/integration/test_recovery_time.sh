#!/usr/bin/env bash
# test_recovery_time.sh - how soon work goes on after a loss, and how much is done again. Times are
# printed, not judged: the machine may be slow.
. "$abs_top_srcdir/tests/integration/lib.sh"

tasks=1600
task_ms=20

now_ms()
{
    local us=${EPOCHREALTIME/[.,]/}
    echo "${us:0:-3}"
}

# start NAME OPTION...: some 8 s of sleeping tasks on four slots; $launcher. The last of them wait
# for $NAME.release: there is something to kill however slow this test is.
start()
{
    local name=$1
    shift
    $sheaf run "$TEST_PLUGINS/ledger.so" --tasks $tasks --param milliseconds=$task_ms \
        --param ledger="$work/$name.ledger" --param held=$((tasks - 100)) \
        --param release="$work/$name.release" --workers 2 --slots 2 --dir "$work/$name" "$@" \
        >"$name.out" 2>>"$name.said" &
    launcher=$!
}

ends_well()
{
    local status=0
    touch "$1.release"
    wait $launcher || status=$?
    [ $status = 0 ] || { cat "$1.said"; fail "exit status $status"; return 1; }
    same_bytes expected "$1.out" && no_process_is_left "$work/$1"
}

# first_start_of_lost_work NAME EXECUTORS TIME_MS: what these executors, which died then, had begun
# begins again elsewhere; prints how many ms later the first of it does.
first_start_of_lost_work()
{
    awk -v victims=" $2 " -v when="$3" '
    index(victims, " " $2 " ") {
        begun[$3] = 1
        next
    }
    $1 > when && $3 in begun {
        print $1 - when
        exit
    }' "$1.ledger"
}

lost_worker_is_replaced_after_lost_after()
{
    local worker victims when after
    start worker --lost-after 1s
    wait_for 60 tasks_done_are "$work/worker" 600 || { cat worker.said; return 1; }
    worker=$(pid_of_rank "$work/worker" 1) || { fail "no rank 1"; return 1; }
    victims=$(echo $(executors_of "$worker"))
    kill -KILL "$worker"
    when=$(now_ms)
    ends_well worker || return 1
    after=$(first_start_of_lost_work worker "$victims" "$when")
    echo "# worker killed, --lost-after 1000 ms: its work begins again after $after ms" >&3
    [ -n "$after" ] || fail "what it had begun was not begun again"
}

# first_start_in_new_executor NAME TIME_MS: ms until the first start by a process that had begun
# nothing before that time.
first_start_in_new_executor()
{
    awk -v when="$2" '
    $1 <= when { known[$2] = 1 }
    $1 > when && !($2 in known) {
        print $1 - when
        exit
    }' "$1.ledger"
}

dead_mpirun_is_replaced()
{
    local when after
    start mpirun --checkpoint 200ms
    wait_for 60 tasks_done_are "$work/mpirun" 600 || { cat mpirun.said; return 1; }
    when=$(now_ms)
    kill -KILL "$(mpirun_of $launcher)"
    ends_well mpirun || return 1
    after=$(first_start_in_new_executor mpirun "$when")
    echo "# mpirun killed: the first task of the next run starts after $after ms" >&3
    [ -n "$after" ] || fail "no task was started by the second mpirun"
}

# executed_twice NAME TIME_MS: how many tasks that had begun before that time began after it, too.
executed_twice()
{
    awk -v when="$2" '
    $1 < when { before[$3] = 1 }
    $1 >= when && before[$3] == 1 {
        before[$3] = 2
        count++
    }
    END { print count + 0 }' "$1.ledger"
}

# The last second's worth of finished tasks may be lost, and what is being done: not more.
killed_run_loses_no_more_than_a_checkpoint()
{
    local when lost
    start killed --checkpoint 1s
    wait_for 60 tasks_done_are "$work/killed" 800 || { cat killed.said; return 1; }
    kill -KILL $(pids_of "$work/killed")
    wait $launcher 2>/dev/null
    no_process_is_left "$work/killed" || return 1
    when=$(now_ms)
    start killed --checkpoint 1s
    ends_well killed || return 1
    lost=$(executed_twice killed "$when")
    echo "# everything killed, --checkpoint 1000 ms: $lost tasks run again on 4 slots," \
        "$((lost * task_ms / 4)) ms for each" >&3
    # Three times as much, for a machine on which the journal itself is slow.
    [ "$lost" -le $((3 * 4 * 1000 / task_ms)) ] || fail "$lost tasks were run again"
}

# Nothing watches a run without a launcher: its workers leave a master that says nothing, and their
# status makes mpirun end the rest.
run_under_mpirun_ends_when_its_master_hangs()
{
    local master mpirun status=0
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n 3 \
        $sheaf run "$TEST_PLUGINS/ledger.so" --tasks $tasks --param milliseconds=$task_ms \
        --param ledger="$work/plain.ledger" --param held=$((tasks - 100)) \
        --param release="$work/plain.release" --slots 2 --lost-after 1s --dir "$work/plain" \
        >plain.out 2>plain.said &
    mpirun=$!
    wait_for 60 tasks_done_are "$work/plain" 100 || { cat plain.said; return 1; }
    master=$(pid_of_rank "$work/plain" 0) || { fail "no rank 0"; return 1; }
    kill -STOP "$master"
    wait $mpirun || status=$?
    cat plain.said
    [ $status != 0 ] || { fail "mpirun returned 0"; return 1; }
    grep -q 'heard nothing from the master' plain.said || { fail "does not say why"; return 1; }
    no_process_is_left "$work/plain"
}

seq -s ' ' 0 $((tasks - 1)) | tr '\n' ' ' >expected
exec 3>&1
check lost_worker_is_replaced_after_lost_after lost_worker_is_replaced_after_lost_after
check killed_run_loses_no_more_than_a_checkpoint killed_run_loses_no_more_than_a_checkpoint
check dead_mpirun_is_replaced dead_mpirun_is_replaced
check run_under_mpirun_ends_when_its_master_hangs run_under_mpirun_ends_when_its_master_hangs
finish
