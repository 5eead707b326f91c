"""Small things that servers do to directories and that a follower may get wrong: one generator a case.

A case is given the directory and a folder outside of it on the same file system. Up to its first `yield` it makes what is there
before following begins; at each later `yield` the directory rests and is compared. It runs as the followed server (case_actor.py).
`EXPECT` says what is allowed besides exact states.
"""
import ctypes
import os
import time

_libc = ctypes.CDLL(None, use_errno=True)
_RENAME_EXCHANGE = 2
_SYMLINK_FOLLOW = 0x400

CASES = {}
#: What a case's program holds until it ends, and not only until its last step.
HELD = []
#: Case → the time between two ticks that it needs.
TICKS = {"overwritten_whole": "1s"}
#: Case → what may happen instead of exact states: "refuse" (an end with a message), "fuzzy", "gap" (states taken back later).
EXPECT = {}


def case(*allowed):
    """Registers a case."""
    def register(body):
        CASES[body.__name__] = body
        EXPECT[body.__name__] = set(allowed)
        return body
    return register


def put(path, data=b"content", mode="wb"):
    """Writes a file."""
    with open(path, mode) as file:
        file.write(data)


def append(path, data):
    """Appends to a file."""
    put(path, data, "ab")


def pages(count, salt=0):
    """Bytes that differ from place to place."""
    return b"".join(bytes((i * 7 + salt + j) % 251 for j in range(64)) * 64 for i in range(count))


@case()
def moved_within(root, outside):
    """A directory is moved within the tree, written through held descriptors and new names, moved again."""
    os.makedirs(f"{root}/a/b/c")
    held = open(f"{root}/a/b/c/segment-1.wal", "wb", buffering=0)
    held.write(b"one")
    os.mkdir(f"{root}/z")
    yield
    os.rename(f"{root}/a/b", f"{root}/z/b")
    held.write(b"two")
    yield
    put(f"{root}/z/b/c/new")
    append(f"{root}/z/b/c/segment-1.wal", b"three")
    os.mkdir(f"{root}/z/b/c/d")
    put(f"{root}/z/b/c/d/deep")
    os.rename(f"{root}/z", f"{root}/a/y")
    held.write(b"four")
    put(f"{root}/a/y/b/c/d/deep", b"other")
    yield
    for i in range(30):
        os.rename(f"{root}/a/y", f"{root}/y{i}")
        put(f"{root}/y{i}/b/c/d/deep", b"%d" % i)
        os.rename(f"{root}/y{i}", f"{root}/a/y")
    yield


@case()
def filled_before_a_watch(root, outside):
    """Directories are made deep and filled at once, before a watch can be there."""
    yield
    for i in range(20):
        deep = f"{root}/d{i}/" + "/".join(f"e{j}" for j in range(12))
        os.makedirs(deep)
        for j in range(5):
            put(f"{deep}/segment-{j}.wal", b"%d %d" % (i, j))
        append(f"{deep}/segment-0.wal", b"more")
    yield
    for i in range(40):
        os.makedirs(f"{root}/new.tmp/x/y")
        put(f"{root}/new.tmp/x/y/file", b"%d" % i)
        os.rename(f"{root}/new.tmp", f"{root}/ready{i}")
        append(f"{root}/ready{i}/x/y/file", b"after")
        put(f"{root}/ready{i}/x/late")
    yield
    # Made outside and moved in, whole.
    os.makedirs(f"{outside}/grown/a/b")
    put(f"{outside}/grown/a/b/file")
    os.rename(f"{outside}/grown", f"{root}/grown")
    put(f"{root}/grown/a/b/second")
    yield
    append(f"{root}/grown/a/b/file", b"third")
    yield


