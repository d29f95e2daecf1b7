#!/usr/bin/env bash
# test_slurm.sh - jobs under a real Slurm, which is started here in namespaces of its own: rounds
# within a time limit, cancelling, and what is submitted.
#
# Slurm 22.05 or later, with munge (Debian: slurm-wlm, munge), and root. Without them one case says
# so and is skipped. The processes end with the namespace of their numbers, whatever happens.
PATH=$PATH:/usr/sbin:/sbin

# Why Slurm cannot be started here; nothing when it can.
find_obstacle()
{
    local program
    for program in munged slurmctld slurmd sbatch squeue scontrol scancel ip; do
        command -v $program >/dev/null || { echo "$program is NOT installed"; return; }
    done
    [ "$(id -u)" = 0 ] || { echo "NOT root"; return; }
    unshare --net --pid --fork --mount-proc true 2>/dev/null || echo "namespaces are NOT allowed"
}

if [ -z "${SHEAF_SLURM_NAMESPACE:-}" ]; then
    obstacle=$(find_obstacle)
    if [ -n "$obstacle" ]; then
        echo "ok - jobs_end_under_slurm # SKIP $obstacle: NOTHING of Slurm was tested"
        exit 0
    fi
    exec env SHEAF_SLURM_NAMESPACE=1 \
        unshare --net --pid --fork --mount-proc --kill-child bash "$0"
fi

. "$abs_top_srcdir/tests/integration/lib.sh"

slurm=$work/slurm
node=$(hostname)
export SLURM_CONF=$slurm/slurm.conf
unset "${!SLURM_JOB@}" # the tests may themselves run in a job

write_configuration()
{
    mkdir -p "$slurm/state" "$slurm/spool"
    head -c 1024 /dev/urandom >"$slurm/munge.key"
    chmod 0400 "$slurm/munge.key"
    chmod 0711 "$slurm"
    # cred_expire is also how long a job that was requeued waits before it starts again.
    cat >"$SLURM_CONF" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$slurm/munge.socket,cred_expire=5
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=0,sched_interval=1,bf_interval=1,batch_sched_delay=0
StateSaveLocation=$slurm/state
SlurmdSpoolDir=$slurm/spool
SlurmctldPidFile=$slurm/slurmctld.pid
SlurmdPidFile=$slurm/slurmd.pid
SlurmctldLogFile=$slurm/slurmctld.log
SlurmdLogFile=$slurm/slurmd.log
MailProg=/bin/true
Prolog=$slurm/prolog
PrologFlags=Alloc
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

# Slurm's shortest time limit is a minute. Jobs with a comment "N s" must end so long after their
# start: Slurm then ends them, and says so to who asks.
write_prolog()
{
    cat >"$slurm/prolog" <<'PROLOG'
#!/bin/sh
seconds=$(squeue -h -j "$SLURM_JOB_ID" -o %k | sed -n 's/^\([0-9]*\) s$/\1/p')
[ -z "$seconds" ] || scontrol update "JobId=$SLURM_JOB_ID" \
    "EndTime=$(date -d "$seconds seconds" +%Y-%m-%dT%H:%M:%S)" || exit 1
PROLOG
    sed -i "2i PATH=$PATH SLURM_CONF=$SLURM_CONF; export PATH SLURM_CONF" "$slurm/prolog"
    chmod +x "$slurm/prolog"
}

node_is_idle()
{
    [ "$(sinfo -h -o %t 2>/dev/null)" = idle ]
}

start_slurm()
{
    write_configuration
    write_prolog
    ip link set lo up
    # Name look-ups want an address that is not 127.x, and Open MPI an interface that is not lo.
    ip link add end0 type veth peer name end1
    ip link set end0 up
    ip link set end1 up
    ip address add 198.51.100.1/32 dev end0
    munged --force --foreground --key-file "$slurm/munge.key" --socket "$slurm/munge.socket" \
        --pid-file "$slurm/munged.pid" --log-file "$slurm/munged.log" \
        --seed-file "$slurm/munged.seed" >"$slurm/munged.out" 2>&1 &
    wait_for 20 test -S "$slurm/munge.socket" || { cat "$slurm/munged.out"; return 1; }
    slurmctld -D >"$slurm/slurmctld.out" 2>&1 &
    slurmd -D -N "$node" >"$slurm/slurmd.out" 2>&1 &
    wait_for 60 node_is_idle || { tail -n 20 "$slurm"/*.log; sinfo; fail "no node is idle"; }
}

job_state()
{
    scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'
}

job_field()
{
    scontrol show job "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"
}

job_has_ended()
{
    case $(job_state "$1") in
    PENDING | CONFIGURING | RUNNING | COMPLETING | REQUEUE*) return 1 ;;
    esac
}

job_is()
{
    [ "$(job_state "$1")" = "$2" ]
}

show_job()
{
    scontrol show job "$1"
    tail -n 40 "$work"/*.out "$work"/*.err 2>/dev/null
    tail -n 20 "$slurm"/slurm*.log
}

# submit NAME TASKS [SBATCH OPTION...]: a job whose tasks take 0.4 s, for two workers with one slot
# each. Leaves $job, its number.
submit()
{
    local name=$1 tasks=$2
    shift 2
    local said
    said=$($sheaf submit --time=1 --output="$work/$name.out" --error="$work/$name.err" "$@" -- \
        --tasks "$tasks" -p milliseconds=400 -p ledger="$work/$name.ledger" \
        --dir "$work/$name" --workers 2 --slots 1 "$TEST_PLUGINS/ledger.so") ||
        { fail "sheaf submit: $said"; return 1; }
    job=${said##* }
    [ "$said" = "Submitted batch job $job" ] || fail "sbatch says: $said"
}

# The indices that were started, each once.
started_tasks()
{
    awk '{ print $3 }' "$1" | sort -nu
}

rounds_within_a_time_limit_finish_the_job()
{
    local job rounds
    submit rounds 60 --comment="10 s" --signal=B:TERM@1 || return 1
    wait_for 120 job_has_ended "$job" || { show_job "$job"; fail "it does not end"; return 1; }
    rounds=$(grep -c 'continuing ' rounds.err)
    echo "# $rounds times requeued" >&3
    show_job "$job"
    job_is "$job" COMPLETED && [ "$(job_field "$job" ExitCode)" = 0:0 ] || return 1
    [ "$(job_field "$job" Restarts)" = "$rounds" ] && [ "$rounds" -ge 2 ] ||
        { fail "$rounds rounds"; return 1; }
    seq -s ' ' 0 59 | tr '\n' ' ' | cmp - rounds.out || { cat rounds.out; fail "wrong output"; }
}

check slurm_starts start_slurm
exec 3>&1
check rounds_within_a_time_limit_finish_the_job rounds_within_a_time_limit_finish_the_job
finish
