"""A real SLURM for the length of the tests: munge, MariaDB, slurmdbd, slurmctld and two slurmd, on loopback.

All that the daemons read and write is in one temporary folder, named by absolute paths; nothing under /etc or /var is
touched. They are children of a supervisor (this module as a program), which ends them, their jobs and the folder when
its standard input closes: so also when the process that started it is killed, or interrupted while they start.
"""

import contextlib
import ctypes
import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "srun", "sacct")
SUBREAPER, DEATH_SIGNAL = 36, 1  # prctl
PATIENCE = 90.0  # seconds that a daemon may take to start

# The stand-in H100s are device files that exist everywhere; SLURM allocates and counts them like any other.
SLURM_CONF = """\
ClusterName=thinksafe
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge/socket,cred_expire=15
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=5,bf_interval=5,preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
EnforcePartLimits=ALL
KillWait=5
MinJobAge=300
GresTypes=gpu
NodeName=cpu01 NodeHostname={host} NodeAddr=127.0.0.1 Port={cpu01} CPUs=16 RealMemory=256000
NodeName=gpu01 NodeHostname={host} NodeAddr=127.0.0.1 Port={gpu01} CPUs=32 RealMemory=512000 Gres=gpu:h100:2
PartitionName=cpu Nodes=cpu01 Default=YES MaxTime=1440 State=UP
PartitionName=h100 Nodes=gpu01 MaxTime=2880 State=UP
PartitionName=urgent Nodes=gpu01 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=closed Nodes=cpu01 AllowAccounts=others State=UP
"""
ACCOUNTING = """\
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={slurmdbd}
AccountingStoragePass={folder}/munge/socket
AccountingStorageEnforce=associations
AccountingStorageTRES=gres/gpu,gres/gpu:h100
AccountingStoreFlags=job_comment
"""
GRES_CONF = """\
NodeName=gpu01 Name=gpu Type=h100 File=/dev/null
NodeName=gpu01 Name=gpu Type=h100 File=/dev/zero
"""
SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={slurmdbd}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadbd}
StorageUser=root
StorageLoc=slurm_acct_db
"""
# A job's inner srun loses SLURM_CONF, as the plugin drops the variables of SLURM's own; a site has its file in /etc.
SRUN = """\
#!/bin/sh
SLURM_CONF={folder}/slurm.conf exec {srun} "$@"
"""


def missing() -> list[str]:
    """Return the programs of a SLURM cluster that are not on this machine."""
    return [name for name in PROGRAMS if not shutil.which(name, path=_path())]


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Cluster:
    """A running cluster, and what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = os.environ | {"SLURM_CONF": f"{folder}/slurm.conf", "PATH": f"{folder}/bin:{_path()}"}

    def ask(self, *command: str, check: bool = True) -> str:
        """Return what one of SLURM's own commands prints."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def wait(self, holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait until something holds."""
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s\n{self.ask('squeue', '-a', check=False)}")
            time.sleep(0.3)

    def processes(self) -> list[int]:
        """Return the processes that have to do with this cluster: daemons, job steps and jobs."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                texts = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                if int(entry.name) != os.getpid() and any(str(self.folder).encode() in text for text in texts):
                    found.append(int(entry.name))
        return found


@contextlib.contextmanager
def running(accounting: bool = True) -> Iterator[Cluster]:
    """Run a cluster; afterwards neither a process nor a file of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="thinksafe-slurm-"))
    supervisor = start(folder, accounting)
    cluster = Cluster(folder)
    try:
        said = supervisor.stdout.read()
        if said != "ready\n":
            raise RuntimeError(f"the SLURM cluster of the tests does not start:\n{said}")
        yield cluster
    finally:
        supervisor.stdin.close()
        supervisor.wait(60)
        cluster.wait(lambda: not cluster.processes(), "the end of all processes", 20)
        assert not folder.exists()


def start(folder: Path, accounting: bool = True) -> subprocess.Popen:
    """Start the supervisor, which says ``ready`` and closes its output, or says what went wrong and ends."""
    command = [sys.executable, "-m", "tests.slurm.cluster", str(folder), "accounting" if accounting else "none"]
    # In a session of its own: an interrupt at the keyboard is pytest's, which then closes the pipe.
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    return subprocess.Popen(command, cwd=ROOT, **pipes)


