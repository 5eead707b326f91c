"""
Rows of `follow`: a figure, what it must be, what it might be (stretch), and which of the two is met. They need no peer.

  stall-trace        how long the server stands still in a tick, p50 / p99; the trace `garden` at its own speed, fsyncs included, by a plain
                     process; ticks of 100 ms and of 1 s
  stall-busy         the same; 10,000 appends a second over 400 files by 4 threads, and a computing thread for each core
  stall-dirty        p99 of the same; 20,000 files appended to in each tick of 1 s: evenly, and all at once
  slowdown           what following costs the followed process: units of work a second (190 µs of computing, then an append to one of 400
                     files) without and with it, A B A B; one thread on core 0, a core to spare; and a thread for each core
  idle               % of a core that the follower uses with nothing changing, 1,000 files and a server that has one of them open
  durable            p99 of the time from a change until it is durable in the spool, ticks of 1 s; load as in stall-busy. In the load a thread
                     appends the time to a file each 10 ms or so; afterwards the first state that has each stamp is looked up in a view, and
                     the time of the state is when it was captured. On top comes what the follower itself says from there to the
                     end of the flush, its 99th of 100 (a sum of two p99: no less than the true one)
  quiet-memory       bytes of memory for each file that rests: resident memory of the follower with 500,000 files of 512 bytes (20 a directory,
                     names of 25 bytes), less the same with an empty directory; after the first scan, and after a start anew, which is judged
  scan               the same files: seconds until the first state is complete, and until a start anew is; files a second; beside it
                     `find -printf` and `cp -a`. All with a warm page cache
  stall-by-dirty     stall against files appended to in a tick of 1 s, all at once: 100, 1,000, 5,000, 20,000
  stall-by-threads   stall against threads of the server: 4, 50, 500, with 10,000 appends a second by all together
  stall-by-quota     stall against the CPU that the follower may use (cgroup v2 cpu.max, or v1's quota): all, 50 %, 20 % of a core

Method: stalls are the follower's own figures (`asof status --json`, of its last 1024 stops): from the call that stops until the call that lets
go has returned. Beside them stands what the process felt: as many as there were stops of the longest pauses of a thread of its own that wakes
each 250 µs ahead of everything else. `others` is what all other programs took of a core meanwhile: with more than a few hundredths the
figures are not to be published. Nothing is pinned but where it is said.
"""
import contextlib
import os
import statistics
import subprocess
import time
from pathlib import Path

import bench_material
import asof_process  # found by bench_material
import follower
import processes
import trace_replay

#: Targets: what must be met, and the stretch. A figure is met when it is no more than that.
TARGETS = {
    "stall-trace": ((1, 6), (0.5, 3)), "stall-busy": ((2, 10), (1, 6)), "stall-dirty": ((50,), (15,)), "slowdown, a core to spare": ((2,), (1,)),
    "slowdown, none": ((8,), (5,)), "idle": ((0.5,), (0.1,)), "durable": ((2,), (1.2,)), "quiet-memory": ((150,), (60,)),
}
STAMPS = "bench/segment-1.wal"
#: Others may take so much of a core.
QUIET = 0.05


# The machine


def busy_seconds():
    """Seconds that all cores together have worked so far, and those that the host took from us."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, soft, steal = fields[:8]
    second = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + soft) / second, steal / second


def processor_seconds(pid):
    """What a process has used so far, all threads, to the nanosecond; 0 when it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


class Usage:
    """Who used the cores between the making of this and `end`."""

    def __init__(self, *pids):
        self.pids = pids
        self.began, self.ours, (self.busy, self.steal) = time.monotonic(), self._ours(), busy_seconds()
        self.each = {pid: processor_seconds(pid) for pid in pids}

    def _ours(self):
        times = os.times()
        # A process that was waited for is in the times of children.
        return sum(times[:4]) + sum(map(processor_seconds, self.pids))

    def end(self):
        """Shares of a core: of each process, of all other programs, and taken by the host."""
        seconds, (busy, steal) = time.monotonic() - self.began, busy_seconds()
        self.of = {pid: (processor_seconds(pid) - used) / seconds for pid, used in self.each.items()}
        self.others = max(0.0, busy - self.busy - (self._ours() - self.ours)) / seconds
        self.stolen = (steal - self.steal) / seconds
        self.seconds = seconds
        return self

    def __str__(self):
        return f"others {self.others:.0%} of a core" + (f", stolen {self.stolen:.0%}" if self.stolen >= 0.01 else "")


