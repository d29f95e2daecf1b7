#!/usr/bin/env bash
# test_streams.sh - commands as filters: blocks of lines on standard input, results joined by a
# command, whatever happens to the run.
. "$abs_top_srcdir/tests/integration/lib.sh"

# run ARGUMENT...: a run in a directory of its own each time, $dir.
run()
{
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet "$@" --dir "$dir" >printed 2>said
}

# 40,000 lines in no order, the last one without an end.
seq 40000 | awk '{ print $1 * 7919 % 40009 }' | head -c -1 >numbers

blocks_of_a_file_are_filtered_in_order()
{
    run --pipe --block 10K --command 'grep 77' --input numbers ||
        { cat said && fail "failed" || return 1; }
    diff <(grep 77 numbers) printed || fail "other lines" || return 1
    run --pipe --block 10K --command 'cat' numbers || { cat said && fail "a list" || return 1; }
    cmp numbers printed
}

blocks_of_standard_input_are_filtered_and_resumed()
{
    dir=$(mktemp -u "$work/run.XXXXXX")
    local i
    for i in first again; do
        "$sheaf" run --quiet --pipe --block 10K --command 'sed s/1/x/' --dir "$dir" - \
            <numbers >printed 2>said || { cat said && fail "failed: $i" || return 1; }
        diff <(sed s/1/x/ numbers) printed || fail "other lines: $i" || return 1
    done
    printf 'more\n' | "$sheaf" run --quiet --pipe --block 10K --command 'sed s/1/x/' \
        --dir "$dir" - >printed 2>said
    [ $? = 2 ] && grep -q 'earlier version of job' said || { cat said && fail "other input"; }
}

job_file_has_a_filter()
{
    cat >filter.yaml <<'YAML'
command: tr -d {digit}
pipe: true
split: {lines: {files: numbers, block: 10K}}
parameters: {digit: 7}
YAML
    run filter.yaml || { cat said && fail "failed" || return 1; }
    cmp <(tr -d 7 <numbers) printed
}

# Each of these would hang, or die of SIGPIPE, with a pipe that is fed while it runs.
command_may_read_as_it_likes()
{
    run --pipe --block 100K --command 'head -n 1' numbers ||
        { cat said && fail "reads one line" || return 1; }
    head -n 1 numbers | cmp - <(head -n 1 printed) || return 1
    run --pipe --block 100K --command 'exec <&-; echo none' numbers ||
        { cat said && fail "closes it" || return 1; }
    [ "$(uniq printed)" = none ] || fail "did not run" || return 1
    run --pipe --block 100K --command 'yes | head -c 3000000; cat; yes | head -c 3000000' numbers ||
        { cat said && fail "writes much, then reads" || return 1; }
    cmp <(tr -d '\n' <numbers) <(tr -d 'y\n' <printed) || fail "lines were lost"
}

time_limit_holds_for_a_filter()
{
    local word=4646$$
    run --pipe --timeout 300ms --attempts 1 --command "sleep $word" numbers
    [ $? = 1 ] && grep -q 'ran longer than its time limit' said ||
        { cat said && fail "no time limit" || return 1; }
    ! pgrep -f -- "sleep $word" || fail "processes are left"
}

results_are_merged_by_a_command()
{
    run --pipe --block 10K --command sort --merge-command 'sort -m {left} {right}' numbers ||
        { cat said && fail "failed" || return 1; }
    sort numbers | cmp - printed || return 1
    "$sheaf" output --task 1 "$dir" >printed 2>said
    [ $? = 2 ] && grep -q 'the results of this job were merged' said || fail "output of a task"
}

# The bytes show in which order what was joined: not even the ranges may change that.
merged_result_is_the_same_however_it_came_about()
{
    local join="printf '(%s %s)' \"\$(cat {left})\" \"\$(cat {2})\"" expected
    expected='(((0 1) (2 3)) ((4 5) 6))'
    run --command 'echo {}' --tasks 7 --merge-command "$join" --workers 1 --slots 1 ||
        { cat said && fail "failed" || return 1; }
    [ "$(cat printed)" = "$expected" ] || { cat printed && fail "one worker" || return 1; }
    run --command 'echo {}' --tasks 7 --merge-command "$join" --workers 3 --slots 2 \
        --range-max 1 || { cat said && fail "failed" || return 1; }
    [ "$(cat printed)" = "$expected" ] || { cat printed && fail "three workers" || return 1; }
    rm -f mark
    run --command "mkdir mark 2>/dev/null && kill -9 \$PPID; echo {}" --tasks 7 \
        --merge-command "mkdir mark2 2>/dev/null && kill -9 \$PPID; $join" --attempts 5 ||
        { cat said && fail "failed" || return 1; }
    [ "$(cat printed)" = "$expected" ] || { cat printed && fail "killed executors"; }
}

failed_task_is_left_out_of_the_merge()
{
    run --command '[ {#} != 3 ] && echo {}' --tasks 4 --attempts 1 \
        --merge-command 'cat {left} {right}'
    [ $? = 1 ] || { cat said && fail "exit status" || return 1; }
    printf '0\n1\n3\n' | cmp - "$dir/output.incomplete"
}

failing_merge_says_why()
{
    run --command 'echo {}' --tasks 4 --attempts 2 --merge-command \
        'cat {left} {right} >/dev/null; echo no way >&2; exit 3'
    [ $? = 1 ] && grep -q 'the merge command exited with status 3: no way' said ||
        { cat said && fail "does not say why" || return 1; }
    run --command 'echo {}' --tasks 4 --merge-command 'cat {left}'
    [ $? = 2 ] && grep -q 'must read two results, {left} and {right}' said ||
        { cat said && fail "one side alone"; }
}

usage_is_explained()
{
    run --pipe --command cat
    [ $? = 2 ] && grep -q 'pipe cuts text into blocks: name its file' said ||
        { cat said && fail "no text" || return 1; }
    printf 'plugin: %s\n' "$abs_top_builddir/examples/sum.so" >plugin.yaml
    run --merge-command 'cat {left} {right}' plugin.yaml
    [ $? = 2 ] && grep -q 'merge-command belongs to commands' said ||
        { cat said && fail "a plug-in" || return 1; }
    : >empty
    run --pipe --command 'wc -c' empty || { cat said && fail "empty text" || return 1; }
    [ ! -s printed ] || fail "a command ran without input"
}

for name in \
    blocks_of_a_file_are_filtered_in_order \
    blocks_of_standard_input_are_filtered_and_resumed \
    job_file_has_a_filter \
    command_may_read_as_it_likes \
    time_limit_holds_for_a_filter \
    results_are_merged_by_a_command \
    merged_result_is_the_same_however_it_came_about \
    failed_task_is_left_out_of_the_merge \
    failing_merge_says_why \
    usage_is_explained; do
    check $name $name
done
finish
