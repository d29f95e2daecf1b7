#!/usr/bin/env bash
# test_lists.sh - command lists as people bring them: written for bash, with its functions, with
# directives for disBatch, or no list at all; and the braces in commands.
. "$abs_top_srcdir/tests/integration/lib.sh"

# run ARGUMENT...: a run in a directory of its own each time, $dir.
run()
{
    dir=$(mktemp -u "$work/run.XXXXXX")
    go_on "$@"
}

# go_on ARGUMENT...: in the same directory once more.
go_on()
{
    "$sheaf" run --quiet --attempts 1 "$@" --dir "$dir" >printed 2>said
}

# prints TEXT: of the run before, which succeeded.
prints()
{
    [ $? = 0 ] || { cat said && fail "failed" || return 1; }
    diff -a <(printf "$1") printed || { cat said && fail "printed something else"; }
}

# refuses TEXT: of the command before, which was wrong.
refuses()
{
    local status=$?
    [ $status = 2 ] || { cat said && fail "ended with $status" || return 1; }
    grep -q -- "$1" said || { cat said && fail "does not say: $1"; }
}

lines_are_for_bash()
{
    echo 'value=set' >settings
    cat >tasks.txt <<'END'
#!/bin/bash
echo logged &> log; wait; cat log
source settings; echo $value
[[ abc == a* ]] && echo {1..3}
source settings && time true
END
    run tasks.txt
    prints 'logged\nset\n1 2 3\n'
}

exported_functions_are_called()
{
    greet() { echo "hello $1 of $#"; }
    export -f greet
    printf '%s\n' 'greet you' 'greet "two words" | tr a-z A-Z' >tasks.txt
    run tasks.txt
    prints 'hello you of 1\nHELLO TWO WORDS OF 1\n' || return 1
    run --command 'greet {}' - <<<'a  b'
    prints 'hello a  b of 1\n'
}

shell_can_be_chosen()
{
    printf 'echo $0\n' >tasks.txt
    run tasks.txt && prints '/bin/bash\n' || return 1
    run --shell dash tasks.txt && prints 'dash\n' || return 1
    printf '#!/usr/bin/env dash\necho $0\n' >headed.txt
    run headed.txt && prints 'dash\n' || return 1
    run --shell bash headed.txt && prints 'bash\n' || return 1
    printf 'shell: dash\ntasks: [{command: "echo $0"}]\n' >tasks.yaml
    run tasks.yaml && prints 'dash\n' || return 1
    cat >stages.yaml <<'END'
shell: dash
stages:
  - {name: a, command: echo $0}
  - {name: b, command: 'echo $0; cat {a.result}', after: a, shell: bash}
END
    run stages.yaml && prints 'bash\ndash\n' || return 1
    run --shell sh stages.yaml && prints 'sh\nsh\n' || return 1
    "$sheaf" run --dry-run --shell dash --command 'echo {}; true' --tasks 1 >printed 2>said
    [ "$(cat printed)" = "env SHEAF_VALUE_1=0 dash -c 'echo \"\${SHEAF_VALUE_1}\"; true'" ] &&
        grep -qx 'sheaf: dash runs what needs a shell' said ||
        { cat printed said && fail "a dry run tells another shell"; }
}

shell_that_cannot_be_is_told()
{
    printf 'echo $0\n' >tasks.txt
    run --shell /bin/fish tasks.txt
    refuses '"/bin/fish" is none of the shells that run commands: sh, bash, dash, zsh, ksh' ||
        return 1
    run --shell /not/there/bash tasks.txt
    refuses 'the shell /not/there/bash is not on this host: install it' || return 1
    printf 'command: x {}\nsplit: {range: 1}\nshell: perl\n' >bad.yaml
    run bad.yaml
    refuses 'bad.yaml:3: shell must be the path or name of sh, bash' || return 1
    run --shell bash "$TEST_PLUGINS/echo.so" --tasks 1
    refuses '.--shell is for commands'
}

