#!/usr/bin/env bash
# test_same_bytes.sh - the output is the same, byte for byte, whatever happens on the way to it.
#
# SHEAF_TEST_SEED fixes the moments of the kills; it is printed.
. "$abs_top_srcdir/tests/integration/lib.sh"

seed=${SHEAF_TEST_SEED:-$RANDOM}
echo "# seed $seed"
RANDOM=$seed

# About 2 s of work for two cores, in tasks of about 1 ms.
sum_job=("$examples/sum.yaml" --tasks 4000 --param terms=500000)
words_job=("$examples/wordcount.yaml")

# run_job OUTPUT DIR ARGUMENT...: runs to the end; the output must be the reference's.
run_as_reference()
{
    local reference=$1 dir=$2
    shift 2
    $sheaf run "$@" --dir "$dir" --quiet >"$dir.out" || return 1
    same_bytes "$reference" "$dir.out" || return 1
    no_process_is_left "$dir"
}

make_references()
{
    $sheaf run "${sum_job[@]}" --dir "$work/sum" --quiet --workers 1 >"$work/sum.ref" &&
        $sheaf run "${words_job[@]}" --dir "$work/words" --quiet --workers 1 >"$work/words.ref" &&
        [ -s "$work/sum.ref" ] && [ -s "$work/words.ref" ]
}

words_are_those_of_sort_and_uniq()
{
    cat "$examples"/data/*.txt | LC_ALL=C tr -cs 'A-Za-z' '\n' | LC_ALL=C tr 'A-Z' 'a-z' |
        grep . | LC_ALL=C sort | uniq -c |
        LC_ALL=C sort -k1,1nr -k2,2 >"$work/words.sorted"
    same_bytes "$work/words.sorted" "$work/words.ref"
}

with_workers()
{
    run_as_reference "$work/sum.ref" "$work/sum-w$1" "${sum_job[@]}" --workers "$1" &&
        run_as_reference "$work/words.ref" "$work/words-w$1" "${words_job[@]}" --workers "$1"
}

with_ranges_of()
{
    run_as_reference "$work/sum.ref" "$work/sum-r$1" "${sum_job[@]}" --workers 2 \
        --range-min "$1" --range-max "$1" &&
        run_as_reference "$work/words.ref" "$work/words-r$1" "${words_job[@]}" --workers 2 \
            --range-min "$1" --range-max "$1"
}

executor_of_rank_1()
{
    local rank
    rank=$(pid_of_rank "$1" 1) && executors_of "$rank" | head -n 1 | grep .
}

# Rank 1, once it has begun to work: a kill while MPI starts is the launcher's business.
worker_at_work()
{
    executor_of_rank_1 "$1" >/dev/null && pid_of_rank "$1" 1
}

# strike LAUNCHER FINDER ARGUMENT...: kills what FINDER finds as soon as it is there; 1 when the run
# was over before.
strike()
{
    local launcher=$1 victim
    shift
    while kill -0 "$launcher" 2>/dev/null; do
        victim=$("$@") && kill -KILL $victim 2>/dev/null && return
    done
    return 1
}

# after_kill_of DIR FINDER ARGUMENT...: the sum, with a kill in its course; another run of it where
# the machine was done before the kill.
after_kill_of()
{
    local dir=$1 try launcher
    shift
    for try in 1 2 3 4 5; do
        rm -rf "$dir"
        $sheaf run "${sum_job[@]}" --workers 2 --slots 1 --lost-after 1s --dir "$dir" \
            >"$dir.out" 2>"$dir.said" &
        launcher=$!
        strike $launcher "$@" && break
        wait $launcher
        launcher=
    done
    [ -n "$launcher" ] || { cat "$dir.said"; fail "nothing to kill in $try runs"; return 1; }
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    same_bytes "$work/sum.ref" "$dir.out" && no_process_is_left "$dir"
}

run_mpirun()
{
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        mpirun --oversubscribe --enable-recovery -n 3 "$sheaf" run "$@"
}

# The command is repeated until it ends by itself; the first 20 times it is killed.
after_20_kills_of_mpirun()
{
    local name=$1 dir=$work/killed-$1 kills=0
    shift
    while :; do
        run_mpirun "$@" --dir "$dir" --checkpoint 100ms --quiet >"$dir.out" 2>"$dir.said" &
        local mpirun=$!
        if [ $kills -lt 20 ]; then
            kills=$((kills + 1))
            # From before MPI is up to well into the work.
            sleep "$(printf '0.%03d' $((RANDOM % 1000)))"
            pkill -KILL -f -- "--dir $dir( |\$)"
            wait $mpirun 2>/dev/null
            continue
        fi
        wait $mpirun || { cat "$dir.said"; fail "exit status $? after $kills kills"; return 1; }
        break
    done
    same_bytes "$work/$name.ref" "$dir.out"
}

# The run with this number has done something.
run_is_at_work()
{
    [ "$(status_field "$1" incarnation)" = "$2" ] && tasks_done_are "$1" 1
}

# The launcher starts a killed mpirun again by itself.
after_kills_under_the_launcher()
{
    local dir=$work/restarted kills=0
    # The last tasks wait until there have been two kills.
    $sheaf run "$TEST_PLUGINS/slow.so" --tasks 500 --param milliseconds=20 --param held=450 \
        --param release="$work/restarted.release" --workers 2 --slots 1 --checkpoint 100ms \
        --dir "$dir" >"$dir.out" 2>"$dir.said" &
    local launcher=$!
    while [ $kills -lt 2 ]; do
        wait_for 60 run_is_at_work "$dir" $((kills + 1)) || break
        kill -KILL "$(mpirun_of $launcher)" || break
        kills=$((kills + 1))
    done
    touch "$work/restarted.release"
    wait $launcher || { cat "$dir.said"; fail "exit status $?"; return 1; }
    [ $kills = 2 ] || { cat "$dir.said"; fail "only $kills kills"; return 1; }
    seq -s ' ' 0 499 | tr '\n' ' ' >"$work/slow.ref"
    same_bytes "$work/slow.ref" "$dir.out" && no_process_is_left "$dir"
}

check references_are_made make_references
check words_are_those_of_sort_and_uniq words_are_those_of_sort_and_uniq
for workers in 1 2 3 7; do
    check "output_is_the_same_with_${workers}_workers" with_workers $workers
done
for count in 1 10000; do
    check "output_is_the_same_with_ranges_of_${count}_tasks" with_ranges_of $count
done
check output_is_the_same_after_kill_of_an_executor \
    after_kill_of "$work/executor" executor_of_rank_1 "$work/executor"
check output_is_the_same_after_kill_of_a_worker \
    after_kill_of "$work/worker" worker_at_work "$work/worker"
check sum_is_the_same_after_20_kills_of_mpirun after_20_kills_of_mpirun sum "${sum_job[@]}"
check words_are_the_same_after_20_kills_of_mpirun after_20_kills_of_mpirun words "${words_job[@]}"
check output_is_the_same_after_restarts_by_the_launcher after_kills_under_the_launcher
finish
