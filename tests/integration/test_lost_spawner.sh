#!/usr/bin/env bash
# test_lost_spawner.sh - a spawner that is killed, at any time, costs what its executors ran; only
# what a prepare does by itself uses up attempts.
. "$abs_top_srcdir/tests/integration/lib.sh"

seq -s ' ' 0 39 | tr '\n' ' ' >expected

# spawners_of DIR: the children of rank 1: once MPI has started the spawner and its reserve.
spawners_of()
{
    local rank
    rank=$(pid_of_rank "$1" 1) && pgrep -P "$rank"
}

# working_spawner_of DIR: the one that has executors.
working_spawner_of()
{
    local spawner
    for spawner in $(spawners_of "$1"); do
        pgrep -P "$spawner" >/dev/null && echo "$spawner"
    done
}

has_working_spawner()
{
    [ -n "$(working_spawner_of "$1")" ]
}

# begin DIR WORKERS [OPTION...]: a job that lasts until it is released; its launcher is $launcher.
begin()
{
    local dir=$1 workers=$2
    shift 2
    $sheaf run "$TEST_PLUGINS/hold.so" --tasks 40 --range-max 1 --param "release=$dir.release" \
        --workers "$workers" --slots 1 --dir "$dir" "$@" >"$dir.out" 2>"$dir.said" &
    launcher=$!
}

# ends_well DIR
ends_well()
{
    wait "$launcher" || { cat "$1.said"; fail "exit status $?"; return 1; }
    cat "$1.said"
    same_bytes expected "$1.out" && no_process_is_left "$1"
}

# is_said TEXT DIR
is_said()
{
    grep -q -- "$1" "$2.said" || { cat "$2.said"; fail "it is not said: $1"; }
}

# is_not_said TEXT DIR
is_not_said()
{
    ! grep -q -- "$1" "$2.said" || { cat "$2.said"; fail "it is said: $1"; }
}

# Both are gone: the worker has nothing to fork executors from.
job_goes_on_without_any()
{
    local workers=$1 dir=$work/without-$1 victims
    begin "$dir" "$workers"
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; return 1; }
    victims=$(spawners_of "$dir") || { fail "no spawner"; return 1; }
    kill -KILL $victims
    wait_for 60 grep -q 'worker 1 .*has lost its spawner' "$dir.said" ||
        { cat "$dir.said"; fail "nothing is said"; return 1; }
    touch "$dir.release"
    ends_well "$dir" && is_not_said 'starting again' "$dir" && is_not_said 'has left' "$dir"
}

# Twice in a row all that there are, and the second of them before they have begun.
job_goes_on_after_all_are_killed_again()
{
    local dir=$work/again victims first
    begin "$dir" 1
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; return 1; }
    victims=$(spawners_of "$dir") || { fail "no spawner"; return 1; }
    first=$victims
    kill -KILL $victims
    for _ in 1 2; do
        wait_for 60 eval "victims=\$(spawners_of $dir)" || { fail "no other spawner"; return 1; }
        kill -KILL $victims 2>/dev/null
    done
    wait_for 60 has_working_spawner "$dir" || { cat "$dir.said"; fail "nothing runs"; return 1; }
    case " $(echo $first) " in
    *" $(working_spawner_of "$dir") "*) fail "it was not killed"; return 1 ;;
    esac
    touch "$dir.release"
    ends_well "$dir" && is_not_said 'starting again' "$dir"
}

worker_makes_another()
{
    local dir=$work/another
    begin "$dir" 1
    wait_for 60 tasks_done_are "$dir" 1 && wait_for 60 has_working_spawner "$dir" ||
        { cat "$dir.said"; fail "nothing runs"; return 1; }
    kill -KILL "$(working_spawner_of "$dir")"
    wait_for 60 grep -q 'has lost its spawner' "$dir.said" ||
        { cat "$dir.said"; fail "nothing is said"; return 1; }
    touch "$dir.release"
    ends_well "$dir" && is_not_said 'starting again' "$dir"
}

# prepares DIR: the process that is within prepare.
prepares()
{
    ls "$1".prepare.[0-9]* 2>/dev/null | sed 's/.*\.//' | grep .
}

death_within_prepare_is_not_its_fault()
{
    local signal=$1 dir=$work/prepare-$1 victim
    touch "$dir.release"
    begin "$dir" 1 --param "prepare=$dir.prepare"
    wait_for 60 prepares "$dir" >/dev/null || { cat "$dir.said"; fail "no prepare"; return 1; }
    victim=$(prepares "$dir")
    kill "-$signal" "$victim"
    wait_for 60 grep -q 'has lost its spawner' "$dir.said" ||
        { cat "$dir.said"; fail "nothing is said"; return 1; }
    touch "$dir.prepare"
    ends_well "$dir" && is_not_said 'starting again' "$dir" && is_not_said --fresh "$dir"
}

