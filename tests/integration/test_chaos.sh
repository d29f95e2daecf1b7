#!/usr/bin/env bash
# test_chaos.sh - real jobs under the launcher while their processes are killed and stopped at
# random: the output stays that of an undisturbed run, the exit status 0, and nothing is left.
#
# A run that no fault has hit fails, as it shows nothing.
#
# Environment: SHEAF_TEST_SEED fixes the choices; it is printed. CHAOS_RUNS is the number of runs,
# CHAOS_DISTURBED_S how long each is disturbed. A table of what was done, and of what it cost, comes
# last: an execution of a task but the last one is work lost to the fault that hit its executor, as
# long as it had run by then.
. "$abs_top_srcdir/tests/integration/lib.sh"

seed=${SHEAF_TEST_SEED:-$RANDOM}
runs=${CHAOS_RUNS:-3}
disturbed_s=${CHAOS_DISTURBED_S:-15}
echo "# seed $seed, $runs runs"
RANDOM=$seed

# About 8 s of sleeping tasks on six slots, whatever the machine does: many short ones, or few long
# ones in turn. "TASKS MILLISECONDS":
shapes=("2400 20" "48 1000")
workers=3
options=(--workers $workers --slots 2 --lost-after 1s --checkpoint 200ms --silence-timeout 4s
    --start-timeout 20s)

faults=(executor worker spawner master mpirun several everything launcher
    executor_stopped spawner_stopped worker_stopped_shortly worker_stopped_long
    master_stopped_shortly master_stopped_long mpirun_stopped)

now_ms()
{
    local us=${EPOCHREALTIME/[.,]/}
    echo "${us:0:-3}"
}

# pick N WORD...: leaves N of them, or as many as there are, in $picked. (In a subshell bash would
# draw other numbers.)
pick()
{
    local count=$1 i
    shift
    picked=
    while [ $count -gt 0 ] && [ $# -gt 0 ]; do
        i=$((RANDOM % $#))
        picked="$picked ${*:i+1:1}"
        set -- "${@:1:i}" "${@:i+2}"
        count=$((count - 1))
    done
}

# A deck is dealt to its end before it is shuffled again: each fault has its turn.
deck=()
deal()
{
    local i
    [ ${#deck[@]} -gt 0 ] || deck=("${faults[@]}")
    i=$((RANDOM % ${#deck[@]}))
    fault=${deck[i]}
    deck=("${deck[@]:0:i}" "${deck[@]:i+1}")
}

# stop_for_a_while SECONDS PID...: they go on even if this test ends before.
stop_for_a_while()
{
    local seconds=$1
    shift
    kill -STOP "$@" || return 1
    (exec >/dev/null; sleep "$seconds"; kill -CONT "$@") &
}

# The processes of fault $1 in the run of directory $2 with launcher $3. Leaves in $targets those
# that are hit, in $victims the executors that die of it, "all" for all.
aim()
{
    local dir=$2 worker
    targets= victims=
    worker=$(pid_of_rank "$dir" $((1 + RANDOM % workers)))
    case $1 in
    executor | executor_stopped)
        [ -n "$worker" ] && pick 1 $(executors_of "$worker") && targets=$picked ;;
    spawner | spawner_stopped)
        [ -n "$worker" ] && pick 1 $(pgrep -P "$worker") && targets=$picked ;;
    worker | worker_stopped_*) targets=$worker ;;
    master | master_stopped_*) targets=$(pid_of_rank "$dir" 0) ;;
    mpirun | mpirun_stopped) targets=$(mpirun_of "$3") ;;
    several) pick 3 $(pids_of "$dir" | grep -vx "$3") && targets=$picked ;;
    everything) targets=$(pids_of "$dir") ;;
    launcher) targets=$3 ;;
    esac
    case $1 in
    executor*) victims=$targets ;;
    worker*) [ -n "$worker" ] && victims=$(executors_of "$worker") ;;
    spawner*) [ -n "$targets" ] && victims=$(pgrep -P "$targets") ;;
    *) victims=all ;;
    esac
    [ -n "$targets" ]
}

# inject FAULT DIR LAUNCHER: 0 when there was something to do it to. Its line in $dir.faults:
# "TIME_MS FAULT VICTIM...".
inject()
{
    aim "$@" || return 1
    local line
    line="$(now_ms) $1 $(echo $victims)"
    case $1 in
    executor_stopped | spawner_stopped | mpirun_stopped) stop_for_a_while 1.5 $targets ;;
    worker_stopped_shortly) stop_for_a_while 0.5 $targets ;;
    worker_stopped_long) stop_for_a_while 2.5 $targets ;;
    master_stopped_shortly) stop_for_a_while 1.5 $targets ;;
    master_stopped_long) stop_for_a_while 6 $targets ;;
    *) kill -KILL $targets ;;
    esac
    # Of several processes some may have ended by themselves.
    case $?:$1 in
    0:* | *:several | *:everything) echo "$line" >>"$dir.faults" ;;
    *) return 1 ;;
    esac
} 2>/dev/null

# Adds the time of each line that is a restart to $1.restarts.
note_restarts()
{
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in
        *"; starting again "*) now_ms >>"$1.restarts" ;;
        esac
    done
}

