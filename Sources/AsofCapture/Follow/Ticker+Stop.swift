internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// While the server stands still, and what must be looked at right behind that.
extension Ticker {
    /// Stops the server, looks at what changed since, lets it go. Returns as of when everything holds, and whether nothing moved meanwhile;
    /// nil: the tick was missed.
    func standingStill() throws(AsofError) -> (moment: Instant, isExact: Bool)? {
        var (attempt, rounds) = (1, 0)
        while true {
            let isPatient = missed >= Self.missedMax
            var report: StopReport?
            do throws(StopFailure) { report = try stopServer() } catch {
                server.noteMissed(missed)
                session.report("a tick was missed: the server could not be stopped (\(error))")
                if !isPatient { return nil }
            }
            let start = SystemClock.monotonicNanoseconds()
            let deadline = isPatient ? UInt64.max : start &+ UInt64(max(0, (options.cap * (missed + 1)).nanoseconds))
            let isBounded = report != nil && !isPatient && rounds < Self.roundsMax
            let looked = Result { () throws(AsofError) in try lookOnce(until: deadline, atMost: isBounded ? Self.stallWanted / examinationCost : .max) }
            let held = server.resume()
            CrashPoint.reach("follow.stop.after")
            let stall = SystemClock.monotonicNanoseconds() &- start
            if let report { figures.withLock { $0.note(stall: .nanoseconds(Int64(stall)) + report.took) } }
            let look = try looked.get()
            inStop = look.seen.count
            for seen in look.seen { _ = try contents.take(seen, isStill: true, &surveyor.tree, &tick) }
            guard look.isWhole else { return nil }
            guard look.hasRoom else {
                // Much was written at once since the last look: that is looked at while the server runs, too.
                rounds += 1
                try lookAhead()
                continue
            }
            let isStopped = report != nil && held
            // Without a server nobody writes; somebody who does shows in an event that was born while we looked, or in an open file.
            let isQuiet = report == nil && server.isAlone(changed: look.seen)
            let isExact = look.isStill && (isStopped || isQuiet) && !server.isMapping
            if isExact || attempt == 2 {
                try checkWhatWasReadLater()
                return (report?.stoppedAt ?? look.moment, isExact)
            }
            attempt += 1
        }
    }

    /// Tries a few times, briefly each: a thread in the middle of a slow write stops when that has ended, and until then the others should run.
    func stopServer() throws(StopFailure) -> StopReport? {
        let cap = min(options.cap, options.cap / 4 * (missed + 1))
        var attempt = 1
        while true {
            let start = SystemClock.monotonicNanoseconds()
            do throws(StopFailure) { return try server.stop(within: cap) } catch {
                // It stood still in vain, most of it.
                let stall = SystemClock.monotonicNanoseconds() &- start
                figures.withLock { $0.note(stall: .nanoseconds(Int64(clamping: stall))) }
                guard error == .timedOut, attempt < 4 else { throw error }
            }
            SystemClock.sleep(.milliseconds(10 * attempt))
            attempt += 1
            hear()
        }
    }

    struct Look {
        var seen: [Examination] = []
        /// False: there was no time to look at everything.
        var isWhole = true
        /// False: there was more to look at than a short stop has time for, and nothing was looked at.
        var hasRoom = true
        /// False: something changed while we looked.
        var isStill = true
        var moment: Instant
    }

    /// The look that counts. `limit`: with more files than this none is looked at.
    func lookOnce(until deadline: UInt64, atMost limit: UInt64) throws(AsofError) -> Look {
        var look = Look(moment: SystemClock.now())
        hear()
        if dirty.hasOverflowed || mustLookThroughAll {
            look.isWhole = false
            return look
        }
        CrashPoint.reach("follow.stop.within")
        try surveyor.look(at: dirty, &tick)
        dirty.removeAll()
        guard !surveyor.hasLostTrack else {
            look.isWhole = false
            return look
        }
        tick.stale.formUnion(tick.doubtful)
        for number in linkedOutside { if try hasChanged(number) { tick.touch(number) } }
        // Nobody stands still for us: everything is looked at in one go.
        if server.pid == nil { tick.stale.formUnion(tick.sightings.keys) }
        guard tick.stale.count <= limit else {
            look.hasRoom = false
            return look
        }
        var allowance = Examination.Allowance()
        var count = 0
        let start = SystemClock.monotonicNanoseconds()
        defer { noteCost(of: count, since: start) }
        for attempt in 1...Self.looksAgainMax {
            for number in tick.stale {
                count += 1
                if count % 64 == 0, SystemClock.monotonicNanoseconds() > deadline {
                    look.isWhole = false
                    return look
                }
                if let seen = try examine(number, &allowance) { look.seen.append(seen) }
                tick.stale.remove(number)
            }
            // Where nobody stands still, names come and go as we look.
            guard tick.vanished.contains(where: hasName) else { break }
            try surveyor.lookAgain(at: tick.vanished, isLast: attempt == Self.looksAgainMax, &tick)
        }
        tick.doubtful.removeAll(keepingCapacity: true)
        hear()
        look.isStill = dirty.isEmpty
        return look
    }

    private func noteCost(of count: Int, since start: UInt64) {
        guard count >= 32 else { return }
        let each = (SystemClock.monotonicNanoseconds() &- start) / UInt64(count)
        examinationCost = max(10_000, (examinationCost * 3 + each) / 4)
    }

    /// What was read after the stop, and may have changed in the meantime, makes the tick fuzzy.
    func checkWhatWasReadLater() throws(AsofError) {
        hear()
        var touched: Set<InodeNumber> = []
        for handle in dirty.files { if let number = surveyor.tree.number(of: handle) { touched.insert(number) } }
        for (token, part) in dirty.directories {
            for name in part.touched { if let number = surveyor.tree.target(of: name, in: InodeNumber(token.rawValue)) { touched.insert(number) } }
        }
        for seen in try contents.changedWhileRead(touched: touched) {
            let path = surveyor.tree.path(of: seen.number)?.map(\.description).joined(separator: "/")
            tick.torn.append("\(path ?? "a file without a name") (\(seen.kind.name), \(seen.attributes.size) bytes)")
        }
    }
}
