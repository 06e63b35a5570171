#!/usr/bin/env python3
"""Runs cluster mutex helpers the way CTDB does (samba, ctdb/server/ctdb_cluster_mutex.c), for the tests.

Reads one JSON command per line on stdin and writes one JSON event per line on stdout. Node cannot ignore a signal in a
child, hand it a leaked descriptor or leave close-on-exec off; this can.

Commands:
  {"do": "start", "id": ID, "argv": [...], "env": {...}, ...options}   fork and execv, as CTDB does
  {"do": "signal", "id": ID, "signal": NUMBER}                         one kill(2); nothing once it is gone
  {"do": "killBetween", "id": ID}                                      SIGKILL to the process of "between"
Options of "start":
  "stderr": "pipe" (default), "full" (a pipe filled to the brim that nobody reads) or "closed"
  "autoTerm": false   do not send SIGTERM after a byte other than 0
  "closeAnswer": true close the read end of the answer as soon as the helper runs
  "mdwe": true        prctl(PR_SET_MDWE): memory is never writable and executable
  "termAfterMs": N    send SIGTERM this long after the fork, whatever happened until then
  "root": DIR         chroot there first
  "lookedAt": true    one more pipe leaks, made just then, and its descriptors are listed before it becomes the program,
                      as by `ss -p` or lsof
  "between": true     the helper's parent is a process of its own, a child of this one; when that is killed, this one still
                      sees what becomes of the helper

Events, `atMs` on the machine's monotonic clock:
  {"event": "started", "id", "pid", "answerPipe": "pipe:[N]", "leaked": ["pipe:[N]", ...], "atMs"}
  {"event": "byte", "id", "byte": "0", "atMs", "waitedMs"}   every byte on the helper's stdout, not only the first;
                                                     waitedMs: for how long it had been kept waiting for a processor
  {"event": "eof", "id", "atMs"}                     end of file on the helper's stdout
  {"event": "stderr", "id", "text"}                  what one read(2) of the helper's stderr returned
  {"event": "signalled", "id", "atMs"}               a signal was sent to the helper; the time is just before
  {"event": "exit", "id", "status"|"signal", "atMs"}
"""

import os

# Like the pipe between ctdbd and recoverd: made when the parent starts, long before any helper.
OLD_PIPE = os.pipe()

import ctypes
import errno
import fcntl
import json
import select
import signal
import socket
import time

PR_SET_CHILD_SUBREAPER = 36
PR_SET_MDWE = 65
PR_MDWE_REFUSE_EXEC_GAIN = 1


def now_ms():
    return time.monotonic() * 1000


def emit(**event):
    os.write(1, (json.dumps(event) + "\n").encode())


