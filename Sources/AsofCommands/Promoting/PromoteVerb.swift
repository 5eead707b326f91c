internal import AsofCommandLine
internal import AsofCore
internal import AsofFrame
internal import AsofOverlay
internal import AsofRepository
internal import AsofSystem
internal import AsofView
internal import Glibc

/// `asof promote`: writes the past below a mount, then what was changed there, then gives the tree its name.
enum PromoteVerb {
    private struct Answer: Encodable {
        var directory: String
        var lsn: UInt64
        /// `begun`: the past is being written; `ready`: only changes are left; `frozen`: the mount cannot be changed any more, and
        /// not all is written; `done`.
        var stage: String
        var files: UInt64
        var bytes: UInt64
    }

    static func run(_ invocation: Invocation) throws(AsofError) -> Int32 {
        let signals: SignalWaiter
        do throws(Errno) { signals = try SignalWaiter(blocking: [SIGINT, SIGTERM, SIGHUP]) } catch { throw AsofError(error, "cannot block signals") }
        let mounted = try MountedOverlay(invocation)
        var promotion = try promotion(of: mounted, invocation)
        if invocation.flag("status") {
            try requireBegun(promotion, mounted, invocation)
            try say(promotion, mounted, invocation)
            return 0
        }
        let site = RestoreSite(promotion.target, isInPlace: false)
        var ended = endedPath(promotion, mounted)
        if let left = ended, try !isOurs(left, promotion, mounted) { ended = nil }
        if promotion.isDone, ended == nil {
            throw AsofError(.failure, "this mount was promoted to \(promotion.target) already", hint: "asof umount takes the mount away")
        }
        let session = try Session(invocation)
        try RestorePlace.check(site, session, invocation)
        guard !FolderLayout.isInside(promotion.target, (try? SystemCall.realPath(mounted.folder)) ?? mounted.folder) else {
            throw AsofError(.usage, "\(promotion.target) lies in the overlay \(mounted.folder), and would go with it", hint: "promote to a folder elsewhere")
        }
        let path = RestoreFolder.promotionPath(for: promotion.target)
        let begun = try RestoreFolder.state(at: path)
        let isBegun = begun != nil
        if promotion.isFrozen, !isBegun, let ended {
            // It has its name already; a crash came before that was noted, or before all was cleared away.
            return try end(&promotion, clearing: ended, mounted, invocation)
        }
        if let begun { try require(begun, isOf: mounted, path) }
        try PromotedChanges.require(mounted.id, in: path)
        if !isBegun || (try? SystemCall.status("\(path)/tree")) != nil { try RestorePlace.requireFree(promotion.target) }
        if invocation.flag("dry-run") {
            try DryRun.say("promote the mount to \(promotion.target)", with: ["directory": promotion.target], invocation)
            return 0
        }
        let folder = try RestoreFolder(
            at: path, site,
            new: RestoreState(
                repository: mounted.repository.configuration.id.description, timeline: mounted.view.timeline, lsn: mounted.view.cut.lsn, asked: RestoreState.askedByPromotion))
        // By now it may be another's.
        try require(folder.known, isOf: mounted, path)
        try remember(promotion, mounted, invocation)
        try hydrate(mounted, folder, promotion, invocation, signals)
        let incomplete = folder.known.incomplete ?? 0
        guard invocation.flag("finalize") else {
            try say(promotion, mounted, invocation)
            if incomplete > 0 { Console.note(RestoreVerb.isIncomplete(incomplete).message) }
            return 0
        }
        if !promotion.isFrozen { try MountWriters.settle(try invocation.argument("MOUNTPOINT")) }
        // There is no way back from here, so there must be a way on.
        if try PromotedChanges.owner(in: path) == nil { try RestorePlace.requireSpace(try mounted.contents().changedBytes, at: folder.site) }
        promotion.isFrozen = true
        try OverlayFolder.save(promotion, at: mounted.folder)
        CrashPoint.reach("promote.frozen.before")
        try OverlayControl.freeze(mounted.folder)
        CrashPoint.reach("promote.frozen.after")
        try change(mounted, path, invocation, signals)
        let code = try end(&promotion, clearing: try folder.nameTree(), mounted, invocation)
        if incomplete > 0 { throw RestoreVerb.isIncomplete(incomplete) }
        return code
    }

