#!/usr/bin/env bash
# test_launcher.sh - the launcher against an mpirun that dies, hangs, stalls or lies: its exit
# status, its restarts, and that nothing of what it started is left.
. "$abs_top_srcdir/tests/integration/lib.sh"

# A stand-in for mpirun. What launch number N does is in the script $work/act.N, or $work/act; the
# number is counted in $work/launches. Its ranks would be its children, in sessions of their own.
cat >"$work/mpirun" <<'END'
#!/usr/bin/env bash
here=$(dirname "$0")
if [ "$1" = --version ]; then
    [ ! -s "$here/deaths" ] || { sed -i 1d "$here/deaths" && kill -KILL $$; }
    echo "${MPIRUN_SAYS:-mpirun (Open MPI) 4.1.4}"
    exit 0
fi
number=$(($(cat "$here/launches" 2>/dev/null || echo 0) + 1))
echo $number >"$here/launches"
printf '%s\n' "$@" >"$here/arguments.$number"
. "$here/master.sh"
act=$here/act
[ ! -r "$act.$number" ] || act=$act.$number
. "$act"
END
chmod +x "$work/mpirun"

# What the master says. A line carries the CRC-32 of its body, which gzip computes, too.
cat >"$work/master.sh" <<'END'
say()
{
    crc=$(printf '%s' "$*" | gzip -c | tail -c 8 | od -An -tx4 -N4 | tr -d ' ')
    printf '\036sheaf1 %s %s\n' "$crc" "$*" >&2
}
started()
{
    trap '' USR1 # the launcher sends it beside making the file "stop"
    mkdir -p "$DIR/logs"
    say "started $1 $$ $(hostname)"
}
# write_status STATE INCARNATION EXIT_STATUS [OUTPUT]
write_status()
{
    cat >"$DIR/status.json" <<JSON
{"state": "$1", "job": "primes", "output": "${4:--}", "host": "h", "process_id": 1, "workers": 2,
 "incarnation": $2, "tasks_total": 100, "tasks_done": 100, "tasks_failed": 0, "slots": 2,
 "tasks_not_run": 0, "tasks_running": 0, "tasks_waiting": 0, "tasks_open": 0, "tasks_per_ks": 0,
 "remaining_ms": 0, "elapsed_ms": 5, "written_unix_s": 1, "exit_status": $3}
JSON
}
# ended STATUS HAS_OUTPUT WORTH_RESTARTING TEXT: what is believed lies in the run directory.
ended()
{
    mkdir -p "$DIR"
    local states=(finished failed) outputs=(out.txt -)
    [ "$1" -gt 1 ] || write_status "${states[$1]}" 1 "$1" "${outputs[$2]}"
    say "end $*"
}
progress()
{
    say "progress running $1 100 $2 0 4 2 2 1000 5000 1000"
}
END

plugin_dir=${SHEAF_PLUGIN_PATH%%:*}
got=
DIR=$work/run.sheaf
export DIR
export TERM=dumb

# launch [OPTION...]: runs sheaf with the stand-in; leaves $got, $work/out and $work/said.
launch()
{
    got=0
    timeout 60 "$sheaf" run "$plugin_dir/primes.so" --tasks 100 --mpirun "$work/mpirun" \
        --dir "$DIR" "$@" >"$work/out" 2>"$work/said" || got=$?
}

# given FILE: what the stand-in does, from standard input, after everything from before is gone.
given()
{
    rm -rf "$DIR" "$work"/act* "$work"/launches "$work"/arguments.*
    also_given act
}

also_given()
{
    cat >"$work/$1"
}

status_is()
{
    cat "$work/said"
    [ "$got" = "$1" ] || fail "exit status $got, not $1"
}

says()
{
    grep -q -- "$1" "$work/said" || fail "does not say: $1"
}

launches_are()
{
    local launches
    launches=$(cat "$work/launches" 2>/dev/null || echo 0)
    [ "$launches" = "$1" ] || fail "$launches launches, not $1"
}

# Everything that the stand-in starts has $work on its command line, or in its environment.
nothing_is_left()
{
    local left
    left=$(grep -lszx "DIR=$DIR" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r pid; do
        case $(ps -o args= -p "$pid") in
        sleep* | *"$work/mpirun"*) echo "$pid" ;;
        esac
    done)
    [ -z "$left" ] || { ps -o pid,ppid,args -p "$(echo "$left" | paste -sd,)"; fail "left behind"; }
}

