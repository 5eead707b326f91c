"""The row `restore` of Scripts/bench: a directory like a server's, restored by asof, restic and borg, page cache dropped, on the disk at the end.

The directory: 1 GB in files of 1 KiB to 64 MiB, six tenths of it incompressible like vectors, and 4,000 small files. Each tool reads its own
repository of it, made with its defaults (asof: zstd:3), not encrypted where the tool allows that; restic and borg get a `sync` behind
them, for they leave the disk's part to it. Beside them: `zstd -d` of the directory's `tar`, decoded into nothing, and
writing as much with fsync: a restore does both, and is measured against the slower. Two more say what is behind the figures, and are no peers:
`zstd -d` into a file, and `cat` of the repository, alone and beside that writing, which moves the bytes that a restore on one disk moves,
without decoding them. asof restores twice: from a repository on the target's disk, and from a copy in memory, which stands for another disk.

Each round has another order (seeded): what comes after a command that left much or little memory behind finds pages that the kernel has,
or some that the machine's host must give first, which takes a second for a gigabyte on some hosts.
"""
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import bench_material  # noqa: F401  where the next one is found
import asof_process

ROWS = ["restore"]
PEERS = {
    "restic": (["restic", "-q", "init", "-r", "{repo}"], ["restic", "-q", "-r", "{repo}", "backup", "{source}"], "restic -q -r '{repo}' restore latest --target '{target}' && sync"),
    "borg": (["borg", "init", "-e", "none", "{repo}"], ["borg", "create", "{repo}::a", "{source}"], "mkdir '{target}' && cd '{target}' && borg extract '{repo}::a' && sync"),
}
ENVIRONMENT = {**os.environ, "RESTIC_PASSWORD": "bench", "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}


def make(folder, size, seed=1):
    """Fills a folder; the same for a seed."""
    chance = random.Random(seed)
    words = [chance.randbytes(6).hex() for _ in range(4000)]
    text = " ".join(chance.choice(words) for _ in range(400_000)).encode()
    made = number = 0
    while made < size:
        length = min(chance.choice((1024, 4096, 20_000, 200_000, 2_000_000, 16_000_000, 64_000_000)), max(1024, size // 8))
        place = folder / f"class{number % 7}" / f"shard{number % 31}" / "lsm"
        place.mkdir(parents=True, exist_ok=True)
        with open(place / f"segment-{number}.db", "wb") as file:
            for start in range(0, length, 1 << 20):
                piece = min(1 << 20, length - start)
                offset = chance.randrange(0, len(text) - piece)
                file.write(chance.randbytes(piece) if chance.random() < 0.6 else text[offset:offset + piece])
        made, number = made + length, number + 1
    for number in range(4000):
        place = folder / "small" / str(number % 50)
        place.mkdir(parents=True, exist_ok=True)
        (place / str(number)).write_bytes(chance.randbytes(chance.randrange(3000)))


def timed(command, **options):
    """Seconds that a shell command takes with nothing in the page cache."""
    subprocess.run(["sync"], check=True)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
        drop.write("3")
    began = time.monotonic()
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT, **options)
    return time.monotonic() - began


def run(given, workspace):
    """Prints a line for each tool."""
    source, place = workspace.folder("restore-source"), workspace.folder("restore")
    make(source, 1_000_000_000 if not given.quick else 200_000_000)
    size = int(subprocess.run(["du", "-sb", source], capture_output=True, check=True).stdout.split()[0])
    asof = asof_process.Asof(given.asof, workspace).init()
    asof.run("follow", "--once", "--no-stop", source, timeout=600)
    commands = {"asof": f"'{asof.binary}' restore --at latest --to '{place}/asof' -q"}
    elsewhere = tempfile.mkdtemp(prefix="asof-bench-", dir="/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    if elsewhere:
        shutil.copytree(asof.repository, elsewhere, dirs_exist_ok=True)
        commands["asof, from elsewhere"] = f"'{asof.binary}' restore -r '{elsewhere}' --at latest --to '{place}/asof, from elsewhere' -q"
    else:
        print("SKIPPED: restore from elsewhere: there is no /dev/shm", flush=True)
    for name, (begin, backup, restore) in PEERS.items():
        if not shutil.which(name):
            print(f"SKIPPED: restore by {name}: it is not installed (apt-get install {'borgbackup' if name == 'borg' else name})", flush=True)
            continue
        words = {"repo": place / f"{name}-repository", "source": source, "target": place / name}
        for command in (begin, backup):
            subprocess.run([word.format(**words) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
        commands[name] = restore.format(**words)
    tar = place / "all.tar"
    subprocess.run(["tar", "-C", source, "-cf", tar, "."], check=True)
    subprocess.run(["zstd", "-q", "-3", "-k", tar], check=True)
    commands["zstd -d"] = f"zstd -q -d -c '{tar}.zst' > /dev/null"
    commands["zstd -d into a file"] = f"zstd -q -d '{tar}.zst' -o '{place}/zstd -d into a file'"
    commands["write, fsync"] = f"dd if=/dev/zero of='{place}/written' bs=1M count={size >> 20} conv=fsync"
    commands["read"] = f"find '{asof.repository}' -type f -exec cat {{}} + > /dev/null"
    commands["read and write at once"] = f"{commands['read']} & {commands['write, fsync'].replace('/written', '/written-too')}; wait"
    ENVIRONMENT.update(asof.environment)
    seconds = {name: [] for name in commands}
    order = random.Random(1)
    for number in range(given.runs):
        for name in order.sample(list(commands), len(commands)):
            seconds[name].append(timed(commands[name]))
            # Not removed yet: for some seconds ext4 looks long for inodes where others were removed, which would be the next one's loss.
            for left in (name, "written", "written-too"):
                if (place / left).exists():
                    (place / left).rename(place / f"{left}-{number}")
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{'restore: ' + name:<34} {'MB/s':<9} {size / 1e6 / middle[name]:>10,.0f} ({size / 1e6 / max(values):,.0f}…{size / 1e6 / min(values):,.0f})", flush=True)
    peers = [middle[name] for name in PEERS if name in middle]
    if peers:
        print(f"{'restore: asof against the faster of ' + ' and '.join(n for n in PEERS if n in middle):<62} {min(peers) / middle['asof']:.2f} (must 1.5, stretch 2.5)")
    slower = max(middle["zstd -d"], middle["write, fsync"])
    for name in ("asof", "asof, from elsewhere"):
        if name in middle:
            print(f"{f'restore: {name}, against the slower of zstd -d and writing':<76} {slower / middle[name]:.2f} (must 0.7, stretch 0.9)")
    print(f"{'restore: read and write at once, against the same':<76} {slower / middle['read and write at once']:.2f}")
    print(f"{'restore: read, then write, against the same':<76} {slower / (middle['read'] + middle['write, fsync']):.2f}", flush=True)
    shutil.rmtree(place)
    if elsewhere:
        shutil.rmtree(elsewhere)