@case()
def hard_links(root, outside):
    """Names of one file come and go; the file is written through what is left."""
    os.makedirs(f"{root}/one")
    os.mkdir(f"{root}/two")
    put(f"{root}/one/segment-1.wal", b"start")
    os.link(f"{root}/one/segment-1.wal", f"{root}/two/segment-2.wal")
    yield
    os.unlink(f"{root}/one/segment-1.wal")
    append(f"{root}/two/segment-2.wal", b"through the remaining name")
    yield
    held = open(f"{root}/two/segment-2.wal", "ab", buffering=0)
    os.link(f"{root}/two/segment-2.wal", f"{root}/one/segment-3.wal")
    os.unlink(f"{root}/two/segment-2.wal")
    held.write(b"through a name that is gone")
    yield
    # A rename onto another name of the same file does nothing at all.
    os.link(f"{root}/one/segment-3.wal", f"{root}/one/segment-4.wal")
    os.rename(f"{root}/one/segment-3.wal", f"{root}/one/segment-4.wal")
    yield
    held.write(b"more")
    os.unlink(f"{root}/one/segment-4.wal")
    put(f"{root}/one/segment-4.wal", b"another file")
    yield


@case()
def short_lived_link(root, outside):
    """A file is written through another name of the tree that comes and goes within a tick; its own name has no event."""
    os.mkdir(f"{root}/links")
    for i in range(10):
        put(f"{root}/segment-{i}.db", b"start")
        put(f"{root}/segment-{i}.wal", b"start")
    yield
    for i in range(10):
        for ending in ("db", "wal"):
            os.link(f"{root}/segment-{i}.{ending}", f"{root}/links/hard")
            append(f"{root}/links/hard", b"through it")
            os.unlink(f"{root}/links/hard")
    # What is new in the same tick must be there, whatever else is looked at for the link's sake.
    for i in range(5):
        put(f"{root}/links/segment-new{i}.bloom", b"new" * 100)
    yield


@case("refuse", "fuzzy")
def hard_link_outside(root, outside):
    """A file of the tree is written through a name outside of it. Inotify cannot hear of that: it must say so or be right."""
    put(f"{root}/segment-1.wal", b"start")
    os.link(f"{root}/segment-1.wal", f"{outside}/other")
    yield
    append(f"{outside}/other", b"from outside")
    yield
    held = open(f"{outside}/other", "ab", buffering=0)
    held.write(b"more")
    yield
    os.unlink(f"{outside}/other")
    held.write(b"through no name that can be seen")
    yield


@case()
def inode_reuse(root, outside):
    """Files are unlinked and made anew so fast that inode numbers come back."""
    put(f"{root}/indexcount", b"12345678")
    yield
    for i in range(300):
        put(f"{root}/segment-1.wal", b"%d" % i * (i % 50))
        os.unlink(f"{root}/segment-1.wal")
    put(f"{root}/segment-1.wal", b"last one")
    yield
    for i in range(300):
        os.unlink(f"{root}/segment-1.wal")
        put(f"{root}/segment-1.wal", b"same size %3d" % i)
    yield
    for i in range(200):
        os.mkdir(f"{root}/tenant")
        put(f"{root}/tenant/file", b"%d" % i)
        os.unlink(f"{root}/tenant/file")
        os.rmdir(f"{root}/tenant")
    os.mkdir(f"{root}/tenant")
    yield
    os.rmdir(f"{root}/tenant")
    put(f"{root}/tenant", b"a file where a directory was")
    yield
    os.unlink(f"{root}/tenant")
    os.mkdir(f"{root}/tenant")
    put(f"{root}/tenant/inside")
    yield


@case()
def replaced_between_ticks(root, outside):
    """Files are unlinked and replaced by others of the same name, size and time."""
    for i in range(20):
        put(f"{root}/segment-{i}.db", b"old%04d" % i)
    yield
    for i in range(20):
        when = os.stat(f"{root}/segment-{i}.db")
        put(f"{root}/segment-{i}.db.tmp", b"new%04d" % i)
        os.utime(f"{root}/segment-{i}.db.tmp", ns=(when.st_atime_ns, when.st_mtime_ns))
        os.rename(f"{root}/segment-{i}.db.tmp", f"{root}/segment-{i}.db")
    yield
    for i in range(0, 20, 2):
        os.rename(f"{root}/segment-{i}.db", f"{root}/segment-{i + 1}.db")
    yield
    for i in range(1, 20, 2):
        os.unlink(f"{root}/segment-{i}.db")
    yield


