#!/usr/bin/env bash
# test_stages.sh - a job in stages: order, results, kills, workers that come late, and what is said.
#
# Environment: SHEAF_TEST_SEED fixes the moments of the kills; it is printed.
. "$abs_top_srcdir/tests/integration/lib.sh"

seed=${SHEAF_TEST_SEED:-$RANDOM}
echo "# seed $seed (SHEAF_TEST_SEED repeats it)"

# stages [ARGUMENT...] <JOB: runs the job file that comes on standard input, in $dir.
stages()
{
    cat >job.yaml
    dir=$(mktemp -u "$work/run.XXXXXX")
    again "$@"
}

again()
{
    "$sheaf" run job.yaml --dir "$dir" "$@" >printed 2>said
}

printed_is()
{
    diff -a <(printf "$1") printed || { cat said && fail "printed something else"; }
}

lines_of()
{
    [ -e "$1" ] || { echo 0 && return; }
    wc -l <"$1"
}

has_lines()
{
    [ "$(lines_of "$1")" -ge "$2" ]
}

# given_pipeline COUNT: files, each through a command; what comes out, line by line, through
# another; and one that reads what both have made. The tasks of the first two wait for their turn:
# allow_pipeline UPPER NUMBER lets that many of each run.
given_pipeline()
{
    rm -rf many ledger
    mkdir many
    for i in $(seq "$1"); do
        echo "line $i of the input" >"many/$(printf %04d "$i").txt"
    done
    cat >pipeline.yaml <<END
stages:
  - name: total
    after: [number]
    command: 'echo t >>ledger; sort -r {number.result} | cksum; tail -n 2 {upper.result}'
  - name: upper
    command: 'echo u >>ledger; $(until_allowed upper); tr a-z A-Z <{}'
    split: {files: 'many/*.txt'}
  - name: number
    after: upper
    command: 'echo n >>ledger; $(until_allowed number); printf "%s|%s\n" {} {#}'
    split: {lines: '{upper.result}'}
END
    cat many/*.txt | tr a-z A-Z >upper
    awk '{ print $0 "|" NR }' upper >number
    { sort -r number | cksum; tail -n 2 upper; } >expected
    allow_pipeline "$1" "$1"
}

# until_allowed STAGE: what a task of it does first. (Builtins only: it is run a thousand times.)
until_allowed()
{
    echo "until read most <$1.allowed && test {#} -le \$most; do sleep 0.05; done"
}

allow_pipeline()
{
    echo "$1" >upper.next && mv upper.next upper.allowed
    echo "$2" >number.next && mv number.next number.allowed
}

pipeline_killed_at_ten_moments_gives_what_a_serial_run_gives()
{
    local dir=$work/killed kills=0 launcher target
    given_pipeline 1000
    RANDOM=$seed
    while [ $kills -lt 10 ]; do
        target=$(($(lines_of ledger) + RANDOM % 100))
        # Each round may do 200 tasks more than the one before: the job cannot end before its kill.
        allow_pipeline $((200 * (kills + 1))) $((200 * (kills - 5)))
        setsid "$sheaf" run pipeline.yaml --quiet --dir "$dir" >printed 2>said &
        launcher=$!
        wait_for 60 has_lines ledger $target || { cat said; return 1; }
        sleep "0.0$((RANDOM % 10))"
        [ -d "/proc/$launcher" ] || { cat said; fail "ended before kill $kills"; return 1; }
        pkill -KILL -f -- "--dir $dir( |\$)"
        wait $launcher
        no_process_is_left "$dir" || return 1
        kills=$((kills + 1))
    done
    allow_pipeline 1000 1000
    "$sheaf" run pipeline.yaml --quiet --dir "$dir" >printed 2>said ||
        { cat said; fail "exit status $?"; return 1; }
    same_bytes expected printed && same_bytes upper "$dir/stages/upper/output" &&
        same_bytes number "$dir/stages/number/output" || return 1
    rm -f ledger
    "$sheaf" run pipeline.yaml --quiet --dir "$dir" >printed 2>said || { cat said; return 1; }
    same_bytes expected printed || return 1
    [ ! -e ledger ] || fail "what was done ran again"
}

pipeline_runs_under_plain_mpirun()
{
    given_pipeline 100
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 120 mpirun --oversubscribe \
        -n 4 "$sheaf" run pipeline.yaml --quiet --dir "$work/plain" >printed 2>said ||
        { cat said; fail "exit status $?"; return 1; }
    same_bytes expected printed
}

stages_take_streams_and_output_files()
{
    seq 1000 >numbers
    stages <<'END' || { cat said; return 1; }
stages:
  - name: odd
    command: grep '[13579]$'
    pipe: true
    split: {lines: {files: numbers, block: 256}}
  - name: sum
    after: odd
    command: awk '{ s += $1 } END { print s }'
    pipe: true
    merge_command: cat {left} {right} | awk '{ s += $1 } END { print s }'
    split: {lines: {files: '{odd.result}', block: 256}}
  - name: file
    after: sum
    command: 'cp {sum.result} {out}; echo {x}'
    outputs: ['sum-{x}.txt']
    split: {product: {x: [a, b]}}
END
    printed_is 'a\nb\n' || return 1
    [ "$(cat sum-a.txt sum-b.txt)" = "$(printf '250000\n250000')" ] ||
        fail "sum-a.txt is wrong" || return 1
    grep -q '^sheaf: stage file is done: 2 tasks in .*; slots were busy' said &&
        grep -q '^sheaf: done: [0-9]* tasks in .*; no attempts were repeated; slots were' said ||
        { cat said; fail "no line tells what was done"; }
}

what_is_for_one_list_of_tasks_is_refused()
{
    local option
    cat >two.yaml <<'END'
stages:
  - {name: a, command: 'echo {x}', split: {product: {x: [1, 2]}}}
  - {name: b, command: 'wc -l <{a.result}', after: a}
END
    for option in '--only 1' --dry-run '--joblog log' '--output-dir out'; do
        # shellcheck disable=SC2086
        "$sheaf" run two.yaml $option --dir "$work/two" >printed 2>said
        [ $? = 2 ] || { cat said; fail "$option was taken"; return 1; }
        grep -q -e "^sheaf: error: ${option% *} is for jobs that are one; " said ||
            { cat said; return 1; }
        [ ! -e two ] || { fail "$option made a run directory"; return 1; }
    done
}

one_rank_runs_all_stages()
{
    stages -n 1 <<'END' || { cat said; return 1; }
stages:
  - {name: a, command: 'echo {x}', split: {product: {x: [1, 2]}}}
  - {name: b, command: 'wc -l <{a.result}', after: a}
END
    printed_is '2\n'
}

diamond_joins_its_sides()
{
    stages <<'END' || { cat said; return 1; }
stages:
  - {name: top, command: 'seq 5'}
  - {name: left, command: 'echo l{}', after: top, split: {lines: '{top.result}'}}
  - {name: right, command: 'echo r{}', after: top, split: {lines: '{top.result}'}}
  - {name: bottom, command: 'paste -d, {left.result} {right.result}', after: [left, right]}
END
    printed_is 'l1,r1\nl2,r2\nl3,r3\nl4,r4\nl5,r5\n'
}

ready_stages_run_by_priority()
{
    rm -f order
    stages <<'END' || { cat said; return 1; }
stages:
  - {name: low, priority: -5, command: 'echo low >>order'}
  - {name: one, command: 'echo one >>order'}
  - {name: two, command: 'echo two >>order'}
  - {name: high, priority: 10, command: 'echo high >>order'}
END
    diff <(printf 'high\none\ntwo\nlow\n') order
}

outputs_of_several_last_stages_are_put_together()
{
    stages --output together <<'END' || { cat said; return 1; }
stages:
  - {name: b, command: 'echo from b', after: a}
  - {name: c, command: 'echo from c', after: a}
  - {name: a, command: 'echo from a'}
  - {name: d, command: 'echo from d', after: a, output: own}
END
    printed_is '' && diff <(printf 'from b\nfrom c\n') together &&
        diff <(echo from d) own || return 1
    sed -i '/name: [bc]/d' job.yaml
    again || { cat said; return 1; }
    printed_is ''
}

plugin_reads_a_result_as_lines()
{
    cat >job.yaml <<END
stages:
  - {name: text, command: 'printf "b a\na c a\n"'}
  - name: words
    plugin: $abs_top_builddir/examples/wordcount.so
    after: text
    split: {lines: {files: ['{text.result}'], block: 4}}
    parameters: {limit: 10}
END
    dir=$work/plugin
    again || { cat said; return 1; }
    diff <(printf '3 a\n1 b\n1 c\n') <(sed 's/^ *//' printed)
}

