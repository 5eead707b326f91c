internal import AsofCore
internal import AsofFuse
internal import AsofSystem

enum StackedMount {
    /// Two mounts on one place hide each other, and the lower one cannot be taken away alone.
    static func refuse(_ mountPoint: String) throws(AsofError) {
        guard let path = try? SystemCall.realPath(mountPoint), MountTable.isOurs(path) else { return }
        throw AsofError(.failure, "something of asof is mounted at \(path) already", hint: "`asof umount \(path)` takes it away")
    }
}