# While MPI starts the children are the witness, the spawner and the one in reserve.
has_reserve()
{
    [ "$(spawners_of "$1" | wc -l)" -ge 3 ]
}

death_while_mpi_starts_is_made_up_for()
{
    local signal=$1 dir=$work/init-$1
    HELD=$dir begin "$dir" 1 --mpirun "$work/held-mpirun"
    wait_for 60 test -e "$dir.ready" && wait_for 60 has_reserve "$dir" ||
        { cat "$dir.said"; fail "nothing starts"; return 1; }
    kill "-$signal" "$(spawners_of "$dir" | sort -n | sed -n 2p)"
    touch "$dir.go"
    wait_for 60 grep -q 'has lost its spawner' "$dir.said" ||
        { cat "$dir.said"; fail "nothing is said"; return 1; }
    touch "$dir.release"
    ends_well "$dir" && is_not_said 'starting again' "$dir"
}

# Somebody kills each spawner: that is not for ever, and costs no result.
deaths_without_an_end_can_be_continued()
{
    local dir=$work/each victim status=0
    touch "$dir.release"
    begin "$dir" 1 --param "prepare=$dir.prepare" --restarts 1
    while kill -0 "$launcher" 2>/dev/null; do
        for victim in $(prepares "$dir"); do
            rm -f "$dir.prepare.$victim"
            kill -KILL "$victim"
        done
        sleep 0.05
    done
    wait "$launcher" || status=$?
    cat "$dir.said"
    [ $status = 4 ] || { fail "exit status $status, not 4"; return 1; }
    is_said 'To continue' "$dir" && is_not_said --fresh "$dir" || return 1
    touch "$dir.prepare"
    begin "$dir" 1 --param "prepare=$dir.prepare"
    ends_well "$dir"
}

# times_said PATTERN DIRECTORY: how often, with what only the count of a line tells of.
times_said()
{
    awk -v pattern="$1" '
        $0 !~ pattern { next }
        match($0, /[0-9]+ more like this/) { times += substr($0, RSTART) + 0; next }
        / warning: / { times++ }
        END { print times + 0 }' "$2.said"
}

# Its own failure, of a run that has results.
broken_prepare_loses_no_result()
{
    local dir=$work/broken status=0
    touch "$dir.prepare"
    begin "$dir" 2 --param "prepare=$dir.prepare"
    wait_for 60 tasks_done_are "$dir" 1 || { cat "$dir.said"; return 1; }
    kill -TERM "$launcher"
    wait_for 60 test -e "$dir/stop"
    kill -TERM "$launcher"
    wait "$launcher"
    touch "$dir.prepare.broken" "$dir.release"
    begin "$dir" 2 --param "prepare=$dir.prepare"
    wait "$launcher" || status=$?
    cat "$dir.said"
    [ $status = 4 ] || { fail "exit status $status, not 4"; return 1; }
    is_said "the job failed: prepare of .*/hold.so .*in every attempt.*are kept" "$dir" &&
        is_said "worker 1 .*: prepare: the table is not there" "$dir" &&
        is_said 'To continue' "$dir" && is_not_said --fresh "$dir" || return 1
    # Two workers, three attempts each: which of them is named and which only counted is chance.
    [ "$(times_said 'prepare: the table is not there' "$dir")" = 6 ] ||
        { fail "not 3 attempts on each of 2 workers"; return 1; }
    rm "$dir.prepare.broken"
    begin "$dir" 2 --param "prepare=$dir.prepare"
    ends_well "$dir" && is_said 'continuing .*: [1-9][0-9]* of 40' "$dir"
}

make_held_mpirun
check worker_goes_on_when_all_its_spawners_are_killed job_goes_on_without_any 2
check only_worker_goes_on_when_all_its_spawners_are_killed job_goes_on_without_any 1
check all_spawners_killed_again_are_made_up_for job_goes_on_after_all_are_killed_again
check worker_makes_another worker_makes_another
for signal in KILL TERM SEGV; do
    check "sig${signal,,}_within_prepare_is_made_up_for" \
        death_within_prepare_is_not_its_fault $signal
done
check death_while_mpi_starts_is_made_up_for death_while_mpi_starts_is_made_up_for KILL
check deaths_without_an_end_can_be_continued deaths_without_an_end_can_be_continued
check broken_prepare_loses_no_result broken_prepare_loses_no_result
finish