# disturb DIR LAUNCHER BEGIN: until the launcher has ended, or there is peace for good: the job must
# then end.
disturb()
{
    local dir=$1 launcher=$2 begin=$3
    while kill -0 "$launcher" 2>/dev/null; do
        sleep "0.$((RANDOM % 9 + 1))"
        [ $((SECONDS - begin)) -lt "$disturbed_s" ] || continue
        deal
        if inject "$fault" "$dir" "$launcher"; then
            echo "$((SECONDS - begin)) s: $fault: $(echo $targets)"
        fi
    done
}

chaotic_run_prints_what_an_undisturbed_one_does()
{
    local dir=$work/chaos-$1 begin=$SECONDS status=137 launcher plugin
    pick 1 ledger ledger_merged
    plugin=$TEST_PLUGINS/${picked# }.so
    read -r tasks task_ms <<<"${shapes[$1 % ${#shapes[@]}]}"
    echo "$plugin, $tasks tasks of $task_ms ms"
    seq -s ' ' 0 $((tasks - 1)) | tr '\n' ' ' >expected
    : >"$dir.faults"
    : >"$dir.restarts"
    # Killed by us, the command is repeated, as its user would.
    while [ $status = 137 ]; do
        $sheaf run "$plugin" --tasks $tasks --param milliseconds=$task_ms \
            --param ledger="$dir.ledger" "${options[@]}" --dir "$dir" \
            >"$dir.out" 2> >(note_restarts "$dir" >>"$dir.said") &
        launcher=$!
        disturb "$dir" $launcher "$begin"
        status=0
        wait $launcher || status=$?
        [ $status != 137 ] || now_ms >>"$dir.restarts"
    done
    cat "$dir.said"
    [ $status = 0 ] || { fail "exit status $status"; return 1; }
    [ -s "$dir.faults" ] || { fail "no fault has hit it"; return 1; }
    same_bytes expected "$dir.out" && no_process_is_left "$dir"
}

# Adds to the file `costs` a line for each fault of the run: "FAULT SURVIVED_BY LOST_MS".
add_costs()
{
    awk -v task_ms=$task_ms '
    FILENAME ~ /faults$/ {
        fault_count++
        at[fault_count] = $1
        kind[fault_count] = $2
        $1 = $2 = ""
        victims[fault_count] = $0 " "
        survived[fault_count] = "in_place"
        next
    }
    FILENAME ~ /restarts$/ {
        blame($1)
        next
    }
    { # an execution: that of the same task before it was for nothing
        if ($3 in executor)
            lose(start[$3], $1, executor[$3])
        start[$3] = $1
        executor[$3] = $2
    }
    function lose(from, to, process,    i)
    {
        for (i = 1; i <= fault_count; i++)
            if (at[i] >= from && at[i] <= to &&
                (victims[i] ~ / all / || index(victims[i], " " process " "))) {
                lost_ms[i] += at[i] - from < task_ms ? at[i] - from : task_ms
                return
            }
        copies++
    }
    # The first since the last restart that is bound to end a run; else one that may; else any.
    function blame(when,    i, weight, guilty, guilt)
    {
        for (i = blamed + 1; i <= fault_count && at[i] <= when; i++) {
            weight = 1
            if (kind[i] ~ /^(several|mpirun_stopped|master_stopped_shortly)$/)
                weight = 2
            else if (kind[i] ~ /^(master|mpirun|everything|launcher|master_stopped_long)$/)
                weight = 3
            if (weight > guilt) {
                guilty = i
                guilt = weight
            }
        }
        if (guilty)
            survived[guilty] = "by_restart"
        blamed = i - 1
    }
    END {
        for (i = 1; i <= fault_count; i++)
            print kind[i], survived[i], lost_ms[i] + 0
        print "(copies)", "in_place", copies * task_ms
    }' "$1.faults" "$1.restarts" "$1.ledger" >>costs
}

# One line for each fault: how often, how survived, and the seconds of work lost.
print_table()
{
    echo "# fault                     times in_place by_restart  seconds lost: median  worst"
    sort -k1,1 -k3,3n costs | awk '
    $1 != fault {
        tell()
        fault = $1
        times = 0
        count["in_place"] = count["by_restart"] = 0
    }
    {
        lost_s[++times] = $3 / 1000
        count[$2]++
    }
    function tell()
    {
        if (fault != "")
            printf "# %-25s %5d %8d %10d %21.2f %6.2f\n", fault, times, count["in_place"],
                count["by_restart"], lost_s[int((times + 1) / 2)], lost_s[times]
    }
    END { tell() }'
}

: >costs
for ((run = 1; run <= runs; run++)); do
    # In this shell, not in check's subshell: the deck goes on.
    if chaotic_run_prints_what_an_undisturbed_one_does $run >said 2>&1; then
        echo "ok - chaotic_run_${run}_prints_what_an_undisturbed_one_does"
    else
        tail -n 100 said | sed 's/^/# /'
        echo "not ok - chaotic_run_${run}_prints_what_an_undisturbed_one_does"
        failed_cases=$((failed_cases + 1))
    fi
    add_costs "$work/chaos-$run"
    rm -rf "$work/chaos-$run" "$work/chaos-$run".*
done
print_table
finish
