#!/usr/bin/env bash
# test_stop.sh - a run that is asked to stop, or is killed as a whole, runs nothing again that was
# journalled. What was executed is counted in a ledger.
. "$abs_top_srcdir/tests/integration/lib.sh"

tasks=200
ms=100

# job_options NAME: what all runs of one job have in common. The last tasks wait for $1.release: a
# stop does not come too late, however slow this test is.
job_options()
{
    echo "--tasks $tasks -p milliseconds=$ms -p ledger=$work/$1.ledger --dir $work/$1" \
        "-p held=$((tasks - 20)) -p release=$work/$1.release"
}

# For the background: what a script starts there ignores SIGINT, unless it is told not to.
become_with_signals()
{
    exec env --default-signal=INT,QUIT "$@"
}

# Two slots: 20 tasks a second. start_launcher NAME [OPTION...]: leaves the process in $started.
start_launcher()
{
    local name=$1
    shift
    # shellcheck disable=SC2046
    become_with_signals "$sheaf" run $(job_options "$name") --workers 2 --slots 1 "$@" \
        "$TEST_PLUGINS/ledger.so" >"$name.out" 2>"$name.said" &
    started=$!
}

start_mpirun()
{
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # shellcheck disable=SC2046
    become_with_signals mpirun --oversubscribe -n 3 "$sheaf" run $(job_options "$1") --slots 1 \
        "$TEST_PLUGINS/ledger.so" >"$1.out" 2>"$1.said" &
    started=$!
}

works()
{
    wait_for 60 tasks_done_are "$1" "${2:-6}" || { cat "$1.said"; fail "$1 does not work"; }
}

# ends_with STATUS NAME
ends_with()
{
    local status=0
    wait "$started" || status=$?
    cat "$2.said"
    [ $status = "$1" ] || { fail "exit status $status, not $1"; return 1; }
    no_process_is_left "$work/$2"
}

# continues NAME: from where the journal says that the job is, executing none of that again, to the
# whole output. Sleeping tasks need no cores: 32 at a time. Leaves what was done in $continued_with.
continues()
{
    mv "$1.ledger" "$1.ledger.before"
    touch "$1.release"
    # shellcheck disable=SC2046
    "$sheaf" run $(job_options "$1") --workers 2 --slots 16 "$TEST_PLUGINS/ledger.so" \
        >"$1.out" 2>"$1.more" || { cat "$1.more"; fail "it does not go on"; return 1; }
    cat "$1.more"
    continued_with=$(sed -n "s/.*continuing .*: \([0-9]*\) of $tasks .*/\1/p" "$1.more")
    [ -n "$continued_with" ] || { fail "it began anew"; return 1; }
    local executed
    executed=$(executed_in "$1.ledger" | wc -l)
    echo "# $1: $continued_with tasks were done, then $executed were executed" >&3
    [ "$executed" = $((tasks - continued_with)) ] || { fail "done tasks ran again"; return 1; }
    seq -s ' ' 0 $((tasks - 1)) | tr '\n' ' ' | cmp - "$1.out" || fail "not the whole output"
}

# After an orderly stop the last status is what the journal holds: all that was executed to its end.
continues_with_all_that_was_done()
{
    local done
    done=$(status_field "$1" tasks_done)
    [ "$done" -lt $tasks ] || { fail "it was too late to stop"; return 1; }
    [ "$done" = "$(executed_in "$1.ledger" | wc -l)" ] ||
        { fail "$done done of $(executed_in "$1.ledger" | wc -l) executed"; return 1; }
    continues "$1" || return 1
    [ "$continued_with" = "$done" ] || fail "of $done that were done $continued_with are left"
}

stopped_launcher_loses_nothing()
{
    local name=launcher-$1 started continued_with
    start_launcher "$name"
    works "$name" || return 1
    kill "-$1" "$started"
    touch "$name.release" # what has begun ends within the grace period
    ends_with 3 "$name" || return 1
    grep -q "To continue: sheaf run --tasks $tasks" "$name.said" ||
        { fail "does not say how to go on"; return 1; }
    [ ! -s "$name.out" ] || { fail "there is a result"; return 1; }
    continues_with_all_that_was_done "$name"
}

