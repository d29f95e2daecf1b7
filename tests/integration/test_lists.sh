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

# As with `after` in a job file, and as BARRIER CHECK says.
barrier_holds_until_all_before_have_succeeded()
{
    rm -f go_on
    printf '%s\n' 'echo a' 'test -e go_on' '#DISBATCH BARRIER' 'echo b' '#DISBATCH BARRIER CHECK' \
        'echo c' >tasks.txt
    run tasks.txt
    [ $? = 1 ] || { cat said && fail "succeeded" || return 1; }
    diff <(echo a) "$dir/output.incomplete" || return 1
    "$sheaf" explain "$dir" --task 3 >told &&
        grep -q 'was not run: a task that it comes after' told ||
        { cat told && fail "does not explain" || return 1; }
    touch go_on
    go_on --retry-failed tasks.txt
    prints 'a\nb\nc\n'
}

directive_that_cannot_be_obeyed_is_refused()
{
    printf 'true\n#DISBATCH PERENGINE START { x ; }\n' >tasks.txt
    run tasks.txt
    refuses 'tasks.txt:2: PERENGINE cannot be obeyed' || return 1
    run - < <(printf 'true\n#DISBATCH REPAET 3\n')
    refuses ':2: "#DISBATCH REPAET 3" is no directive for disBatch: PREFIX, SUFFIX'
}

for name in \
    lines_are_for_bash \
    exported_functions_are_called \
    shell_can_be_chosen \
    shell_that_cannot_be_is_told \
    run_goes_on_with_its_shell \
    program_is_not_run_line_by_line \
    directives_for_disbatch_are_obeyed \
    barrier_holds_until_all_before_have_succeeded \
    directive_that_cannot_be_obeyed_is_refused; do
    check $name $name
done
finish
