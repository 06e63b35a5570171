#!/usr/bin/env python3
"""Delays and loses whole packets on the cable of one host; the kernels of test machines have no tc netem.

Usage: link-relay.py PORT RELAY DELAY_MS JITTER_MS LOSS
Runs in the bridge's namespace and passes frames between PORT (the host's cable) and RELAY (a port of the bridge), each
way delayed by DELAY_MS plus up to JITTER_MS at random, in order, and thrown away with probability LOSS. Prints "ready".
"""

import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23


def main():
    port, relay = sys.argv[1:3]
    delay, jitter = (float(word) / 1000 for word in sys.argv[3:5])
    loss = float(sys.argv[5])
    ends = [open_raw(port), open_raw(relay)]
    due = []
    latest = [0.0, 0.0]
    count = 0
    poll = select.poll()
    for end in ends:
        poll.register(end, select.POLLIN)
    print("ready", flush=True)
    while True:
        wait = None if not due else max(0.0, due[0][0] - time.monotonic()) * 1000
        for fd, _ in poll.poll(wait):
            index = 0 if fd == ends[0].fileno() else 1
            while True:
                try:
                    frame = ends[index].recv(65536)
                except BlockingIOError:
                    break
                if random.random() < loss:
                    continue
                at = time.monotonic() + delay + random.random() * jitter
                latest[index] = at = max(at, latest[index])
                count += 1
                heapq.heappush(due, (at, count, 1 - index, frame))
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, to, frame = heapq.heappop(due)
            try:
                ends[to].send(frame)
            except OSError:
                pass  # a link that is down loses packets


def open_raw(name):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.bind((name, 0))
    end.setblocking(False)
    return end


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
