/// How a file system is mounted.
package struct MountOptions: Sendable {
    /// Lets users other than the mounting one in (`allow_other`); for root always possible, else `/etc/fuse.conf` must agree.
    package var allowOther: Bool
    /// What `mount` and `df` show as the source.
    package var fileSystemName: String
    /// The file system's type is `fuse.<subtype>`.
    package var subtype: String
    /// Mounts with `ro`. A file system that says it is read-only is always mounted so.
    package var isReadOnly: Bool
    /// Threads that take requests. Two are the best on two cores (more only help where calls wait for a network).
    package var threads: Int
    /// The kernel checks permissions by mode, owner and group. False: everyone may do everything the mount lets them see.
    package var checksPermissions: Bool
    /// Bytes in one write or read request at most.
    package var maximumTransfer: Int
    /// Nobody but this mount changes the files, so the kernel may keep names, attributes and pages for ever.
    package var cacheForever: Bool
    /// Sequential reads come in pieces of 512 KiB where the kernel asks for 128 otherwise. For files whose bytes are decoded.
    package var readsAhead: Bool

    package init(
        allowOther: Bool = false, fileSystemName: String = "asof", subtype: String = "asof", isReadOnly: Bool = false,
        threads: Int = 2, checksPermissions: Bool = true, maximumTransfer: Int = 1 << 20, cacheForever: Bool = true, readsAhead: Bool = false
    ) {
        self.allowOther = allowOther
        self.fileSystemName = fileSystemName
        self.subtype = subtype
        self.isReadOnly = isReadOnly
        self.threads = threads
        self.checksPermissions = checksPermissions
        self.maximumTransfer = maximumTransfer
        self.cacheForever = cacheForever
        self.readsAhead = readsAhead
    }

    /// The text after `-o`. Commas and backslashes in names are escaped as libfuse reads them.
    func optionText(isReadOnly: Bool) -> String {
        var options = ["fsname=" + Self.escaped(fileSystemName), "subtype=" + Self.escaped(subtype)]
        if checksPermissions { options.append("default_permissions") }
        if allowOther { options.append("allow_other") }
        if isReadOnly { options.append("ro") }
        return options.joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if character == "," || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
