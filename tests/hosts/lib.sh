# lib.sh - simulated hosts on one machine, for tests that kill a host or cut its cable.
#
# A host is a set of namespaces: network (one cable into a switch), processes, host name, IPC, and
# mounts with a /tmp, /run and /dev/shm of its own; sshd runs in it. All of it lies in namespaces of
# the test alone: nothing is reached from outside, nothing outside is reached, and everything goes
# with the test's first process, however that ends. Sourced by bash, as root, with openssh-server
# and iproute2 installed; SHEAF_TEST_HOSTS=required makes it a failure if that is not so.

# cannot_run REASON: loudly.
cannot_run()
{
    if [ "${SHEAF_TEST_HOSTS:-}" = required ]; then
        echo "not ok - simulated_hosts_can_be_made # $1"
        exit 1
    fi
    echo "# NOT TESTED: lost and cut nodes. $1"
    # The above goes into a log, and this to whoever sits there.
    { echo "NOT TESTED: lost and cut nodes. $1" >/dev/tty; } 2>/dev/null
    echo "ok - simulated_hosts_can_be_made # SKIP $1"
    exit 0
}

isolate="unshare --net --mount --pid --ipc --fork --kill-child --mount-proc"
if [ -z "${SHEAF_TEST_INSIDE:-}" ]; then
    [ "$(id -u)" = 0 ] || cannot_run "Only root can make simulated hosts."
    for program in sshd:openssh-server ssh:openssh-client ip:iproute2 unshare:util-linux; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${program%:*}" >/dev/null ||
            cannot_run "Please install ${program#*:}."
    done
    $isolate ip link add probe type bridge 2>/dev/null ||
        cannot_run "This kernel or container allows no namespaces or no bridges."
    SHEAF_TEST_INSIDE=1 PATH=$PATH:/usr/sbin:/sbin exec $isolate bash "$0" "$@"
fi

. "$abs_top_srcdir/tests/integration/lib.sh"
net=10.99.0

# Everything here ends with this process, which is the first one of its namespace.
trap 'exit 1' HUP INT TERM

# What the hosts share, like a disk on the network: the build, the sources and $work.
shared=("$abs_top_builddir" "$abs_top_srcdir" "$work")

# switch_start HOST...: the network, the keys and the names.
switch_start()
{
    local number=1 host
    ip link add switch type bridge && ip link set switch up || return 1
    mkdir -m 700 "$work/ssh"
    ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/host_key" &&
        ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/user_key" || return 1
    echo "127.0.0.1 localhost" >"$work/ssh/hosts"
    for host in "$@"; do
        echo "$net.$number $host" >>"$work/ssh/hosts"
        echo "$host,$net.$number $(cut -d' ' -f1,2 "$work/ssh/host_key.pub")" \
            >>"$work/ssh/known_hosts"
        number=$((number + 1))
    done
    cat >"$work/ssh/server" <<END
HostKey $work/ssh/host_key
AuthorizedKeysFile $work/ssh/user_key.pub
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
PrintMotd no
MaxStartups 100
END
    cat >"$work/ssh/client" <<END
User root
IdentityFile $work/ssh/user_key
UserKnownHostsFile $work/ssh/known_hosts
GlobalKnownHostsFile none
StrictHostKeyChecking yes
LogLevel ERROR
END
}