failed_stage_holds_up_those_after_it_alone()
{
    local status
    rm -f ran
    stages --attempts 1 <<'END'
stages:
  - {name: bad, command: 'exit 7'}
  - {name: after_bad, command: 'echo after_bad >>ran', after: bad}
  - {name: last, command: 'echo last >>ran', after: after_bad}
  - {name: good, command: 'echo good >>ran'}
END
    status=$?
    [ $status = 1 ] || { cat said; fail "exit status $status"; return 1; }
    printed_is '' && diff <(echo good) ran || return 1
    grep -q 'error: stage bad has failed' said &&
        grep -q 'not run, as a stage before has failed: after_bad, last' said ||
        { cat said; fail "is not said"; return 1; }
    "$sheaf" status "$dir" >shown
    grep -q 'stage *bad: failed, 0 of 1 task done, 1 failed' shown &&
        grep -q 'stage *last: did not run' shown && grep -q 'stage *good: finished' shown ||
        { cat shown; fail "the status does not tell"; return 1; }
    "$sheaf" report --stage bad "$dir" | grep -q 'exit' || fail "the report does not tell why"
}

stage_whose_input_files_are_not_made_fails_by_itself()
{
    stages <<'END'
stages:
  - {name: a, command: 'echo a'}
  - {name: b, command: 'echo {}', after: a, split: {files: 'nowhere/*.x'}}
  - {name: c, command: 'echo c', after: a}
END
    [ $? = 1 ] && grep -q 'stage b cannot run: .*nowhere' said || { cat said; return 1; }
}