# lost_of NAME KILLED_MS: how long before the kill each task had ended that was run again, in ms.
lost_of()
{
    awk -v killed="$2" -v ms=$ms '
        NR == FNR { again[$3] = 1; next }
        $3 in again && $1 + ms < killed { print killed - $1 - ms }' "$1.ledger" "$1.ledger.before"
}

# The interval is 1 s; what comes on top is the time of one range, and a disk and a machine that are
# busy.
continues_with_all_but_a_checkpoint()
{
    local name=$1 oldest_ms
    continues "$name" || return 1
    lost_of "$name" "$2" | sort -n >lost
    oldest_ms=$(tail -n 1 lost)
    echo "# $name: $(wc -l <lost) finished tasks ran again, the oldest ended ${oldest_ms:-0} ms" \
        "before the kill" >&3
    [ "${oldest_ms:-0}" -le 4000 ] || fail "too much work is lost"
}

# By SIGINT and SIGTERM mpirun kills the ranks after a second, which may be too short for a stop
# on a busy machine, and returns 1 in any case. That of Open MPI 5 passes on nothing that they say
# from then on.
passes_on_last_words()
{
    [ "$1" = USR1 ] || mpirun --version | grep -q '(Open MPI) 4'
}

stopped_mpirun_loses_nothing()
{
    local name=mpirun-$1 started continued_with stopped_ms
    start_mpirun "$name"
    works "$name" || return 1
    stopped_ms=$(date +%s%3N)
    kill "-$1" "$started"
    touch "$name.release"
    ends_with "$2" "$name" || return 1
    if ! passes_on_last_words "$1" && ! grep -q '"state": "stopped"' "$name/status.json"; then
        echo "# $name: mpirun killed the ranks before they had stopped" >&3
        continues_with_all_but_a_checkpoint "$name" "$stopped_ms"
        return
    fi
    ! passes_on_last_words "$1" || grep -q "repeat the command to continue" "$name.said" ||
        { fail "does not say how to go on"; return 1; }
    continues_with_all_that_was_done "$name"
}

two_tasks_have_begun()
{
    [ "$(wc -l 2>/dev/null <"$1.ledger" || echo 0)" -ge 2 ]
}

tasks_that_go_on_are_cut_off_after_the_grace_period()
{
    local name=grace started
    ms=1000000 start_launcher $name --grace 1s
    wait_for 60 two_tasks_have_begun $name || { cat $name.said; return 1; }
    kill -TERM "$started"
    ends_with 3 $name && [ "$(status_field $name tasks_done)" = 0 ] &&
        grep -q '"state": "stopped"' $name/status.json
}

# start_command NAME SCRIPT: one task, which has begun once the file NAME.begun is there.
start_command()
{
    printf '%s\n' "$2" >"$1.script"
    become_with_signals "$sheaf" run -c "sh $1.script" --tasks 1 --dir "$work/$1" --workers 1 \
        --slots 1 --grace 100s --attempts 1 >"$1.out" 2>"$1.said" &
    started=$!
    wait_for 60 [ -e "$1.begun" ] || { cat "$1.said"; fail "it does not begin"; }
}

# Long before the grace period is over. What it has done after SIGTERM may be half of its work.
stopped_command_gets_sigterm_and_runs_again()
{
    local name=told started
    start_command $name '[ ! -e told.told ] || { echo again; exit; }
trap "touch told.told; echo half; exit" TERM
touch told.begun
while :; do sleep 0.1; done' || return 1
    kill -INT "$started"
    ends_with 3 $name && [ -e told.told ] || { fail "it was not told"; return 1; }
    grep -q "commands get SIGTERM" $name.said || { fail "nobody says so"; return 1; }
    [ "$(status_field $name tasks_done)" = 0 ] || { fail "half a result counts"; return 1; }
    "$sheaf" run -c "sh $name.script" --tasks 1 --dir "$work/$name" --attempts 1 >$name.out \
        2>$name.more || { cat $name.more; fail "it has used up its attempt"; return 1; }
    [ "$(cat $name.out)" = again ] || fail "the output is $(cat $name.out)"
}