# One that an earlier version began went by sh, and nothing in it says so.
run_goes_on_with_its_shell()
{
    printf 'echo $0\n' >tasks.txt
    run --shell /bin/sh tasks.txt && prints '/bin/sh\n' || return 1
    echo 'echo then $0' >>tasks.txt
    go_on tasks.txt && prints '/bin/sh\nthen /bin/sh\n' || return 1
    go_on --shell /bin/bash tasks.txt
    refuses 'another command' || return 1
    run tasks.txt && prints '/bin/bash\nthen /bin/bash\n' || return 1
    go_on --shell bash tasks.txt && prints '/bin/bash\nthen /bin/bash\n' || return 1
    printf 'shell: sh\nstages: [{name: a, command: echo $0}]\n' >one.yaml
    run one.yaml && prints 'sh\n' || return 1
    sed -i 1d one.yaml
    go_on one.yaml && prints 'sh\n'
}

# And what is to be typed instead works.
program_is_not_run_line_by_line()
{
    printf '#!/usr/bin/env -S awk -f\nBEGIN { print "from awk", ARGV[1] }\n' >program
    run program
    refuses 'program begins with #!/usr/bin/env -S awk -f: this is a program' || return 1
    local once each
    once=$(grep -o -- "--command '[^']*' --tasks 1" said)
    each=$(grep -o -- "--command '[^']*' LIST" said)
    eval "run $once" && prints 'from awk \n' || return 1
    printf '1\n2\n' >LIST
    eval "run $each" && prints 'from awk 1\nfrom awk 2\n' || return 1
    run - <program
    refuses 'standard input begins with #!/usr/bin/env' || return 1
    printf '#!/usr/bin/python3\nprint(1)\n' | "$sheaf" run --quiet --command 'echo {}' - --dir x \
        >printed 2>said
    prints '#!/usr/bin/python3\nprint(1)\n'
}

directives_for_disbatch_are_obeyed()
{
    rm -f ./*.log
    cat >tasks.txt <<'END'
#DISBATCH PREFIX ( echo before ; 
#DISBATCH SUFFIX  ) &> ${DISBATCH_NAMETASKS}_${DISBATCH_JOBID}_${DISBATCH_TASKID}.log
echo one
echo two
#DISBATCH BARRIER
#DISBATCH PREFIX
#DISBATCH SUFFIX
#DISBATCH REPEAT 2 start 10 step 5 sh -c 'echo $DISBATCH_REPEAT_INDEX; cat *.log | wc -l'
echo $DISBATCH_STREAM_INDEX $DISBATCH_REPEAT_INDEX_ZP$DISBATCH_REPEAT_INDEX
END
    run tasks.txt
    prints '10\n4\n15\n4\n9 -1\n' || return 1
    [ "$(cat "tasks.txt_${dir##*/}_1.log")" = $'before\ntwo' ] ||
        { ls && fail "the log of a task is another one"; }
}

# As BARRIER CHECK says, and as with `after` in a job file.
check_holds_until_all_before_have_succeeded()
{
    rm -f go_on
    printf '%s\n' 'echo a' 'test -e go_on' '#DISBATCH BARRIER CHECK' 'echo b' '#DISBATCH BARRIER' \
        'echo c' >tasks.txt
    run tasks.txt
    [ $? = 1 ] || { cat said && fail "succeeded" || return 1; }
    diff <(echo a) "$dir/output.incomplete" || return 1
    for task in 3 5; do
        "$sheaf" explain "$dir" --task $task >told &&
            grep -q 'was not run: a task that it comes after' told ||
            { cat told && fail "does not explain" || return 1; }
    done
    touch go_on
    go_on --retry-failed tasks.txt
    prints 'a\nb\nc\n'
}