files_made_by_a_stage_are_input_of_the_next()
{
    rm -rf made && mkdir made
    stages <<'END' || { cat said; return 1; }
stages:
  - {name: make, command: 'echo {x} >made/{x}', split: {product: {x: [p, q, r]}}}
  - {name: use, command: 'cat {}', after: make, split: {files: 'made/*'}}
END
    printed_is 'p\nq\nr\n'
}

what_cannot_be_is_refused_with_its_line()
{
    stages <<'END'
command: x
stages:
  - {name: a, after: c}
  - {name: b, after: a}
  - {name: c, after: b}
END
    [ $? = 2 ] && grep -q 'job.yaml:3: .*in a circle: a after c after b after a' said ||
        { cat said; fail "the cycle is not told"; return 1; }
    printf 'command: x\nstages:\n  - {name: a}\n  - {name: b, after: aa}\n' | stages
    [ $? = 2 ] && grep -q 'job.yaml:4: there is no stage "aa"' said || { cat said; return 1; }
}

# One stage's run directory is deleted: it runs again, and what reads it only if it has changed.
stage_runs_again_when_its_input_has_changed_and_not_otherwise()
{
    rm -f ledger
    echo one >source
    cat >job.yaml <<'END'
stages:
  - {name: a, command: 'echo a >>ledger; wc -l <source'}
  - {name: b, command: 'echo b >>ledger; cat {a.result}', after: a}
  - {name: c, command: 'echo c >>ledger; cat {b.result}', after: b}
END
    dir=$work/again
    again && printed_is '1\n' || { cat said; return 1; }
    echo uno >source
    rm -r "$dir/stages/a"
    again && printed_is '1\n' || { cat said; return 1; }
    diff <(printf 'a\nb\nc\na\n') ledger || return 1
    echo due >>source
    rm -r "$dir/stages/a"
    again && printed_is '2\n' || { cat said; return 1; }
    diff <(printf 'a\nb\nc\na\na\nb\nc\n') ledger || return 1
    rm "$dir/stages/b/output"
    again && printed_is '2\n' || { cat said; return 1; }
    diff <(printf 'a\nb\nc\na\na\nb\nc\n') ledger || return 1
    sed -i 's/cat {b.result}/tac {b.result}/' job.yaml
    again
    [ $? = 2 ] && grep -q "stage \"c\" has changed since it ran.*--rerun-stage c" said ||
        { cat said; fail "a changed stage is not refused"; return 1; }
    again --rerun-stage c && printed_is '2\n' || { cat said; return 1; }
    rm ledger
    again --rerun-stage=a && printed_is '2\n' && diff <(echo a) ledger || { cat said; return 1; }
    again --rerun-stage d
    [ $? = 2 ] && grep -q 'the job has no stage "d"' said || { cat said; return 1; }
}