    /// Throws where there is nothing to tell of.
    private static func requireBegun(_ promotion: OverlayPromotion, _ mounted: MountedOverlay, _ invocation: Invocation) throws(AsofError) {
        guard let begun = try OverlayFolder.promotion(at: mounted.folder) else { throw try isNotBegun(invocation) }
        guard begun.target == promotion.target else {
            throw AsofError(.failure, "\(try invocation.argument("MOUNTPOINT")) is promoted to \(begun.target), and not to \(promotion.target)", hint: "leave --to out")
        }
    }

    /// Throws where the folder at `path` holds the past of another mount. Timelines of one parent number their transactions alike.
    private static func require(_ begun: RestoreState, isOf mounted: MountedOverlay, _ path: String) throws(AsofError) {
        guard begun.repository == mounted.repository.configuration.id.description, begun.timeline == mounted.view.timeline, begun.lsn == mounted.view.cut.lsn.rawValue else {
            throw AsofError(
                .failure, "\(path) holds the promotion of lsn:\(begun.lsn) of timeline \(begun.timeline), not of lsn:\(mounted.view.cut.lsn) of timeline \(mounted.view.timeline)",
                hint: "remove that folder if nobody needs it, or take another --to")
        }
    }

    private static func isNotBegun(_ invocation: Invocation) throws(AsofError) -> AsofError {
        let mountPoint = try invocation.argument("MOUNTPOINT")
        return AsofError(.failure, "no promotion of \(mountPoint) was begun", hint: "asof promote \(ShellWord.quoted(mountPoint)) --to DIR begins one")
    }

    /// The tree stands under its name, and says so until that is noted.
    private static func end(_ promotion: inout OverlayPromotion, clearing ended: String, _ mounted: MountedOverlay, _ invocation: Invocation) throws(AsofError) -> Int32 {
        promotion.isDone = true
        try OverlayFolder.save(promotion, at: mounted.folder)
        try RestoreFolder.clear(ended: ended)
        try say(promotion, mounted, invocation)
        return 0
    }

    /// Whether this mount's promotion left `ended`. Of one that is done, part of it may be cleared away.
    private static func isOurs(_ ended: String, _ promotion: OverlayPromotion, _ mounted: MountedOverlay) throws(AsofError) -> Bool {
        let owner = try PromotedChanges.owner(in: ended)
        return owner == mounted.id || promotion.isDone && owner == nil
    }

    /// The one that was begun, or a new one.
    private static func promotion(of mounted: MountedOverlay, _ invocation: Invocation) throws(AsofError) -> OverlayPromotion {
        let begun = try OverlayFolder.promotion(at: mounted.folder)
        guard let given = invocation.value("to") else {
            if begun == nil, invocation.flag("status") { throw try isNotBegun(invocation) }
            guard let begun else { throw AsofError(.usage, "nothing says where the mount is to be promoted to", hint: "give --to DIR") }
            return begun
        }
        let target = try RestorePlace.resolve(given)
        guard let begun, begun.target != target else { return begun ?? OverlayPromotion(target: target) }
        let isEnded = begun.isDone ? true : try isEnded(begun, mounted)
        guard !isEnded else {
            throw AsofError(.failure, "this mount was promoted to \(begun.target) already", hint: "copy that folder, or move it")
        }
        // What is frozen stays so, and is the same wherever it goes.
        var promotion = OverlayPromotion(target: target)
        promotion.isFrozen = begun.isFrozen
        return promotion
    }

    /// The target can be made: from now on a command without --to means it.
    private static func remember(_ promotion: OverlayPromotion, _ mounted: MountedOverlay, _ invocation: Invocation) throws(AsofError) {
        let before = try OverlayFolder.promotion(at: mounted.folder)
        try OverlayFolder.save(promotion, at: mounted.folder)
        guard let before, before.target != promotion.target, !invocation.flag("quiet") else { return }
        let left = RestoreFolder.promotionPath(for: before.target)
        if (try? SystemCall.status(left)) != nil { Console.note("what was written for \(before.target) stays in \(left): remove it if nobody needs it") }
    }

    /// Whether the target has its name, even if that is not noted yet.
    private static func isEnded(_ promotion: OverlayPromotion, _ mounted: MountedOverlay) throws(AsofError) -> Bool {
        guard promotion.isFrozen else { return false }
        if let ended = endedPath(promotion, mounted) { return try isOurs(ended, promotion, mounted) }
        let path = RestoreFolder.promotionPath(for: promotion.target)
        return (try? SystemCall.status("\(path)/tree")) == nil ? try PromotedChanges.owner(in: path) == mounted.id : false
    }

