#!/usr/bin/env bash
# test_messages.sh - what is said is true, the same everywhere, and not said again and again.
. "$abs_top_srcdir/tests/integration/lib.sh"

# says FILE PATTERN...: each of them is in it.
says()
{
    local file=$1
    shift
    for pattern in "$@"; do
        grep -qE -- "$pattern" "$file" || {
            cat "$file"
            fail "$file does not say: $pattern"
            return 1
        }
    done
}

# compiled NAME: a plug-in of the C source on standard input.
compiled()
{
    "${CC:-cc}" -shared -fPIC -I"$abs_top_srcdir/jobs" -x c -o "$1.so" - "${@:2}"
}

# One run for several cases: a task of each kind of end.
run_of_all_ends()
{
    printf '%s\n' 'echo done' 'echo why >&2; echo ---- >&2; exit 3' \
        './not-there' ./not-executable 'sleep 60' >ends.txt
    : >not-executable
    status=0
    timeout 120 "$sheaf" run --timeout 300ms --attempts 2 --workers 2 --dir "$work/ends" \
        --joblog ends.joblog ends.txt >ends.out 2>ends.said || status=$?
    "$sheaf" status ends >ends.status
    "$sheaf" report ends >ends.report
    "$sheaf" status --json ends >ends.status.json
    "$sheaf" report --json ends >ends.report.json
}

counts_are_the_same_everywhere()
{
    [ $status = 1 ] || { cat ends.said; fail "exit status $status"; return 1; }
    says ends.status '^state +failed$' '^done +1 of 5 tasks$' '^failed +4 tasks for good$' &&
        says ends.report '^state +failed$' '^done +1 of 5 tasks$' \
            '^failed +4 tasks for good: 1-4$' &&
        says ends.said ': failed  1 of 5 tasks .* 4 failed' 'error: 4 of 5 tasks failed' || return 1
    local name
    for name in tasks_total tasks_done tasks_failed tasks_not_run tasks_running tasks_waiting \
        tasks_open; do
        grep -o "\"$name\": [0-9]*" ends.status.json || fail "no $name" || return 1
    done >counts
    while read -r count; do
        grep -qF "$count" ends.report.json || { cat counts; fail "report: not $count"; return 1; }
    done <counts
    ! grep -E 'finished|100.0 %' ends.said
}

failure_is_told_with_its_words_and_limits()
{
    says ends.said 'task 1 exited with status 3 on .*: why; it failed for good' \
        'task 2 exited with status 127 .*cannot start ./not-there: No such' \
        'task 3 exited with status 126 .*cannot start ./not-executable: Permission' \
        'task 4 ran longer than its time limit on .*: its limit is 300ms \(--timeout\);'
}

joblog_and_messages_agree()
{
    [ "$(cut -f 1,7,8 ends.joblog | sort -n | tr '\t\n' ': ')" = \
        'Seq:Exitval:Signal 1:0:0 2:3:0 3:127:0 4:126:0 5:0:15 ' ] || { cat ends.joblog; return 1; }
}

dump_names_no_worker_that_is_none()
{
    "$sheaf" journal dump ends >dump
    says dump '^# .*no times' && ! grep 4294967295 dump
}

interrupted_run_is_told_so_by_all()
{
    "$sheaf" run --workers 1 --slots 1 --dir "$work/cut" -c 'sleep {}' - < <(printf '%s\n' 0 60) \
        2>cut.said >cut.out &
    local launcher=$!
    wait_for 60 tasks_done_are "$work/cut" 1 || { cat cut.said; return 1; }
    kill -STOP $launcher
    pkill -KILL -f -- "--dir $work/cut( |$)"
    wait $launcher
    no_process_is_left "$work/cut" || return 1
    "$sheaf" status cut >cut.status
    "$sheaf" report cut >cut.report
    says cut.status '^state +interrupted$' '^done +1 of 2 tasks' '^open +1 task$' &&
        says cut.report '^state +interrupted$' '^done +1 of 2 tasks' '^open +1 task$' || return 1
    "$sheaf" status --json cut >cut.json
    says cut.json '"state": "interrupted"' '"tasks_open": 1' '"tasks_running": 0'
}

many_like_failures_are_told_in_few_lines()
{
    timeout 120 "$sheaf" run -q "$TEST_PLUGINS/trouble.so" --tasks 50 --workers 2 \
        --param where=run --param how=fail --dir "$work/flood" >/dev/null 2>flood.said
    [ $? = 1 ] && says flood.said '^sheaf: warning: 97 more like this: task [0-9]+ reported' \
        '^sheaf: error: 47 more like this: .*it failed for good' 'error: 50 of 50 tasks failed' &&
        [ "$(wc -l <flood.said)" -le 9 ] || { cat flood.said; return 1; }
}

