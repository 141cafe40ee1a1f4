"""A Slurm that tests start for themselves, in one folder: munged, slurmctld, and slurmd twice.

Its two nodes are this one machine. Jobs run on the first; partition ``PAIR`` has both.
"""

import math
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from tests_cluster.processes import parent, processes_with

PACKAGES = ("slurm-wlm", "munge")
PAIR = "pair"
DAEMONS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
REVOKED = 2.0
"""Seconds until a requeued job may begin: what slurmd gets in the second in which it ended the job
it takes for the old one ("Job credential revoked"), and the job is gone without a word."""

CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
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
SlurmdSpoolDir={folder}/spool-%n
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 State=UNKNOWN
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 State=UNKNOWN
PartitionName=test Nodes={nodes[0]} Default=YES MaxTime=INFINITE State=UP
PartitionName={pair} Nodes=ALL MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Why no Slurm can be started here, after trying to install it; None if it can."""
    if os.geteuid() != 0:
        return "starting Slurm's daemons needs root"
    if missing := [name for name in DAEMONS if shutil.which(name) is None]:
        if shutil.which("apt-get") is None:
            return f"{', '.join(missing)} missing, and no apt-get to install {PACKAGES} with"
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        update = ["update", "-o", "APT::Update::Error-Mode=any"]  # no network is an error, too
        for command in (update, ["install", "-y", "--no-install-recommends", *PACKAGES]):
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


class OwnSlurm:
    """The running Slurm; ``environment`` lets commands find it.

    Args:
        folder: for keys, state and logs; user munge must be able to enter it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]
        self.nodes = (self.host, f"{self.host}-2")  # rank 0's, the first, is looked up by name
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: list[subprocess.Popen[bytes]] = []
        self.commands: list[subprocess.Popen[bytes]] = []
        self.again: dict[str, float] = {}

    def __enter__(self) -> "OwnSlurm":
        with ExitStack() as undo:
            undo.callback(self.stop)
            self.begin()
            self.undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.undo.close()

    def begin(self) -> None:
        """Start everything and wait for the nodes."""
        for name in ("munge", "state", *(f"spool-{node}" for node in self.nodes)):
            (self.folder / name).mkdir(parents=True)
        text = CONFIGURATION.format(
            host=self.host, nodes=self.nodes, pair=PAIR, folder=self.folder, ports=free_ports(3)
        )
        (self.folder / "slurm.conf").write_text(text)
        self.start_munge()
        self.start("slurmctld", "-D")
        for node in self.nodes:
            self.start("slurmd", "-D", "-N", node)
        wait_until(lambda: self.states_of_nodes() == ["idle", "idle"], "both nodes are idle", 120)

    def stop(self) -> None:
        """End all; a job's step that could not report its end would go on trying for long."""
        self.end_commands()
        self.cancel_all()
        deadline = time.monotonic() + 60
        while self.steps() and time.monotonic() < deadline:
            time.sleep(0.1)
        for step in self.steps():
            os.kill(step, signal.SIGKILL)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

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
        self.start("munged", "-F", *options, user="munge")
        wait_until((place / "socket").exists, "munged listens")

    def start(self, *command: str, user: str | None = None) -> None:
        """Start a daemon in the foreground; it is asked to end when the tests' process does."""
        becoming = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        with (self.folder / f"{command[0]}.out").open("ab") as log:
            daemon = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", *becoming, "--", *command],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self.daemons.append(daemon)

    def steps(self) -> list[int]:
        """Processes of this Slurm's jobs: its own guardians, and what they run."""
        daemons = {daemon.pid for daemon in self.daemons}
        found = processes_with(f"SLURM_CONF={self.folder / 'slurm.conf'}")
        return [pid for pid in found if not {pid, parent(pid)} & daemons]

    def ask(self, *command: str) -> str:
        """What a Slurm command prints; nothing while the controller is not up."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def states_of_nodes(self) -> list[str]:
        """idle, allocated, ... of each."""
        return self.ask("sinfo", "-h", "-N", "-p", PAIR, "-o", "%T").split()

    def queued(self) -> list[str]:
        """Ids of jobs that wait or run."""
        return self.ask("squeue", "-h", "-r", "-o", "%i").split()

    def cancel_all(self) -> None:
        """End all jobs."""
        self.ask("scancel", "--user=root")

    def end_commands(self) -> None:
        """End those that wait for jobs."""
        for command in self.commands:
            command.terminate()
            command.wait()
        self.commands.clear()

    def wait_until_empty(self, seconds: float = 900) -> None:
        """Wait for all jobs; those queued again do not wait the two minutes that Slurm asks."""
        wait_until(lambda: not self.release(), "the queue is empty", seconds)

    def state(self, job: str) -> str:
        """PENDING, RUNNING, ..."""
        return self.ask("squeue", "-h", "-j", job, "-o", "%T")

    def limit(self, job: str, *, minutes: int) -> None:
        """Set a job's time limit, counted from its start."""
        subprocess.run(
            ["scontrol", "update", f"JobId={job}", f"TimeLimit={minutes}"],
            env=self.environment,
            check=True,
        )

    def end_soon(self, job: str) -> None:
        """Set a running job's time limit as near as Slurm can still warn of it.

        It looks at limits every 30 s, and warns when less than 30 s and the job's own warning
        time, here up to 10 s, are left.
        """
        start = datetime.fromisoformat(self.ask("squeue", "-h", "-j", job, "-o", "%S"))
        ran = (datetime.now() - start).total_seconds()
        self.limit(job, minutes=math.ceil((ran + 40) / 60))

    def release(self) -> list[str]:
        """Let jobs that were queued again begin soon; the ids of all."""
        jobs = self.queued()
        for job in jobs:
            if self.ask("squeue", "-h", "-j", job, "-o", "%r") != "BeginTime":
                self.again.pop(job, None)
            elif time.monotonic() - self.again.setdefault(job, time.monotonic()) > REVOKED:
                self.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
        return jobs


def free_ports(count: int) -> list[int]:
    """TCP ports that nobody uses."""
    with ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in found]


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 900) -> None:
    """Wait for something to hold."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(0.1)
