package import AsofCore
internal import CLinux
internal import Glibc

/// Namespaces of the calling thread: threads and programs that it starts from then on share them.
package enum Namespaces {
    package struct Kinds: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }

        package static let mounts = Kinds(rawValue: ASOF_NEW_MOUNTS)
        package static let hostName = Kinds(rawValue: ASOF_NEW_HOST_NAME)
        /// Only for a process that has one thread yet.
        package static let users = Kinds(rawValue: ASOF_NEW_USERS)
        /// Not for the caller itself: the next program that it starts is the first of the new namespace. Such a thread can start no threads.
        package static let processes = Kinds(rawValue: ASOF_NEW_PROCESSES)
        package static let network = Kinds(rawValue: ASOF_NEW_NETWORK)
    }

    /// New ones of these kinds (`unshare(2)`).
    package static func leave(_ kinds: Kinds) throws(Errno) { _ = try SystemCall.checked { asof_unshare(kinds.rawValue) } }

    /// The network of the process `pid`, for `enterNetwork`.
    package static func network(of pid: Int32) throws(Errno) -> SharedDescriptor {
        SharedDescriptor(try SystemCall.open("/proc/\(pid)/ns/net", O_RDONLY))
    }

    /// Moves the calling thread, and what it starts, into a network.
    package static func enterNetwork(_ network: SharedDescriptor) throws(Errno) {
        _ = try network.withRaw { raw throws(Errno) in try SystemCall.checked { asof_enter_namespace(raw, ASOF_NEW_NETWORK) } }
    }

    /// A mount namespace of our own. What we mount is seen in it alone; what others unmount goes here as well, so that no disk of
    /// the host is held busy.
    package static func leaveMounts() throws(Errno) {
        try leave(.mounts)
        _ = try SystemCall.checked { asof_keep_mounts_to_ourselves() }
    }

    /// For a user without privileges: a user namespace in which there is nobody but this user, with mounts of its own. The programs that are
    /// started keep its capabilities until `dropCapabilities`.
    package static func leaveAsUser() throws(Errno) {
        let (user, group) = (geteuid(), getegid())
        try leave([.users, .mounts])
        // Without it a user could leave a group that keeps files from him; the kernel insists.
        try write("deny", to: "/proc/self/setgroups")
        try write("\(user) \(user) 1", to: "/proc/self/uid_map")
        try write("\(group) \(group) 1", to: "/proc/self/gid_map")
        _ = try SystemCall.checked { asof_keep_mounts_to_ourselves() }
        _ = try SystemCall.checked { asof_hand_capabilities_on() }
    }

    /// Ends what `leaveAsUser` began, for a program that is not ours.
    package static func dropCapabilities() throws(Errno) { _ = try SystemCall.checked { asof_drop_handed_capabilities() } }

    /// In the first process of a process namespace: a `/proc` that shows it.
    package static func mountProcesses() throws(Errno) { _ = try SystemCall.checked { asof_mount_proc() } }

    /// In a network namespace of our own.
    package static func raiseLoopback() throws(Errno) { _ = try SystemCall.checked { asof_raise_loopback() } }

    /// In a host name namespace of our own.
    package static func setHostName(_ name: String) throws(Errno) {
        let bytes = name.utf8.map { CChar(bitPattern: $0) }
        _ = try SystemCall.checked { sethostname(bytes, bytes.count) }
    }

    /// Puts `bytes` in the place of the file at `path`, in this mount namespace alone. The file below is not touched.
    package static func cover(_ path: String, with bytes: [UInt8]) throws(Errno) {
        // The new file lives in memory: mounted for a moment where no program of ours looks, and kept by the second mount alone.
        let place = "/proc"
        _ = try SystemCall.checked(place) { asof_mount_memory($0) }
        defer { umount2(place, Int32(MNT_DETACH)) }
        let file = try SystemCall.open("\(place)/file", O_WRONLY | O_CREAT, mode: 0o644)
        try SystemCall.writeFully(file.raw, bytes)
        _ = try SystemCall.checked(path) { target in "\(place)/file".withCString { asof_mount_over($0, target) } }
    }

    private static func write(_ text: String, to path: String) throws(Errno) {
        let file = try SystemCall.open(path, O_WRONLY)
        try SystemCall.writeFully(file.raw, Array(text.utf8))
    }
}
