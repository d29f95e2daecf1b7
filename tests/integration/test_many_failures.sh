#!/usr/bin/env bash
# test_many_failures.sh - when every task fails, memory and journal stay small, and counts exact.
#
# SHEAF_FAILING_TASKS says how many tasks there are.
. "$abs_top_srcdir/tests/integration/lib.sh"

tasks=${SHEAF_FAILING_TASKS:-20000}
kib_max=$((200 * 1024))

# Largest resident size of a process of the run so far, in KiB.
watch_memory()
{
    local pid peak=0 size
    while kill -0 "$1" 2>/dev/null; do
        for pid in $(pids_of "$2"); do
            size=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null)
            [ "${size:-0}" -le "$peak" ] || peak=$size
        done
        sleep 0.2
    done
    echo "$peak" >"$3"
}

# all_fail NAME ATTEMPTS
all_fail()
{
    local name=$1 attempts=$2 status=0
    timeout 3000 "$sheaf" run "$TEST_PLUGINS/trouble.so" --tasks "$tasks" --attempts "$attempts" \
        --param where=run --param how=fail --workers 2 --dir "$work/$name" \
        >"$name.out" 2>"$name.said" &
    local run=$!
    watch_memory $run "$work/$name" "$name.peak"
    wait $run || status=$?
    [ $status = 1 ] || { fail "exit status $status, not 1"; tail "$name.said"; return 1; }
    "$sheaf" report --json "$work/$name" >"$name.json"
    "$sheaf" report "$work/$name" >"$name.report"
    local journal
    journal=$(du -sk "$work/$name/journal" | cut -f1)
    echo "peak $(cat "$name.peak") KiB, journal $journal KiB" | tee "$name.sizes"
    cat "$name.report"
    grep -q "\"tasks_failed\": $tasks," "$name.json" || { fail "wrong number of tasks"; return 1; }
    grep -q "\"count\": $((tasks * attempts))," "$name.json" ||
        { fail "wrong number of attempts"; return 1; }
    grep -q "\"last_attempts\": $tasks," "$name.json" || { fail "wrong last attempts"; return 1; }
    [ "$(wc -l <"$name.report")" -le 20 ] || { fail "the report is long"; return 1; }
    [ "$(cat "$name.peak")" -gt 0 ] && [ "$(cat "$name.peak")" -le $kib_max ] &&
        [ "$journal" -le $kib_max ]
}

check "one_attempt_at_each_of_${tasks}_failing_tasks" all_fail one 1
check "three_attempts_at_each_of_${tasks}_failing_tasks" all_fail three 3
for sizes in *.sizes; do
    echo "# ${sizes%.sizes}: $(cat "$sizes")"
done
finish
