#!/usr/bin/env bash
# test_left_processes.sh - what the tasks of a run that was killed have started is gone soon, and
# before the same tasks start again; what belongs to others stays.
. "$abs_top_srcdir/tests/integration/lib.sh"

# Each task is one of the ways in which something goes on without the process that was asked to
# start it. As `cd` comes before, no shell replaces itself by the program.
ways=(
    'cd / && PROGRAM'
    'cd / && setsid PROGRAM'
    'cd / && (PROGRAM & setsid PROGRAM-b &); until [ -e $RELEASE ]; do sleep 0.1; done'
    'cd / && env -i PATH=$PATH RELEASE=$RELEASE ACCOUNT=$ACCOUNT PROGRAM'
)

# The program: it appends "begin NAME PROCESS" to the account, or "beside NAME" if another one of
# its name is still there, and goes on until it is released.
cat >program <<'END'
#!/usr/bin/env bash
trap '' HUP INT TERM
exec 9>>"$ACCOUNT.$1"
flock --nonblock 9 || echo "beside $1" >>"$ACCOUNT"
echo "begin $1 $$" >>"$ACCOUNT"
until [ -e "$RELEASE" ]; do
    sleep 0.1 9>&-
done
END
chmod +x program

# account_of NAME: makes an account and a release of its own.
account_of()
{
    export ACCOUNT=$work/$1.account RELEASE=$work/$1.release
    : >"$ACCOUNT"
}

# list_of NAME COUNT: so many of the ways, as commands.
list_of()
{
    local i
    account_of "$1"
    for ((i = 0; i < $2; i++)); do
        echo "${ways[i]//PROGRAM/$work/program $i}; echo $i"
    done >"$1.list"
}

# begin NAME [OPTION...]: runs the list, or goes on with it; its launcher is $launcher.
begin()
{
    local name=$1
    shift
    [ -e "$name.list" ] && set -- "$@" "$name.list"
    $sheaf run --workers 1 --slots 4 --dir "$work/$name" "$@" \
        >"$name.out" 2>"$name.said" &
    launcher=$!
}

begun_are()
{
    [ "$(grep -c ^begin "$work/$1.account")" -ge "$2" ]
}

all_have_begun()
{
    wait_for 60 begun_are "$1" "$2" || { cat "$1.said" "$1.account"; fail "they do not begin"; }
}

# living NAME: the programs that are there; a zombie is not.
living()
{
    local process
    for process in $(awk '/^begin/ { print $3 }' "$1.account"); do
        ! grep -q '^State:[[:space:]]*[^ZX]' "/proc/$process/status" 2>/dev/null || echo "$process"
    done
}

nobody_lives()
{
    [ -z "$(living "$1")" ]
}

# guards_of DIR: of its spawners, by their parents, the ranks.
guards_of()
{
    local process
    for process in $(pids_of "$1"); do
        pgrep -P "$process" -x task-guard
    done
}

# kill_at_once PROCESS...: none of them gets to do anything about the end of another.
kill_at_once()
{
    kill -STOP "$@"
    kill -KILL "$@"
}

# ends_well NAME TEXT
ends_well()
{
    touch "$RELEASE"
    wait "$launcher" || { cat "$1.said"; fail "exit status $?"; return 1; }
    [ "$(tr '\n' ' ' <"$1.out")" = "$2" ] || { cat "$1.out"; fail "not the result"; return 1; }
    ! grep beside "$1.account" || fail "two attempts at a task ran at once"
}

# is_over NAME: nothing of it lives.
is_over()
{
    wait_for 30 nobody_lives "$1" || {
        ps -o pid,ppid,sid,stat,args -p "$(living "$1" | paste -sd,)"
        fail "its programs live"
    }
}

# Killing all that is called sheaf misses the guard.
guard_ends_what_is_left()
{
    list_of alone 4
    begin alone
    all_have_begun alone 5 || return 1
    kill_at_once $(pids_of "$work/alone")
    is_over alone || return 1
    begin alone
    all_have_begun alone 10 || return 1
    ends_well alone '0 1 2 3 '
}

# Without a guard, what has another environment than it was given is known by its parent alone, and
# that is killed here.
second_attempt_ends_what_is_left()
{
    local guards name=second$1
    list_of "$name" 3
    shift
    begin "$name"
    all_have_begun "$name" 4 || return 1
    guards=$(guards_of "$work/$name")
    [ -n "$guards" ] || { fail "no guard"; return 1; }
    kill_at_once $guards $(pids_of "$work/$name")
    [ "$(living "$name" | wc -l)" = 4 ] || { fail "nothing is left to be found"; return 1; }
    begin "$name" "$@"
    all_have_begun "$name" 8 || return 1
    ends_well "$name" '0 1 2 '
}

normal_end_leaves_no_guard()
{
    local guards
    list_of normal 3
    begin normal
    all_have_begun normal 4 || return 1
    guards=$(guards_of "$work/normal")
    [ -n "$guards" ] || { fail "no guard"; return 1; }
    ends_well normal '0 1 2 ' || return 1
    # The launcher has collected it, as all that was its own.
    ! kill -0 $guards 2>/dev/null || fail "the guard is there"
}

staged_files_are_removed()
{
    account_of staged
    begin staged --command "echo half >{out}; cd / && $work/program {}" \
        --tasks 2 --output-file "$work/results/{}"
    all_have_begun staged 2 || return 1
    [ -n "$(find results -name '.sheaf-*')" ] || { fail "nothing is staged"; return 1; }
    kill_at_once $(pids_of "$work/staged")
    is_over staged && wait_for 30 is_clean || fail "staged files are left"
}

is_clean()
{
    [ -z "$(find "$work/results" -name '.sheaf-*')" ]
}

# given_nested NAME: a run that runs the program, and another run, which runs it, too.
given_nested()
{
    account_of "$1"
    echo "cd / && $work/program inner; echo inner" >"$1-inner.list"
    {
        echo "cd / && $work/program outer; echo outer"
        echo "$sheaf run -w 1 -s 1 --dir $work/$1-inner $work/$1-inner.list 2>>$1-inner.said"
    } >"$1.list"
}

times_begun()
{
    grep -c "^begin $2 " "$1.account"
}

has_begun_twice()
{
    [ "$(times_begun "$1" inner)" = 2 ]
}

# It is another run, and the task that it is is tried again.
killed_inner_run_costs_the_outer_nothing()
{
    given_nested apart
    begin apart
    all_have_begun apart 2 || return 1
    kill_at_once $(guards_of "$work/apart-inner") $(pids_of "$work/apart-inner")
    wait_for 60 has_begun_twice apart || { cat apart.said; fail "no second attempt"; return 1; }
    [ "$(times_begun apart outer)" = 1 ] || { fail "the outer run's task was killed"; return 1; }
    ends_well apart 'outer inner '
}

inner_run_ends_with_the_outer()
{
    given_nested within
    begin within
    all_have_begun within 2 || return 1
    kill_at_once $(pids_of "$work/within")
    is_over within && no_process_is_left "$work/within-inner"
}

check guard_ends_what_is_left guard_ends_what_is_left
check second_attempt_ends_what_is_left second_attempt_ends_what_is_left 1
check attempt_after_fresh_ends_what_is_left second_attempt_ends_what_is_left 2 --fresh
check normal_end_leaves_no_guard normal_end_leaves_no_guard
check staged_files_are_removed staged_files_are_removed
check killed_inner_run_costs_the_outer_nothing killed_inner_run_costs_the_outer_nothing
check inner_run_ends_with_the_outer inner_run_ends_with_the_outer
finish