result_alone_is_on_standard_output()
{
    given <<'END'
echo "a rank prints to standard output"
started 1
echo "a rank prints to standard error" >&2
progress 1 100
printf 'the result\n' >"$DIR/output"
ended 0 1 0 .
END
    launch
    status_is 0 && launches_are 1 && nothing_is_left || return 1
    [ "$(cat "$work/out")" = "the result" ] || { cat "$work/out"; fail "wrong standard output"; }
    says "a rank prints to standard output" && says "a rank prints to standard error"
}

# Whatever mpirun returns: the master's word counts, and only success has a result.
status_is_the_masters()
{
    given <<'END'
started 1
echo 42 >"$DIR/output"
ended $STATUS 1 0 some%20reason
exit $MPIRUN_STATUS
END
    local statuses
    for statuses in 0:137 1:0 2:0 3:0 4:0; do
        STATUS=${statuses%:*} MPIRUN_STATUS=${statuses#*:} launch
        status_is "${statuses%:*}" || return 1
        case $statuses in
        0:*) [ "$(cat "$work/out")" = 42 ] || { fail "no result"; return 1; } ;;
        *) says "some reason" && [ ! -s "$work/out" ] || { fail "a result"; return 1; } ;;
        esac
    done
    says "To continue: sheaf run"
}

early_end_is_restarted_from_the_journal()
{
    given <<'END'
started 2
progress 2 60
ended 0 0 0 .
END
    also_given act.1 <<'END'
started 1
progress 1 10
progress 1 50
kill -KILL $$
END
    launch --fresh
    status_is 0 && launches_are 2 && says "signal 9" && says "starting again at once" &&
        nothing_is_left || return 1
    grep -qx -- --restart "$work/arguments.2" || fail "the second is not told that it is one"
    ! grep -qx -- --restart "$work/arguments.1" || fail "the first is told that it is the second"
}

restarts_without_new_results_are_counted()
{
    given <<'END'
started 1
progress 1 10
exit 0
END
    launch --restarts 1
    status_is 4 && launches_are 2 && says "giving up after 1 restart" && says "To continue" &&
        nothing_is_left
}

mpirun_that_cannot_start_gives_up_soon_and_shows_why()
{
    given <<'END'
cat >&2 <<TEXT
[vm:6109] [[5,0],0] ORTE_ERROR_LOG: Not found in file base/plm_base.c at line 3
$(printf '%074d' 0 | tr 0 -)
There are not enough slots available in the system to satisfy the 9
slots that were requested by the application:
TEXT
exit 1
END
    launch
    status_is 4 && launches_are 3 && says "status 1: .*There are not enough slots" || return 1
    [ ! -e "$DIR" ] || fail "the run directory was made"
    [ "$(grep -c "not enough slots" "$work/said")" = 1 ] || { fail "told again"; return 1; }
    ! grep -q -e ORTE -e ---- "$work/said" || { fail "all of it is told"; return 1; }
    TMPDIR=/nowhere launch -v
    says ORTE_ERROR_LOG && says ---- && says 'sheaf doctor. says of this host: TMPDIR: /nowhere'
}

# mpirun would hang: it says so, and stays.
mpirun_that_is_known_to_hang_is_ended()
{
    given <<'END'
echo "[vm:1] ORTE_ERROR_LOG: The system limit on number of pipes a process can open was reached" >&2
sleep 1000
END
    launch --restarts 0
    status_is 4 && says "cannot start the ranks: .*ulimit -n" && nothing_is_left
}

# What was said before the master's first word was no reason not to start.
early_words_are_shown_when_the_master_is_there()
{
    given <<'END'
echo "a library has something to say" >&2
started 1
ended 0 0 0 .
END
    launch
    status_is 0 && says "a library has something to say"
}

hang_at_the_end_is_ended()
{
    given <<'END'
setsid sleep 1000 &
started 1
ended 0 0 0 .
trap '' TERM
while :; do sleep 1000; done
END
    local begin=$SECONDS
    launch
    status_is 0 && launches_are 1 && nothing_is_left || return 1
    [ $((SECONDS - begin)) -lt 15 ] || fail "took $((SECONDS - begin)) s"
}

hang_at_the_start_is_restarted()
{
    given <<'END'
started 1
ended 0 0 0 .
END
    also_given act.1 <<'END'
setsid sleep 1000
END
    launch --start-timeout 5s
    status_is 0 && launches_are 2 && says "did not start within 5 s" && nothing_is_left
}

