"""A Slurm of one node that a test starts for itself: munged, slurmctld, slurmd in one folder."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("slurm-wlm", "munge")
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
ReturnToService=1
MpiDefault=none
KillWait=5
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why no Slurm can be started here, after trying to install it; None if it can."""
    if os.geteuid() != 0:
        return "starting Slurm's daemons needs root"
    if missing := [name for name in DAEMONS if shutil.which(name) is None]:
        if shutil.which("apt-get") is None:
            return f"{', '.join(missing)} missing, and no apt-get to install {PACKAGES} with"
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            tried = subprocess.run(
                ["apt-get", "-qq", *command],
                env=quiet,
                capture_output=True,
                text=True,
                check=False,
            )
            if tried.returncode:
                return f"apt-get {command[0]} failed: {tried.stderr.strip()[-300:]}"
    return None


class OneNode:
    """The running Slurm; ``environment`` lets commands find it.

    Args:
        folder: for keys, state and logs; user munge must be able to enter it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "OneNode":
        for name in ("munge", "spool", "state"):
            (self.folder / name).mkdir(parents=True)
        ports = {"controller": free_port(), "node": free_port()}
        text = CONFIGURATION.format(host=self.host, folder=self.folder, **ports)
        (self.folder / "slurm.conf").write_text(text)
        self.start_munge()
        for command in (["slurmctld", "-D"], ["slurmd", "-D", "-N", self.host]):
            self.start(*command)
        wait_until(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"), "the node is idle")
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel_all()
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()

    def start_munge(self) -> None:
        """Start munged as its own user, which must own the folder of its key and socket."""
        place = self.folder / "munge"
        (place / "key").write_bytes(os.urandom(1024))
        (place / "key").chmod(0o400)
        user = pwd.getpwnam("munge")
        for path in (place, place / "key"):
            os.chown(path, user.pw_uid, user.pw_gid)
        names = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log"}
        options = [f"--{k}={place / v}" for k, v in (names | {"seed-file": "seed"}).items()]
        self.start("runuser", "-u", "munge", "--", "munged", "-F", *options)
        wait_until((place / "socket").exists, "munged listens")

    def start(self, *command: str) -> None:
        """Start a daemon in the foreground."""
        with (self.folder / f"{command[0]}.out").open("wb") as log:
            daemon = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.daemons.append(daemon)

    def ask(self, *command: str) -> str:
        """What a Slurm command prints; nothing while the controller is not up."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def queued(self) -> list[str]:
        """Ids of jobs that wait or run."""
        return self.ask("squeue", "-h", "-r", "-o", "%i").split()

    def cancel_all(self) -> None:
        """End all jobs."""
        self.ask("scancel", "--user=root")

    def wait_until_empty(self, seconds: float = 300) -> None:
        """Wait for all jobs; those queued again do not wait the two minutes that Slurm asks."""

        wait_until(lambda: not self.release(), "the queue is empty", seconds)

    def release(self) -> list[str]:
        """Let jobs that were queued again begin at once; the ids of all."""
        jobs = self.queued()
        for job in jobs:
            if self.ask("squeue", "-h", "-j", job, "-o", "%r") == "BeginTime":
                self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
        return jobs


def free_port() -> int:
    """A TCP port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Wait for something to hold."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(0.1)
