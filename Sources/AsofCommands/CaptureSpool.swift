internal import AsofCapture
internal import AsofCommandLine
internal import AsofCore
internal import AsofRepository
internal import AsofStore
internal import AsofSystem

/// Which spool a capture that starts uses, and what is remembered of it.
enum CaptureSpool {
    /// As `--spool` says, else the default; refused while another one holds what it would leave behind.
    static func choose(_ invocation: Invocation, _ session: Session, backing: String) throws(AsofError) -> Spool {
        let spool = try given(invocation, session) ?? session.defaultSpool
        guard let last = try session.lastCapture(), place(last.spool) != place(spool.folder), let head = try session.timeline.loadHead() else { return spool }
        let way = place(last.spool) == place(session.defaultSpool.folder) ? "without --spool" : "with --spool \(last.spool)"
        let refusal: AsofError
        do throws(AsofError) {
            guard let newest = try Spool(folder: last.spool).unarchived(head, backing: backing) else { return spool }
            refusal = AsofError(
                .failure, "the spool \(last.spool), on which this timeline was captured last, holds transactions up to \(newest); the repository ends at \(head.last)")
        } catch {
            // Two at a time can never be.
            guard error.code != .locked else { throw error }
            refusal = error
        }
        guard invocation.flag("take-over") else {
            throw AsofError(
                refusal.code, refusal.message,
                hint: "start \(way), which archives what waits there first; --take-over leaves it there, never to be archived")
        }
        Console.note("\(refusal.message): left there, as --take-over says")
        return spool
    }

    /// What `--spool` names: for the timeline that was asked for. Another one in its stead has a folder in it.
    private static func given(_ invocation: Invocation, _ session: Session) throws(AsofError) -> Spool? {
        guard let folder = invocation.value("spool").map(place) else { return nil }
        let asked = try invocation.required("timeline")
        return Spool(folder: session.timeline.name == asked ? folder : "\(folder)/\(session.timeline.name)")
    }

    static func remember(_ spool: Spool, _ session: Session) throws(AsofError) {
        let last = LastCapture(repository: session.repository.store.description, spool: spool.folder)
        if try session.lastCapture() == last { return }
        try last.save(stateFolder: session.stateFolder, repository: session.repository, timeline: session.timeline.name)
    }

    /// One spelling for one folder, there or not.
    private static func place(_ path: String) -> String {
        let full = Session.absolute(path)
        if let real = try? SystemCall.realPath(full) { return real }
        return "/" + full.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }
}