control_characters_reach_no_terminal()
{
    compiled wild <<'END' || return 1
#include <sheaf.h>
static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    (void)task;
    return sheaf_fail(context, "\033[2Jgone, \303\274ber\a");
}
SHEAF_PLUGIN(.run = run)
END
    timeout 120 "$sheaf" run ./wild.so --tasks 1 --workers 1 --dir "$work/wild" \
        >/dev/null 2>wild.said
    "$sheaf" report wild >wild.report
    "$sheaf" explain wild --task 0 >wild.explained
    "$sheaf" journal dump wild >wild.dump
    for file in wild.said wild.report wild.explained wild.dump; do
        says $file '\\x1B\[2Jgone, über\\x07' || return 1
        ! grep -qP '[\x00-\x08\x0b-\x1f]' $file || fail "$file holds controls" || return 1
    done
}

what_does_not_load_is_told_in_words()
{
    compiled aborts <<'END' || return 1
#include <stdlib.h>
__attribute__((constructor)) static void begin(void)
{
    abort();
}
END
    echo 'int far(void) { return 0; }' | compiled libfar && mv libfar.so gone.so &&
        cp gone.so libfar.so || return 1
    echo 'int far(void); int near(void) { return far(); }' | compiled needs -L. -lfar || return 1
    echo 'int far(void); int near(void) { return far(); }' | compiled lacks || return 1
    rm libfar.so
    "$sheaf" run ./aborts.so --tasks 1 2>aborts.said
    [ $? = 2 ] && says aborts.said 'killed by signal 6 \(Aborted\)' || return 1
    "$sheaf" run ./needs.so --tasks 1 2>needs.said
    [ $? = 2 ] && says needs.said 'libfar.so.*a library that it needs is not found' || return 1
    "$sheaf" run ./lacks.so --tasks 1 2>lacks.said
    [ $? = 2 ] && says lacks.said 'undefined symbol: far; link it with the library' || return 1
    ! grep -E 'wait status|cc -shared' aborts.said needs.said lacks.said
}

all_failed_tasks_can_be_listed()
{
    printf '%s\n' 1:failed 2:failed 3:failed 4:failed >expected
    "$sheaf" report --tasks ends | tr '\t' : >listed && same_bytes expected listed &&
        [ "$("$sheaf" report --tasks --json ends | tail -n 1)" = '{"task": 4, "state": "failed"}' ]
}

output_of_what_failed_is_printed()
{
    says ends.said '.sheaf output --failed --stderr [^ ]*ends. what they wrote' &&
        [ "$("$sheaf" output --failed --stderr ends | grep -v '^==>\|^$' | tr '\n' :)" = \
            why:----: ]
}

log_of_an_executor_keeps_its_first_and_last_lines()
{
    compiled talks <<'END' || return 1
#include <sheaf.h>
#include <stdio.h>
#include <stdlib.h>
static int run(struct sheaf_context *context, const struct sheaf_task *task)
{
    (void)context;
    fprintf(stderr, "ERROR: the cause, in task %d\n", (int)task->index);
    for (int i = 0; i < 200; i++)
        fprintf(stderr, "    frame %d of a long trace, which nobody needs\n", i);
    fprintf(stderr, "ABORTING\n");
    abort();
}
SHEAF_PLUGIN(.run = run)
END
    timeout 120 "$sheaf" run -q ./talks.so --tasks 1 --attempts 1 --workers 1 \
        --dir "$work/talks" >/dev/null 2>talks.said
    "$sheaf" report talks >talks.report
    says talks.report '\| logs/executor-.*.log, from byte [0-9]+:$' \
        '\| ERROR: the cause, in task 0' '\| \[\.\.\.\]$' '\| ABORTING$' &&
        [ -e talks/logs/executor-*.log ]
}

success_ends_with_what_was_done()
{
    printf '%s\n' 'sleep 0.2' 'test -e tried || { touch tried; exit 1; }' true >good.txt
    timeout 120 "$sheaf" run --workers 1 --dir "$work/good" good.txt >/dev/null 2>good.said &&
        says good.said '^sheaf: done: 3 tasks in .* s; 1 attempt was repeated; slots were busy' ||
        return 1
    timeout 120 "$sheaf" run --workers 1 --dir "$work/good" good.txt >/dev/null 2>again.said &&
        says again.said '^sheaf: done: 3 tasks, all of them done before, in .* s; no attempts'
}

run_of_all_ends
check all_failed_tasks_can_be_listed all_failed_tasks_can_be_listed
check output_of_what_failed_is_printed output_of_what_failed_is_printed
check log_of_an_executor_keeps_its_first_and_last_lines \
    log_of_an_executor_keeps_its_first_and_last_lines
check success_ends_with_what_was_done success_ends_with_what_was_done
check counts_are_the_same_everywhere counts_are_the_same_everywhere
check failure_is_told_with_its_words_and_limits failure_is_told_with_its_words_and_limits
check joblog_and_messages_agree joblog_and_messages_agree
check dump_names_no_worker_that_is_none dump_names_no_worker_that_is_none
check interrupted_run_is_told_so_by_all interrupted_run_is_told_so_by_all
check many_like_failures_are_told_in_few_lines many_like_failures_are_told_in_few_lines
check control_characters_reach_no_terminal control_characters_reach_no_terminal
check what_does_not_load_is_told_in_words what_does_not_load_is_told_in_words
finish
