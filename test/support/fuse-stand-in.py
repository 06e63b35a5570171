#!/usr/bin/env python3
"""Serves a file or a directory by FUSE: fuse-stand-in.py PATH PIDFILE

A file of /proc is served as lxcfs serves /proc/uptime in a container: it counts from the start of this program. Another
file is served as it is, and can be run. A directory is empty. Stopped (SIGSTOP), the program is a file system that hangs: everything that asks it for something waits.
It ends with the process that started it.
"""

import ctypes
import os
import signal
import stat
import struct
import sys
import time

GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, INTERRUPT, FORGET, BATCH_FORGET = 3, 14, 15, 17, 18, 25, 26, 36, 2, 42
NO_REPLY = (FORGET, BATCH_FORGET, INTERRUPT)
ENOSYS = 38
FILE_MODE, DIRECTORY_MODE = stat.S_IFREG | 0o555, stat.S_IFDIR | 0o755
PR_SET_PDEATHSIG = 1


def main():
    path, pid_file = sys.argv[1:]
    mode = DIRECTORY_MODE if os.path.isdir(path) else FILE_MODE
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    started = time.monotonic()
    if mode == DIRECTORY_MODE or path.startswith("/proc/"):
        content = None
    else:
        with open(path, "rb") as served:
            content = served.read()
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fuse},rootmode={mode:o},user_id=0,group_id=0,allow_other"
    if libc.mount(b"lxcfs", path.encode(), b"fuse.lxcfs", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount on {path}")
    with open(pid_file, "w") as out:
        out.write(str(os.getpid()))
    while True:
        request = os.read(fuse, 1 << 17)
        _, opcode, unique = struct.unpack_from("<IIQ", request)
        if opcode in NO_REPLY:
            continue
        body = answer(opcode, request[40:], started, mode, content)
        error, body = (0, body) if body is not None else (-ENOSYS, b"")
        os.write(fuse, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


def answer(opcode, argument, started, mode, content):
    """The body of a reply (linux/fuse.h); None for what it cannot do."""
    if opcode == INIT:
        # Version 7.8: short enough a reply for every kernel.
        return struct.pack("<IIIIHHI", 7, 8, 0, 0, 0, 0, 4096)
    if opcode == GETATTR:
        attributes = struct.pack("<QQQQQQIIIIIIIII", 1, len(content or b""), 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 0)
        return struct.pack("<QII", 0, 0, 0) + attributes[:80]
    if opcode == OPEN:
        direct_io = 1 if content is None else 0
        return struct.pack("<QII", 1, direct_io, 0)
    if opcode == READ:
        offset, size = struct.unpack_from("<QI", argument, 8)
        uptime = f"{time.monotonic() - started:.2f} 0.00\n".encode()
        return (uptime if content is None else content)[offset : offset + size]
    if opcode == STATFS:
        return bytes(80)
    return b"" if opcode in (RELEASE, FLUSH) else None


if __name__ == "__main__":
    main()