    /// What a promotion of this view to that target left to clear away; nil: nothing.
    private static func endedPath(_ promotion: OverlayPromotion, _ mounted: MountedOverlay) -> String? {
        let site = RestoreSite(promotion.target, isInPlace: false)
        let ended = site.endedPath(repository: mounted.repository.configuration.id.description, timeline: mounted.view.timeline, lsn: mounted.view.cut.lsn, isPromotion: true)
        return site.ended().contains(ended) ? ended : nil
    }

    private static func hydrate(
        _ mounted: MountedOverlay, _ folder: RestoreFolder, _ promotion: OverlayPromotion, _ invocation: Invocation, _ signals: SignalWaiter
    ) throws(AsofError) {
        guard !folder.known.isWhole else { return }
        let progress = RestoreProgress()
        let shown = RestoreDisplay(isQuiet: invocation.flag("quiet"))
        var options = Restore.Options()
        options.jobs = invocation.count("jobs") ?? 1
        options.rate = try invocation.size("limit")
        // What was changed in the mount is what a capture of the folder finds different from that state.
        let timeline = try mounted.repository.timeline(mounted.view.timeline)
        options.origin = try timeline.origin(of: mounted.view.cut, head: try timeline.head())
        try RestoreWork.perform(signals, progress, shown) { [options] () throws(AsofError) in
            // Who reads the mount meanwhile goes first.
            NamedThread.yieldToOthers()
            let survey = try RestoreSurvey(
                mounted.view, from: folder.known.done, left: folder.tree, blockSize: max(512, try RestorePlace.space(at: folder.site).fragmentSize), progress: progress)
            try RestorePlace.requireSpace(for: survey, at: folder.site)
            shown.expect(survey.bytes)
            try Restore(mounted.view, repository: mounted.repository, folder: folder, options: options, progress: progress).run()
        }
        // Told to stop when all was written already: what cannot be taken back is not begun.
        try progress.checkStop()
    }

    /// Makes the past that is written into what the mount shows.
    private static func change(_ mounted: MountedOverlay, _ path: String, _ invocation: Invocation, _ signals: SignalWaiter) throws(AsofError) {
        let progress = RestoreProgress()
        let shown = RestoreDisplay(isQuiet: invocation.flag("quiet"))
        let rate = try invocation.size("limit")
        try RestoreWork.perform(signals, progress, shown) { () throws(AsofError) in
            let contents = try mounted.contents()
            shown.expect(max(1, contents.changedBytes))
            try Promotion(contents, of: mounted.id, over: mounted.view, in: path, rate: rate, progress: progress).run()
        }
    }

    private static func say(_ promotion: OverlayPromotion, _ mounted: MountedOverlay, _ invocation: Invocation) throws(AsofError) {
        let state = try RestoreFolder.state(at: RestoreFolder.promotionPath(for: promotion.target))
        let stage = promotion.isDone ? "done" : promotion.isFrozen ? "frozen" : state?.isWhole == true ? "ready" : "begun"
        let answer = Answer(directory: promotion.target, lsn: mounted.view.cut.lsn.rawValue, stage: stage, files: state?.files ?? 0, bytes: state?.bytes ?? 0)
        if invocation.flag("json") { return try Console.json(answer) }
        switch stage {
        case "done": Console.line("\(promotion.target): the mount's last state, as a plain directory; the mount cannot be changed any more")
        case "ready":
            let changes = try mounted.contents().differences(from: mounted.view).count
            Console.line("the past is written for \(promotion.target): \(HumanFormat.count(answer.files)) files, \(HumanFormat.bytes(answer.bytes)); \(HumanFormat.count(UInt64(changes))) changes are left")
            Console.line("stop the server on the mount, then: asof promote \(ShellWord.quoted(try invocation.argument("MOUNTPOINT"))) --finalize")
        case "frozen":
            Console.line("the mount is frozen, and not all is written for \(promotion.target) yet")
            Console.line("to go on: asof promote \(ShellWord.quoted(try invocation.argument("MOUNTPOINT"))) --finalize")
        default:
            guard state != nil else { return Console.line("nothing is written for \(promotion.target) yet") }
            Console.line("the past is being written for \(promotion.target): \(HumanFormat.count(answer.files)) files, \(HumanFormat.bytes(answer.bytes)) until now")
        }
    }
}