silent_master_is_restarted()
{
    given <<'END'
started 2
ended 0 0 0 .
END
    also_given act.1 <<'END'
started 1
while :; do
    echo chatter >&2
    sleep 0.2
done
END
    launch --silence-timeout 3s
    status_is 0 && launches_are 2 && says "said nothing for 3 s" && nothing_is_left
}

# Ended for its silence, the master says that it was asked to stop: nobody has asked.
silent_master_that_ends_as_if_stopped_is_restarted()
{
    given <<'END'
started 2
ended 0 0 0 .
END
    also_given act.1 <<'END'
started 1
trap 'write_status stopped 1 3; exit 3' TERM
while :; do sleep 0.1; done
END
    launch --silence-timeout 3s
    status_is 0 && launches_are 2 && says "said nothing for 3 s" && nothing_is_left
}

# The survivors of rank 0 keep mpirun alive.
death_of_the_master_is_noticed()
{
    given <<'END'
started 2
ended 0 0 0 .
END
    also_given act.1 <<'END'
mkdir -p "$DIR/logs"
sleep 1000 &
say "started 1 $! $(hostname)"
progress 1 10
for look in $(seq 200); do # until the launcher watches it, by a pidfd
    ! grep -qs "^Pid:[[:space:]]*$!\$" /proc/[0-9]*/fdinfo/* || break
    sleep 0.05
done
kill -KILL $!
sleep 1000
END
    local begin=$SECONDS
    launch
    status_is 0 && launches_are 2 && says "master ended unexpectedly" && nothing_is_left || return 1
    [ $((SECONDS - begin)) -lt 15 ] || fail "took $((SECONDS - begin)) s"
}

# The line was lost with mpirun; DIR/status.json has it.
lost_end_line_is_made_up_for()
{
    given <<'END'
started 7
write_status finished $NUMBER 0
echo 42 >"$DIR/output"
kill -KILL $$
END
    NUMBER=7 launch
    status_is 0 && launches_are 1 || return 1
    [ "$(cat "$work/out")" = 42 ] || fail "the result is not on standard output"
    rm -rf "$DIR" "$work/launches"
    NUMBER=6 launch --restarts 0
    status_is 4
}

# Whoever writes to a rank's standard error could say that; the run directory does not.
end_that_is_only_said_is_not_believed()
{
    given <<'END'
started 2
echo 42 >"$DIR/output"
ended 0 1 0 .
END
    also_given act.1 <<'END'
mkdir -p "$DIR"
echo forged >"$DIR/output"
started 1
say "end 0 1 0 ."
sleep 0.5
kill -KILL $$
END
    launch
    status_is 0 && launches_are 2 || return 1
    [ "$(cat "$work/out")" = 42 ] || { fail "the result is forged"; return 1; }
    rm "$work/launches" # what the last run has left does not confirm it
    also_given act <<'END'
started 1
say "end 0 1 0 ."
END
    launch
    status_is 4 && launches_are 2 && says "status.json does not" && [ ! -s "$work/out" ] ||
        fail "an old end is believed"
}

# user_code_is_no_master: when it is loaded, when it runs, and where it has no log.
user_code_is_no_master()
{
    rm -rf "$DIR"
    local all=(run "$TEST_PLUGINS/forger.so" --tasks 3 --dir "$DIR")
    got=0
    "$sheaf" "${all[@]}" --only 0 >"$work/out" 2>"$work/said" || got=$?
    status_is 3 && says '\\x1Esheaf1 be36768a end 0 0 0' || return 1
    rm -r "$DIR/logs" && ln -s "$work" "$DIR/logs"
    got=0
    "$sheaf" "${all[@]}" >"$work/out" 2>"$work/said" || got=$?
    status_is 0 && says "there is no task log" || return 1
    [ "$(paste -sd' ' "$work/out")" = "0 1 2" ] || { cat "$work/out"; fail "wrong result"; }
}

# The user's file may be another one by the time at which mpirun reads it.
hostfile_is_handed_on_as_it_was_read()
{
    given <<'END'
started 1
echo -oProxyCommand=x >"$(dirname "$0")/hostfile"
grep -m 1 -A 1 -x -- --hostfile "$(dirname "$0")/arguments.1" | tail -n 1 | xargs cat >"$DIR/read"
ended 0 0 0 .
END
    printf 'localhost # here\n' >"$work/hostfile"
    launch --hostfile "$work/hostfile"
    status_is 0 && [ "$(cat "$DIR/read")" = "localhost # here" ] ||
        { cat "$DIR/read" "$work/arguments.1" && fail "mpirun reads another file"; }
}

# A function in the background cannot set $got here: it leaves it in a file.
launch_in_background()
{
    launch "$@"
    echo "$got" >"$work/got"
}

stop_is_passed_on_and_waited_for()
{
    local signal=$1
    given <<'END'
started 1
progress 1 10
touch "$DIR/ready"
until [ -e "$DIR/stop" ]; do sleep 0.05; done
ended 3 0 0 heard%20it
END
    stop_with "$signal"
    status_is 3 && launches_are 1 && says "heard it" && nothing_is_left &&
        says "To continue: sheaf run .*--tasks 100"
}

# stop_with SIGNAL [SECOND]: launches, sends the signals once the master runs, waits.
stop_with()
{
    rm -f "$work/got"
    launch_in_background --grace "${grace:-1s}" &
    local launching=$!
    wait_for 20 test -e "$DIR/ready" || { cat "$work/said"; fail "did not start"; return 1; }
    kill_launcher "$1"
    if [ -n "${2:-}" ]; then
        wait_for 20 test -e "$DIR/stop" || { fail "was not asked to stop"; return 1; }
        kill_launcher "$2"
    fi
    wait $launching
    got=$(cat "$work/got")
}

# The launcher is the sheaf that `timeout` started; its guard looks like it.
kill_launcher()
{
    pkill "-$1" -P "$(pgrep -d , -f "^timeout 60 .*--mpirun $work/mpirun --dir $DIR")"
}

master_that_does_not_stop_is_ended()
{
    given <<'END'
started 1
touch "$DIR/ready"
while :; do progress 1 10; sleep 0.3; done
END
    stop_with TERM
    status_is 3 && launches_are 1 && says "did not end in time" && nothing_is_left
}

second_interrupt_ends_at_once()
{
    given <<'END'
started 1
touch "$DIR/ready"
while :; do progress 1 10; sleep 0.3; done
END
    local begin=$SECONDS
    grace=60s stop_with INT INT
    status_is 3 && says "stopped" && nothing_is_left || return 1
    [ $((SECONDS - begin)) -lt 50 ] || fail "took $((SECONDS - begin)) s"
}

killed_launcher_leaves_nothing()
{
    given <<'END'
sleep 1000 &
started 1
touch "$DIR/ready"
trap 'kill $!; exit 143' TERM
while :; do progress 1 10; sleep 0.2; done
END
    stop_with KILL
    [ -e "$DIR/ready" ] || { fail "did not start"; return 1; }
    wait_for 10 nothing_is_left
}

# As mpirun does when it is told to end while it starts.
killed_launcher_leaves_no_mpirun_that_hangs()
{
    given <<'END'
trap '' TERM
mkdir -p "$DIR"
touch "$DIR/ready"
while :; do sleep 0.5; done
END
    stop_with KILL
    [ -e "$DIR/ready" ] || { fail "did not start"; return 1; }
    wait_for 30 no_stand_in_is_left
}

no_stand_in_is_left()
{
    ! pgrep -f "bash $work/mpirun" >/dev/null
}

torn_and_mixed_output_is_understood()
{
    given <<'END'
printf 'half a line, ' >&2
started 1
printf 'and its end\n' >&2
printf '\036sheaf1 00000000 end 4 0 0 .\n' >&2
printf '\036sheaf1 0000' >&2
ended 0 0 0 .
END
    launch
    status_is 0 && launches_are 1 && says "^half a line, and its end$"
}

noise_goes_to_the_log_only()
{
    given <<'END'
started 1
echo "[vm:06109] PMIX ERROR: BAD-PARAM in file ../src/event/pmix_event_notification.c" >&2
dashes=$(printf '%074d' 0 | tr 0 -)
printf '%s\n' "$dashes" "mpirun noticed that process rank 1 with PID 0 exited" \
    "$dashes" "real news" >&2
printf '%s\n' "[vm:06109] pml_ob1_sendreq.c:190 FATAL" "Connection to b closed by remote host." \
    "mpirun.openmpi: Forwarding signal 18 to job" "orted: setpgid(7, 7) failed" \
    "[vm][[5,1],0][btl_tcp_endpoint.c:626:recv_blocking] recv(21) failed" \
    "$dashes" "WARNING: Open MPI failed to TCP connect to a peer MPI process." "" \
    "Your Open MPI job may now hang or fail." "$dashes" >&2
say "message 4 a%20detail"
say "message 1 a%20message"
ended 0 0 0 .
END
    launch
    status_is 0 && says "real news" && says "sheaf: a message" || return 1
    ! grep -q -e PMIX -e noticed -e ---- -e FATAL -e closed -e hang -e Forw -e setpgid -e btl_tcp \
        -e "a detail" "$work/said" || { fail "noise is shown"; return 1; }
    grep -q "a detail" "$DIR/logs/mpirun.log" || { fail "a note is not in the log"; return 1; }
    grep -q PMIX "$DIR/logs/mpirun.log" && grep -q noticed "$DIR/logs/mpirun.log" ||
        fail "noise is not in the log"
}

# A stand-in for ssh: a host is there if there is a file of its name in $work/there.
cat >"$work/agent" <<'END'
#!/usr/bin/env bash
[ -e "$(dirname "$0")/there/$1" ] || { echo "no way to $1" >&2; exit 255; }
END
chmod +x "$work/agent"

# launch_on HOSTS [OPTION...]
launch_on()
{
    launch --host "$1" --mpi-option --mca --mpi-option plm_rsh_agent \
        --mpi-option "$work/agent" "${@:2}"
}

# hosts_there NAME...
hosts_there()
{
    rm -rf "$work/there"
    mkdir "$work/there"
    (cd "$work/there" && touch "$@")
}

# launch_was_on NUMBER HOSTS RANKS
launch_was_on()
{
    grep -A 1 -x -- --host "$work/arguments.$1" | head -n 2 | grep -qx -- "$2" &&
        grep -A 1 -x -e -n "$work/arguments.$1" | grep -qx "$3" || {
        cat "$work/arguments.$1"
        fail "launch $1 was not on $2 with $3 ranks"
    }
}

hosts_that_are_gone_are_left_out_and_come_back()
{
    given <<'END'
started 3
ended 0 0 0 .
END
    also_given act.1 <<'END'
started 1
progress 1 10
rm "$(dirname "$0")/there/b.invalid"
kill -KILL $$
END
    also_given act.2 <<'END'
started 2
progress 2 20
touch "$(dirname "$0")/there/b.invalid"
kill -KILL $$
END
    hosts_there a.invalid b.invalid c.invalid
    launch_on a.invalid,b.invalid:4,c.invalid
    status_is 0 && launches_are 3 &&
        says "warning: host b.invalid is left out: no way to b.invalid" &&
        says "host b.invalid is there again" &&
        launch_was_on 1 a.invalid:2,b.invalid,c.invalid 4 &&
        launch_was_on 2 a.invalid:2,c.invalid 3 &&
        launch_was_on 3 a.invalid:2,b.invalid,c.invalid 4 && nothing_is_left
}

run_without_any_host_left_can_be_continued()
{
    given <<'END'
started 1
progress 1 10
rm "$(dirname "$0")"/there/*
kill -KILL $$
END
    hosts_there a.invalid b.invalid
    launch_on a.invalid,b.invalid --restarts 1
    status_is 4 && launches_are 1 && says "no host is left" && says "To continue"
}

# mpirun gets there by a way that is not known here.
# told_times TEXT NUMBER
told_times()
{
    [ "$(grep -c -- "$1" "$work/said")" = "$2" ] || fail "not told $2 times: $1"
}

hosts_that_nobody_knows_are_told_once()
{
    given <<'END'
started 1
ended 0 0 0 .
END
    cat >"$work/agent.unknown" <<'END'
#!/usr/bin/env bash
echo "ssh: Could not resolve hostname $1: Name or service not known" >&2
exit 255
END
    chmod +x "$work/agent.unknown"
    launch --host a.invalid,b.invalid --mpi-option --mca --mpi-option plm_rsh_agent \
        --mpi-option "$work/agent.unknown"
    status_is 4 && [ ! -e "$work/launches" ] && told_times 'Could not resolve' 1 &&
        says "2 hosts are left out" && says "error: no host is left"
}

hosts_that_never_answered_are_used_as_given()
{
    given <<'END'
started 1
ended 0 0 0 .
END
    hosts_there
    launch_on a.invalid,b.invalid
    status_is 0 && launches_are 1 && launch_was_on 1 a.invalid,b.invalid 3
}

# mpirun ends the ranks by the signal by which a user asks them to stop.
stop_that_nobody_asked_for_follows_a_lost_host()
{
    given <<'END'
started 2
ended 0 0 0 .
END
    also_given act.1 <<'END'
started 1
progress 1 10
echo "ORTE was unable to reliably start one or more daemons." >&2
ended 3 0 0 .
END
    launch
    status_is 0 && launches_are 2 && says "mpirun lost a host" || return 1
    also_given act.1 <<'END'
started 1
progress 1 10
ended 3 0 0 .
END
    rm "$work/launches"
    launch
    status_is 3 && launches_are 1
}

killed_question_is_asked_again()
{
    given <<'END'
started 1
ended 0 0 0 .
END
    printf '%s\n' once twice >"$work/deaths"
    launch
    status_is 0 && launches_are 1 || return 1
    printf '%s\n' once twice thrice >"$work/deaths"
    launch --fresh
    status_is 4 && says 'mpirun --version. ended with status 137, 3 times'
}

missing_mpirun_is_a_clear_error()
{
    got=0
    "$sheaf" run "$plugin_dir/primes.so" --tasks 1 --mpirun "$work/nowhere" --dir "$DIR" \
        >"$work/out" 2>"$work/said" || got=$?
    status_is 4 && says "there is no $work/nowhere" && says "Install\|install"
}

# Debian's names for it beside other kinds of MPI; and one of those.
mpirun_is_known_by_what_it_says()
{
    given <<'END'
started 1
: >"$DIR/output"
ended 0 1 0 .
END
    MPIRUN_SAYS='mpirun.openmpi (OpenRTE) 4.1.4' launch
    status_is 0 && launches_are 1 || return 1
    rm "$work/launches"
    MPIRUN_SAYS='HYDRA build details:' launch
    status_is 4 && launches_are 0 && says "the launcher of MPICH" &&
        says "--mpirun mpirun.openmpi"
}

check result_alone_is_on_standard_output result_alone_is_on_standard_output
check status_is_the_masters status_is_the_masters
check early_end_is_restarted_from_the_journal early_end_is_restarted_from_the_journal
check restarts_without_new_results_are_counted restarts_without_new_results_are_counted
check mpirun_that_cannot_start_gives_up_soon mpirun_that_cannot_start_gives_up_soon_and_shows_why
check mpirun_that_is_known_to_hang_is_ended mpirun_that_is_known_to_hang_is_ended
check early_words_are_shown_when_the_master_is_there early_words_are_shown_when_the_master_is_there
check hang_at_the_end_is_ended hang_at_the_end_is_ended
check hang_at_the_start_is_restarted hang_at_the_start_is_restarted
check silent_master_is_restarted silent_master_is_restarted
check silent_master_that_ends_as_if_stopped_is_restarted \
    silent_master_that_ends_as_if_stopped_is_restarted
check death_of_the_master_is_noticed death_of_the_master_is_noticed
check lost_end_line_is_made_up_for lost_end_line_is_made_up_for
check end_that_is_only_said_is_not_believed end_that_is_only_said_is_not_believed
check hostfile_is_handed_on_as_it_was_read hostfile_is_handed_on_as_it_was_read
check user_code_is_no_master user_code_is_no_master
check sigint_stops_and_can_be_continued stop_is_passed_on_and_waited_for INT
check sigterm_stops_and_can_be_continued stop_is_passed_on_and_waited_for TERM
check sigusr1_stops_and_can_be_continued stop_is_passed_on_and_waited_for USR1
check master_that_does_not_stop_is_ended master_that_does_not_stop_is_ended
check second_interrupt_ends_at_once second_interrupt_ends_at_once
check killed_launcher_leaves_nothing killed_launcher_leaves_nothing
check killed_launcher_leaves_no_mpirun_that_hangs killed_launcher_leaves_no_mpirun_that_hangs
check torn_and_mixed_output_is_understood torn_and_mixed_output_is_understood
check noise_goes_to_the_log_only noise_goes_to_the_log_only
check hosts_that_are_gone_are_left_out_and_come_back hosts_that_are_gone_are_left_out_and_come_back
check run_without_any_host_left_can_be_continued run_without_any_host_left_can_be_continued
check hosts_that_nobody_knows_are_told_once hosts_that_nobody_knows_are_told_once
check hosts_that_never_answered_are_used_as_given hosts_that_never_answered_are_used_as_given
check stop_nobody_asked_for_follows_a_lost_host stop_that_nobody_asked_for_follows_a_lost_host
check killed_question_is_asked_again killed_question_is_asked_again
check missing_mpirun_is_a_clear_error missing_mpirun_is_a_clear_error
check mpirun_is_known_by_what_it_says mpirun_is_known_by_what_it_says
finish