# ------------------------------------------------------------------------------------------ inside the supervisor
def supervise(folder: Path, accounting: bool) -> None:
    """Run the daemons until standard input closes, then end all that came of them and remove the folder."""
    ctypes.CDLL(None).prctl(SUBREAPER, 1)  # job steps that outlive their slurmd become children of this process
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_input, daemon=True).start()
    daemons: list[subprocess.Popen] = []
    try:
        _start_daemons(Cluster(folder), accounting, daemons)
        _say("ready")
        while True:
            signal.pause()
    except (RuntimeError, TimeoutError, OSError) as error:
        logs = [f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in folder.glob("*.log")]
        _say("\n".join([str(error), *logs]))
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        _end(daemons)
        shutil.rmtree(folder, ignore_errors=True)


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{line}\n".encode())
    os.dup2(2, 1)  # whoever reads has come to the end


def _start_daemons(cluster: Cluster, accounting: bool, daemons: list[subprocess.Popen]) -> None:
    folder, host = cluster.folder, socket.gethostname().partition(".")[0]
    folder.chmod(0o755)  # munge wants its socket to be within everybody's reach
    for name in ("munge", "state", "spool-cpu01", "spool-gpu01", "bin"):
        (folder / name).mkdir(mode=0o755)
    names = ("mariadbd", "slurmdbd", "slurmctld", "cpu01", "gpu01")
    facts = dict(folder=folder, host=host, user=getpass.getuser(), srun=shutil.which("srun", path=_path()))
    facts |= dict(zip(names, free_ports(len(names)), strict=True))
    files = {
        "slurm.conf": SLURM_CONF + (ACCOUNTING if accounting else ""),
        "gres.conf": GRES_CONF,
        "slurmdbd.conf": SLURMDBD_CONF,
        "bin/srun": SRUN,
    }
    for name, text in files.items():
        (folder / name).write_text(text.format_map(facts))
        (folder / name).chmod(0o755 if name.startswith("bin/") else 0o600)
    (folder / "munge/key").write_bytes(secrets.token_bytes(1024))
    (folder / "munge/key").chmod(0o400)

    def daemon(name: str, *command: str, until: Callable[[], object]) -> None:
        """Start a daemon that stays in the foreground, and wait until it answers."""
        program = shutil.which(command[0], path=_path())
        with open(folder / f"{name}.out.log", "wb") as log:
            process = subprocess.Popen(
                [program, *command[1:]],
                env=cluster.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL),
            )
        daemons.append(process)

        def answers() -> object:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with status {process.returncode}")
            return until()

        cluster.wait(answers, f"the start of {name}", PATIENCE)

    munge, mariadb = folder / "munge", folder / "mariadb"
    daemon(
        "munged",
        *("munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket"),
        *(f"--pid-file={munge}/pid", f"--seed-file={munge}/seed", f"--log-file={folder}/munged.log"),
        until=(munge / "socket").exists,
    )
    if accounting:
        with open(folder / "mariadb-install-db.out.log", "wb") as log:
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", f"--datadir={mariadb}", f"--user={facts['user']}"]
                + ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
                stdout=log,
                stderr=log,
                check=True,
            )
        daemon(
            "mariadbd",
            *("mariadbd", "--no-defaults", f"--datadir={mariadb}", f"--user={facts['user']}", "--skip-name-resolve"),
            *("--bind-address=127.0.0.1", f"--port={facts['mariadbd']}", f"--socket={mariadb}/socket"),
            *(f"--pid-file={mariadb}/pid", "--innodb-flush-log-at-trx-commit=2", "--skip-log-bin"),
            until=lambda: reachable(facts["mariadbd"]),
        )
        daemon("slurmdbd", "slurmdbd", "-D", until=lambda: cluster.ask("sacctmgr", "-n", "show", "qos", check=False))
        cluster.ask("sacctmgr", "-i", "add", "cluster", "thinksafe")
        for account in ("paper", "others"):
            cluster.ask("sacctmgr", "-i", "add", "account", account, "Cluster=thinksafe")
        cluster.ask("sacctmgr", "-i", "add", "user", facts["user"], "Account=paper", "Cluster=thinksafe")
        cluster.ask("sacctmgr", "-i", "modify", "user", facts["user"], "set", "DefaultAccount=paper")
    daemon("slurmctld", "slurmctld", "-D", until=lambda: "UP" in cluster.ask("scontrol", "ping", check=False))
    for node in ("cpu01", "gpu01"):
        idle = lambda node=node: cluster.ask("sinfo", "-h", "-n", node, "-o", "%t", check=False).startswith("idle")  # noqa: E731
        daemon(node, "slurmd", "-D", "-N", node, until=idle)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def reachable(port: int) -> bool:
    """Return whether somebody listens at a port of the loopback interface."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _end(daemons: list[subprocess.Popen]) -> None:
    """End the daemons, last started first, then whatever they have left; nobody needs their files any more."""
    for process in reversed(daemons):
        process.kill()
        process.wait()
    while left := _children():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.05)


def _children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


if __name__ == "__main__":
    supervise(Path(sys.argv[1]), sys.argv[2] == "accounting")
