#!/usr/bin/env bash
# test_commands.sh - jobs whose tasks are commands: lists, inputs, grids, names of any kind, and
# commands that misbehave.
. "$abs_top_srcdir/tests/integration/lib.sh"

# run ARGUMENT...: a run in a directory of its own each time, $dir.
run()
{
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet "$@" --dir "$dir" >printed 2>said
}

printed_is()
{
    diff -a <(printf "$1") printed || { cat said && fail "printed something else"; }
}

list_runs_commands_in_their_order()
{
    printf '%s\n' '# a list' 'echo one' '' '  # one more' 'echo "two  x" | tr x y' 'printf 3' \
        >tasks.txt
    run tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is 'one\ntwo  y\n3'
}

list_comes_on_standard_input()
{
    run - < <(printf 'echo a\necho b\n') || { cat said && fail "failed" || return 1; }
    printed_is 'a\nb\n'
}

inputs_come_on_standard_input()
{
    run --command 'echo {} {#}' - < <(seq 3) || { cat said && fail "failed" || return 1; }
    printed_is '1 1\n2 2\n3 3\n' || return 1
    seq 3 | "$sheaf" run --quiet --command 'echo {} {#}' - --dir "$dir" >printed 2>said ||
        { cat said && fail "does not continue" || return 1; }
    printed_is '1 1\n2 2\n3 3\n' || return 1
    seq 4 | "$sheaf" run --quiet --command 'echo {} {#}' - --dir "$dir" >printed 2>said ||
        { cat said && fail "does not take more input" || return 1; }
    printed_is '1 1\n2 2\n3 3\n4 4\n' || return 1
    seq 4 | "$sheaf" run --quiet --command 'echo {#} {}' - --dir "$dir" >printed 2>said
    [ $? = 2 ] && grep -q 'another command, also named echo. Use --dir to keep both' said ||
        { cat said && fail "another command, and not another job"; }
}

files_are_inputs()
{
    mkdir -p files
    touch 'files/b c.tif' files/a.tif files/d.txt
    run --command 'echo {/.}.png from {//}' --input 'files/*.tif' --input 'files/*.txt' ||
        { cat said && fail "failed" || return 1; }
    printed_is 'a.png from files\nb c.png from files\nd.png from files\n'
}

grid_is_full()
{
    run --command 'echo {a}-{b} {2}' --param a=1,2 --param b=x,y,z ||
        { cat said && fail "failed" || return 1; }
    printed_is '1-x x\n1-y y\n1-z z\n2-x x\n2-y y\n2-z z\n'
}

job_file_has_a_command()
{
    cat >command.yaml <<'END'
command: echo {limit} {size}
split:
  product: {size: [1, 2]}
parameters: {limit: 2.5}
END
    run command.yaml -p limit=3.5 || { cat said && fail "failed" || return 1; }
    printed_is '3.5 1\n3.5 2\n' || return 1
    printf 'x y\n# z\n' >lines
    printf 'command: "echo <{}>"\nsplit: {lines: lines}\n' >command.yaml
    sed -i 's/<{}>/[{}]/' command.yaml
    run command.yaml || { cat said && fail "failed" || return 1; }
    printed_is '[x y]\n[# z]\n'
}