# Two stages: the second reads files that the first has declared.
given_declared_files()
{
    rm -rf raw mid ledger
    mkdir raw mid
    for i in 1 2 3 4; do
        echo "text $i" >raw/$i.txt
    done
    cat >job.yaml <<'END'
stages:
  - name: a
    command: 'echo a {/.} >>ledger; tr a-z A-Z <{} >{out}'
    split: {files: 'raw/*.txt'}
    outputs: ['mid/{/.}.m']
  - {name: b, command: 'echo b >>ledger; cat mid/*.m', after: a}
END
    dir=$(mktemp -u "$work/declared.XXXXXX")
    again && printed_is 'TEXT 1\nTEXT 2\nTEXT 3\nTEXT 4\n' || { cat said; return 1; }
    rm ledger
}

changed_input_runs_its_task_and_what_reads_its_file()
{
    given_declared_files || return 1
    echo 'new text' >raw/3.txt
    again && printed_is 'TEXT 1\nTEXT 2\nNEW TEXT\nTEXT 4\n' || { cat said; return 1; }
    diff <(printf 'a 3\nb\n') ledger || { cat said; return 1; }
    again --quiet && printed_is 'TEXT 1\nTEXT 2\nNEW TEXT\nTEXT 4\n' || { cat said; return 1; }
    diff <(printf 'a 3\nb\n') ledger
}

declared_file_that_is_gone_or_changed_counts_for_what_reads_it()
{
    given_declared_files || return 1
    rm mid/2.m
    again && printed_is 'TEXT 1\nTEXT 2\nTEXT 3\nTEXT 4\n' || { cat said; return 1; }
    diff <(echo a 2) ledger || { cat said; return 1; }
    echo mine >mid/4.m
    again && printed_is 'TEXT 1\nTEXT 2\nTEXT 3\nmine\n' || { cat said; return 1; }
    diff <(printf 'a 2\nb\n') ledger
}

damaged_result_is_made_again_before_it_is_read()
{
    rm -f ledger
    cat >job.yaml <<'END'
stages:
  - {name: a, command: 'echo a >>ledger; seq 100'}
  - {name: b, command: 'echo b >>ledger; cksum <{a.result}', after: a}
END
    dir=$work/bit
    again && cp printed before || { cat said; return 1; }
    printf 7 | dd of="$dir/stages/a/output" bs=1 seek=50 conv=notrunc status=none
    rm "$dir/stages/b/output"
    again && same_bytes before printed && diff <(seq 100) "$dir/stages/a/output" &&
        grep -q 'stages/a/output was damaged or changed' said || { cat said; return 1; }
    diff <(printf 'a\nb\n') ledger
}

