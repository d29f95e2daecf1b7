# lib.sh - what the integration tests share: named cases, runs of sheaf, and things to kill.
#
# Sourced by bash. A test calls `check NAME FUNCTION [ARGUMENT...]` for each behaviour; the function
# returns 0 when it holds, and says on standard output why it does not.
set -u

sheaf=${SHEAF:-sheaf}
examples=$abs_top_srcdir/examples
work=$(mktemp -d "${TMPDIR:-/tmp}/sheaf-test.XXXXXX")
cd "$work" || exit 1
trap 'rm -rf "$work"' EXIT # run-test looks for what still runs, and ends it

failed_cases=0

check()
{
    local name=$1
    shift
    local said began=$SECONDS
    if said=$("$@" 2>&1); then
        [ $((SECONDS - began)) -lt 2 ] || echo "# $name took $((SECONDS - began)) s"
        echo "ok - $name"
    else
        printf '%s\n' "$said" | tail -n 60 | sed 's/^/# /'
        echo "not ok - $name"
        failed_cases=$((failed_cases + 1))
    fi
}

finish()
{
    [ "$failed_cases" = 0 ]
    exit
}

# fail TEXT...: says why and returns 1, for `... || fail "..."`.
fail()
{
    echo "$*"
    return 1
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for()
{
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}

# mpirun_of LAUNCHER: the mpirun that it started; with Open MPI 5 that becomes prterun.
mpirun_of()
{
    pgrep -P "$1" -x 'mpirun|prterun'
}

# pids_of DIR: all processes of the runs whose directory is DIR: launcher, mpirun, ranks and
# whatever they started.
pids_of()
{
    pgrep -f -- "--dir $1( |\$)"
}

is_quiet()
{
    [ -z "$(pids_of "$1")" ]
}

# no_process_is_left DIR: an end may take a moment, a stray stays.
no_process_is_left()
{
    wait_for 20 is_quiet "$1" || {
        ps -o pid,ppid,stat,args -p "$(pids_of "$1" | paste -sd,)"
        fail "processes are left"
    }
}

# ranks_of DIR RANK: the process of one rank.
pid_of_rank()
{
    local pid
    for pid in $(pgrep -f -- "sheaf run .*--dir $1( |\$)"); do
        if tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" |
            grep -qx "OMPI_COMM_WORLD_RANK=$2"; then
            # The spawner is forked from the rank and looks like it: the rank is the one whose
            # parent is mpirun.
            local parent
            parent=$(ps -o comm= -p "$(ps -o ppid= -p "$pid" | tr -d ' ')" 2>/dev/null)
            case $parent in
            mpirun | orted | prted | prterun) echo "$pid" && return ;;
            esac
        fi
    done
    return 1
}

# make_held_mpirun: an mpirun, $work/held-mpirun, whose ranks do not get past MPI_Init until there
# is the file $HELD.go: rank 0 stands still. When all ranks are there it makes $HELD.ready.
make_held_mpirun()
{
    cat >"$work/held-mpirun" <<'END'
#!/usr/bin/env bash
[ "$1" != --version ] || exec mpirun "$@"
[ ! -e "$HELD.go" ] || exec mpirun "$@"
count=$(printf '%s\n' "$@" | grep -A 1 -x -e -n | tail -n 1)
mpirun "$@" &
until first=$(pgrep -o -P $! -x sheaf); do
    kill -0 $! 2>/dev/null || exit
done
kill -STOP "$first"
until [ "$(pgrep -c -P $! -x sheaf)" = "$count" ]; do
    kill -0 $! 2>/dev/null || exit
done
touch "$HELD.ready"
until [ -e "$HELD.go" ]; do
    kill -0 $! 2>/dev/null || exit
    sleep 0.05
done
kill -CONT "$first"
wait $!
END
    chmod +x "$work/held-mpirun"
}


# executors_of PID: the executors of the rank with this process (grandchildren: rank, spawner).
executors_of()
{
    local spawner
    for spawner in $(pgrep -P "$1"); do
        pgrep -P "$spawner"
    done
}

# status_field DIR FIELD: a number of DIR/status.json; 0 while there is none.
status_field()
{
    [ -r "$1/status.json" ] || { echo 0 && return; }
    tr ',{}' '\n\n\n' <"$1/status.json" | sed -n "s/^ *\"$2\": *//p" | head -n 1 | grep . || echo 0
}

# tasks_done_are DIR COUNT: at least COUNT tasks have ended, well or badly.
tasks_done_are()
{
    [ $(($(status_field "$1" tasks_done) + $(status_field "$1" tasks_failed) + \
        $(status_field "$1" tasks_not_run))) -ge "$2" ]
}

same_bytes()
{
    cmp "$1" "$2" || fail "$1 and $2 differ"
}

# journal_holds DIR BYTES: the journal on disk has grown to so many.
journal_holds()
{
    [ "$(du -cb "$1"/journal/segment-* 2>/dev/null | tail -n 1 | cut -f1)" -ge "$2" ]
}

# executed_in LEDGER: the tasks of the plug-in ledger that were executed, each once.
executed_in()
{
    awk '{ print $3 }' "$1" | sort -nu
}
