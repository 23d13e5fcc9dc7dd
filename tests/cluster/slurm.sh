#!/bin/sh
# slurm.sh DIR GPUS PORT: a real SLURM of one node on loopback, with its own munge, fake GPUs and ports PORT and PORT+1.
# It needs root, and: apt-get install slurmctld slurmd slurm-client munge. Everything lies in DIR; DIR/pids names what to end.
set -eu
dir=$1 gpus=$2 port=$3 host=$(hostname -s)
mkdir -p "$dir/state" "$dir/spool" "$dir/gpu"
dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 2>/dev/null
chmod 600 "$dir/munge.key"
i=0
while [ "$i" -lt "$gpus" ]; do # devices of the kind that NVIDIA's are; a plain file does not pass for one
  mknod "$dir/gpu/nvidia$i" c 195 "$i"
  i=$((i + 1))
done
printf 'AutoDetect=off\nName=gpu File=%s/gpu/nvidia[0-%d]\n' "$dir" $((gpus - 1)) >"$dir/gres.conf"
cat >"$dir/slurm.conf" <<C
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=15
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerParameters=sched_min_interval=1,batch_sched_delay=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=20
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=4000 Gres=gpu:$gpus State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
C
export SLURM_CONF="$dir/slurm.conf"
munged --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
  --log-file="$dir/munged.log" --seed-file="$dir/munge.seed"
slurmctld -c
slurmd -c
for _ in $(seq 100); do
  [ "$(sinfo --noheader --format=%t 2>/dev/null)" = idle ] && exit 0
  sleep 0.1
done
sinfo --list-reasons
exit 1
