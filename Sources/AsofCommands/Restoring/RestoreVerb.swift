internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// `asof restore`: checks first, then writes, then gives the tree its name.
enum RestoreVerb {
    private struct Answer: Encodable {
        var directory: String
        var lsn: UInt64
        var time: String
        var exact: Bool
        var files: UInt64
        var bytes: UInt64
        var seconds: Double
        /// In this run.
        var bytesPerSecond: Double
        /// In place: where what was there before is kept.
        var replaced: String?
        /// Files, folders and links without their owner, or an extended attribute.
        var incomplete: UInt64
    }

    /// Most of a thread's time goes by in waiting for one disk or the other.
    private static var usualJobs: Int { min(16, 4 * max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        if let directory = invocation.value("discard-old") {
            try DiscardOld.run(directory, invocation)
            return 0
        }
        let plan = try RestorePlan(invocation)
        if plan.site.isInPlace, !invocation.flag("validate") {
            let hidden = try RestoreInPlace.requireUnused(plan.target, isBegun: plan.begun != nil)
            if hidden > 0, !invocation.flag("quiet") { Console.note("\(hidden) processes cannot be looked into: none of them may use \(plan.target) now") }
        }
        let isQuiet = invocation.flag("quiet")
        if let note = plan.note, !isQuiet { Console.note(note) }
        if invocation.flag("dry-run") {
            try DryRun.say(
                "restore lsn:\(plan.cut.lsn) of \(plan.cut.time) \(plan.site.isInPlace ? "in place of what is in" : "to") \(plan.target)",
                with: ["directory": plan.target, "lsn": plan.cut.lsn.description, "time": plan.cut.time.description], invocation)
            return 0
        }
        // Until now a signal ends it as it ends any program: nothing was begun.
        let signals: SignalWaiter
        do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP]) } catch { throw AsofError(error, "cannot block signals") }
        let progress = RestoreProgress()
        let shown = RestoreDisplay(isQuiet: isQuiet)
        try RestoreWork.perform(signals, progress, shown) { () throws(AsofError) in
            if invocation.flag("validate") { try RestoreValidation.run(plan, invocation, progress) } else { try restore(plan, invocation, progress, shown) }
        }
        return 0
    }

    private static func restore(_ plan: RestorePlan, _ invocation: Invocation, _ progress: RestoreProgress, _ shown: RestoreDisplay) throws(AsofError) {
        let began = SystemClock.monotonicNanoseconds()
        let isQuiet = invocation.flag("quiet")
        for path in plan.site.ended() { try RestoreFolder.clear(ended: path) }
        if plan.hasEnded { return Console.line("\(plan.target): restored by the command before; what was left to clear away is gone") }
        let view = try plan.view()
        let warning = try plan.fuzziness(of: view)
        if let warning { Console.note(warning) }
        if let begun = plan.begun, !isQuiet { Console.note("goes on with the restore of lsn:\(begun.lsn) in \(plan.folder): \(HumanFormat.count(begun.files)) files, \(HumanFormat.bytes(begun.bytes)), are there") }
        var survey: RestoreSurvey?
        if plan.begun?.isWhole != true {
            let found = try RestoreSurvey(
                view, from: plan.begun?.done ?? RestorePosition(), left: plan.begun == nil ? nil : "\(plan.folder)/tree",
                blockSize: max(512, try RestorePlace.space(at: plan.site).fragmentSize), progress: progress)
            _ = try RestoreObjects(plan, payload: found.objects)
            try RestorePlace.requireSpace(for: found, at: plan.site)
            shown.expect(found.bytes)
            survey = found
        }
        let folder = try RestoreFolder(
            at: plan.folder, plan.site,
            new: RestoreState(repository: plan.session.repository.id.description, timeline: plan.session.timeline.name, lsn: plan.cut.lsn, asked: plan.asked))
        var options = Restore.Options()
        options.jobs = invocation.count("jobs") ?? usualJobs
        options.rate = try invocation.size("limit")
        let origin = try plan.session.timeline.origin(of: plan.cut, head: plan.head)
        options.origin = origin
        var done = folder.known
        var replaced: String?
        do throws(AsofError) {
            let restore = Restore(view, repository: plan.session.repository, folder: folder, options: options, progress: progress)
            try restore.run(survey)
            if !restore.hasLeftOrigin {
                Console.note("the file system of \(plan.target) keeps no extended attributes: a capture of it must be told where it comes from (`asof clone`, then --timeline)")
            }
            done = folder.known
            if plan.site.isInPlace { progress.beginExchange() }
            if plan.site.isInPlace { replaced = try RestoreInPlace.swap(plan, folder, view, origin, progress) } else { try folder.switchOver() }
        } catch {
            // From the exchange's begin on each failure leaves a mixture, whatever it is about.
            if folder.known.swap != nil {
                throw AsofError(
                    error.code, "\(error.message): \(plan.target) is neither the old state nor the new one now",
                    hint: "\(error.hint ?? "see to that"); then give the same command again: it finishes the exchange; what was there before is in \(plan.folder)")
            }
            guard error.code == .unavailable else { throw error }
            throw AsofError(error.code, error.message, hint: "see to that, and give the same command again: it goes on where this one ended")
        }
        shown.end()
        let incomplete = max(done.incomplete ?? 0, progress.incomplete)
        let seconds = max(0.001, Double(SystemClock.monotonicNanoseconds() - began) / 1e9)
        let rate = Double(progress.bytes) / seconds
        if invocation.flag("json") {
            try Console.json(
                Answer(
                    directory: plan.target, lsn: plan.cut.lsn.rawValue, time: plan.cut.time.description, exact: warning == nil, files: done.files,
                    bytes: done.bytes, seconds: seconds, bytesPerSecond: rate,
                    replaced: replaced, incomplete: incomplete))
        } else {
            say(plan, done, replaced, seconds: seconds, rate: rate)
        }
        if incomplete > 0 { throw isIncomplete(incomplete) }
    }

    static func isIncomplete(_ count: UInt64) -> AsofError {
        AsofError(
            .incomplete, "\(HumanFormat.count(count)) files, folders and links lack their owner, or an extended attribute that only root may set; all else is restored",
            hint: "do it as root where owners matter")
    }

    private static func say(_ plan: RestorePlan, _ done: RestoreState, _ replaced: String?, seconds: Double, rate: Double) {
        Console.line(
            "\(plan.target): the directory as of \(plan.cut.time) (lsn:\(plan.cut.lsn)); \(HumanFormat.count(done.files)) files, \(HumanFormat.bytes(done.bytes)) in \(HumanFormat.duration(nanoseconds: Int64(seconds * 1e9))), \(HumanFormat.bytes(UInt64(rate)))/s")
        if let replaced {
            Console.line("what was there before is kept in \(replaced); no capture takes it in; `asof restore --discard-old \(ShellWord.quoted(plan.target))` removes it")
        }
    }
}