def await_quiet(row, patience):
    """Waits until other programs rest, or says that they do not."""
    end = time.monotonic() + patience
    while True:
        usage = Usage()
        time.sleep(2)
        others = usage.end().others
        if others <= QUIET or time.monotonic() > end:
            break
    load = os.getloadavg()[0]
    if others > QUIET:
        print(f"  WARNING: other programs use {others:.0%} of a core before {row} (load average {load:.2f}): its figures are noise", flush=True)


class Quota:
    """A cgroup of at most `share` of a core. A context; None where there can be none (`obstacle` says why)."""

    def __init__(self, share):
        self.share, self.path, self.obstacle = share, None, None

    def __enter__(self):
        try:
            self.path, (name, text) = self._place()
            self.path.mkdir()
            (self.path / name).write_text(text)
        except (OSError, LookupError) as problem:
            self.obstacle = str(problem)
        return self

    def _place(self):
        period, mounts = 100_000, [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        own = f"asof-bench-{os.getpid()}"
        for kind, limits in (("cgroup2", ("cpu.max", f"{int(period * self.share)} {period}")), ("cgroup", ("cpu.cfs_quota_us", str(int(period * self.share))))):
            for _, place, found, options, *_ in mounts:
                root = Path(place)
                if found == kind == "cgroup" and "cpu" in options.split(","):
                    return root / own, limits
                if found == kind == "cgroup2" and "cpu" in (root / "cgroup.controllers").read_text().split():
                    if "cpu" not in (root / "cgroup.subtree_control").read_text().split():
                        (root / "cgroup.subtree_control").write_text("+cpu")
                    return root / own, limits
        raise LookupError("no cgroup hierarchy here has the controller cpu")

    def add(self, pid):
        """Puts a process into it."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def __exit__(self, *_):
        for _ in range(100):
            with contextlib.suppress(OSError):
                if self.path is not None and self.path.exists():
                    self.path.rmdir()
                return
            time.sleep(0.02)


# The two sides


class Load:
    """A followed process. A context: it works from its begin to its end, and is killed when something went wrong."""

    def __init__(self, bench, *arguments, core=None):
        self.process = processes.start([*([] if core is None else ["taskset", "-c", core]), bench.load, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            raise processes.CommandFailed(f"the load ended with {self.process.wait(10)} before it was ready")
        return self

    def mark(self):
        """What it did until now was warming up."""
        self.process.stdin.write("mark\n")
        self.process.stdin.flush()

    def end(self):
        """Ends it: appends a second, and its longest pauses in ms, longest first."""
        out, _ = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise processes.CommandFailed(f"the load ended with {self.process.returncode}")
        seconds, appends, *pauses = out.split()
        return int(appends) / float(seconds), [int(pause) / 1000 for pause in pauses]

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()


class Following:
    """`asof follow` on a directory, from its start until a clean end. A context, entered when it is ready."""

    def __init__(self, bench, asof, directory, *options):
        self.bench, self.asof = bench, asof
        # Of an earlier life: it says ready, too.
        (asof.workspace.path / "follow.log").unlink(missing_ok=True)
        self.began = time.monotonic()
        self.follower = follower.Follower(asof, directory, *options)

    def __enter__(self):
        try:
            self.pid = self.follower.start().process.pid
            self.follower.await_ready()
        except BaseException as problem:
            self.__exit__(type(problem), problem, None)
            raise
        return self

    def status(self):
        """Its figures now."""
        recorder = self.asof.json("status").get("recorder")
        if recorder is None or self.follower.process.poll() is not None:
            raise processes.CommandFailed(f"follow has ended: {self.follower.complaints()}")
        return recorder

    def await_settled(self, seconds=600):
        """Waits until its first state is complete; returns the seconds since its start."""
        end = time.monotonic() + seconds
        while not (recorder := self.status())["comparison"] == "done":
            if recorder["comparison"] != "running" or time.monotonic() > end:
                raise processes.CommandFailed(f"follow compares for {seconds} s: {recorder['comparison']}; {self.follower.complaints()}")
            time.sleep(0.05)
        return time.monotonic() - self.began

    def sampled(self, seconds, load=None):
        """Its figures each few seconds for a while, or until `load` has ended; asking more often would cost more than is measured."""
        samples, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and (load is None or load.poll() is None):
            if load is None:
                time.sleep(min(5, left))
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    load.wait(min(5, left))
            samples.append(self.status()["follow"])
        return samples

    def __exit__(self, kind, *rest):
        if kind is not None and self.follower.process.poll() is None:
            self.follower.process.kill()
            self.follower.process.wait(30)
            return
        self.follower.__exit__(kind, *rest)


class FollowBench:
    """What the rows share."""

    def __init__(self, given, workspace):
        self.given, self.workspace, self.serial = given, workspace, 0
        self.tools = workspace.folder("follow-tools")
        self.load = bench_material.compiled("bench-follow-load.c", self.tools)
        self.trace = bench_material.garden(given, {"stall-trace"} & set(given.rows))
        self.data = bench_material.bytes_to_write(self.trace, self.tools)
        self.cores = os.cpu_count()

    def seconds(self, whole):
        """How long to measure what takes `whole` seconds, of which --quick takes an eighth."""
        return max(3, whole / 8) if self.given.quick else whole

    @contextlib.contextmanager
    def space(self):
        """A repository with a state directory, and an empty directory to follow; removed at the end."""
        self.serial += 1
        space = bench_material.Space(self.workspace.folder(f"follow-{self.serial}"))
        try:
            yield asof_process.Asof(self.given.asof, space).init(), space.folder("data")
        finally:
            subprocess.run(["rm", "-rf", str(space.path)], check=False)

    def show(self, name, figures, unit, target=None, note=""):
        """One line: figures, what they must be, and whether they are."""
        must, stretch = TARGETS.get(target, (None, None))

        def text(values):
            return " / ".join(f"{value:,.{0 if value >= 100 else 1 if value >= 10 else 2}f}" for value in values)

        def met(limits):
            return all(figure <= limit for figure, limit in zip(figures, limits, strict=True))
        verdict = "" if must is None else "stretch met" if met(stretch) else "must met" if met(must) else "MISSED"
        targets = "" if must is None else f"{text(must)} ({text(stretch)})"
        print(f"{name:<30} {text(figures):>16} {unit:<5} {targets:>26}  {verdict:<11}  {note}", flush=True)


# Stalls


def stall_line(bench, name, target, samples, usage, pid, felt=(), note=""):
    """The row of a stall; `samples`: the follower's figures now and then, the last at the end. `target` None: a point of a curve. A target of
    one figure is the p99's."""
    follow = samples[-1]
    changed, in_stop = (statistics.median(sample[field] for sample in samples) for field in ("changedFiles", "changedInStop"))
    way = next((sample["stoppedBy"] for sample in samples if sample.get("stoppedBy")), "nobody")
    figures = (follow["stallMedian"] / 1000, follow["stall99"] / 1000)
    pauses = sorted(felt[:min(follow["stops"], 1024)])
    words = [note] if note else []
    if pauses:
        words.append(f"felt {pauses[len(pauses) // 2]:.2f} / {pauses[int(len(pauses) * 0.99)]:.2f}")
    words += [f"max {follow['stallMax'] / 1000:.1f}", f"{follow['stops']} stops by {way}, {follow['missedTicks']} missed, {follow['fuzzyTicks']} fuzzy",
              f"{changed:,.0f} files a tick, {in_stop:,.0f} in its stop", f"follower {usage.of[pid]:.0%}", str(usage)]
    if follow["overflows"]:
        words.append(f"{follow['overflows']} OVERFLOWS")
    bench.show(name, figures if target is None or len(TARGETS[target][0]) == 2 else figures[1:], "ms", target, ", ".join(words))


def measured_stalls(bench, load, name, target, seconds, tick="1s", quota=None):
    """Follows a load for a while; prints its stalls."""
    with bench.space() as (asof, directory), Load(bench, *[directory if word is ... else word for word in load]) as busy:
        with Following(bench, asof, directory, "--tick", tick) as following:
            if quota:
                quota.add(following.pid)
            following.await_settled()
            busy.mark()
            usage = Usage(following.pid, busy.process.pid)
            samples = following.sampled(bench.seconds(seconds))
            usage.end()
            rate, felt = busy.end()
        stall_line(bench, name, target, samples, usage, following.pid, felt, f"{rate:,.0f} appends/s")


def stall_trace(bench):
    """The trace at its own speed."""
    if bench.trace is None:
        return
    program = bench_material.compiled("bench-load.c", bench.tools)
    operations = bench.trace.operations
    if bench.given.quick:
        operations = [o for o in operations if o["t"] - operations[0]["t"] < 20e9]
    (bench.tools / "timed").write_text("\n".join(trace_replay.translated(operations, timed=True)) + "\n")
    for tick in ("100ms", "1s"):
        with bench.space() as (asof, directory), Following(bench, asof, directory, "--tick", tick) as following:
            following.await_settled()
            load = processes.start([program, "replay", directory, bench.data, bench.tools / "timed"], stdout=subprocess.DEVNULL)
            try:
                usage = Usage(following.pid, load.pid)
                samples = following.sampled(600, load)
                if load.returncode != 0:
                    raise processes.CommandFailed(f"the replay ended with {load.returncode}")
                usage.end()
            finally:
                load.kill()
                load.wait(30)
            stall_line(bench, f"stall-trace, tick {tick}", "stall-trace", samples, usage, following.pid, note=f"{usage.seconds:.0f} s")


def stall_busy(bench):
    """Both cores saturated."""
    for tick, seconds in (("100ms", 60), ("1s", 100)):
        measured_stalls(bench, ("busy", ..., 400, bench.data, 10_000, 4, bench.cores), f"stall-busy, tick {tick}", "stall-busy", seconds, tick)


def stall_dirty(bench):
    """Many dirty files in a tick."""
    files = 2000 if bench.given.quick else 20_000
    for way, word in (("spread", "evenly"), ("burst", "at once")):
        measured_stalls(bench, ("dirty", ..., files, bench.data, way), f"stall-dirty, {files:,} {word}", "stall-dirty", 60)


def stall_by_dirty(bench):
    """The curve over dirty files."""
    for files in (100, 1000, 5000, 20_000):
        measured_stalls(bench, ("dirty", ..., files, bench.data, "burst"), f"  {files:,} files in a tick", None, 40)


def stall_by_threads(bench):
    """The curve over the server's threads."""
    for threads in (4, 50, 500):
        measured_stalls(bench, ("busy", ..., 400, bench.data, 10_000, threads, 0), f"  {threads} writing threads", None, 40, "100ms")


def stall_by_quota(bench):
    """The curve over the follower's share of a core."""
    for share in (None, 0.5, 0.2):
        name = "  the follower may use " + ("all" if share is None else f"{share:.0%}")
        with Quota(share) if share else contextlib.nullcontext() as quota:
            if quota and quota.obstacle:
                print(f"{name}: SKIPPED, no cgroup with a quota can be made here: {quota.obstacle}", flush=True)
                continue
            measured_stalls(bench, ("busy", ..., 400, bench.data, 10_000, 4, 0), name, None, 40, "100ms", quota)


# What it costs


def slowdown(bench):
    """Units of work without and with following."""
    rounds = processes.run([bench.load, "calibrate", 190_000]).stdout.strip()
    for threads, core, word in ((1, 0, "a core to spare"), (bench.cores, None, "none")):
        if core is not None and bench.cores < 2:
            print(f"slowdown, {word}: SKIPPED, there is one core", flush=True)
            continue
        without, with_it = [], []
        for _ in range(bench.given.runs):
            without.append(work_done(bench, threads, core, rounds, False))
            with_it.append(work_done(bench, threads, core, rounds, True))
        (plain, others, _), (followed, _, used) = ([statistics.median(column) for column in zip(*runs)] for runs in (without, with_it))
        spread = [(max(column) - min(column)) / statistics.median(column) for column in ([run[0] for run in without], [run[0] for run in with_it])]
        each = ", ".join(f"{1 - b[0] / a[0]:.1%}" for a, b in zip(without, with_it))
        bench.show(f"slowdown, {word}", [max(0.0, 1 - followed / plain) * 100], "%", f"slowdown, {word}",
                   f"{plain:,.0f} and {followed:,.0f} units/s (spread {spread[0]:.1%} and {spread[1]:.1%}; pairs {each}), follower {used:.1%}, others {others:.0%} of a core")


def work_done(bench, threads, core, rounds, is_followed):
    """One run: units a second, and shares of a core of others and of the follower."""
    with bench.space() as (asof, directory), Load(bench, "work", directory, 400, bench.data, threads, rounds, core=core) as load:
        with Following(bench, asof, directory) if is_followed else contextlib.nullcontext() as following:
            if following:
                following.await_settled()
            time.sleep(2)
            load.mark()
            usage = Usage(load.process.pid, *([following.pid] if following else []))
            # Longer than the interval at which segments are sealed and published.
            time.sleep(bench.seconds(12))
            usage.end()
            rate, _ = load.end()
    return rate, usage.others, usage.of[following.pid] if following else 0


def idle(bench):
    """Nothing changes."""
    with bench.space() as (asof, directory):
        processes.run([bench.load, "make", directory, 1000, 512, bench.data])
        with Load(bench, "hold", directory / "held") as load, Following(bench, asof, directory) as following:
            following.await_settled()
            time.sleep(bench.seconds(12))
            usage, switches = Usage(following.pid, load.process.pid), context_switches(following.pid)
            time.sleep(bench.seconds(60))
            usage.end()
            woken = (context_switches(following.pid) - switches) / usage.seconds
            bench.show("idle", [usage.of[following.pid] * 100], "%", "idle", f"{woken:.1f} wake-ups a second, {usage}")
            load.end()


def context_switches(pid):
    """Times that threads of a process went to sleep so far."""
    found = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            found += int(status.read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return found


def durable(bench):
    """From the write of a stamp to the flush of the state that has it."""
    with bench.space() as (asof, directory), Load(bench, "busy", directory, 400, bench.data, 10_000, 4, bench.cores) as load:
        with Following(bench, asof, directory) as following:
            following.await_settled()
            time.sleep(2)
            begin, usage = time.time_ns(), Usage(following.pid, load.process.pid)
            time.sleep(bench.seconds(60))
            end = time.time_ns()
            usage.end()
            follow = following.status()["follow"]
            # So that a state has the last of them.
            time.sleep(3)
            load.end()
        waits = sorted(captured_after(asof, directory / STAMPS, begin, end))
    flush = follow["durable99"] / 1e9
    bench.show("durable", [waits[int(len(waits) * 0.99)] + flush], "s", "durable",
               f"{len(waits)} stamps: captured after {waits[len(waits) // 2]:.2f} p50, {waits[int(len(waits) * 0.99)]:.2f} p99, {waits[-1]:.2f} max; "
               f"durable {follow['durableMedian'] / 1e6:.1f} ms p50, {flush * 1e3:.1f} ms p99 later; {follow['missedTicks']} missed, {usage}")


def captured_after(asof, stamps, begin, end):
    """Seconds from each stamp between two moments to the first state that has it."""
    window = asof.json("window")
    written = [int(line) for line in stamps.read_bytes().split()]
    next_one = 0
    with asof_process.Views(asof) as views:
        for lsn in range(window["from"]["lsn"], window["to"]["lsn"] + 1):
            folder = views.after(lsn)
            moment = asof_process.nanoseconds(os.getxattr(folder, "user.asof.time").decode())
            path = folder / STAMPS
            captured = path.stat().st_size // 20 if path.exists() else 0
            for stamp in written[next_one:captured]:
                if begin <= stamp < end:
                    yield (moment - stamp) / 1e9
            next_one = max(next_one, captured)
    if next_one < len(written) and written[next_one] < end:
        raise processes.CommandFailed(f"no state has the stamp {written[next_one]}")


# Files that rest


def resident(pid):
    """Bytes of resident memory: all, and those that belong to no file."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return [int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "RssAnon")]


def rested(bench, asof, directory):
    """Starts to follow a directory at rest: seconds until that is complete, memory some time later, the follower's figures."""
    with Following(bench, asof, directory) as following:
        took = following.await_settled()
        time.sleep(bench.seconds(15))
        return took, resident(following.pid), following.status()


def quiet_rows(bench, names):
    """Memory and scans of a large directory where nothing changes."""
    files = 20_000 if bench.given.quick else 500_000
    with bench.space() as (asof, directory):
        bare = [rested(bench, asof, directory)[1] for _ in range(2)][1]
    with bench.space() as (asof, directory):
        processes.run([bench.load, "make", directory, files, 512, bench.data], timeout=600)
        subprocess.run(["sync"], check=True)
        peers = [timed(["find", directory, "-printf", "%p %s %T@ %C@\\n"])]
        copy = directory.parent / "copy"
        peers.append(timed(["cp", "-a", directory, copy]))
        subprocess.run(["rm", "-rf", str(copy)], check=True)
        subprocess.run(["sync"], check=True)
        runs = [rested(bench, asof, directory) for _ in range(2)]
    if "quiet-memory" in names:
        for (_, memory, recorder), word, target in zip(runs, ("first scan", "started anew"), (None, "quiet-memory")):
            each, anonymous = ((mine - other) / files for mine, other in zip(memory, bare))
            bench.show(f"quiet-memory, {word}", [max(0.0, each)], "B", target, f"{files:,} files: {memory[0] / 2**20:.1f} MiB less {bare[0] / 2**20:.1f}; of it belongs to no file: "
                       f"{anonymous:.0f} B a file; {recorder['follow']['files']:,} known")
    if "scan" in names:
        for (took, _, recorder), word in zip(runs, ("first", "started anew")):
            bench.show(f"scan, {word}", [took], "s", None, f"{files / took:,.0f} files/s, {recorder['comparedBytes'] / 2**20:.0f} MiB read")
        for took, word in zip(peers, ("find -printf", "cp -a")):
            bench.show(f"  {word}", [took], "s", None, f"{files / took:,.0f} files/s")


def timed(command):
    """Seconds that a command takes."""
    began = time.monotonic()
    subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


#: By name; those of one function run together.
ROWS = {
    "stall-trace": stall_trace, "stall-busy": stall_busy, "stall-dirty": stall_dirty, "slowdown": slowdown, "idle": idle, "durable": durable,
    "quiet-memory": quiet_rows, "scan": quiet_rows, "stall-by-dirty": stall_by_dirty, "stall-by-threads": stall_by_threads, "stall-by-quota": stall_by_quota,
}


def run(given, workspace):
    """All rows that were asked for."""
    bench = FollowBench(given, workspace)
    print(f"following: {bench.cores} cores, kernel {os.uname().release}{'; QUICK: no figures to publish' if given.quick else ''}")
    print(f"{'row':<30} {'asof':>16} {'':<5} {'must (stretch)':>26}", flush=True)
    wanted = [name for name in ROWS if name in given.rows]
    for name in wanted:
        together = [other for other in wanted if ROWS[other] is ROWS[name]]
        if together[0] != name:
            continue
        await_quiet(name, given.wait_quiet)
        began = os.getloadavg()[0]
        if ROWS[name] is quiet_rows:
            quiet_rows(bench, together)
        else:
            if name.startswith("stall-by-"):
                print(f"{name}: {ROWS[name].__doc__.lower()[:-1]}, p50 / p99", flush=True)
            ROWS[name](bench)
        print(f"  (load average {began:.2f} before, {os.getloadavg()[0]:.2f} after)", flush=True)
