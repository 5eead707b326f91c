internal import AsofCore
internal import AsofFuse
internal import AsofSystem
internal import Glibc

enum StackedMount {
    /// Two mounts on one place hide each other, and the lower one cannot be taken away alone.
    static func refuse(_ mountPoint: String) throws(AsofError) {
        guard let path = try? SystemCall.realPath(mountPoint), MountTable.isOurs(path) else { return }
        throw AsofError(.failure, "something of asof is mounted at \(path) already", hint: "`asof umount \(path)` takes it away")
    }

    /// Runs `mount`, which mounts something there, while nobody else does, and where nobody has.
    static func excluding<Value>(at mountPoint: String, _ mount: () throws(AsofError) -> Value) throws(AsofError) -> Value {
        // The folder below: all who come at the same time have it in common. Where it cannot be opened, mounting says why.
        guard let folder = try? SystemCall.open(mountPoint, O_RDONLY | O_DIRECTORY) else { return try mount() }
        try lock(folder, mountPoint)
        try refuse(mountPoint)
        let mounted = try mount()
        withExtendedLifetime(folder) {}
        return mounted
    }

    /// A mount takes a moment. A capture holds the lock of what it captures for its life: that is not waited for.
    private static func lock(_ folder: borrowing OwnedDescriptor, _ mountPoint: String) throws(AsofError) {
        for _ in 0..<100 {
            // Where a file system knows no locks there is none.
            guard let isOurs = try? SystemCall.tryLock(folder.raw), !isOurs else { return }
            try refuse(mountPoint)
            SystemClock.sleep(.milliseconds(50))
        }
        throw AsofError(.locked, "\(mountPoint) is locked: it is being captured, another asof is mounting something there, or another program holds its lock (flock)", hint: "`asof status` says what asof does there; mount elsewhere")
    }
}