# What the first process of a host does. Variables come from the environment.
cat >"$work/host" <<'END'
set -e
hostname "$1"
shift
# cover FOLDER SHARED...: an empty one, but for the part of it that is shared.
cover()
{
    local folder=$1 stage path
    shift
    stage=$(mktemp -d "${!#}/stage.XXXXXX")
    mount -t tmpfs tmpfs "$stage"
    for path; do
        case $path in
        "$folder"/*)
            mkdir -p "$stage/${path#"$folder"/}"
            mount --bind "$path" "$stage/${path#"$folder"/}"
            ;;
        esac
    done
    mount --move "$stage" "$folder"
}
cover ~ "$@" # without what a login shell would read and do
cover /tmp "$@"
chmod 1777 /tmp
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
work=${!#}
mount --bind "$work/ssh/hosts" /etc/hosts
ip link set lo up
# The cable is plugged in from outside.
until ip link show cable >/dev/null 2>&1; do sleep 0.05; done
ip address add "$ADDRESS/24" dev cable
ip link set cable up
unset ADDRESS
trap 'kill $! 2>/dev/null' TERM
/usr/sbin/sshd -D -f "$work/ssh/server" -E "$work/ssh/log.$(hostname)" &
while kill -0 $! 2>/dev/null; do wait; done
END

# host_start NAME: boots it. Its first process is in ${host_process[NAME]}.
declare -A host_process host_number
host_start()
{
    local number shell
    number=$(awk -v name="$1" '$2 == name { sub(/.*\./, "", $1); print $1 }' "$work/ssh/hosts")
    host_number[$1]=$number
    ADDRESS=$net.$number unshare --net --uts --mount --pid --ipc --fork --kill-child \
        --mount-proc bash "$work/host" "$1" "${shared[@]}" 2>"$work/boot.$1" &
    shell=$!
    wait_for 60 pgrep -P "$shell" >/dev/null || {
        cat "$work/boot.$1"
        fail "host $1 does not start"
        return 1
    }
    host_process[$1]=$(pgrep -P "$shell")
    # What is left of a dead host's cable may take a moment to vanish.
    wait_for 60 eval "! ip link show port$number >/dev/null 2>&1" || return 1
    # The same card after a reboot: the others may still remember its address.
    ip link add "port$number" type veth peer name cable \
        address "02:00:00:00:00:$(printf %02x "$number")" netns "${host_process[$1]}" &&
        ip link set "port$number" master switch up || return 1
    wait_for 60 host_answers "$1" || {
        cat "$work/boot.$1" "$work/ssh/log.$1"
        fail "host $1 does not answer"
        return 1
    }
}

host_answers()
{
    on_host "$1" bash -c "exec 3<>/dev/tcp/$1/22 && read -r -t 2 banner <&3" 2>/dev/null
}

host_is_up()
{
    [ -n "${host_process[$1]:-}" ] && kill -0 "${host_process[$1]}" 2>/dev/null
}

# on_host NAME COMMAND...: as if typed there, in $work.
on_host()
{
    nsenter --target "${host_process[$1]}" --net --uts --mount --pid --ipc --root \
        env --chdir="$work" "${@:2}"
}

# host_kill NAME: all its processes at once, with what they have open.
host_kill()
{
    kill -KILL "${host_process[$1]}"
    unset "host_process[$1]"
    if [ -n "${host_forwarder[$1]:-}" ]; then
        kill "${host_forwarder[$1]}"
        unset "host_forwarder[$1]"
        ip link delete "wire${host_number[$1]}"
    fi
}

# host_cut NAME, host_heal NAME: pulls the cable out of the switch, and puts it back.
host_cut()
{
    ip link set "port${host_number[$1]}" down
}

host_heal()
{
    ip link set "port${host_number[$1]}" up
}

# host_slow NAME RATE: its cable carries no more than that, such as 20mbit, in either direction.
host_slow()
{
    local shape="root tbf rate $2 burst 16kb latency 500ms"
    tc qdisc replace dev "port${host_number[$1]}" $shape &&
        on_host "$1" tc qdisc replace dev cable $shape
}

# host_link NAME DELAY_MS JITTER_MS LOSS_PERCENT none|to|from|both: makes its cable a bad one, for
# what goes in either direction: see forwarder.c. May be called again while it is in use.
declare -A host_forwarder
host_link()
{
    local number=${host_number[$1]}
    echo "$2 $3 $4 $5" >"$work/link.$1.new" && mv "$work/link.$1.new" "$work/link.$1" || return 1
    [ -z "${host_forwarder[$1]:-}" ] || return 0
    [ -x "$work/forwarder" ] ||
        ${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -o "$work/forwarder" \
            "$abs_top_srcdir/tests/hosts/forwarder.c" || return 1
    ip link set "port$number" nomaster &&
        ip link add "wire$number" type veth peer name "end$number" &&
        ip link set "wire$number" master switch up && ip link set "end$number" up || return 1
    "$work/forwarder" "port$number" "end$number" "$work/link.$1" &
    host_forwarder[$1]=$!
}

# processes_on NAME: all but those that a host has when nothing runs on it.
processes_on()
{
    local space pid
    space=$(readlink "/proc/${host_process[$1]}/ns/pid")
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/ns/pid" 2>/dev/null)" = "$space" ] || continue
        pid=${pid#/proc/}
        case $(ps -o args= -p "$pid") in
        "bash $work/host "* | *"sshd: "*"[listener]"* | "") ;;
        *) echo "$pid" ;;
        esac
    done
}

hosts_are_quiet()
{
    local host
    for host; do
        [ -z "$(processes_on "$host")" ] || return 1
    done
}

# nothing_is_left_on HOST...: an end may take a moment, a stray stays.
nothing_is_left_on()
{
    local host
    wait_for 60 hosts_are_quiet "$@" || {
        for host; do
            echo "$host:"
            processes_on "$host" | xargs -r ps -o pid,ppid,stat,etime,args -p
        done
        fail "processes are left"
    }
}
