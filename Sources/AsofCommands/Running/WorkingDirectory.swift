internal import Glibc

/// The folder in which this process was started, by its name then: what it lies on a mount namespace of one's own may lack.
enum WorkingDirectory {
    /// Nil: it had none any more.
    static let path: String? = {
        guard let folder = getcwd(nil, 0) else { return nil }
        defer { free(folder) }
        return String(cString: folder)
    }()
}
