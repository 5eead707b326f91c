internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import Glibc

/// The repository, its timeline, and the spool in front of it. Takes and makes nothing.
enum RepositoryCheck {
    static func run(_ invocation: Invocation, directory: String?) -> [CheckResult] {
        guard invocation.value("repo") != nil else { return [] }
        var session: Session
        do throws(AsofError) { session = try Session(invocation) } catch {
            return [.missing("repository", error.message, hint: error.hint ?? "`asof init` makes one")]
        }
        var results: [CheckResult] = [.ok("repository", session.repository.store.description)]
        do throws(AsofError) {
            var plan: String?
            if let directory {
                // A directory that was restored is captured in another timeline than the one that is named by default.
                let capture = try CaptureTimeline(invocation, session, of: directory)
                session = capture.planned
                plan = capture.plan
            }
            if let plan {
                results.append(.ok("timeline", "a capture goes on \(plan)"))
            } else if let head = try session.timeline.loadHead(), let holder = head.holder {
                results.append(
                    holder.isKnownDead
                        ? .ok("timeline", "\(session.timeline.name), last held by \(holder.description), which has ended")
                        : .missing("timeline", "\(session.timeline.name) is held by \(holder.description)", hint: "two captures cannot share a timeline: stop that one first, or --take-over when its host is gone for good"))
            } else {
                results.append(.ok("timeline", "\(session.timeline.name), held by nobody"))
            }
        } catch {
            results.append(.missing("timeline", error.message, hint: error.hint ?? "`asof status` says more"))
        }
        let spool = invocation.value("spool").map(Session.absolute) ?? (try? session.lastCapture()).flatMap { $0?.spool } ?? session.defaultSpool.folder
        results += places(spool: spool, repository: try? StoreLocation(parsing: invocation.value("repo") ?? ""), directory: directory)
        return results
    }

    private static func places(spool: String, repository: StoreLocation?, directory: String?) -> [CheckResult] {
        var results: [CheckResult] = []
        let existing = nearest(spool)
        if access(existing, W_OK | X_OK) != 0 {
            results.append(.missing("spool", "\(existing) cannot be written to: \(Errno(errno).text)", hint: "--spool or --state-dir puts it elsewhere"))
        }
        if let free = free(existing) {
            let finding = "\(spool): \(HumanFormat.bytes(free)) free"
            results.append(free > 1 << 30 ? .ok("spool", finding) : .weak("spool", finding, hint: "it holds what the repository has not yet: give it room for the longest outage of the store"))
        }
        guard let directory, let data = try? SystemCall.status(directory) else { return results }
        if FolderLayout.isWithin(spool, directory) {
            results.append(.missing("spool", "it lies in \(directory), which is captured", hint: "--spool or --state-dir puts it elsewhere"))
        } else if FolderLayout.isWithin(directory, spool) {
            results.append(.missing("spool", "\(directory), which is captured, lies in it", hint: "--spool or --state-dir puts it elsewhere"))
        } else if (try? SystemCall.status(existing))?.device == data.device {
            results.append(.weak("spool's disk", "the same file system as the data: a full or broken disk takes both", hint: "put the spool on another disk"))
        }
        if case .directory(let path) = repository, FolderLayout.isWithin(path, directory) {
            results.append(.missing("repository", "it lies in \(directory), which is captured", hint: "keep it elsewhere"))
        } else if case .directory(let path) = repository, FolderLayout.isWithin(directory, path) {
            results.append(.missing("repository", "\(directory), which is captured, lies in it", hint: "keep it elsewhere"))
        } else if case .directory(let path) = repository, (try? SystemCall.status(nearest(Session.absolute(path))))?.device == data.device {
            results.append(.weak("repository's disk", "the same file system as the data: a broken disk takes both", hint: "keep the repository on another disk, or copy it away"))
        }
        return results
    }

    /// The folder, or the nearest above it that is there.
    private static func nearest(_ path: String) -> String {
        var path = path
        while (try? SystemCall.status(path)) == nil, let slash = path.lastIndex(of: "/"), path != "/" { path = slash == path.startIndex ? "/" : String(path[..<slash]) }
        return path
    }

    private static func free(_ path: String) -> UInt64? {
        guard let opened = try? SystemCall.open(path, SystemCall.O_PATH) else { return nil }
        return (try? SystemCall.fileSystemStatus(opened.raw))?.availableBytes
    }
}