@case()
def exchanged(root, outside):
    """Two names change places in one call."""
    put(f"{root}/segment-1.db", b"one")
    put(f"{root}/segment-2.db", b"two")
    for name in ("x", "y"):
        os.makedirs(f"{root}/{name}/below")
        put(f"{root}/{name}/below/file", name.encode())
    yield
    for a, b in (("segment-1.db", "segment-2.db"), ("x", "y"), ("segment-1.db", "x")):
        if _libc.renameat2(-100, f"{root}/{a}".encode(), -100, f"{root}/{b}".encode(), _RENAME_EXCHANGE):
            raise OSError(ctypes.get_errno(), "renameat2")
        yield
    append(f"{root}/segment-1.db/below/file", b"+")
    yield


@case()
def shrinking(root, outside):
    """Files become smaller, and grow again in the same tick."""
    names = ("segment-1.wal", "main.hnsw.commitlog.d/1700000000", "segment-1.db", "something-else", "queue/chunk-1.bin", "indexcount", "a.tmp")
    for name in names:
        os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
        put(f"{root}/{name}", pages(5))
    yield
    for name in names:
        os.truncate(f"{root}/{name}", 6000)
    yield
    for name in names:
        os.truncate(f"{root}/{name}", 0)
        append(f"{root}/{name}", pages(2, 9))
    yield
    for name in names:
        # As long as before, and other bytes.
        os.truncate(f"{root}/{name}", 100)
        append(f"{root}/{name}", pages(2, 77)[100:])
    yield
    for name in names:
        # Longer than before: what is beyond the known end is not all that is new.
        os.truncate(f"{root}/{name}", 4000)
        append(f"{root}/{name}", pages(3, 120)[4000:])
    yield
    for name in names:
        put(f"{root}/{name}", b"")
    yield


@case()
def graph_log_cut_and_appended(root, outside):
    """A torn end of an HNSW log is cut off at a load, and the log goes on; across ticks, and within one."""
    folder = f"{root}/c/s/main.hnsw.commitlog.d"
    os.makedirs(folder)
    log = open(f"{folder}/1700000000", "ab+", buffering=0)
    log.write(pages(4))
    yield
    log.truncate(15_000)
    yield
    log.write(b"y" * 3000)
    yield
    for i in range(10):
        log.truncate(14_000 + i)
        log.write(bytes([65 + i]) * (4000 + 100 * i))
    yield
    put(f"{folder}/1700000000.sorted.tmp", pages(3))
    os.rename(f"{folder}/1700000000.sorted.tmp", f"{folder}/1700000000.sorted")
    put(f"{folder}/1700000001", b"z")
    log.close()
    os.unlink(f"{folder}/1700000000")
    yield


@case()
def sparse_files(root, outside):
    """Holes of a hundred megabytes, punched holes, room without size, stretching."""
    put(f"{root}/segment-1.db", pages(20))
    yield
    with open(f"{root}/raft.db", "wb") as file:
        file.truncate(100 << 20)
        file.seek(70 << 20)
        file.write(b"in the middle")
    yield
    with open(f"{root}/raft.db", "r+b", buffering=0) as file:
        file.seek((100 << 20) - 5)
        file.write(b"end")
        file.seek(4096)
        file.write(pages(2))
    descriptor = os.open(f"{root}/segment-1.db", os.O_RDWR)
    _libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    assert _libc.fallocate(descriptor, 3, 5000, 20_000) == 0
    assert _libc.fallocate(descriptor, 1, 1 << 20, 1 << 20) == 0
    yield
    os.ftruncate(descriptor, 300_000)
    os.pwrite(descriptor, b"far", 299_000)
    yield
    os.truncate(f"{root}/raft.db", 70 << 20)
    os.truncate(f"{root}/raft.db", 90 << 20)
    yield


