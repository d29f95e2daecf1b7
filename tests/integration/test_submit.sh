#!/usr/bin/env bash
# test_submit.sh - the batch script of `sheaf submit`, with stand-ins for Slurm and for the run:
# what is handed to sbatch, and when a round is repeated.
. "$abs_top_srcdir/tests/integration/lib.sh"

plugin_dir=${SHEAF_PLUGIN_PATH%%:*}
mkdir bin
export PATH=$work/bin:$PATH
export SLURM_JOB_ID=77
unset SLURM_RESTART_COUNT

# given PROGRAM: a stand-in of that name, from standard input.
given()
{
    { echo "#!/bin/sh" && cat; } >"bin/$1"
    chmod +x "bin/$1"
}

# A run that ends with the status in the file "status"; with 3 it has done one more task.
given run <<'END_OF_RUN'
case $1 in
run)
    echo "$*" >>arguments
    status=$(cat status)
    [ "$status" != 3 ] || [ -e stuck ] || echo . >>done
    exit "$status"
    ;;
status) echo "{ \"tasks_done\": $(cat done 2>/dev/null | wc -l)}" ;;
esac
END_OF_RUN
given sbatch <<'END_OF_SBATCH'
printf '%s\n' "$@" >sbatch.arguments
cat >sbatch.script
echo Submitted batch job 77
exit "$(cat sbatch.status 2>/dev/null || echo 0)"
END_OF_SBATCH
given squeue <<'END_OF_SQUEUE'
[ "$*" = "-h -j 77 -o %T" ] || exit 1
if [ -e busy ]; then # once
    rm busy
    exit 1
fi
cat state
END_OF_SQUEUE
given scontrol <<'END_OF_SCONTROL'
echo "$*" >>requeued
[ ! -e refuse ]
END_OF_SCONTROL

# given_script [ARGUMENT...]: of a submission, for the stand-ins; nothing has happened yet.
given_script()
{
    rm -f arguments requeued refuse stuck done slurm-*.idle
    echo RUNNING >state
    "$sheaf" submit --print "$@" "$plugin_dir/primes.so" | sed "s|^sheaf=.*|sheaf=$work/bin/run|" \
        >script
}

# round STATUS: runs the script; leaves its status in $got.
round()
{
    echo "$1" >status
    got=0
    sh script >out 2>said || got=$?
    cat said
}

requeues_are()
{
    local requeues
    requeues=$(cat requeued 2>/dev/null | wc -l)
    [ "$requeues" = "$1" ] || fail "$requeues times requeued, not $1"
}

stopped_round_is_requeued()
{
    given_script -- --tasks 5
    round 3
    [ "$got" = 3 ] && requeues_are 1 && grep -qx "requeue 77" requeued || return 1
    grep -qx "run --grace 2min --tasks 5 $plugin_dir/primes.so" arguments || cat arguments
}

every_other_end_is_the_jobs()
{
    local status
    given_script -- --tasks 5
    for status in 0 1 2 4; do
        round $status
        [ "$got" = $status ] || { fail "$got, not $status"; return 1; }
    done
    requeues_are 0
}

only_the_first_round_begins_anew()
{
    given_script -- --tasks 5 --fresh
    round 3
    grep -q -- --fresh arguments || { fail "the first does not"; return 1; }
    rm arguments
    SLURM_RESTART_COUNT=1 round 3
    ! grep -- --fresh arguments || fail "the second does, too"
}

cancelled_job_is_not_requeued()
{
    given_script -- --tasks 5
    echo COMPLETING >state
    round 3
    [ "$got" = 3 ] && requeues_are 0 && grep -q "is COMPLETING. To continue: sheaf submit" said
}

busy_controller_is_asked_again()
{
    given_script -- --tasks 5
    : >busy
    round 3
    requeues_are 1
}

job_that_is_being_signalled_is_requeued()
{
    given_script -- --tasks 5
    echo SIGNALING >state
    round 3
    requeues_are 1
}

refused_requeue_says_how_to_continue()
{
    given_script --time=1 -- --tasks 5
    touch refuse
    round 3
    [ "$got" = 3 ] && requeues_are 3 &&
        grep -q "To continue: sheaf submit --time=1 -- --tasks 5 $plugin_dir/primes.so" said
}

third_round_in_a_row_without_a_result_is_the_last()
{
    local i
    given_script -- --tasks 5
    touch stuck
    for i in 1 2; do
        round 3
        requeues_are $i || return 1
    done
    rm stuck
    round 3 # this one has a result
    touch stuck
    for i in 4 5; do
        round 3
        requeues_are $i || return 1
    done
    round 3
    requeues_are 5 && grep -q "no task has ended in 3 rounds" said && [ ! -e slurm-77.idle ]
}