# Of `reads`, `digest` and the list of the stages there are copies, or they are made again.
damaged_notes_of_stages_cost_nothing()
{
    local file
    given_declared_files || return 1
    for file in stages.list stages/a/digest stages/a/outputs stages/b/reads stages/b/identity; do
        printf '\377' | dd of="$dir/$file" bs=1 seek=9 conv=notrunc status=none || return 1
    done
    "$sheaf" status "$dir" >shown && grep -q 'stage *b: finished' shown ||
        { cat shown; fail "the status does not tell"; return 1; }
    again && printed_is 'TEXT 1\nTEXT 2\nTEXT 3\nTEXT 4\n' && [ ! -e ledger ] ||
        { cat said; return 1; }
}

stage_that_is_added_leaves_the_others_alone()
{
    rm -f ledger
    stages <<'END' && printed_is '1\n' || { cat said; return 1; }
stages:
  - {name: a, command: 'echo a >>ledger; echo 1'}
END
    echo "  - {name: b, command: 'wc -l <{a.result}', after: a}" >>job.yaml
    echo "  - {name: c, command: 'echo c'}" >>job.yaml
    again && printed_is '1\nc\n' && again && printed_is '1\nc\n' || { cat said; return 1; }
    diff <(echo a) ledger
}

# in_stage NAME: the run in $dir is at this stage.
in_stage()
{
    grep -q "\"stage\": \"$1\"" "$dir/status.json" 2>/dev/null
}

# Each task waits for a file: stage one for `first`, stage two for `second`.
given_two_held_stages()
{
    rm -f first second
    cat >job.yaml <<END
stages:
  - name: one
    command: 'while [ ! -e $work/first ]; do sleep 0.02; done; echo one {i}'
    split: {product: {i: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}}
  - name: two
    after: one
    command: 'while [ ! -e $work/second ]; do sleep 0.02; done; echo two {}'
    split: {lines: '{one.result}'}
END
    seq 10 | sed 's/^/two one /' >expected
}

tasks_running_are()
{
    [ "$(status_field "$dir" tasks_running)" -ge "$1" ]
}

joined_times()
{
    [ "$(grep -c "worker $1 joined" said)" -ge "$2" ]
}

# It has orders of stage one while it is stopped; when it goes on, stage two is under way, to which
# what it has to say means nothing.
worker_stopped_through_a_change_of_stages_is_admitted_and_counted_once()
{
    local launcher rank family
    dir=$work/stopped
    given_two_held_stages
    "$sheaf" run job.yaml --workers 2 --slots 2 --range-max 1 --lost-after 1s --verbose \
        --dir "$dir" >printed 2>said &
    launcher=$!
    wait_for 60 joined_times 1 1 && wait_for 60 tasks_running_are 4 || { cat said; return 1; }
    rank=$(pid_of_rank "$dir" 1) || { fail "no rank 1"; return 1; }
    family="$rank $(pgrep -P "$rank" | tr '\n' ' ') $(executors_of "$rank" | tr '\n' ' ')"
    kill -STOP $family
    wait_for 60 grep -q 'worker 1 .*is lost' said || { cat said; fail "not lost"; return 1; }
    touch first
    wait_for 60 in_stage two || { cat said; fail "stage two does not begin"; return 1; }
    wait_for 60 joined_times 2 2 || { cat said; return 1; }
    kill -CONT $family
    wait_for 60 joined_times 1 2 || { cat said; fail "not admitted again"; return 1; }
    touch second
    wait $launcher || { cat said; fail "exit status $?"; return 1; }
    same_bytes expected printed || return 1
    [ "$(status_field "$dir/stages/one" tasks_done)" = 10 ] &&
        [ "$(status_field "$dir/stages/two" tasks_done)" = 10 ] || fail "tasks count twice"
    no_process_is_left "$dir"
}

