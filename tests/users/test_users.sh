#!/usr/bin/env bash
# test_users.sh - one user attacks another in a folder that both may write in: what he plants before
# a run, or puts in its way while it goes on, changes nothing of the other's, is not printed as a
# result, and holds nobody up.
#
# The names that are attacked are those that a run makes or opens when nobody disturbs it, as
# strace(1) sees it, or, without that, leaves; so a new file is attacked without a change here.
. "$abs_top_srcdir/tests/integration/lib.sh"

VICTIM=64101
ATTACKER=64102
GROUP=64110 # both are in it

if [ "$(id -u)" != 0 ] || ! setpriv --reuid "$VICTIM" --regid "$VICTIM" --groups "$GROUP" true; then
    echo "ok - one_user_attacks_another # SKIP only root can be two users, with setpriv(1)"
    exit 0
fi

# The user's programs and temporary files must be reachable for both.
chmod 755 "$work"
[ "${TMPDIR:-/tmp}" = /tmp ] || chmod o+x "$TMPDIR"
bin=$work/bin
mkdir -m 755 "$bin"
cp "$sheaf" "$bin/sheaf"
home=$work/home
mkdir -m 755 "$home"
chown "$VICTIM" "$home"
user_tmp=$work/t
mkdir -m 1777 "$user_tmp"

as()
{
    local user=$1
    shift
    setpriv --reuid "$user" --regid "$user" --groups "$GROUP" --inh-caps=-all \
        env HOME="$home" TMPDIR="$user_tmp" PATH="$bin:$PATH" "$@"
}

as_victim()
{
    as "$VICTIM" "$@"
}

as_attacker()
{
    as "$ATTACKER" "$@"
}

# What must stay as it is.
mkdir "$home/precious" "$home/precious/logs" "$home/precious/journal"
for name in bashrc lock output identity status.json; do
    echo "of the victim: $name" >"$home/precious/$name"
done
echo "of the victim" >"$home/precious/logs/mpirun.log"
chown -R "$VICTIM:$VICTIM" "$home/precious"
chmod -R go+rX "$home/precious"
secret=$home/precious/bashrc

print_precious()
{
    find "$home" -printf '%P %y %m %U %s\n' | sort
    find "$home" -type f -print0 | sort -z | xargs -0 cat
}
precious=$(print_precious)

nothing_was_changed()
{
    [ "$(print_precious)" = "$precious" ] || {
        diff <(printf '%s\n' "$precious") <(print_precious)
        fail "something of the victim's was changed"
    }
}

right=$'1\n2\n3'

# run_job [OPTION...]: the victim's run in the folder; leaves $got, $work/out and $work/said.
run_job()
{
    got=0
    (cd "$folder" && as_victim timeout --kill-after=5 60 sheaf run -q --dir job.sheaf --slots 1 \
        --workers 1 -p n=1,2,3 --command 'echo {n}' --shell /bin/sh "$@") \
        >"$work/out" 2>"$work/said" </dev/null || got=$?
}

# What the victim has been told is true, or he was told that there is nothing.
run_is_honest()
{
    case $got in
    0) [ "$(cat "${1:-$work/out}")" = "$right" ] || fail "status 0, and not the result" ;;
    124 | 137) cat "$work/said" && fail "it hangs" ;;
    *) [ -s "$work/said" ] || fail "status $got without a word" ;;
    esac && nothing_was_changed
}

# given_folder KIND: an empty one, sticky as /tmp, or of a group.
given_folder()
{
    folder=$work/$1
    rm -rf "$folder"
    mkdir "$folder"
    case $1 in
    sticky) chmod 1777 "$folder" ;;
    group) chgrp "$GROUP" "$folder" && chmod 2770 "$folder" ;;
    esac
}

# plant KIND PATH: as the attacker, or, where he no longer may, what he has left.
kinds='link folder_link pipe folder socket hard_link file'
plant()
{
    rm -rf "$2"
    case $1 in
    link) ln -s "$secret" "$2" ;;
    folder_link) ln -s "$home/precious" "$2" ;;
    pipe) mkfifo -m 666 "$2" ;;
    folder) mkdir -m 777 "$2" ;;
    socket) perl -e 'use IO::Socket::UNIX; IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1)
        or die' "$2" ;;
    hard_link) ln "$secret" "$2" ;;
    file) echo forged >"$2" && chmod 666 "$2" ;;
    esac
    chown -h "$ATTACKER" "$2"
    [ "$1" != hard_link ] || chown "$VICTIM" "$2"
}

# ---- what is attacked ----

