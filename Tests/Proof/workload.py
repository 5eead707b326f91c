#!/usr/bin/env python3
"""A seeded workload shaped like a Weaviate data directory, by several writers at once that watch each other.

  workload.py DIR --seed S --seconds T --threads N --log FILE [--processes] [--resume]

Every writer has a shard of its own with appended logs (`segment-*.wal`), flushes (tmp, fsync, rename, derived files), compactions
(rename to `.deleteme`, rename over, unlinked later, sometimes while open), bolt-like page files (pages, fdatasync, meta page,
fdatasync), `indexcount` in place, `proplengths` by tmp + rename without fsync, HNSW logs that are switched and converted, tenants
that are dropped by renaming their directory into /drop (another writer removes them), hard links, symbolic links, torn tails that
are cut off, extended attributes, modes, owners, holes. All append to one shared log. Every unit says what its writer knew of the
others (see units.py); every system call is a line in FILE (see workload_log.py). After every action a writer notes in its ledger
how far it is, and only then do the others learn of it: that is the token that check_cut.py judges by.

When the mount goes away under a writer, the call in flight is logged as open and the writer ends; exit code 5 then. With --resume
it goes on in a directory that an earlier run left, and first cuts off torn tails, as the database does. Seeds make the choice of
actions the same; how writers interleave is up to the machine.
"""
import argparse
import mmap
import os
import random
import signal
import struct
import sys
import threading
import time

import processes
import units
from trace_drive import GONE
from workload_log import Log, Writing
from workload_writer import Interrupted, Writer

#: Exit code when the mount went away.
GONE_CODE = 5


class Tokens:
    """The newest ledger entry of every writer, in memory that threads and processes share. Each slot has one writer."""

    def __init__(self, values):
        self._memory = mmap.mmap(-1, max(4096, 8 * len(values)))
        self._count = len(values)
        for writer, value in enumerate(values):
            self.publish(writer, value)

    def publish(self, writer, sequence):
        """Tells all writers how far one is."""
        struct.pack_into("<Q", self._memory, 8 * writer, sequence)

    def all(self):
        """What is known of everyone."""
        return list(struct.unpack_from(f"<{self._count}Q", self._memory, 0))


def parsed():
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=4, metavar="N", help="writers (default 4)")
    parser.add_argument("--log", required=True, metavar="FILE")
    parser.add_argument("--processes", action="store_true", help="writers are processes, not threads")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run with the same log ended")
    parser.add_argument("--no-fsync", action="store_true", help="never fsync")
    parser.add_argument("--pause", type=float, default=0, metavar="SECONDS", help="rest up to so long after an action")
    return parser.parse_args()


def ledger_end(root, writer):
    """The last sequence number in a writer's ledger."""
    try:
        with open(f"{root}/ledger/{writer}.wal", "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return 0
    whole, _ = units.find(data[:units.whole_prefix(data)])
    return whole[-1].sequence if whole else 0


def main():
    given = parsed()
    os.umask(0)
    root = given.folder.rstrip("/")
    count, first = given.threads, [0] * given.threads
    known = list(first)
    log = Log(given.log) if given.resume and os.path.exists(given.log) else None
    if log and log.writers:
        if log.unresolved():
            sys.exit("the log has calls that nobody has found out about; nothing can go on from here")
        count, first, known = log.writers, log.last_sequences(), []
        code = guarded(lambda: known.extend(ledger_end(root, writer) for writer in range(count)))
        if code:
            sys.exit(code)
    writing = Writing(given.log)
    if not any(first):
        writing.add({"workload": 1, "seed": given.seed, "writers": count})
    tokens = Tokens(known)
    stop = mmap.mmap(-1, 4096)

    def end(*_):
        stop[0] = 1
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)

    writers = [Writer(root, index, count, random.Random(f"{given.seed} {index} {first[index]}"), tokens, writing, stop, first[index]) for index in range(count)]
    for writer in writers:
        writer.syncs = not given.no_fsync
    code = guarded(writers[0].found)
    if code:
        sys.exit(code)
    until = time.monotonic() + given.seconds
    codes = run_processes(writers, until, given.pause) if given.processes else run_threads(writers, until, given.pause)
    sys.exit(max(codes))


def guarded(body, *arguments):
    """Runs one part of a writer's life; returns an exit code."""
    try:
        body(*arguments)
        return 0
    except Interrupted:
        return GONE_CODE
    except OSError as problem:
        if problem.errno in GONE:
            return GONE_CODE
        raise


def run_threads(writers, until, pause):
    """One thread a writer."""
    codes = [1] * len(writers)

    def body(index):
        codes[index] = guarded(writers[index].run, until, pause)
    threads = [threading.Thread(target=body, args=(index,)) for index in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [8 if 1 in codes else max(codes)]


def run_processes(writers, until, pause):
    """One process a writer."""
    pids = []
    for writer in writers:
        pid = os.fork()
        if pid == 0:
            code = 8
            try:
                processes.die_with_parent()
                code = guarded(writer.run, until, pause)
            finally:
                sys.stderr.flush()
                os._exit(code)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


if __name__ == "__main__":
    main()