# The end of what is before it is enough, as for disBatch; what failed is still told of.
barrier_holds_until_all_before_have_ended()
{
    rm -f go_on mended ran
    printf '%s\n' 'until test -e go_on; do sleep 0.1; done; echo a >>ran; exit 1' \
        'echo b >>ran; test -e mended && echo b' '#DISBATCH BARRIER' 'echo c >>ran; echo c' \
        '#DISBATCH BARRIER' 'echo d >>ran; touch mended; echo d' >tasks.txt
    dir=$(mktemp -u "$work/run.XXXXXX")
    "$sheaf" run --quiet --attempts 1 --range-max 1 tasks.txt --dir "$dir" >printed 2>said &
    local launcher=$!
    wait_for 60 tasks_done_are "$dir" 1 || { cat said; return 1; }
    "$sheaf" explain "$dir" --task 3 >told &&
        grep -q 'barrier on line 3.*: waits for others' told || { cat told; return 1; }
    "$sheaf" explain "$dir" --task 2 >told
    grep -q 'after      task 0: ' told && ! grep -q 'task 1: ' told || { cat told; return 1; }
    touch go_on
    wait $launcher
    [ $? = 1 ] && grep -q '2 of 6 tasks failed' said || { cat said; return 1; }
    diff ran <(printf '%s\n' b a c d) && diff <(printf 'c\nd\n') "$dir/output.incomplete" ||
        return 1
    : >ran
    go_on --attempts 1 --retry-failed tasks.txt
    [ $? = 1 ] && diff <(sort ran) <(printf '%s\n' a b) || { cat said; return 1; }
    diff <(printf 'b\nc\nd\n') "$dir/output.incomplete"
}

directive_that_cannot_be_obeyed_is_refused()
{
    printf 'true\n#DISBATCH PERENGINE START { x ; }\n' >tasks.txt
    run tasks.txt
    refuses 'tasks.txt:2: PERENGINE cannot be obeyed' || return 1
    run - < <(printf 'true\n#DISBATCH REPAET 3\n')
    refuses ':2: "#DISBATCH REPAET 3" is no directive for disBatch: PREFIX, SUFFIX'
}

# tells ARGUMENT...: what would be run.
tells()
{
    "$sheaf" run --dry-run --dir "$work/none" "$@" >printed 2>said
}

braces_that_make_no_sense_are_refused()
{
    tells --command 'echo {##}' --tasks 1
    refuses 'the command has {##}, which is a replacement string of GNU parallel alone' || return 1
    tells --command 'echo {2} {}' --tasks 1
    refuses '{2}, which is one of several values, and the task has a single input' || return 1
    tells --command 'echo {= uc =}' --tasks 1
    refuses 'which is Perl code for GNU parallel' || return 1
    tells --command 'echo x >{out}' --tasks 1
    refuses 'where an output file is to be written, and no such file is declared' || return 1
    tells --command 'echo {learning_rat}' -p learning_rate=1
    refuses 'nothing uses the parameter "learning_rate".*(it has {learning_rat})' || return 1
    printf 'command: echo {#}\nsplit: {range: 1}\nparameters: {x: 1}\n' >unused.yaml
    tells unused.yaml -p x=3
    refuses 'nothing uses the parameter "x"' || return 1
    printf 'echo {##} {2}\n' >tasks.txt
    tells tasks.txt -p x=1
    refuses '"x" is of no use here: each line of .* is a command of its own' || return 1
    tells tasks.txt && [ "$(cat printed)" = 'echo {##} {2}' ] || fail "a line of a list"
}

braces_for_the_shell_and_others_pass()
{
    printf 'one {}\n' >input
    cat >command <<'END'
y=v; awk '{print}' {} | sed -E 's/[a-z]{3}/x/'; echo ${y} {a,b} {1..2}
echo '{"k": {''}}' {''2} \{out} "{""##}"; find {} -exec echo '{''}' \;
END
    run --command "$(cat command)" --input input
    prints 'x {}\nv a b 1 2\n{"k": {}} {2} {out} {##}\ninput\n' || return 1
    tells --command 'echo {nam} {name}' -p name=1 &&
        grep -q 'warning: the command gets {nam} as it stands; did you mean {name}?' said ||
        { cat said && fail "no warning" || return 1; }
    tells --command 'echo {other} {name}' -p name=1 &&
        grep -q 'warning: the command gets {other} as it stands: no value has that name' said ||
        { cat said && fail "no warning of another word"; }
}