@case("gap")
def temporary_to_final(root, outside):
    """A growing temporary file gets its header last and its final name; within a tick, and over several."""
    bucket = f"{root}/c/s/lsm/objects"
    os.makedirs(bucket)
    yield
    for i in range(12):
        with open(f"{bucket}/segment-{i}.db.tmp", "wb") as file:
            file.write(bytes(16) + pages(10, i))
            file.seek(0)
            file.write(b"header %8d" % i)
            os.fsync(file.fileno())
        os.rename(f"{bucket}/segment-{i}.db.tmp", f"{bucket}/segment-{i}.db")
    yield
    slow = open(f"{bucket}/segment-90_91.l1.s0.db.tmp", "wb", buffering=0)
    slow.write(bytes(16) + pages(40))
    yield
    slow.write(pages(40, 3))
    # Out of its first page and below what is known: a replica's copy is filled in any order.
    os.pwrite(slow.fileno(), b"patched", 100_000)
    yield
    os.pwrite(slow.fileno(), b"the real header", 0)
    os.rename(f"{bucket}/segment-90_91.l1.s0.db.tmp", f"{bucket}/segment-91.l1.s0.db")
    yield
    slow.write(b"after its renaming")
    os.pwrite(slow.fileno(), b"even below", 200_000)
    slow.close()
    yield


@case("fuzzy", "gap")
def changed_at_rest(root, outside):
    """Files of kinds that do not change once they rest are changed all the same."""
    put(f"{root}/segment-1.db", pages(60))
    put(f"{root}/segment-1.bloom", pages(1))
    yield
    yield
    for name, at in (("segment-1.db", 123_456), ("segment-1.bloom", 77)):
        with open(f"{root}/{name}", "r+b") as file:
            file.seek(at)
            file.write(b"changed")
    yield


@case("refuse", "fuzzy")
def mapped_before(root, outside):
    """A file is mapped for writing before following begins: such changes have no events."""
    import mmap
    put(f"{root}/index", pages(4))
    file = open(f"{root}/index", "r+b")
    memory = mmap.mmap(file.fileno(), 0)
    file.close()
    yield
    memory[5000:5004] = b"mmap"
    yield
    memory[9000:9004] = b"more"
    yield


@case("refuse", "fuzzy", "gap")
def mapped_later(root, outside):
    """The same while it is followed."""
    import mmap
    put(f"{root}/index", pages(4))
    held = open(f"{root}/segment-1.wal", "wb", buffering=0)
    yield
    file = open(f"{root}/index", "r+b")
    memory = mmap.mmap(file.fileno(), 0)
    HELD.append(memory)
    file.close()
    memory[5000:5004] = b"mmap"
    held.write(b"x")
    yield
    memory[9000:9004] = b"more"
    held.write(b"y")
    yield


