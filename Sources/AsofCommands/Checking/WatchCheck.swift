internal import AsofCore
internal import AsofSystem
internal import Glibc

/// How changes would be heard of.
enum WatchCheck {
    /// `directories`: how many there are, counted up to a limit.
    static func judge(directories: Int, isLimited: Bool, watches: Int?, queue: Int?) -> [CheckResult] {
        let count = isLimited ? "more than \(directories)" : "\(directories)"
        var results: [CheckResult] = []
        if let watches {
            let finding = "\(count) directories, fs.inotify.max_user_watches is \(watches)"
            results.append(
                directories < watches
                    ? .ok("inotify watches", finding) : .missing("inotify watches", finding, hint: "sysctl fs.inotify.max_user_watches=\(max(directories * 2, 1_048_576))"))
        }
        if let queue, queue < 65_536 {
            results.append(
                .weak("inotify queue", "fs.inotify.max_queued_events is \(queue): where it overflows, everything is looked through", hint: "sysctl fs.inotify.max_queued_events=1048576"))
        }
        return results
    }

    static func run(_ directory: String, by kind: WatchKind?) -> [CheckResult] {
        guard let opened = try? SystemCall.open(directory, O_RDONLY | O_DIRECTORY) else { return [] }
        let choice: TreeWatching.Choice
        do throws(WatchFailure) { choice = try TreeWatching.best(for: opened.raw, by: kind) } catch {
            return [.missing("watch", "\(error)", hint: "run as root, or leave --watch-by away")]
        }
        guard choice.kind == .inotify else { return [.ok("watch", choice.reason)] }
        let (count, isLimited) = directories(directory, limit: 200_000)
        return [.weak("watch", choice.reason, hint: "CAP_SYS_ADMIN gives fanotify: one mark instead of a watch for each directory")]
            + judge(
                directories: count, isLimited: isLimited, watches: number("/proc/sys/fs/inotify/max_user_watches"),
                queue: number("/proc/sys/fs/inotify/max_queued_events"))
    }

    private static func directories(_ root: String, limit: Int) -> (Int, isLimited: Bool) {
        var stack = [root]
        var count = 0
        while let next = stack.popLast() {
            count += 1
            guard count < limit else { return (count, true) }
            guard let reader = try? DirectoryReader(next) else { continue }
            while let entry = try? reader.next() { if entry.kind == .directory { stack.append("\(next)/\(entry.name)") } }
        }
        return (count, false)
    }

    static func number(_ path: String) -> Int? {
        guard let bytes = try? SystemCall.readAll(path: path, limit: 4096) else { return nil }
        return Int(String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self))
    }
}