# Its shell ends at once, and is not what there is to save.
programs_of_a_stopped_command_have_the_same_time()
{
    local name=saver started
    printf '%s\n' 'trap "sleep 0.5; touch saver.saved; exit" TERM' 'touch saver.begun' \
        'while :; do sleep 0.1; done' >save.script
    start_command $name 'sh save.script; true' || return 1
    kill -INT "$started"
    ends_with 3 $name && [ -e saver.saved ] || fail "it was killed with its shell"
}

plugin_that_gives_up_uses_up_no_attempt()
{
    local name=patient started
    become_with_signals "$sheaf" run "$TEST_PLUGINS/patient.so" --tasks 4 -p then='give up' \
        --dir "$work/$name" --workers 2 --grace 100s --attempts 1 >$name.out 2>$name.said &
    started=$!
    wait_for 60 grep -q '"tasks_running": [1-9]' $name/status.json || return 1
    kill -INT "$started"
    ends_with 3 $name || return 1
    [ "$(status_field $name tasks_done)" = 0 ] || { fail "something is done"; return 1; }
    "$sheaf" report $name | tee /dev/stderr | grep -q 'gave up' && fail "a failure was counted"
    return 0
}

# A worker that is stopped makes the first SIGINT wait.
second_interrupt_loses_nothing_that_was_journalled()
{
    local name=twice started continued_with worker before
    start_launcher $name --grace 100s --lost-after 100s
    works $name || return 1
    before=$(status_field $name tasks_done)
    works $name $((before + 20)) && works $name $((before + 60)) || return 1
    worker=$(pid_of_rank "$work/$name" 1) || return 1
    kill -STOP "$worker"
    kill -INT "$started"
    wait_for 20 grep -q "asking the run to stop" $name.said || { cat $name.said; return 1; }
    kill -INT "$started"
    ends_with 3 $name && continues $name || return 1
    [ "$continued_with" -ge "$before" ] || fail "only $continued_with of $before are left"
}

# Nothing has the time for a last word.
killed_run_loses_finished_work_of_one_checkpoint()
{
    local name=killed started continued_with killed_ms
    start_launcher $name --checkpoint 1s
    works $name 120 || return 1
    killed_ms=$(date +%s%3N)
    pkill -KILL -f -- "--dir $work/$name( |\$)"
    wait "$started"
    no_process_is_left "$work/$name" && continues_with_all_but_a_checkpoint $name "$killed_ms"
}

exec 3>&1
check stopped_launcher_loses_nothing_by_SIGINT stopped_launcher_loses_nothing INT
check stopped_launcher_loses_nothing_by_SIGTERM stopped_launcher_loses_nothing TERM
check stopped_mpirun_loses_nothing_by_SIGUSR1 stopped_mpirun_loses_nothing USR1 3
check stopped_mpirun_loses_nothing_by_SIGINT stopped_mpirun_loses_nothing INT 1
check stopped_mpirun_loses_nothing_by_SIGTERM stopped_mpirun_loses_nothing TERM 1
check tasks_that_go_on_are_cut_off_after_the_grace_period \
    tasks_that_go_on_are_cut_off_after_the_grace_period
check stopped_command_gets_sigterm_and_runs_again stopped_command_gets_sigterm_and_runs_again
check programs_of_a_stopped_command_have_the_same_time \
    programs_of_a_stopped_command_have_the_same_time
check plugin_that_gives_up_uses_up_no_attempt plugin_that_gives_up_uses_up_no_attempt
check second_interrupt_loses_nothing_that_was_journalled \
    second_interrupt_loses_nothing_that_was_journalled
check killed_run_loses_finished_work_of_one_checkpoint \
    killed_run_loses_finished_work_of_one_checkpoint
finish
