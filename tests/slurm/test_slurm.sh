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
    # cred_expire is also how long a job that was requeued waits before it starts again. A slow
    # machine has a minute to keep to limits of seconds.
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
OverTimeLimit=1
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
TaskProlog=$slurm/prolog
SlurmdParameters=config_overrides
NodeName=$node NodeAddr=127.0.0.1 CPUs=16 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

# Slurm's shortest time limit is a minute. Jobs with a comment "N s" must end so long after their
# start: Slurm then ends them, and says so to who asks. It is set by the prolog of the batch script,
# since that of the job may be left out when the job starts again a few seconds after its end.
write_prolog()
{
    cat >"$slurm/prolog" <<'PROLOG'
#!/bin/sh
# Without a comment it says "(null)"; nothing, as long as the controller has no time for it.
end_is_set()
{
    comment=$(squeue -h -j "$SLURM_JOB_ID" -o %k) && [ -n "$comment" ] || return 1
    seconds=$(echo "$comment" | sed -n 's/^\([0-9]*\) s$/\1/p')
    [ -z "$seconds" ] || scontrol update "JobId=$SLURM_JOB_ID" \
        "EndTime=$(date -d "$seconds seconds" +%Y-%m-%dT%H:%M:%S)" >&2
}

tries=0
until end_is_set; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || exit 1
    sleep 0.2
done
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

# Not so when the controller does not answer, or calls it SIGNALING for a moment.
job_has_ended()
{
    case $(job_state "$1") in
    COMPLETED | CANCELLED | FAILED | TIMEOUT | NODE_FAIL | BOOT_FAIL | DEADLINE) ;;
    *) return 1 ;;
    esac
}

job_is()
{
    [ "$(job_state "$1")" = "$2" ]
}

# show_job NAME
show_job()
{
    scontrol show job "$(cat "job.$1")" | grep -E 'JobState|Restarts|StartTime'
    tail -n 40 "$1.err"
    grep "JobId=$(cat "job.$1") " "$slurm/slurmctld.log"
}