signal_to_the_script_reaches_the_run()
{
    given_script -- --tasks 5
    cat >bin/waits <<'END_OF_WAITS'
#!/bin/sh
[ "$1" = run ] || { echo '{ "tasks_done": 0}'; exit; }
trap 'echo "TERM came" >>arguments; exit 0' TERM
touch waiting
while :; do sleep 0.1; done
END_OF_WAITS
    chmod +x bin/waits
    sed -i "s|^sheaf=.*|sheaf=$work/bin/waits|" script
    local shell script
    for shell in sh bash; do
        rm -f arguments waiting
        $shell script >out 2>said &
        script=$!
        wait_for 20 test -e waiting || { cat said; fail "the run did not begin"; return 1; }
        kill -TERM $script
        wait $script || { fail "$shell: status $?"; return 1; }
        grep -q "TERM came" arguments || { fail "$shell: it did not come"; return 1; }
    done
}

submission_goes_to_sbatch_as_it_was_typed()
{
    "$sheaf" submit --time 1:00 --comment='a b' -- --tasks 5 "$plugin_dir/primes.so" >out ||
        return 1
    grep -qx "Submitted batch job 77" out || { cat out; return 1; }
    printf '%s\n' --time 1:00 "--comment=a b" | diff - sbatch.arguments || return 1
    "$sheaf" submit --print --time 1:00 --comment='a b' -- --tasks 5 "$plugin_dir/primes.so" |
        diff - sbatch.script || return 1
    local status=0
    echo 9 >sbatch.status
    "$sheaf" submit "$plugin_dir/primes.yaml" >out || status=$?
    rm sbatch.status
    [ $status = 9 ] || fail "exit status $status, not sbatch's"
}

run_directory_is_submitted_to_be_continued()
{
    mkdir -p begun
    (cd begun && printf 'echo 1\necho 2\n' >list && "$sheaf" run --quiet list --only 0 2>../said)
    [ $? = 3 ] && rm begun/list || { cat said; return 1; }
    "$sheaf" submit --print begun/list.sheaf >script 2>said || { cat said; return 1; }
    grep -qx "directory=$PWD/begun/list.sheaf" script && grep -qx "cd -- $PWD || exit 4" script &&
        grep -q "again='sheaf submit .*begun/list.sheaf'" script &&
        grep -q 'run --grace 2min $fresh begun/list.sheaf' script || { cat script; return 1; }
    (cd / && sh "$work/script") >out 2>said && diff out <(seq 2) || { cat said; return 1; }
    "$sheaf" submit --print -- --fresh begun/list.sheaf >script 2>said
    [ $? = 2 ] && grep -q 'deletes what is stored there' said || { cat said; return 1; }
    "$sheaf" submit --print . >script 2>said
    [ $? = 2 ] && grep -q 'no run has begun there' said || { cat said; return 1; }
}

submission_without_sbatch_says_so()
{
    local status=0
    PATH=/nowhere "$sheaf" submit "$plugin_dir/primes.yaml" >out 2>said || status=$?
    cat out said
    [ $status = 4 ] && grep -q "cannot start sbatch" said
}

wrong_submissions_are_refused()
{
    local words status
    printf 'stages:\n  - {name: a, command: echo a}\n' >stages.yaml
    for words in "" "--time=1" "-- --taks 3 primes.so" "nowhere.yaml" "-- --tasks 3" \
        "-- --rerun-stage a stages.yaml"; do
        status=0
        # shellcheck disable=SC2086
        "$sheaf" submit --print $words >out 2>said || status=$?
        [ $status = 2 ] && [ ! -s out ] && [ -s said ] ||
            { cat out said; fail "\"$words\": $status"; return 1; }
    done
    status=0
    "$sheaf" submit "--comment=a
b" "$plugin_dir/primes.yaml" 2>said || status=$?
    [ $status = 2 ] && grep -q "line break" said && "$sheaf" submit --help | grep -q "^Usage"
}

check stopped_round_is_requeued stopped_round_is_requeued
check every_other_end_is_the_jobs every_other_end_is_the_jobs
check only_the_first_round_begins_anew only_the_first_round_begins_anew
check cancelled_job_is_not_requeued cancelled_job_is_not_requeued
check busy_controller_is_asked_again busy_controller_is_asked_again
check job_that_is_being_signalled_is_requeued job_that_is_being_signalled_is_requeued
check refused_requeue_says_how_to_continue refused_requeue_says_how_to_continue
check third_round_in_a_row_without_a_result_is_the_last \
    third_round_in_a_row_without_a_result_is_the_last
check signal_to_the_script_reaches_the_run signal_to_the_script_reaches_the_run
check submission_goes_to_sbatch_as_it_was_typed submission_goes_to_sbatch_as_it_was_typed
check run_directory_is_submitted_to_be_continued run_directory_is_submitted_to_be_continued
check submission_without_sbatch_says_so submission_without_sbatch_says_so
check wrong_submissions_are_refused wrong_submissions_are_refused
finish