# try ARGUMENT...: one task, here.
try()
{
    "$sheaf" try "$@" >printed 2>said
}

task_is_tried_as_the_run_would_run_it()
{
    try --command 'echo {a}{b}; echo why >&2; exit {#}' -p a=1,2 -p b=x,y --task 2
    [ $? = 1 ] && [ "$(cat printed)" = 2x ] && grep -qx why said &&
        grep -q 'try: task 2 exited with status 3 after [0-9.]* s$' said ||
        { cat said && fail "a command that fails" || return 1; }
    printf 'a b\nc\n' | try --shell dash --command 'echo $0 {} >{out}' \
        --output-file 'tried/{}' - --task=0
    prints '' && [ "$(cat 'tried/a b')" = 'dash a b' ] &&
        grep -q 'try: task 0 exited with status 0 after' said ||
        { cat said && fail "an output file" || return 1; }
    printf 'x=1; echo $x\nsleep 100\nnot-there\n' >tasks.txt
    try --quiet tasks.txt --task 0
    prints '1\n' && [ ! -s said ] || { cat said && fail "is not quiet" || return 1; }
    try --timeout 100ms tasks.txt --task 1
    [ $? = 1 ] && grep -q 'try: task 1 ran longer than its time limit' said ||
        { cat said && fail "has no limit" || return 1; }
    try tasks.txt --task 2
    [ $? = 1 ] && grep -q 'task 2 exited with status 127 .*: cannot start not-there' said ||
        { cat said && fail "a program that is not there" || return 1; }
    printf '%s\n' 'command: "cat; echo {p}"' 'pipe: true' 'parameters: {p: 1}' \
        'split: {lines: {files: [piped], block: 2}}' >piped.yaml
    printf '1\n2\n' >piped
    try piped.yaml -p p=5 --task 1
    prints '2\n5\n' || return 1
    try --command 'echo {}' --tasks 3 --task 3
    refuses 'there is no task 3: the job has 3 tasks'
}

# What it says is typed, and works.
advice_of_report_works()
{
    printf 'true\ntest -e mended && echo mended\n' >tasks.txt
    rm -f mended
    run tasks.txt
    [ $? = 1 ] || fail "does not fail" || return 1
    local words
    for words in "$("$sheaf" report "$dir" | grep -o '`sheaf try [^`]*`')" \
        "$("$sheaf" explain --task 1 "$dir" | grep -o '`sheaf try [^`]*`')"; do
        [ "$words" = '`sheaf try --task 1`' ] || fail "advises $words" || return 1
        words=${words//\`/}
        "$sheaf" ${words#sheaf } --quiet --attempts 1 tasks.txt --dir "$dir" >printed 2>said
        [ $? = 1 ] && grep -q 'task 1 exited with status 1' said ||
            { cat said && fail "the task is not tried" || return 1; }
    done
    "$sheaf" report "$dir" | grep -q -- '--retry-failed' || fail "no way on" || return 1
    touch mended
    go_on --retry-failed tasks.txt
    prints 'mended\n'
}

for name in \
    lines_are_for_bash \
    exported_functions_are_called \
    shell_can_be_chosen \
    shell_that_cannot_be_is_told \
    run_goes_on_with_its_shell \
    program_is_not_run_line_by_line \
    directives_for_disbatch_are_obeyed \
    check_holds_until_all_before_have_succeeded \
    barrier_holds_until_all_before_have_ended \
    directive_that_cannot_be_obeyed_is_refused \
    braces_that_make_no_sense_are_refused \
    braces_for_the_shell_and_others_pass \
    task_is_tried_as_the_run_would_run_it \
    advice_of_report_works; do
    check $name $name
done
finish
