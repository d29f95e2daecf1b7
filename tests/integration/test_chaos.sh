#!/usr/bin/env bash
# test_chaos.sh - real jobs under the launcher while their processes are killed and stopped at
# random: the output stays that of an undisturbed run, the exit status 0, and nothing is left.
#
# SHEAF_TEST_SEED fixes the choices; it is printed. CHAOS_RUNS (default 3) sets the number of runs.
. "$abs_top_srcdir/tests/integration/lib.sh"

seed=${SHEAF_TEST_SEED:-$RANDOM}
runs=${CHAOS_RUNS:-3}
echo "# seed $seed"
RANDOM=$seed

faults=(executor worker spawner master mpirun stopped_worker stopped_executor)
declare -A injected
for fault in "${faults[@]}"; do
    injected[$fault]=0
done

pick()
{
    local words=("$@")
    [ ${#words[@]} -gt 0 ] && echo "${words[RANDOM % ${#words[@]}]}"
}

random_worker()
{
    pid_of_rank "$1" $((1 + RANDOM % 3))
}

# stop_for_a_while SECONDS PID...: they go on even if this test ends before.
stop_for_a_while()
{
    local seconds=$1
    shift
    kill -STOP "$@" 2>/dev/null || return 1
    (sleep "$seconds"; kill -CONT "$@" 2>/dev/null) &
}

# inject FAULT DIR LAUNCHER: 0 when there was something to do it to.
inject()
{
    local dir=$2 worker
    case $1 in
    executor)
        worker=$(random_worker "$dir") && kill -KILL $(pick $(executors_of "$worker")) ;;
    worker)
        worker=$(random_worker "$dir") && kill -KILL "$worker" ;;
    spawner)
        worker=$(random_worker "$dir") && kill -KILL $(pick $(pgrep -P "$worker")) ;;
    master)
        worker=$(pid_of_rank "$dir" 0) && kill -KILL "$worker" ;;
    mpirun)
        pkill -KILL -P "$3" mpirun ;;
    stopped_worker)
        worker=$(random_worker "$dir") && stop_for_a_while 2 "$worker" ;;
    stopped_executor)
        worker=$(random_worker "$dir") &&
            stop_for_a_while 1 $(pick $(executors_of "$worker")) ;;
    esac 2>/dev/null
}

# About 8 s of sleeping tasks on six slots, whatever the machine does.
job=("$TEST_PLUGINS/slow.so" --tasks 2000 --param milliseconds=20 --workers 3 --slots 2)

chaotic_run_prints_what_an_undisturbed_one_does()
{
    local dir=$work/chaos-$1 fault
    $sheaf run "${job[@]}" --lost-after 1s --checkpoint 200ms --dir "$dir" \
        >"$dir.out" 2>"$dir.said" &
    local launcher=$! begin=$SECONDS
    while kill -0 $launcher 2>/dev/null; do
        sleep "0.$((RANDOM % 9 + 1))"
        # Later there is peace: the job must then end.
        [ $((SECONDS - begin)) -lt 15 ] || continue
        fault=$(pick "${faults[@]}")
        if inject "$fault" "$dir" $launcher; then
            injected[$fault]=$((injected[$fault] + 1))
            echo "$((SECONDS - begin)) s: $fault"
        fi
    done
    local status=0
    wait $launcher || status=$?
    cat "$dir.said"
    [ $status = 0 ] || { fail "exit status $status"; return 1; }
    same_bytes expected "$dir.out" && no_process_is_left "$dir"
}

seq -s ' ' 0 1999 | tr '\n' ' ' >expected
for ((run = 1; run <= runs; run++)); do
    # In this shell, not in check's subshell: the faults are counted.
    if chaotic_run_prints_what_an_undisturbed_one_does $run >said 2>&1; then
        echo "ok - chaotic_run_${run}_prints_what_an_undisturbed_one_does"
    else
        tail -n 100 said | sed 's/^/# /'
        echo "not ok - chaotic_run_${run}_prints_what_an_undisturbed_one_does"
        failed_cases=$((failed_cases + 1))
    fi
done
for fault in "${faults[@]}"; do
    echo "# $fault: ${injected[$fault]} times"
done
finish
