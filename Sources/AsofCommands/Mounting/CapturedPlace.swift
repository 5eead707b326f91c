internal import AsofCore
internal import AsofFuse
internal import AsofSystem
internal import AsofView
internal import Glibc

/// Places where what asof writes would be taken for a change, or would not be heard of.
enum CapturedPlace {
    /// Throws for a folder in a mount of asof, or in what a recorder captures.
    static func refuse(_ path: String, _ hint: String) throws(AsofError) {
        for (backing, mountPoint) in MountTable.recorded() where FolderLayout.isWithin(path, backing) && !isDead(mountPoint) {
            throw AsofError(
                .usage, "\(path) lies in \(backing), which `asof record` captures at \(mountPoint): it would not hear of what is written there", hint: hint)
        }
        try refuseMount(path, hint)
    }

    /// The same for mounts alone.
    static func refuseMount(_ path: String, _ hint: String) throws(AsofError) {
        var above = path
        while above.count > 1 {
            if MountTable.isOurs(above) { throw AsofError(.usage, "\(path) lies in a mount of asof, \(above)", hint: hint) }
            above = RestoreFolder.parent(of: above)
        }
    }

    /// Nobody serves what is mounted there any more.
    private static func isDead(_ mountPoint: String) -> Bool {
        do throws(Errno) {
            let mount = try SystemCall.open(mountPoint, SystemCall.O_PATH)
            // What the kernel says of itself it may have kept; this it asks for.
            _ = try SystemCall.fileSystemStatus(mount.raw)
            return false
        } catch { return error.rawValue == ENOTCONN }
    }
}