worker_killed_in_one_stage_is_missed_in_no_other()
{
    local launcher
    dir=$work/one_killed
    given_two_held_stages
    "$sheaf" run job.yaml --workers 2 --slots 1 --lost-after 1s --verbose --dir "$dir" >printed \
        2>said &
    launcher=$!
    wait_for 60 tasks_running_are 2 || { cat said; return 1; }
    kill -KILL "$(pid_of_rank "$dir" 1)"
    touch first second
    wait $launcher || { cat said; fail "exit status $?"; return 1; }
    same_bytes expected printed && no_process_is_left "$dir"
}

# The launcher starts another mpirun; stage one, which is done, does not run again.
killed_master_goes_on_at_its_stage()
{
    local launcher
    dir=$work/master
    given_two_held_stages
    sed -i "s,echo one,echo one >>$work/ones; echo one," job.yaml
    touch first
    "$sheaf" run job.yaml --workers 2 --dir "$dir" >printed 2>said &
    launcher=$!
    wait_for 60 in_stage two && wait_for 60 tasks_running_are 2 || { cat said; return 1; }
    kill -KILL "$(pid_of_rank "$dir" 0)"
    wait_for 60 grep -q 'starting again' said || { cat said; return 1; }
    touch second
    wait $launcher || { cat said; fail "exit status $?"; return 1; }
    same_bytes expected printed && no_process_is_left "$dir" || return 1
    [ "$(lines_of ones)" = 10 ] || fail "stage one ran again: $(lines_of ones) lines"
}

stop_ends_the_run_at_its_stage_and_it_goes_on()
{
    local launcher status
    dir=$work/stop
    given_two_held_stages
    touch first
    "$sheaf" run job.yaml --workers 2 --grace 1s --dir "$dir" >printed 2>said &
    launcher=$!
    wait_for 60 in_stage two && wait_for 60 tasks_running_are 2 || { cat said; return 1; }
    "$sheaf" status "$dir" >shown
    grep -q 'stage *two, 2 of 2' shown && grep -q 'stage *one: finished, 10 of 10 tasks' shown ||
        { cat shown; fail "status does not show the stages"; return 1; }
    "$sheaf" run job.yaml --dir "$dir" --quiet >other 2>&1 && { fail "two masters"; return 1; }
    grep -q 'is in use' other || { cat other; fail "the lock is not told"; return 1; }
    kill -TERM $launcher
    wait $launcher
    status=$?
    [ $status = 3 ] || { cat said; fail "exit status $status"; return 1; }
    grep -q 'To continue' said || { cat said; return 1; }
    [ "$("$sheaf" status "$dir" | sed -n 's/^state *//p')" = stopped ] ||
        { "$sheaf" status "$dir"; fail "not stopped"; return 1; }
    touch second
    again || { cat said; fail "does not continue"; return 1; }
    same_bytes expected printed
}