# 200 names of everything but NUL and slashes, each a file; the files end with NUL in `names`.
make_names()
{
    mkdir -p names
    local seed=${SHEAF_TEST_SEED:-$(date +%s)}
    echo "seed $seed (SHEAF_TEST_SEED repeats it)"
    RANDOM=$((seed % 32768))
    # shellcheck disable=SC2016
    local -a pieces=(' ' "'" '"' $'\n' '$(touch broken)' '`touch broken`' - -- '\' '*' '?' '[a]'
        '{}' '{.}' '${HOME}' ';touch broken;' '&&' '|' $'\xff\xfe' $'\xc3\x28' a .x '~' '#' $'\t'
        $'\r' '!' '(' ')' '<' '>' = %s $'\xe2\x82\xac' $'\x01')
    local i j name
    for ((i = 0; i < 200; i++)); do
        name=${pieces[RANDOM % ${#pieces[@]}]}
        for ((j = RANDOM % 5; j > 0; j--)); do
            name+=${pieces[RANDOM % ${#pieces[@]}]}
        done
        printf '%s\0' "$name.$i"
    done >names.list
}

# Compared with what bash's own expansions say of the same names.
names_of_any_kind_pass_every_replacement_string()
{
    make_names
    local name base
    while IFS= read -rd '' name; do
        name=d.e/$name
        base=${name##*/}
        printf '%s\0' "$name" "${name%.*}" "$base" "${name%/*}" "${base%.*}"
    done <names.list >expected
    sed -z 's|^|d.e/|' names.list >with_folder.list
    printf '#!/bin/sh\nprintf "%%s\\0" "$@"\n' >echo_arguments
    chmod +x echo_arguments
    run --null --command './echo_arguments {} {.} {/} {//} {/.}' - <with_folder.list ||
        { cat said && fail "failed without a shell" || return 1; }
    cmp expected printed || fail "harmed without a shell" || return 1
    run --null --command "printf '%s\\0' {} \"{.}\" {/} '{//}' {/.}" with_folder.list ||
        { cat said && fail "failed with a shell" || return 1; }
    cmp expected printed || fail "harmed with a shell" || return 1
    [ ! -e broken ] || fail "a name broke out into the shell"
}

# The same names as values of a grid, which hold no newline, and as names of output files.
names_of_any_kind_pass_as_values_and_outputs()
{
    make_names
    tr -d '\n,' <names.list >values.list
    local values
    values=$(tr '\0' ',' <values.list)
    while IFS= read -rd '' name; do
        printf '%s\0' "$name" "$name" "$name"
    done <values.list >expected
    run --command './echo_arguments {a} {1} {a}' --param "a=${values%,}" ||
        { cat said && fail "failed without a shell" || return 1; }
    cmp expected printed || fail "values are harmed without a shell" || return 1
    run --command "printf '%s\\0' {1} \"{a}\" '{1}'" --param "a=${values%,}" ||
        { cat said && fail "failed with a shell" || return 1; }
    cmp expected printed || fail "values are harmed with a shell" || return 1
    run --null --command 'printf %s {} >{out}' --output-file 'outputs/{/}' - <names.list ||
        { cat said && fail "failed to write outputs" || return 1; }
    [ "$(find outputs -type f -print0 | tr -dc '\0' | wc -c)" = 200 ] || fail "not all outputs" ||
        return 1
    while IFS= read -rd '' name; do
        printf %s "$name" | cmp - "outputs/$name" || fail "an output is not named by its input" ||
            return 1
    done <names.list
    [ ! -e broken ] || fail "a name broke out into the shell"
}

surroundings_are_told()
{
    unset OMP_NUM_THREADS
    cat >script <<'END'
#!/bin/sh
[ -z "$(env | grep -E '^(OMPI_COMM_WORLD_|PMIX_|PMI_)')" ] || echo 'taken for a rank of MPI'
[ -z "$(cat)" ] || echo "standard input is not empty"
echo "$SHEAF_TASK_INDEX $OMP_NUM_THREADS $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT" \
    "$SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX"
END
    chmod +x script
    run --command ./script --tasks 2 --slots 1 --workers 2 --array-env=5 ||
        { cat said && fail "failed" || return 1; }
    local cores
    cores=$(sed -n '1s/^0 \([0-9]*\) .*/\1/p' printed)
    [ "$cores" -ge 1 ] || { cat printed && fail "no number of cores" || return 1; }
    printed_is "0 $cores 5 2 5 6\n1 $cores 6 2 5 6\n"
}

failures_tell_how_a_command_ended()
{
    printf '%s\n' 'sh -c "echo why >&2; exit 3"' 'kill -9 $$' ./not-there 'echo good' >tasks.txt
    run --attempts 2 tasks.txt
    [ $? = 1 ] || fail "exit status of the run" || return 1
    printf 'good\n' | cmp - "$dir/output.incomplete" || fail "the good task's output" || return 1
    grep -q 'error: task 0 exited with status 3 on .*: why; it failed for good' said &&
        grep -q 'error: task 1 was killed by signal 9 ' said &&
        grep -q 'error: task 2 exited with status 127 .*cannot start ./not-there: No such' said ||
        { cat said && fail "does not tell why"; }
}

no_process_of() # WORD
{
    ! pgrep -f -- "$1" >/dev/null
}

nothing_is_left_of() # WORD
{
    wait_for 20 no_process_of "$1" || { pgrep -af -- "$1" && fail "processes are left"; }
}

children_left_behind_are_ended()
{
    local word=4242$$
    cat >tasks.txt <<END
sleep $word & echo in the background
setsid sleep $word & echo in another session
(setsid sh -c 'setsid sleep $word & sleep $word' &) ; echo deep
exec >&- 2>&-; sleep 0.1
true
END
    run tasks.txt || { cat said && fail "failed" || return 1; }
    printed_is 'in the background\nin another session\ndeep\n' || return 1
    no_process_of "sleep $word" || fail "processes are left"
}

time_limit_ends_the_whole_group()
{
    local word=4343$$
    cat >tasks.txt <<END
trap '' TERM; sleep $word & sleep $word
trap 'echo ended politely >&2; exit 1' TERM; sleep $word & wait
END
    run --timeout 300ms --attempts 1 tasks.txt
    [ $? = 1 ] || { cat said && fail "exit status of the run" || return 1; }
    [ "$(grep -c 'error: task [01] ran longer than its time limit' said)" = 2 ] &&
        grep -q 'ended politely' said || { cat said && fail "not by the time limit" || return 1; }
    nothing_is_left_of "sleep $word"
}

# In a process of another session, and in a few that are small each.
memory_limit_counts_all_processes_of_a_command()
{
    local word=4848$$
    cat >hog <<'HOG'
#!/bin/sh
{ head -c "$1" /dev/zero && sleep "$2"; } | tail -c "$1" | wc -c
HOG
    chmod +x hog
    cat >tasks.txt <<TASKS
setsid ./hog 100000000 $word & wait
./hog 30000000 $word & ./hog 30000000 $word & ./hog 30000000 $word & wait
./hog 30000000 0
TASKS
    run --memory 64M --attempts 1 --max-crashes 1 tasks.txt
    [ $? = 1 ] || { cat said && fail "exit status of the run" || return 1; }
    [ "$(grep -c 'error: task [01] used more memory than its limit' said)" = 2 ] ||
        { cat said && fail "not by the memory limit" || return 1; }
    grep -qx 30000000 "$dir/output.incomplete" || fail "the task that needs less" || return 1
    nothing_is_left_of "sleep $word"
}

stopping_the_run_ends_its_commands()
{
    local word=4444$$ launcher
    printf 'setsid sleep %s & sleep %s\n' $word $word $word $word >tasks.txt
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --grace 100ms tasks.txt --dir "$dir" >printed 2>said &
    launcher=$!
    wait_for 60 pgrep -f "^sleep $word" >/dev/null || fail "did not start" || return 1
    kill -TERM $launcher
    wait $launcher
    [ $? = 3 ] || { cat said && fail "exit status" || return 1; }
    nothing_is_left_of "sleep $word" && no_process_is_left "$dir"
}

killed_executors_leave_no_command()
{
    local word=4545$$ rank executor
    printf 'test -e mark || { touch mark; setsid sleep %s & sleep %s; }\n' $word $word >tasks.txt
    rm -f mark
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --workers 1 --slots 1 tasks.txt --dir "$dir" >printed 2>said &
    wait_for 60 pgrep -f "^sleep $word" >/dev/null || fail "did not start" || return 1
    rank=$(pid_of_rank "$dir" 1)
    executor=$(executors_of "$rank")
    kill -KILL $executor
    wait $! || { cat said && fail "failed" || return 1; }
    nothing_is_left_of "sleep $word" && no_process_is_left "$dir"
}

output_has_a_limit_that_is_told()
{
    printf 'yes | head -c 1000000000\nyes | head -c 1000000 | md5sum\n' >tasks.txt
    run --attempts 1 tasks.txt
    [ $? = 1 ] || fail "exit status of the run" || return 1
    grep -q 'wrote more than 128 MiB to its standard output: let it write to a file' said ||
        { cat said && fail "does not tell the limit" || return 1; }
    yes | head -c 1000000 | md5sum | cmp - "$dir/output.incomplete"
}

output_is_printed_by_task()
{
    printf '%s\n' 'echo 0; echo e0 >&2' 'echo one; echo why >&2; exit 7' 'printf 2' 'echo 3' true \
        >tasks.txt
    run --attempts 1 tasks.txt
    [ $? = 1 ] || fail "exit status of the run" || return 1
    local log='Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand'
    "$sheaf" output "$dir" >printed 2>said && printed_is '0\n23\n' &&
        "$sheaf" output --task 3,0-0 "$dir" >printed 2>said && printed_is '3\n0\n' &&
        "$sheaf" output --stderr "$dir" >printed 2>said && printed_is 'e0\n' &&
        "$sheaf" output --failed "$dir" >printed 2>said && printed_is 'one\n' &&
        "$sheaf" output --failed --stderr "$dir" >printed 2>said && printed_is 'why\n' ||
        return 1
    "$sheaf" output --joblog "$dir" | head -n 1 | diff <(printf "$log\n") - || return 1
    "$sheaf" output --joblog "$dir" | tail -n +2 | cut -f 1,6-9 | tr '\t' ' ' >printed
    diff - printed <<'END' || return 1
1 2 0 0 echo 0; echo e0 >&2
2 4 7 0 echo one; echo why >&2; exit 7
3 1 0 0 printf 2
4 2 0 0 echo 3
5 0 0 0 true
END
    "$sheaf" output --task 1 "$dir" >printed 2>said
    [ $? = 1 ] && grep -q 'task 1 failed; --failed prints' said || fail "failed" || return 1
    "$sheaf" output --task 5 "$dir" >printed 2>said
    [ $? = 2 ] && grep -q 'no task 5: the job has 5 tasks' said || fail "too many" || return 1
    "$sheaf" output --task 3-1 "$dir" >printed 2>said
    [ $? = 2 ] || fail "a list that is none"
}

first_output_is_there()
{
    [ "$("$sheaf" output --task 0 "$1" 2>/dev/null)" = first ]
}

# As head(1) does for several files; one by itself is printed as it is.
failed_tasks_stand_behind_a_line_each()
{
    printf '%s\n' 'echo 0' 'printf one; echo why >&2; false' false 'echo 3; exit 3' >tasks.txt
    run --attempts 1 tasks.txt
    [ $? = 1 ] || fail "exit status of the run" || return 1
    "$sheaf" output --failed "$dir" >printed 2>said &&
        printed_is '==> task 1 <==\none\n\n==> task 2 <==\n\n==> task 3 <==\n3\n' &&
        "$sheaf" output --failed --task 1,3 "$dir" >printed 2>said &&
        printed_is '==> task 1 <==\none\n\n==> task 3 <==\n3\n' &&
        "$sheaf" output --failed --task 0-1 "$dir" >printed 2>said && printed_is 'one' &&
        "$sheaf" output --failed --joblog "$dir" >printed 2>said && ! grep '==>' printed &&
        "$sheaf" output "$dir" >printed 2>said && printed_is '0\n' || return 1
    cat >stages.yaml <<'END'
limits: {attempts: 1}
stages:
  - {name: a, command: 'echo a >&2; false', split: {range: 1}}
  - {name: b, command: 'echo b >&2; false', split: {range: 1}}
END
    run stages.yaml
    [ $? = 1 ] || fail "exit status of the stages" || return 1
    "$sheaf" output --failed --stderr "$dir" >printed 2>said &&
        printed_is '==> stage a, task 0 <==\na\n\n==> stage b, task 0 <==\nb\n' ||
        printed_is '==> stage a, task 0 <==\na\n' || return 1
    "$sheaf" output --failed --stderr --stage a "$dir" >printed 2>said && printed_is 'a\n'
}

output_is_printed_while_the_run_goes_on()
{
    printf 'echo first\nuntil test -e go_on; do sleep 0.1; done; echo last\n' >tasks.txt
    rm -f go_on
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --range-max 1 tasks.txt --dir "$dir" >printed 2>said &
    wait_for 60 first_output_is_there "$dir" || fail "no output yet" || return 1
    "$sheaf" output --task 0,1 "$dir" >early 2>told
    [ $? = 1 ] && grep -q 'not done' told || { cat told && fail "the task that runs" || return 1; }
    touch go_on
    wait $! || { cat said && fail "failed" || return 1; }
    "$sheaf" output "$dir" >printed
    printed_is 'first\nlast\n'
}

follower_has_printed()
{
    [ "$(cat followed)" = "$1" ]
}

output_is_followed_in_order_to_the_end()
{
    printf '%s\n' 'echo 0' 'until test -e go_on; do sleep 0.1; done; echo 1' 'echo 2' >tasks.txt
    rm -f go_on
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --range-max 1 tasks.txt --dir "$dir" >printed 2>said &
    local launcher=$! follower
    wait_for 60 tasks_done_are "$dir" 2 || fail "does not run" || return 1
    "$sheaf" output --follow "$dir" >followed 2>told &
    follower=$!
    wait_for 60 follower_has_printed 0 || fail "does not print the first task" || return 1
    touch go_on
    wait $follower || { cat told && fail "the follower failed" || return 1; }
    [ ! -s told ] && diff followed - <<<$'0\n1\n2' || return 1
    wait $launcher || { cat said && fail "failed"; }
}

follower_notices_a_dead_run()
{
    local launcher follower word=4646$$
    printf 'echo 0\nsleep %s\n' $word >tasks.txt
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --range-max 1 tasks.txt --dir "$dir" >printed 2>said &
    launcher=$!
    wait_for 60 tasks_done_are "$dir" 1 || fail "does not run" || return 1
    "$sheaf" output --follow "$dir" >followed 2>told &
    follower=$!
    wait_for 60 follower_has_printed 0 || fail "does not print the first task" || return 1
    kill -KILL $launcher
    wait $follower
    [ $? = 1 ] && grep -q 'nothing goes on in .* any more, and task 1 is not done' told ||
        { cat told && fail "does not notice" || return 1; }
    no_process_is_left "$dir"
}

# log_is LINE...: number, output bytes, exit status, signal and command, without the header.
log_is()
{
    tail -n +2 joblog | cut -f 1,6-9 | tr '\t' ' ' | sort -n | diff - <(printf '%s\n' "$@") ||
        fail "the log is another one"
}

job_log_has_each_task_once()
{
    rm -f go_on joblog
    printf '%s\n' 'echo 0' false 'test -e go_on && echo 2' 'sleep 4747' >tasks.txt
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --attempts 1 --range-max 1 --joblog joblog tasks.txt --dir "$dir" \
        >printed 2>said &
    wait_for 60 tasks_done_are "$dir" 3 || fail "does not run" || return 1
    wait_for 60 has_lines joblog 4 || { cat joblog said && fail "no lines yet" || return 1; }
    kill -KILL $!
    no_process_is_left "$dir" || return 1
    log_is '1 2 0 0 echo 0' '2 0 1 0 false' '3 0 1 0 test -e go_on && echo 2' || return 1
    sed -i '4s/.*/echo 3/' tasks.txt
    touch go_on
    "$sheaf" run --quiet --attempts 1 --joblog joblog tasks.txt --dir "$dir" >printed 2>said
    [ $? = 1 ] || { cat said && fail "exit status" || return 1; }
    log_is '1 2 0 0 echo 0' '2 0 1 0 false' '3 2 0 0 test -e go_on && echo 2' '4 2 0 0 echo 3' ||
        return 1
    head -n 1 joblog | grep -q '^Seq.Host.Starttime.JobRuntime.Send.Receive.Exitval.Signal.Comm'
}

has_lines()
{
    [ -e "$1" ] && [ "$(wc -l <"$1")" = "$2" ]
}

outputs_are_files_of_a_directory()
{
    rm -rf outputs
    printf '%s\n' 'echo a; echo b >&2' true 'printf c' >tasks.txt
    run --output-dir outputs tasks.txt || { cat said && fail "failed" || return 1; }
    diff <(ls outputs) <(printf '%06d.%s\n' 0 err 0 out 1 err 1 out 2 err 2 out) || return 1
    diff <(cd outputs && cat 000000.out 000000.err 000001.out 000002.out) <(printf 'a\nb\nc') ||
        return 1
    sed -i 1,2d tasks.txt
    "$sheaf" run --quiet --output-dir outputs tasks.txt --dir "$dir" >printed 2>said ||
        { cat said && fail "the edited list failed" || return 1; }
    diff <(ls outputs) <(printf '%06d.%s\n' 0 err 0 out) && printf c | cmp - outputs/000000.out
    (umask 000 && "$sheaf" run -q --output-dir open-to-all --joblog open.log -o open.txt tasks.txt \
        --dir "$dir-open") || { fail "failed under umask 000"; return 1; }
    [ -z "$(find open-to-all open.log open.txt -perm -o=w)" ] || { ls -lR open*; return 1; }
    run --output-dir outputs "$TEST_PLUGINS/echo.so" --tasks 1
    [ $? = 2 ] && grep -q 'are for commands' said || { cat said && fail "a plug-in"; }
}

usage_is_explained()
{
    run --command true
    [ $? = 2 ] && grep -q 'which inputs has the command?' said ||
        { cat said && fail "no inputs" || return 1; }
    run --command 'a {}' --input x --param a=1
    [ $? = 2 ] && grep -q 'choose one' said ||
        { cat said && fail "two ways" || return 1; }
    run --command 'a {}' --param a=1 --param a=2
    [ $? = 2 ] && grep -q '"a" is given twice' said ||
        { cat said && fail "twice" || return 1; }
    run no-such-list
    [ $? = 2 ] && grep -q 'cannot read the job no-such-list' said ||
        { cat said && fail "no list" || return 1; }
    : >empty.txt
    run empty.txt || { cat said && fail "an empty list"; }
}

for name in \
    list_runs_commands_in_their_order \
    list_comes_on_standard_input \
    inputs_come_on_standard_input \
    files_are_inputs \
    grid_is_full \
    job_file_has_a_command \
    names_of_any_kind_pass_every_replacement_string \
    names_of_any_kind_pass_as_values_and_outputs \
    surroundings_are_told \
    failures_tell_how_a_command_ended \
    children_left_behind_are_ended \
    time_limit_ends_the_whole_group \
    memory_limit_counts_all_processes_of_a_command \
    stopping_the_run_ends_its_commands \
    killed_executors_leave_no_command \
    output_has_a_limit_that_is_told \
    output_is_printed_by_task \
    failed_tasks_stand_behind_a_line_each \
    output_is_printed_while_the_run_goes_on \
    output_is_followed_in_order_to_the_end \
    follower_notices_a_dead_run \
    job_log_has_each_task_once \
    outputs_are_files_of_a_directory \
    usage_is_explained; do
    check $name $name
done
finish