def waited_ms(pid):
    """For how long the main thread could have run and did not (Linux, Documentation/scheduler/sched-stats.rst)."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e6
    except OSError:
        return 0


def cloexec(fd):
    os.set_inheritable(fd, False)
    return fd


class Helper:
    def __init__(self, command):
        self.id = command["id"]
        self.auto_term = command.get("autoTerm", True)
        self.exited = False
        answer_read, answer_write = os.pipe()
        # As in ctdbd: the log pipe's both ends, and more, have no close-on-exec and leak into the helper.
        self.stderr_read, stderr_write = os.pipe()
        sockets = [end.detach() for end in socket.socketpair()]
        young = os.pipe() if command.get("lookedAt") else ()
        leaked = [self.stderr_read, *OLD_PIPE, *sockets, *young]
        for fd in leaked:
            os.set_inheritable(fd, True)
        mode = command.get("stderr", "pipe")
        if mode == "full":
            fill(stderr_write)
        null = os.open("/dev/null", os.O_RDONLY)

        def run():
            try:
                child(command, null, answer_write, stderr_write, mode)
            except BaseException as error:  # the parent must never go on in two processes
                os.write(2, f"mutex-parent: cannot run {command['argv']}: {error}\n".encode())
            os._exit(127)

        forked_at = now_ms()
        self.between = None
        if command.get("between"):
            self.between, self.pid = fork_between(run)
        else:
            self.pid = os.fork()
            if self.pid == 0:
                run()
        emit(
            event="started",
            id=self.id,
            pid=self.pid,
            answerPipe=os.readlink(f"/proc/self/fd/{answer_write}"),
            leaked=[os.readlink(f"/proc/self/fd/{fd}") for fd in leaked],
            atMs=forked_at,
        )
        os.close(null)
        os.close(answer_write)
        os.close(stderr_write)
        for fd in (*sockets, *young):
            os.close(fd)
        for fd in OLD_PIPE:
            cloexec(fd)
        cloexec(self.stderr_read)
        self.answer = cloexec(answer_read)
        self.pidfd = os.pidfd_open(self.pid)
        self.sources = {self.answer: self.on_answer, self.pidfd: self.on_exit}
        # Kept open and never read when full: nobody gets EPIPE, and nobody gets room.
        if mode != "full":
            self.sources[self.stderr_read] = self.on_stderr
        if command.get("closeAnswer"):
            self.drop(self.answer)
        after = command.get("termAfterMs")
        self.term_at = None if after is None else now_ms() + after

    def drop(self, fd):
        del self.sources[fd]
        os.close(fd)

    def signal(self, number):
        if not self.exited:
            signalled_at = now_ms()
            os.kill(self.pid, number)
            emit(event="signalled", id=self.id, atMs=signalled_at)

    def kill_between(self):
        if not self.exited:
            os.kill(self.between, signal.SIGKILL)

    def on_answer(self):
        byte = os.read(self.answer, 1)
        if byte == b"":
            emit(event="eof", id=self.id, atMs=now_ms())
            self.drop(self.answer)
            return
        at = now_ms()
        emit(event="byte", id=self.id, byte=byte.decode("latin-1"), atMs=at, waitedMs=waited_ms(self.pid))
        if byte != b"0" and self.auto_term:
            self.auto_term = False
            self.signal(signal.SIGTERM)

    def on_stderr(self):
        text = os.read(self.stderr_read, 65536)
        if text == b"":
            self.drop(self.stderr_read)
        else:
            emit(event="stderr", id=self.id, text=text.decode("utf-8", "replace"))

    def on_exit(self):
        if self.between is not None:
            os.waitpid(self.between, 0)  # then the dead helper is a child of this process, the subreaper
        _, status = os.waitpid(self.pid, 0)
        self.exited = True
        # What it had still written comes before the news of its exit.
        for fd, handler in list(self.sources.items()):
            if fd != self.pidfd:
                while fd in self.sources and select.select([fd], [], [], 0)[0]:
                    handler()
        self.drop(self.pidfd)
        if os.WIFSIGNALED(status):
            emit(event="exit", id=self.id, signal=signal.Signals(os.WTERMSIG(status)).name, atMs=now_ms())
        else:
            emit(event="exit", id=self.id, status=os.WEXITSTATUS(status), atMs=now_ms())


def fill(fd):
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    try:
        for size in (4096, 1):
            try:
                while True:
                    os.write(fd, b"x" * size)
            except BlockingIOError:
                pass
    finally:
        fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def fork_between(run):
    """Forks a process that forks the helper and ends after it. Returns the pids of both."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    told_read, told_write = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            run()
        os.write(told_write, str(pid).encode())
        # Nothing of the helper's stays open here, or its end would not be seen.
        os.closerange(0, 1 << 16)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        os._exit(0)
    os.close(told_write)
    pid = int(os.read(told_read, 32))
    os.close(told_read)
    return between, pid


def child(command, null, answer_write, stderr_write, mode):
    os.dup2(null, 0)
    os.dup2(answer_write, 1)
    if mode == "closed":
        os.close(2)
    else:
        os.dup2(stderr_write, 2)
    if command.get("root"):
        os.chroot(command["root"])
    os.chdir("/")
    os.umask(0o022)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    # Python itself ignores SIGXFSZ.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if command.get("lookedAt"):
        os.listdir("/proc/self/fd")
        time.sleep(0.05)  # the pipe is older than the program by more than what clocks that tick can hide
    if command.get("mdwe"):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_MDWE)")
    os.execve(command["argv"][0], command["argv"], command["env"])


def main():
    helpers = {}
    pending = b""
    os.set_blocking(0, True)
    reading = True
    while reading or helpers:
        sources = {fd: handler for helper in helpers.values() for fd, handler in list(helper.sources.items())}
        terms = [helper for helper in helpers.values() if helper.term_at is not None]
        wait = None if not terms else max(0, min(helper.term_at for helper in terms) - now_ms()) / 1000
        ready, _, _ = select.select([*([0] if reading else []), *sources], [], [], wait)
        for helper in terms:
            if now_ms() >= helper.term_at:
                helper.term_at = None
                helper.signal(signal.SIGTERM)
        for fd in ready:
            if fd == 0:
                received = os.read(0, 65536)
                # The test process has ended or closed the pipe. As with ctdbd's death, nothing tells the helpers.
                if received == b"":
                    reading = False
                    helpers.clear()
                    break
                pending += received
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    command = json.loads(line)
                    if command["do"] == "start":
                        helpers[command["id"]] = Helper(command)
                    elif command["id"] in helpers and command["do"] == "killBetween":
                        helpers[command["id"]].kill_between()
                    elif command["id"] in helpers:
                        helpers[command["id"]].signal(command["signal"])
            elif any(fd in helper.sources for helper in helpers.values()):
                sources[fd]()
        for gone in [key for key, helper in helpers.items() if helper.exited and not helper.sources]:
            del helpers[gone]


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