# Paths below the folder that a run opens or makes, numbers of processes and random parts left out.
list_names()
{
    given_folder sticky
    if ! command -v strace >/dev/null || ! strace -o /dev/null true; then
        run_job -o out.txt --joblog log.txt --output-dir outputs
        (cd "$folder" && find . -mindepth 1 -printf '%P\n') |
            grep -vE -- '-[0-9]+(-[0-9]+)?(\.log)?$' >"$work/names"
        return
    fi
    (cd "$folder" && as_victim strace -f -qq -y -o "$user_tmp/trace" \
        -e trace=open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat \
        sheaf run -q --dir job.sheaf --slots 1 --workers 1 -p n=1,2,3 --shell /bin/sh \
        --command 'echo {n}' -o out.txt --joblog log.txt --output-dir outputs) \
        >"$work/out" 2>"$work/said" </dev/null
    # openat(5</folder>, "name", and the like; or mkdir("name",
    {
        grep -oE '(AT_FDCWD|[0-9]+)<[^>]*>, "[^"]+"' "$user_tmp/trace" |
            sed -E 's/^[^<]*<([^>]*)>, "(.*)"$/\1 \2/'
        grep -oE '\b(open|creat|mkdir|rename|link)\("[^"]+"' "$user_tmp/trace" |
            sed -E "s,^.*\"(.*)\"$,$folder \1,"
    } |
        while read -r place path; do
            case $path in
            "$folder"/*) echo "${path#"$folder"/}" ;;
            /*) ;;
            *) [ "${place#"$folder"}" = "$place" ] || echo "${place#"$folder"}/$path" ;;
            esac
        done | sed -e 's,^/,,' -e 's,/\.*$,,' | sort -u |
        grep -vE -- 'sheaf-tmp|\.\.|-[0-9]+(-[0-9]+)?(\.log)?$|^job.sheaf/worlds/|^\.?$' \
            >"$work/names"
}

# The run itself, and the places of its results.
names_outside()
{
    grep -v / "$work/names"
    grep '^outputs/' "$work/names" | head -n 1
}

names_inside()
{
    sed -n 's,^job.sheaf/,,p' "$work/names" | grep -v '^journal/'
}

names_are_known()
{
    cat "$work/said"
    local name
    for name in job.sheaf out.txt log.txt outputs outputs/000000.out job.sheaf/lock \
        job.sheaf/launcher job.sheaf/status.json job.sheaf/logs job.sheaf/logs/mpirun.log \
        job.sheaf/identity job.sheaf/journal; do
        grep -qxF "$name" "$work/names" || fail "strace has not seen $name" || return 1
    done
}

# All that a run makes lies in its folder, or where the system keeps what is temporary.
nothing_is_made_elsewhere()
{
    local elsewhere
    [ -e "$user_tmp/trace" ] || { echo "no strace(1) here" && return; }
    elsewhere=$(grep -E 'O_CREAT|mkdir' "$user_tmp/trace" | grep -v ' = -1 ' |
        grep -oE '"/[^"]*"' | tr -d '"' |
        grep -vE "^($folder|$user_tmp|/tmp|/dev/(shm|null|tty|pts|ptmx)|/proc|/run)(/|\$)" |
        sort -u)
    [ -z "$elsewhere" ] || fail "made elsewhere: $elsewhere"
}

# ---- attacks ----

attacks=0
count_attack()
{
    echo x >>"$work/attacks"
}

# In the folder, before the run: under the name of everything that it makes there.
attack_outside()
{
    local kind=$1 name what chosen
    for name in $(names_outside); do
        chosen=$kinds # a run that is not refused at once takes its time
        case $name-$kind in
        job.sheaf-*) ;;
        *-sticky) chosen='link pipe hard_link file' ;;
        *-group) chosen='link folder_link socket' ;;
        esac
        for what in $chosen; do
            given_folder "$kind"
            case $name in
            */*) (cd "$folder" && as_victim mkdir -m 777 "${name%/*}") ;;
            esac
            plant "$what" "$folder/$name"
            count_attack
            run_job -o out.txt --joblog log.txt --output-dir outputs
            echo "# $kind, $name is a $what: status $got"
            run_is_honest "$folder/out.txt" || {
                cat "$work/said"
                fail "where $name is a $what" || return 1
            }
        done
    done
}

# The attacker's own directory, open to all, with what he likes in it.
attack_with_own_directory()
{
    local name
    given_folder "$1"
    as_attacker mkdir -p -m 777 "$folder/job.sheaf/logs" "$folder/job.sheaf/journal"
    for name in $(names_inside | grep -v /); do
        [ -e "$folder/job.sheaf/$name" ] || plant link "$folder/job.sheaf/$name"
        count_attack
    done
    plant link "$folder/job.sheaf/logs/mpirun.log"
    run_job
    [ "$got" != 0 ] || fail "it runs there" || return 1
    run_is_honest
}

# The same job, run first by the attacker, with a result of his.
attack_with_own_result()
{
    given_folder "$1"
    (cd "$folder" && as_attacker sheaf run -q --dir job.sheaf --slots 1 --workers 1 -p n=1,2,3 \
        --command 'echo {n}' --shell /bin/sh >/dev/null) || return 1
    echo forged >"$folder/job.sheaf/output"
    chmod -R a+rwX "$folder/job.sheaf"
    count_attack
    run_job
    cat "$work/said"
    [ "$got" != 0 ] && run_is_honest || fail "the attacker's result is believed" || return 1
    local words
    for words in status report output 'journal verify' 'journal dump' 'explain --task 0' run; do
        count_attack
        # shellcheck disable=SC2086
        as_victim timeout 20 sheaf $words "$folder/job.sheaf" >"$work/out" 2>"$work/said" &&
            fail "sheaf $words believes it"
        grep -q "belongs to another user" "$work/said" ||
            { cat "$work/said" && fail "sheaf $words does not say why"; } ||
            return 1
    done
}