# submit NAME TASKS MILLISECONDS [SBATCH OPTION...] [-- OPTION...]: a job for two workers with one
# slot each. Leaves its number in job.NAME.
submit()
{
    local name=$1 tasks=$2 milliseconds=$3 sbatch=()
    shift 3
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        sbatch+=("$1")
        shift
    done
    [ $# = 0 ] || shift
    local said
    said=$($sheaf submit --time=5 --output="$work/$name.out" --error="$work/$name.err" \
        "${sbatch[@]}" -- --tasks "$tasks" -p milliseconds="$milliseconds" \
        -p ledger="$work/$name.ledger" --dir "$work/$name" --workers 2 --slots 1 "$@" \
        "$TEST_PLUGINS/ledger.so") || { fail "sheaf submit: $said"; return 1; }
    echo "${said##* }" >"job.$name"
    [ "$said" = "Submitted batch job ${said##* }" ] || fail "sbatch says: $said"
}

# Runs beside the others, as it sleeps most of the time. Slurm sends its signal half a minute too
# early, which is too early for limits as short as these: it is one that nobody minds.
job_is_submitted()
{
    submit rounds 120 400 --comment="12 s" --signal=B:URG@1 -- --fresh
}

# ended NAME STATE EXIT: the job is over, and how.
ended()
{
    local job
    job=$(cat "job.$1")
    wait_for 200 job_has_ended "$job" || { show_job "$1"; fail "$1 does not end"; return 1; }
    job_is "$job" "$2" && [ "$(job_field "$job" ExitCode)" = "$3" ] ||
        { show_job "$1"; fail "$1 did not end as $2 with status $3"; }
}

# has_whole_output NAME TASKS
has_whole_output()
{
    seq -s ' ' 0 $(($2 - 1)) | tr '\n' ' ' | cmp - "$1.out" || { cat "$1.out"; fail "not all"; }
}

restarts_of()
{
    job_field "$(cat "job.$1")" Restarts
}

# Slurm never has to end the job itself.
time_limit_is_kept_and_the_job_goes_on_in_the_next_round()
{
    ended rounds COMPLETED 0:0 && has_whole_output rounds 120 || return 1
    local restarts
    restarts=$(restarts_of rounds)
    echo "# the job took $((restarts + 1)) rounds" >&3
    show_job rounds
    [ "$restarts" -ge 2 ] || { fail "$restarts times requeued"; return 1; }
    grep -q 'continuing ' rounds.err || fail "did not continue"
}

signal_to_the_batch_shell_stops_the_round()
{
    local job
    submit signalled 30 400 || return 1
    job=$(cat job.signalled)
    wait_for 60 tasks_done_are signalled 4 || { show_job signalled; return 1; }
    scancel --batch --signal=TERM "$job"
    ended signalled COMPLETED 0:0 && has_whole_output signalled 30 || return 1
    show_job signalled
    [ "$(restarts_of signalled)" = 1 ] && grep -q 'stopping on request' signalled.err
}

# What `scancel` ends must not come back by itself, and is continued by hand.
cancelled_job_loses_nothing()
{
    local job done
    submit cancelled 40 400 || return 1
    job=$(cat job.cancelled)
    wait_for 60 tasks_done_are cancelled 6 || { show_job cancelled; return 1; }
    scancel "$job"
    ended cancelled CANCELLED 3:0 || return 1
    show_job cancelled
    [ "$(restarts_of cancelled)" = 0 ] || { fail "it was requeued"; return 1; }
    no_process_is_left "$work/cancelled" || return 1
    done=$(status_field cancelled tasks_done)
    mv cancelled.ledger cancelled.ledger.before
    $sheaf run --tasks 40 -p milliseconds=400 -p ledger="$work/cancelled.ledger" \
        --dir "$work/cancelled" --workers 2 --slots 1 "$TEST_PLUGINS/ledger.so" \
        >cancelled.out 2>said || { cat said; return 1; }
    cat said
    grep -q "continuing .*: $done of 40" said || { fail "$done tasks were done"; return 1; }
    [ "$(executed_in cancelled.ledger | wc -l)" = $((40 - done)) ] ||
        { fail "tasks that were done ran again"; return 1; }
    has_whole_output cancelled 40
}

# runs_to_its_end COMMAND...: which submits the job with the odd names.
runs_to_its_end()
{
    local job
    job=$("$@" | tr -dc 0-9)
    echo "$job" >job.odd
    rm -f odd.out
    ended odd COMPLETED 0:0 || return 1
    [ "$(squeue -h -t all -j "$job" -o %k)" = "x # \"y\" 'z' \\" ] ||
        { squeue -h -t all -j "$job" -o %k; fail "the comment was mangled"; return 1; }
    [ "$(job_field "$job" Requeue)" = 0 ] || { fail "--no-requeue has no effect"; return 1; }
    [ "$(cat odd.out)" = "0 1 2 " ] || { cat odd.out; fail "another output"; }
}

printed_script_is_what_is_submitted()
{
    local name="it's \"a\" \$(touch evil) # \\"
    cp "$TEST_PLUGINS/ledger.so" "$name.so"
    local words=(--comment="x # \"y\" 'z' \\" --time 5 --no-requeue -- --tasks 3
        -p milliseconds=1 -p ledger="$work/odd ledger" "$name.so")
    $sheaf submit --print "${words[@]}" >printed.sh || return 1
    cat printed.sh
    sh -n printed.sh || return 1
    runs_to_its_end "$sheaf" submit --output=odd.out --error=odd.err "${words[@]}" &&
        runs_to_its_end sbatch --output=odd.out --error=odd.err printed.sh || return 1
    [ ! -e evil ] || fail "a name was executed"
}

exec 3>&1
check slurm_starts start_slurm
check job_is_submitted job_is_submitted
check cancelled_job_loses_nothing cancelled_job_loses_nothing
check signal_to_the_batch_shell_stops_the_round signal_to_the_batch_shell_stops_the_round
check printed_script_is_what_is_submitted printed_script_is_what_is_submitted
check time_limit_is_kept_and_the_job_goes_on_in_the_next_round \
    time_limit_is_kept_and_the_job_goes_on_in_the_next_round
finish
