internal import AsofCommandLine
internal import AsofCore
internal import AsofFormat
internal import AsofRepository
internal import AsofStore
internal import AsofSystem
internal import AsofView
internal import Glibc

/// `asof restore --validate`: whether it can be done, and what it takes. Writes nothing.
enum RestoreValidation {
    private struct Answer: Encodable {
        struct Object: Encodable {
            var name: String
            var bytes: UInt64
        }

        var directory: String
        var lsn: UInt64
        var time: String
        var exact: Bool
        var files: UInt64
        var folders: UInt64
        /// Further names of files.
        var links: UInt64
        var bytes: UInt64
        var space: UInt64
        var free: UInt64
        var base: Object?
        var segments: [Object]
        /// To be read of the objects' bytes.
        var storedBytes: UInt64
        var storedBytesPerSecond: Double?
        var seconds: Double?
        /// In place: who uses the directory now, and must end first.
        var usedBy: String?
        var command: String
    }

    static func run(_ plan: RestorePlan, _ invocation: Invocation, _ progress: RestoreProgress) throws(AsofError) {
        let view = try plan.view()
        let warning = try plan.fuzziness(of: view)
        let space = try RestorePlace.space(at: plan.site)
        let survey = try RestoreSurvey(view, from: plan.begun?.done ?? RestorePosition(), left: plan.begun == nil ? nil : "\(plan.folder)/tree", blockSize: max(512, space.fragmentSize), progress: progress)
        let objects = try RestoreObjects(plan, payload: survey.objects)
        try RestorePlace.requireSpace(for: survey, at: plan.site)
        let rate = try survey.rate(plan.session.repository)
        let limit = try invocation.size("limit")
        let reading = rate.map { Double(survey.storedBytes) / $0 }
        let seconds = limit.map { max(reading ?? 0, Double(survey.bytes) / Double(max(1, $0))) } ?? reading
        let answer = Answer(
            directory: plan.target, lsn: plan.cut.lsn.rawValue, time: plan.cut.time.description, exact: warning == nil, files: survey.files,
            folders: survey.folders, links: survey.links, bytes: survey.bytes, space: survey.space, free: space.availableBytes,
            base: objects.base.map { Answer.Object(name: $0.name, bytes: $0.object.size) },
            segments: objects.chain.map { Answer.Object(name: $0.name, bytes: $0.object.size) },
            storedBytes: survey.storedBytes, storedBytesPerSecond: rate, seconds: seconds,
            usedBy: plan.site.isInPlace ? try RestoreInPlace.users(of: plan.target).text : nil, command: command(plan, invocation))
        if invocation.flag("json") { return try Console.json(answer) }
        show(answer, objects, survey, plan, limit: limit)
        if let warning { Console.note(warning) }
        Console.line(answer.command)
    }

    private static func show(_ answer: Answer, _ objects: RestoreObjects, _ survey: RestoreSurvey, _ plan: RestorePlan, limit: UInt64?) {
        Console.line("state     lsn:\(answer.lsn) of \(answer.time), \(answer.exact ? "exact" : "fuzzy")")
        let more = answer.links == 0 ? "" : ", \(HumanFormat.count(answer.links)) further names"
        Console.line("holds     \(HumanFormat.count(answer.files)) files\(more), \(HumanFormat.count(answer.folders)) folders, \(HumanFormat.bytes(answer.bytes))")
        Console.line("base      \(answer.base.map { "\($0.name), \(HumanFormat.bytes($0.bytes))" } ?? "none: the log is read from its beginning")")
        if let first = objects.chain.first?.object, let last = objects.chain.last?.object {
            Console.line("segments  \(HumanFormat.count(objects.chain.count)) behind it, lsn:\(first.first) to lsn:\(last.last); the chain is whole")
        } else {
            Console.line("segments  none behind it")
        }
        Console.line("read      \(HumanFormat.bytes(answer.storedBytes)) of \(HumanFormat.count(survey.objects.count)) objects; all are there, with the right sizes")
        Console.line("space     \(HumanFormat.bytes(answer.space)) needed, \(HumanFormat.bytes(answer.free)) free")
        if let rate = answer.storedBytesPerSecond, let seconds = answer.seconds {
            Console.line(
                "time      about \(HumanFormat.duration(nanoseconds: Int64(min(seconds, 1e9) * 1e9))): a sample was read and decoded at \(HumanFormat.bytes(UInt64(rate)))/s by one thread\(limit.map { ", and --limit is \(HumanFormat.bytes($0))/s" } ?? ""); a slow disk at \(plan.target), or many small files, take longer")
        }
        if let users = answer.usedBy { Console.line("in use    \(users); that must end before a restore in place begins") }
        if geteuid() != 0 { Console.line("owner     you are not root: what belongs to others will belong to you") }
        if let begun = plan.begun { Console.line("begun     an interrupted restore has \(HumanFormat.count(begun.files)) files, \(HumanFormat.bytes(begun.bytes)), already; the figures are of what is left") }
    }

    /// The command that does it, for the very state that was looked at.
    private static func command(_ plan: RestorePlan, _ invocation: Invocation) -> String {
        var words = ["asof", "restore", "--at", plan.begun?.asked ?? "lsn:\(plan.cut.lsn)", plan.site.isInPlace ? "--in-place" : "--to", plan.target]
        for name in ["repo", "key-file", "key-env", "state-dir", "jobs", "limit"] where invocation.origin(of: name) == .commandLine {
            if let value = invocation.value(name) { words += ["--\(name)", value] }
        }
        // An LSN means another state in another timeline, and the variable that named this one may not be set where the line is given.
        if invocation.origin(of: "timeline") != .fallback { words += ["--timeline", plan.session.timeline.name] }
        return words.map(ShellWord.quoted).joined(separator: " ")
    }
}