# A link of the attacker's to a directory of the victim's.
attack_by_link_to_directory()
{
    given_folder "$1"
    as_attacker ln -s "$home/precious" "$folder/job.sheaf"
    count_attack
    run_job --fresh
    [ "$got" != 0 ] || fail "it runs there" || return 1
    run_is_honest
}

# The victim's own directory, into which others could once write: looked at by commands that only
# read, under each name; and run, with another kind of thing for each name.
given_own_directory()
{
    given_folder sticky
    run_job
    [ "$got" = 0 ] || { cat "$work/said" && fail "an undisturbed run fails"; }
}

what_was_left_is_not_followed_by_readers()
{
    local name what words status
    given_own_directory || return 1
    cp -a "$folder/job.sheaf" "$work/whole"
    for name in $(names_inside); do
        for what in link pipe file; do
            rm -rf "$folder/job.sheaf"
            cp -a "$work/whole" "$folder/job.sheaf"
            [ -d "$folder/job.sheaf/$(dirname "$name")" ] || continue
            plant "$what" "$folder/job.sheaf/$name"
            for words in status report; do
                count_attack
                status=0
                as_victim timeout 20 sheaf "$words" "$folder/job.sheaf" >"$work/out" \
                    2>"$work/said" || status=$?
                [ "$status" -lt 124 ] || fail "sheaf $words: status $status, $name a $what" ||
                    return 1
                ! grep -q 'of the victim\|forged' "$work/out" "$work/said" ||
                    fail "sheaf $words shows what $name, a $what, holds" || return 1
            done
            nothing_was_changed || return 1
        done
    done
}

what_was_left_is_not_followed_by_a_run()
{
    local name what number=0
    local -a all=(link pipe folder_link socket folder file)
    for name in $(names_inside); do
        rm -rf "$folder/job.sheaf"
        cp -a "$work/whole" "$folder/job.sheaf"
        [ -d "$folder/job.sheaf/$(dirname "$name")" ] || continue
        what=${all[number++ % ${#all[@]}]}
        plant "$what" "$folder/job.sheaf/$name"
        count_attack
        run_job
        echo "# $name is a $what: status $got"
        run_is_honest || fail "where $name is a $what" || return 1
    done
}

# While the directory was open to others they have left something: refused, and again.
what_is_left_in_an_open_directory_is_refused()
{
    local what i
    for what in link pipe hard_link file; do
        rm -rf "$folder/job.sheaf"
        cp -a "$work/whole" "$folder/job.sheaf"
        chmod 777 "$folder/job.sheaf"
        plant "$what" "$folder/job.sheaf/graph"
        for i in 1 2; do
            count_attack
            run_job
            [ "$got" != 0 ] && run_is_honest || fail "a $what is not refused, time $i" || return 1
        done
    done
}

# Where the attacker may rename, he puts something else in the place of the directory, while it is
# used: the run goes on in its own.
attack_a_run_that_goes_on()
{
    given_folder group
    local out=$work/slow.out
    (cd "$folder" && as_victim timeout --kill-after=5 100 sheaf run -q --dir job.sheaf --slots 1 \
        --workers 1 -p n=1,2,3 --shell /bin/sh \
        --command "while [ ! -e $user_tmp/go ]; do sleep 0.1; done; echo {n}") \
        >"$out" 2>"$work/said" </dev/null &
    local run=$!
    wait_for 60 test -s "$folder/job.sheaf/status.json" || return 1
    as_attacker mv "$folder/job.sheaf" "$folder/away"
    as_attacker ln -s "$home/precious" "$folder/job.sheaf"
    count_attack
    touch "$user_tmp/go"
    got=0
    wait $run || got=$?
    rm "$user_tmp/go"
    echo "# status $got"
    run_is_honest "$out"
}

forty_attacks_were_made()
{
    local count
    count=$(wc -l <"$work/attacks")
    echo "# $count attacks"
    [ "$count" -ge 40 ] || fail "only $count attacks"
}

list_names
check names_of_a_run_are_known names_are_known
check nothing_is_made_elsewhere nothing_is_made_elsewhere
for kind in sticky group; do
    check what_is_planted_outside_harms_nobody_$kind attack_outside $kind
    check directory_of_another_is_refused_$kind attack_with_own_directory $kind
    check result_of_another_is_not_believed_$kind attack_with_own_result $kind
    check link_of_another_is_not_followed_$kind attack_by_link_to_directory $kind
done
check readers_follow_nothing_that_was_left what_was_left_is_not_followed_by_readers
check runs_follow_nothing_that_was_left what_was_left_is_not_followed_by_a_run
check what_is_left_in_an_open_directory_is_refused what_is_left_in_an_open_directory_is_refused
check directory_may_be_moved_away_under_a_run attack_a_run_that_goes_on
check forty_attacks_were_made forty_attacks_were_made
finish
