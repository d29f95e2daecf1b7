#!/usr/bin/env bash
# test_dependencies.sh - tasks of a job that come after others: they find what those left, in spite
# of failures and kills.
. "$abs_top_srcdir/tests/integration/lib.sh"

# make_layers NAME LAYERS WIDTH EDGES COMMAND: a job file whose tasks each come after EDGES tasks of
# the layer before. Each looks for the marks of those in $work/NAME.marks, runs COMMAND, and leaves
# its own, and a line in $work/NAME.ledger. Those of the last layer wait for $work/NAME.release: a
# kill on the way does not come too late.
make_layers()
{
    mkdir -p "$work/$1.marks"
    awk -v marks="$work/$1.marks" -v ledger="$work/$1.ledger" -v release="$work/$1.release" \
        -v layers="$2" -v width="$3" -v edges="$4" -v command="$5" 'BEGIN {
        print "limits: {attempts: 1}"
        print "tasks:"
        for (layer = 0; layer < layers; layer++)
            for (i = 0; i < width; i++) {
                after = tests = ""
                for (k = 0; layer > 0 && k < edges; k++) {
                    name = "t" (layer - 1) "." ((i + k) % width)
                    after = after (k > 0 ? ", " : "") name
                    tests = tests "test -e " marks "/" name " && "
                }
                if (layer == layers - 1)
                    tests = tests "until test -e " release "; do sleep 0.05; done && "
                name = "t" layer "." i
                printf "  - name: %s\n    after: [%s]\n", name, after
                printf "    command: %s%s && touch %s/%s && echo %s >>%s\n", tests, command,
                    marks, name, name, ledger
            }
    }' >"$work/$1.yaml"
}

# all_ran NAME COUNT: each task left its mark.
all_ran()
{
    local count
    count=$(ls "$work/$1.marks" | wc -l)
    [ "$count" = "$2" ] || fail "$count of $2 tasks ran"
}

# Written in an order that is not theirs.
a_diamond_runs_in_its_order()
{
    cat >diamond.yaml <<'END'
tasks:
  - {name: bottom, command: cat left right >bottom && cat bottom, after: [left, right]}
  - {name: left, command: sed s/^/left-/ top >left, after: top}
  - {name: right, command: sed s/^/right-/ top >right, after: top}
  - {name: top, command: sleep 0.3 && echo top >top}
  - {command: echo by itself}
END
    "$sheaf" run --quiet -n 3 diamond.yaml --dir "$work/diamond" >out 2>said ||
        { cat said && fail "failed" || return 1; }
    diff out <(printf 'left-top\nright-top\nby itself\n') || fail "printed something else"
}

# explained TASK TEXT: `sheaf explain` says so of the run in $work/waiting.
explained()
{
    "$sheaf" explain "$work/waiting" --task "$1" >printed 2>said && grep -q -- "$2" printed
}

task_that_waits_tells_for_which()
{
    local launcher
    cat >waiting.yaml <<'END'
tasks:
  - {name: bottom, command: echo bottom, after: [left, right, early]}
  - {name: left, command: echo left, after: top}
  - {name: right, command: echo right, after: top}
  - {name: top, command: until test -e go_on; do sleep 0.1; done}
  - {name: early, command: echo early}
END
    rm -f go_on
    "$sheaf" run --quiet -n 2 waiting.yaml --dir "$work/waiting" >out 2>said &
    launcher=$!
    wait_for 60 explained 3 'state *at worker' && wait_for 60 explained 4 'state *done' &&
        wait_for 60 explained 0 'task 1 (left): waits for others' ||
        { cat printed said; kill -KILL $launcher; return 1; }
    grep -q 'task *0 (bottom)' printed && grep -q 'state *waits for tasks that it' printed &&
        grep -q 'task 2 (right): waits for others' printed && ! grep -q early printed &&
        explained 1 'task 3 (top): under way' || { cat printed; kill -KILL $launcher; return 1; }
    # Nothing has the time to give it back.
    kill -KILL $(pids_of "$work/waiting") $launcher
    no_process_is_left "$work/waiting" || return 1
    explained 1 'task 3 (top): was under way when the run ended' || { cat printed; return 1; }
    touch go_on
    "$sheaf" run --quiet -n 2 waiting.yaml --dir "$work/waiting" >out 2>said &&
        diff out <(printf 'bottom\nleft\nright\nearly\n') && explained 0 'state *done' ||
        { cat said printed; return 1; }
}