commands_that_read_a_run_take_a_stage()
{
    stages <<'END' || { cat said; return 1; }
stages:
  - {name: a, command: 'echo a{}; echo to stderr >&2', split: {product: {x: [1, 2]}}}
  - {name: b, command: 'cat {a.result}', after: a}
END
    "$sheaf" output "$dir" >shown && diff <(cat "$dir/stages/a/output" "$dir/output") shown &&
        "$sheaf" output --stage a --task 1 --stderr "$dir" >shown &&
        diff <(echo to stderr) shown || return 1
    "$sheaf" output --task 1 "$dir" >shown 2>&1
    [ $? = 2 ] && grep -q 'name one with --stage' shown || { cat shown; return 1; }
    "$sheaf" output --stage x "$dir" >shown 2>&1
    [ $? = 2 ] && grep -q 'no stage "x"; it has a, b' shown || { cat shown; return 1; }
    "$sheaf" report "$dir" >shown && grep -q '^STAGE a' shown && grep -q '^STAGE b' shown ||
        { cat shown; return 1; }
    "$sheaf" journal verify "$dir" >shown && grep -q '^stage b' shown || { cat shown; return 1; }
    "$sheaf" journal dump --stage b "$dir" >shown && [ -s shown ] || { cat shown; return 1; }
    "$sheaf" explain "$dir" --task 0 >shown 2>&1
    [ $? = 2 ] && grep -q 'add --stage NAME' shown || { cat shown; return 1; }
    "$sheaf" explain "$dir" --stage a --task 0 >shown && grep -q '^state *done' shown ||
        { cat shown; return 1; }
    "$sheaf" status --stage a --json "$dir" | grep -q '"tasks_done": 2' ||
        fail "the status of a stage is not shown"
}

# What begins in the first column is the one object.
report_for_scripts_is_one_object_whatever_it_is_about()
{
    stages <<'END' && fail "a failed stage has status 0" && return 1
stages:
  - {name: a, command: 'echo a{}', split: {product: {x: [1, 2]}}}
  - {name: b, command: 'cat {a.result}; exit 1', after: a}
  - {name: c, command: 'cat {b.result}', after: b}
END
    "$sheaf" report --json "$dir" >shown && [ "$(grep -c '^[{}]' shown)" = 2 ] ||
        { cat shown && fail "not one object"; } || return 1
    grep -q '^ "job": "job",' shown && grep -q '^ "stages": \[' shown &&
        [ "$(grep '^   "stage": ' shown | tr -d ' ,\n')" = '"stage":"a""stage":"b"' ] &&
        [ "$(sed -n '/^ "stages_not_begun": \[/,$p' shown | tr -d ' \n')" = \
            '"stages_not_begun":["c"]}' ] || { cat shown && fail "wrong stages"; } || return 1
    "$sheaf" report --json --stage b "$dir" >shown && [ "$(grep -c '^[{}]' shown)" = 2 ] &&
        grep -q '^ "tasks_failed": 1,' shown && grep -q '^ "stage": "b"' shown ||
        { cat shown && fail "wrong report of a stage"; }
}

for behaviour in \
    report_for_scripts_is_one_object_whatever_it_is_about \
    pipeline_killed_at_ten_moments_gives_what_a_serial_run_gives \
    pipeline_runs_under_plain_mpirun \
    one_rank_runs_all_stages \
    stages_take_streams_and_output_files \
    what_is_for_one_list_of_tasks_is_refused \
    diamond_joins_its_sides \
    ready_stages_run_by_priority \
    outputs_of_several_last_stages_are_put_together \
    plugin_reads_a_result_as_lines \
    failed_stage_holds_up_those_after_it_alone \
    stage_whose_input_files_are_not_made_fails_by_itself \
    files_made_by_a_stage_are_input_of_the_next \
    what_cannot_be_is_refused_with_its_line \
    stage_runs_again_when_its_input_has_changed_and_not_otherwise \
    changed_input_runs_its_task_and_what_reads_its_file \
    declared_file_that_is_gone_or_changed_counts_for_what_reads_it \
    damaged_result_is_made_again_before_it_is_read \
    damaged_notes_of_stages_cost_nothing \
    stage_that_is_added_leaves_the_others_alone \
    worker_stopped_through_a_change_of_stages_is_admitted_and_counted_once \
    worker_killed_in_one_stage_is_missed_in_no_other \
    killed_master_goes_on_at_its_stage \
    stop_ends_the_run_at_its_stage_and_it_goes_on \
    commands_that_read_a_run_take_a_stage; do
    case " ${CASES:-$behaviour} " in *" $behaviour "*) check $behaviour $behaviour ;; esac
done
finish
