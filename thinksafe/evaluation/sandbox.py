"""What the process that compares answers may not do, so that a fault in a parser gives a model's text no power.

The environment is empty, memory and CPU time are limited, no file can grow, no process can start, and the kernel's
filter of system calls (seccomp, on Linux) leaves reading files, memory and time: no writing but to pipes that are open,
no network, no signals to others. Inside Python an audit hook refuses to run text as code, whichever library asks.
"""

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
import sys
from typing import Any

# Number of each system call that comparing needs, by the machine's name; all others fail with EPERM.
MACHINES: dict[str, tuple[int, int, tuple[int, ...]]] = {  # AUDIT_ARCH, openat, others
    "x86_64": (
        *(0xC000003E, 257),
        # read write close stat fstat lstat lseek mmap mprotect munmap brk mremap madvise rt_sig(action procmask return)
        (0, 1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 25, 28, 13, 14, 15)
        # pread64 readv access getcwd readlink getdents64 newfstatat readlinkat faccessat faccessat2 statx fcntl dup3
        + (17, 19, 21, 79, 89, 217, 262, 267, 269, 439, 332, 72, 33, 292)
        # getitimer setitimer gettimeofday times time clock_gettime clock_getres getrusage getrlimit sched_yield
        + (36, 38, 96, 100, 201, 228, 229, 98, 97, 24)
        # getpid gettid uname sigaltstack futex sched_getaffinity restart_syscall set_robust_list getcpu getrandom rseq
        + (39, 186, 63, 131, 202, 204, 219, 273, 309, 318, 334)
        + (60, 231),  # exit exit_group
    ),
    "aarch64": (
        *(0xC00000B7, 56),
        (63, 64, 57, 80, 62, 222, 226, 215, 214, 216, 233, 134, 135, 139)
        + (67, 65, 17, 78, 61, 79, 48, 439, 291, 25, 24)
        + (102, 103, 169, 153, 113, 114, 165, 163, 124)
        + (172, 178, 160, 132, 98, 123, 128, 99, 168, 278, 293)
        + (93, 94),
    ),
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Library code that makes Python text of its own, never of an answer's, and runs it.
MAKERS = ("sympy.parsing.sympy_parser.parse_expr", "sympy.polys.monomials.", "sympy.utilities.lambdify.")
MAKERS += ("collections.namedtuple", "dataclasses.")
FORBIDDEN = (
    "subprocess.",
    "socket.",
    "ctypes.",
    "shutil.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.kill",
)
FORBIDDEN += ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod")


def confine(memory: int, cpu_seconds: int) -> str:
    """Take from this process, for good, what comparing answers does not need; return what could not be taken, or "".

    Parameters
    ----------
    memory : bytes of address space
    cpu_seconds : after which the kernel ends the process
    """
    os.environ.clear()
    limits = dict(AS=memory, CPU=cpu_seconds, FSIZE=0, NPROC=0, CORE=0)
    missing = [name for name, most in limits.items() if not _limit(getattr(resource, f"RLIMIT_{name}", None), most)]
    found = [f"no limit on {name}" for name in missing]
    if problem := _filter():
        found.append(f"no filter of system calls: {problem}")
    sys.addaudithook(_audit)
    return "; ".join(found)


def _limit(kind: int | None, most: int) -> bool:
    try:
        resource.setrlimit(kind, (most, most))
    except (OSError, TypeError, ValueError):  # not every system has each limit
        return False
    return True


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse to run text as code, and what changes anything outside, before the kernel is asked."""
    if event == "exec":
        caller, name = sys._getframe(1), arguments[0].co_filename
        asks = f"{caller.f_globals.get('__name__')}.{caller.f_code.co_name}"
        if name.startswith("<") and not name.startswith("<frozen") and not asks.startswith(MAKERS):
            raise PermissionError(f"text is not run as code ({asks})")
    elif event.startswith(FORBIDDEN) or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES):
        raise PermissionError(event)


def _filter() -> str:
    """Install the seccomp filter of `MACHINES`; return why not, or ""."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return f"none is known for {sys.platform} on {platform.machine()}"
    architecture, openat, others = MACHINES[platform.machine()]
    load, equal, mask, give = 0x20, 0x15, 0x54, 0x06  # opcodes of the classic Berkeley packet filter
    allow, deny, kill = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, kill), (load, 0, 0, 0)]
    for number in others:
        program += [(equal, 0, 1, number), (give, 0, 0, allow)]
    # openat: the low half of its third argument, the flags, must ask for reading alone.
    program += [(equal, 0, 4, openat), (load, 0, 0, 32), (mask, 0, 0, WRITES), (equal, 0, 1, 0), (give, 0, 0, allow)]
    program += [(give, 0, 0, deny)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG: it ends with the process that made it
    # PR_SET_NO_NEW_PRIVS, without which only root may filter; then PR_SET_SECCOMP with SECCOMP_MODE_FILTER.
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(whole)), 0, 0):
        return os.strerror(ctypes.get_errno())
    return ""
