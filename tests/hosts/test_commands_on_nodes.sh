#!/usr/bin/env bash
# test_commands_on_nodes.sh - commands, streams and stages on several hosts that share no disk but
# that of the run directory, one of which is killed.
. "$abs_top_srcdir/tests/hosts/cases.sh"

# run_on_nodes NAME ARGUMENT...: in the background, as launch does.
run_on_nodes()
{
    dir=$work/$1
    shift
    on_host head "$sheaf" run --host a,b,c --slots 2 --lost-after 1s --silence-timeout 4s \
        --checkpoint 200ms --dir "$dir" "$@" <&0 >"$dir.out" 2>>"$dir.said" &
    launching=$!
}

prints()
{
    ends_with 0 && same_bytes "$1" "$dir.out"
}

hosts_at_work()
{
    cut -d ' ' -f 2 "$dir.out" | sort -u
}

commands_outlive_a_killed_node()
{
    seq 600 | sed 's/.*/sleep 0.05; echo & $(hostname)/' >list.txt
    run_on_nodes list "$work/list.txt"
    wait_for 90 tasks_done_are "$dir" 60 || { cat "$dir.said"; return 1; }
    host_kill c
    ends_with 0 || return 1
    cut -d ' ' -f 1 "$dir.out" | cmp - <(seq 600) || return 1
    [ "$(hosts_at_work | wc -l)" -ge 2 ] || { fail "only on $(hosts_at_work)"; return 1; }
    on_host b "$sheaf" output --task 599 "$dir" | grep -q '^600 ' || { fail "no output"; return 1; }
    nothing_is_left_on head a b
}

# What comes on standard input is on no disk of the workers.
stream_of_standard_input_is_merged_on_nodes()
{
    seq 200000 | sort -R --random-source=<(yes) >shuffled
    seq 200000 >sorted
    run_on_nodes stream --pipe --block 64k --command 'sort -n' \
        --merge-command 'sort -n -m {left} {right}' - <shuffled
    prints sorted && nothing_is_left_on head a b c
}

stages_outlive_a_killed_node()
{
    seq 300 >numbers
    cat >stages.yaml <<'END'
stages:
  - {name: square, command: "sleep 0.05; expr {} '*' {}", split: {lines: numbers}}
  - name: odd
    after: square
    command: grep '[13579]$'
    pipe: true
    split: {lines: {files: '{square.result}', block: 200}}
  - {name: count, after: odd, command: 'wc -l <{odd.result}'}
END
    run_on_nodes stages "$work/stages.yaml"
    wait_for 90 eval '[ -e "$dir/stages/odd" ] || tasks_done_are "$dir/stages/square" 30' ||
        { cat "$dir.said"; return 1; }
    host_kill b
    echo 150 >counted
    prints counted && nothing_is_left_on head a c
}

commands_run_under_plain_mpirun_on_nodes()
{
    dir=$work/plain
    seq 40 | sed 's/.*/echo & $(hostname)/' >plain.txt
    on_host a env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 120 mpirun \
        --oversubscribe --host a:2,b:2 -n 4 "$sheaf" run --quiet --range-max 1 --dir "$dir" \
        "$work/plain.txt" >"$dir.out" 2>"$dir.said" ||
        { cat "$dir.said"; fail "exit status $?"; return 1; }
    cut -d ' ' -f 1 "$dir.out" | cmp - <(seq 40) || return 1
    nothing_is_left_on a b
}

run_cases commands_outlive_a_killed_node stream_of_standard_input_is_merged_on_nodes \
    stages_outlive_a_killed_node commands_run_under_plain_mpirun_on_nodes