tasks_after_a_failed_one_are_not_run()
{
    cat >failing.yaml <<'END'
limits: {attempts: 2}
tasks:
  - {name: fetch, command: echo fetched}
  - {name: compile, command: echo no compiler >&2; exit 3, after: fetch}
  - {name: link, command: touch linked, after: compile}
  - {name: install, command: touch installed, after: [link, manual]}
  - {name: manual, command: echo manual, after: fetch}
END
    "$sheaf" run -n 2 failing.yaml --dir "$work/failing" >out 2>said
    [ $? = 1 ] || { cat said && fail "status" || return 1; }
    [ ! -e linked ] && [ ! -e installed ] || { fail "a task ran" || return 1; }
    grep -q 'not run: task compile failed' said || { cat said && fail "not said" || return 1; }
    grep -q '1 of 5 tasks failed, and 2 were not run' said || { cat said; fail "not counted"; }
}

report_and_status_tell_what_was_not_run()
{
    "$sheaf" report failing >report
    grep -qx 'failed     1 task for good: 1' report &&
        grep -qx 'not run    2 tasks: 2-3' report &&
        grep -qx 'done       2 of 5 tasks' report &&
        grep -q '2 tasks were not run, since one before' report &&
        grep -q 'not run: task compile failed' report ||
        { cat report && fail "the report does not tell" || return 1; }
    "$sheaf" report --json failing | grep -q '"tasks_not_run": 2' || { fail "JSON" || return 1; }
    "$sheaf" status failing >status
    grep -qx 'not run    2 tasks, since one before them failed' status &&
        grep -qx 'done       2 of 5 tasks' status && grep -qx 'done       2 of 5 tasks' report ||
        { cat status; fail "the status does not tell"; }
}

the_failed_job_runs_to_its_end_once_mended()
{
    sed 's/echo no compiler.*, after/echo compiled, after/' failing.yaml >mended.yaml
    "$sheaf" run --quiet -n 2 mended.yaml --dir "$work/failing" --fresh >out 2>said ||
        { cat said && fail "failed" || return 1; }
    [ -e linked ] && [ -e installed ] || fail "not all ran"
}

circles_are_refused_before_anything_is_made()
{
    cat >circle.yaml <<'END'
tasks:
  - {name: a, command: "true", after: [b]}
  - {name: b, command: "true", after: [c]}
  - {name: c, command: "true", after: [a]}
END
    "$sheaf" run circle.yaml --dir "$work/circle" >out 2>said
    [ $? = 2 ] || { cat said && fail "status" || return 1; }
    grep -q 'circle.yaml:2: .*: a after b after c after a;' said ||
        { cat said && fail "not said" || return 1; }
    [ ! -e circle ] || fail "a run directory was made"
}

# A task of the eighth layer is done when 60 are, and those before it, 40 at least, were journalled
# before it began.
killed_run_goes_on_in_its_order()
{
    make_layers killed 30 8 3 'sleep 0.05'
    local done_before ran_before ran
    "$sheaf" run --quiet -n 4 killed.yaml --dir "$work/killed" --checkpoint 100ms >out 2>said &
    wait_for 60 tasks_done_are "$work/killed" 60 || { cat said && fail "slow" || return 1; }
    pkill -KILL -f -- "--dir $work/killed( |\$)"
    wait
    no_process_is_left "$work/killed" || return 1
    ran_before=$(wc -l <killed.ledger)
    [ "$ran_before" -lt 240 ] || { fail "it had ended" || return 1; }
    touch killed.release
    "$sheaf" run -n 4 killed.yaml --dir "$work/killed" >out 2>said ||
        { cat said && fail "does not go on" || return 1; }
    all_ran killed 240 || return 1
    ran=$(wc -l <killed.ledger)
    echo "# $ran_before tasks ran before the kill, $((ran - 240)) of them again" >&3
    done_before=$(sed -n 's/.*continuing .*: \([0-9]*\) of .*/\1/p' said)
    [ "${done_before:-0}" -ge 40 ] || { cat said; fail "'$done_before' tasks were kept"; }
}

