internal import AsofCommandLine
internal import AsofCore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// `asof restore --discard-old DIR`: removes what restores in place kept of what was there before them.
enum DiscardOld {
    private struct Answer: Encodable {
        var directory: String
        var removed: [String]
        var files: UInt64
        var bytes: UInt64
    }

    static func run(_ given: String, _ invocation: Invocation) throws(AsofError) {
        let directory = try RestoreInPlace.directory(given)
        let site = RestoreSite(directory, isInPlace: true)
        if let path = site.begun().first {
            throw AsofError(
                .failure, "a restore of \(directory) is not finished: \(path)", hint: "give the command again that began it; what it replaces is kept until it is done")
        }
        let folders = site.replaced()
        if invocation.flag("dry-run") {
            return try DryRun.say("remove \(folders.isEmpty ? "nothing" : folders.joined(separator: ", "))", with: ["directory": directory], invocation)
        }
        var answer = Answer(directory: directory, removed: folders, files: 0, bytes: 0)
        for path in folders {
            let removal: TreeRemoval
            do throws(Errno) { removal = try remove(path, from: directory) } catch {
                throw AsofError(error, "cannot remove \(path)", hint: "see to that, and give the same command again")
            }
            answer.files += removal.files
            answer.bytes += removal.bytes
        }
        if invocation.flag("json") { return try Console.json(answer) }
        Console.line(
            folders.isEmpty
                ? "\(directory): no restore in place keeps anything there"
                : "\(directory): removed \(folders.joined(separator: ", ")) with \(HumanFormat.count(answer.files)) files, \(HumanFormat.bytes(answer.bytes))")
    }

    private static func remove(_ path: String, from directory: String) throws(Errno) -> TreeRemoval {
        let root = try SystemCall.open(directory, O_RDONLY | O_DIRECTORY)
        let times = try SystemCall.status(root.raw)
        // Half of it must not pass for the old state.
        let folder = try SystemCall.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        if try SystemCall.statusIfPresent(at: folder.raw, "old") != nil {
            try SystemCall.rename(at: folder.raw, "old", to: folder.raw, "discarded")
            try SystemCall.sync(folder.raw)
        }
        let removal = TreeRemoval(at: root.raw)
        try removal.remove(String(path.dropFirst(directory.utf8.count + 1)))
        // The directory is as it was restored: what goes is no part of it.
        try? SystemCall.setTimes(root.raw, accessed: .instant(times.accessed), modified: .instant(times.attributes.modified))
        try SystemCall.sync(root.raw)
        return removal
    }
}
