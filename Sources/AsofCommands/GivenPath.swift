internal import AsofCore
internal import AsofSystem
internal import Glibc

/// A path that somebody gave.
enum GivenPath {
    /// The path of a directory that is to be captured, without links.
    static func captured(_ path: String) throws(AsofError) -> String {
        let real = try real(path)
        if let status = try? SystemCall.status(real), !status.attributes.isDirectory {
            throw AsofError(.failure, "\(path) is not a directory", hint: "a directory is captured as a whole: name the one that holds it")
        }
        return real
    }

    /// The path without links. `missing`: what to do where nothing is there.
    static func real(_ path: String, missing: String = "make the folder first, or look at how its name is written") throws(AsofError) -> String {
        do throws(Errno) { return try SystemCall.realPath(path) } catch {
            if error.rawValue == ENOENT { throw AsofError(error, path, hint: missing) }
            guard error.rawValue == ENOTCONN else { throw AsofError(error, path) }
            throw AsofError(
                .failure, "\(path) is a mount whose server has died", hint: "`asof umount --lazy \(path)`, then try again")
        }
    }
}