lost_worker_costs_the_order_nothing()
{
    make_layers lost 20 8 3 'sleep 0.05'
    "$sheaf" run --quiet -n 4 lost.yaml --dir "$work/lost" --lost-after 1s >out 2>said &
    local run=$!
    wait_for 60 tasks_done_are "$work/lost" 20 || { cat said && fail "slow" || return 1; }
    kill -KILL "$(pid_of_rank "$work/lost" 2)" || { fail "no worker to kill" || return 1; }
    touch lost.release
    wait $run || { cat said && fail "failed" || return 1; }
    all_ran lost 160
}

edited_tasks_keep_what_rests_on_the_same()
{
    cat >edited.yaml <<'END'
tasks:
  - {name: base, command: echo base; echo base >>edited.ran}
  - {name: left, command: echo left; echo left >>edited.ran, after: base}
  - {name: right, command: echo right; echo right >>edited.ran, after: base}
  - {name: both, command: echo both; echo both >>edited.ran, after: [left, right]}
END
    "$sheaf" run --quiet -n 2 edited.yaml >out 2>said || { cat said; return 1; }
    : >edited.ran
    sed -i 's/echo left;/echo LEFT;/' edited.yaml
    local late='{name: late, command: echo late; echo late >>edited.ran, after: right}'
    sed -i "1a\  - $late" edited.yaml
    "$sheaf" run -n 2 edited.yaml >out 2>said || { cat said; return 1; }
    diff out <(printf '%s\n' late base LEFT right both) &&
        diff <(sort edited.ran) <(printf '%s\n' both late left) || { cat said; return 1; }
    grep -q 'the list has changed: 2 of its 5 tasks are done' said || { cat said; return 1; }
    "$sheaf" explain edited.sheaf --task 0 | grep -q '0 (late)' || return 1
    : >edited.ran
    sed -i 's/, after: \[left, right\]/, after: left/; /name: late/d' edited.yaml
    "$sheaf" run -n 2 edited.yaml >out 2>said || { cat said; return 1; }
    [ "$(cat edited.ran)" = both ] || { cat edited.ran; fail "something else has run"; }
}

a_hundred_thousand_edges_are_no_burden()
{
    awk 'BEGIN {
        print "tasks:"
        for (layer = 0; layer < 11; layer++)
            for (i = 0; i < 100; i++) {
                after = ""
                for (k = 0; layer > 0 && k < 100; k++)
                    after = after (k > 0 ? ", " : "") "t" (layer - 1) "." k
                printf "  - {name: t%d.%d, command: echo %d, after: [%s]}\n", layer, i,
                    layer * 100 + i, after
            }
    }' >wide.yaml
    "$sheaf" run --quiet -n 2 wide.yaml --dir "$work/wide" >out 2>said ||
        { cat said && fail "failed" || return 1; }
    diff out <(seq 0 1099) >differences || { head differences; fail "other output"; }
}

exec 3>&1
check a_diamond_runs_in_its_order a_diamond_runs_in_its_order
check task_that_waits_tells_for_which task_that_waits_tells_for_which
check tasks_after_a_failed_one_are_not_run tasks_after_a_failed_one_are_not_run
check report_and_status_tell_what_was_not_run report_and_status_tell_what_was_not_run
check the_failed_job_runs_to_its_end_once_mended the_failed_job_runs_to_its_end_once_mended
check circles_are_refused_before_anything_is_made circles_are_refused_before_anything_is_made
check killed_run_goes_on_in_its_order killed_run_goes_on_in_its_order
check lost_worker_costs_the_order_nothing lost_worker_costs_the_order_nothing
check edited_tasks_keep_what_rests_on_the_same edited_tasks_keep_what_rests_on_the_same
check a_hundred_thousand_edges_are_no_burden a_hundred_thousand_edges_are_no_burden
finish