@case("refuse", "fuzzy", "gap")
def mapped_at_last(root, outside):
    """The same right behind a look at what is mapped, and right before following ends."""
    import mmap
    put(f"{root}/index", pages(4))
    held = open(f"{root}/segment-1.wal", "wb", buffering=0)
    yield
    time.sleep(2)
    held.write(b"x")
    time.sleep(0.1)
    with open(f"{root}/index", "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    HELD.append(memory)
    memory[5000:5004] = b"mmap"
    held.write(b"y")
    yield


@case("refuse", "fuzzy")
def root_moved(root, outside):
    """The data directory itself is moved away and another is made in its place."""
    put(f"{root}/segment-1.wal", b"old")
    held = open(f"{root}/segment-1.wal", "ab", buffering=0)
    yield
    os.rename(root, f"{outside}/moved")
    held.write(b"into the moved one")
    os.mkdir(root)
    put(f"{root}/segment-2.wal", b"new")
    yield
    append(f"{root}/segment-2.wal", b"newer")
    yield


@case("refuse", "fuzzy")
def root_removed(root, outside):
    """The data directory is removed and made again."""
    put(f"{root}/segment-1.wal", b"old")
    yield
    os.unlink(f"{root}/segment-1.wal")
    os.rmdir(root)
    os.mkdir(root)
    put(f"{root}/segment-2.wal", b"new")
    yield
    append(f"{root}/segment-2.wal", b"newer")
    yield


@case()
def out_and_back(root, outside):
    """A directory is moved out of the tree, changed there, and moved back."""
    os.makedirs(f"{root}/tenant/lsm")
    put(f"{root}/tenant/lsm/segment-1.wal", b"start")
    put(f"{root}/tenant/file", b"start")
    held = open(f"{root}/tenant/lsm/segment-1.wal", "ab", buffering=0)
    yield
    os.rename(f"{root}/tenant", f"{outside}/tenant")
    held.write(b"outside")
    yield
    append(f"{outside}/tenant/file", b"changed outside")
    os.mkdir(f"{outside}/tenant/new")
    put(f"{outside}/tenant/new/file")
    held.write(b"outside, later")
    os.rename(f"{outside}/tenant", f"{root}/tenant")
    yield
    held.write(b"back")
    append(f"{root}/tenant/new/file", b"more")
    yield
    for _ in range(20):
        os.rename(f"{root}/tenant", f"{outside}/tenant")
        append(f"{outside}/tenant/file", b"!")
        os.rename(f"{outside}/tenant", f"{root}/tenant")
    yield


@case()
def symbolic_links(root, outside):
    """Symbolic links: made, replaced, dangling, long, of bytes that are no text."""
    put(f"{root}/file")
    os.symlink("file", f"{root}/link")
    yield
    os.symlink("nowhere", f"{root}/dangling")
    os.symlink("x" * 4000, f"{root}/long")
    os.symlink(b"\xff\xfe bytes", os.fsencode(root) + b"/bytes")
    os.symlink("/", f"{root}/to-root")
    yield
    os.symlink("file2", f"{root}/new")
    os.rename(f"{root}/new", f"{root}/link")
    os.unlink(f"{root}/dangling")
    put(f"{root}/dangling", b"a file now")
    os.lchown(f"{root}/long", 12, 34)
    os.utime(f"{root}/long", ns=(1, 2), follow_symlinks=False)
    yield
    os.link(f"{root}/link", f"{root}/link-of-link", follow_symlinks=False)
    yield


@case()
def attributes(root, outside):
    """Modes, owners, times, extended attributes; also those that hide a change of contents."""
    os.mkdir(f"{root}/folder")
    put(f"{root}/segment-1.db", b"contents")
    put(f"{root}/other", b"contents")
    yield
    os.chmod(f"{root}/segment-1.db", 0o600)
    os.chmod(f"{root}/folder", 0o1770)
    os.chown(f"{root}/other", 1234, 5678)
    os.utime(f"{root}/folder", ns=(10 ** 18, 10 ** 18 + 7))
    yield
    os.setxattr(f"{root}/segment-1.db", "user.one", b"1")
    os.setxattr(f"{root}/folder", "user.two", b"2" * 2000)
    os.setxattr(f"{root}/other", "user.empty", b"")
    yield
    os.setxattr(f"{root}/segment-1.db", "user.one", b"another")
    os.removexattr(f"{root}/folder", "user.two")
    when = os.stat(f"{root}/other")
    put(f"{root}/other", b"CONTENTS")
    os.utime(f"{root}/other", ns=(when.st_atime_ns, when.st_mtime_ns))
    yield
    os.chmod(root, 0o711)
    os.setxattr(root, "user.of-the-root", b"yes")
    os.chmod(f"{root}/other", 0o4755)
    yield


@case()
def names(root, outside):
    """Names of 255 bytes, of no text, with every odd character."""
    place = os.fsencode(root)
    yield
    for name in (b"n" * 255, b"\xff\xfe\x80", b"new\nline", b"back\\slash", b"-dash", b"...", b" ", b"\x01\x7f", "e\u0301 \u00e9 \U0001f332".encode(), b"*?[", b"segment-\xff.wal"):
        put(place + b"/" + name, name)
        os.mkdir(place + b"/d" + name[:254])
        put(place + b"/d" + name[:254] + b"/" + name)
    yield
    os.rename(place + b"/" + b"n" * 255, place + b"/" + b"m" * 255)
    append(place + b"/d\xff\xfe\x80/\xff\xfe\x80", b"more")
    os.rename(place + b"/d\xff\xfe\x80", place + b"/\xfe\xff")
    yield


@case()
def deep_directories(root, outside):
    """Three hundred levels, made, filled and moved."""
    yield
    deep = root + "".join(f"/d{i}" for i in range(300))
    os.makedirs(deep)
    put(f"{deep}/segment-1.wal", b"deep")
    yield
    append(f"{deep}/segment-1.wal", b"er")
    os.rename(f"{root}/d0/d1", f"{root}/e1")
    yield
    append(f"{root}/e1{deep.split('/d1', 1)[1]}/segment-1.wal", b"still")
    yield


@case()
def no_name_yet(root, outside):
    """Files that are written before they have a name, or after they have lost it."""
    put(f"{root}/segment-1.wal", b"start")
    yield
    descriptor = os.open(root, os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(descriptor, pages(3))
    yield
    if _libc.linkat(-100, b"/proc/self/fd/%d" % descriptor, -100, f"{root}/segment-2.db".encode(), _SYMLINK_FOLLOW):
        raise OSError(ctypes.get_errno(), "linkat")
    os.write(descriptor, b"after it got its name")
    yield
    held = open(f"{root}/segment-1.wal", "ab", buffering=0)
    os.unlink(f"{root}/segment-1.wal")
    held.write(b"nobody sees this")
    put(f"{root}/segment-1.wal", b"another")
    yield
    held.write(b"nor this")
    yield


@case()
def many_at_once(root, outside):
    """Three thousand files change between two ticks."""
    for i in range(30):
        os.mkdir(f"{root}/d{i}")
    for i in range(3000):
        put(f"{root}/d{i % 30}/segment-{i}.wal", b"%d" % i)
    yield
    for i in range(3000):
        append(f"{root}/d{i % 30}/segment-{i}.wal", b"+")
    yield
    for i in range(0, 3000, 2):
        os.unlink(f"{root}/d{i % 30}/segment-{i}.wal")
    yield


@case("refuse", "fuzzy")
def special_files(root, outside):
    """A fifo and a socket: no data, and reading them would hang."""
    import socket
    yield
    os.mkfifo(f"{root}/fifo", 0o600)
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"{root}/sock"[:100])
    put(f"{root}/file")
    yield
    os.unlink(f"{root}/fifo")
    os.unlink(f"{root}/sock"[:100])
    yield


@case("fuzzy")
def large_and_unknown(root, outside):
    """A file of a kind that nobody knows, larger than what is read inside a stop."""
    put(f"{root}/mystery", pages(3000))
    yield
    with open(f"{root}/mystery", "r+b") as file:
        for i in range(50):
            file.seek(i * 200_000)
            file.write(b"%d" % i)
    yield
    append(f"{root}/mystery", pages(100))
    yield


@case()
def overwritten_whole(root, outside):
    """Much of what is visible of one file is overwritten at once: one transaction holds it all. Then it is cut off and written anew."""
    block = pages(256)
    put(f"{root}/mystery", block * 250)
    yield
    for salt, size, flags in ((1, 250, os.O_WRONLY), (2, 200, os.O_WRONLY | os.O_TRUNC)):
        block = pages(256, salt)
        file = os.open(f"{root}/mystery", flags)
        for i in range(size):
            os.pwrite(file, block, i << 20)
        os.close(file)
        yield


@case()
def overflow(root, outside):
    """More events between two ticks than the (small) queue of inotify holds."""
    for i in range(40):
        os.mkdir(f"{root}/d{i}")
    held = open(f"{root}/held.wal", "wb", buffering=0)
    yield
    for i in range(40):
        for j in range(60):
            put(f"{root}/d{i}/segment-{j}.wal", b"%d" % j)
            append(f"{root}/d{i}/segment-{j}.wal", b"+")
    yield
    for i in range(40):
        for j in range(0, 60, 3):
            os.rename(f"{root}/d{i}/segment-{j}.wal", f"{root}/d{(i + 1) % 40}/moved-{j}")
    held.write(b"x")
    yield


@case()
def other_namespace(root, outside):
    """The server lives in another pid and mount namespace, with the directory as a volume."""
    held = open(f"{root}/segment-1.wal", "wb", buffering=0)
    held.write(b"start")
    yield
    held.write(b"more")
    put(f"{root}/new")
    yield
    os.mkdir(f"{root}/d")
    put(f"{root}/d/file")
    os.rename(f"{root}/new", f"{root}/d/renamed")
    held.write(b"more")
    yield


@case("refuse")
def too_few_watches(root, outside):
    """Inotify may not have a watch for every directory: following must not begin."""
    for i in range(200):
        os.mkdir(f"{root}/d{i}")
    yield
    put(f"{root}/d150/file")
    yield
