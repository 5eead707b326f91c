internal import AsofCore
internal import AsofRepository
internal import AsofSystem
internal import AsofWeaviate
internal import Glibc

/// While the server runs: most of the work, so that little is left for the stop.
extension Ticker {
    /// Most of the work, so that little is left for the stop.
    func lookAhead() throws(AsofError) {
        takeFindings()
        for number in linkedOutside { if try hasChanged(number) { tick.touch(number) } }
        var before = Int.max
        for _ in 0..<Self.looksMax {
            hear()
            if dirty.hasOverflowed || mustLookThroughAll { try lookThroughAll() }
            // Too many events even for that: the tick will be missed.
            guard !dirty.hasOverflowed else { return }
            try surveyor.look(at: dirty, &tick)
            dirty.removeAll()
            if surveyor.hasLostTrack { try lookThroughAll() }
            let count = tick.stale.count
            guard count > 0 else { break }
            try examineStale()
            guard !session.isFull else { return }
            guard count > Self.littleEnough, count < before - before / 4 else { break }
            before = count
        }
        // Of those whose names went as well the stop need not ask.
        tick.vanished = tick.vanished.filter(hasName)
        try checkWhatRests()
    }

    func hasName(_ number: InodeNumber) -> Bool { (surveyor.tree[number]?.names ?? 0) > 0 }

    /// Reads files whole that were made under our eyes and have come to rest.
    func checkWhatRests() throws(AsofError) {
        for (number, since) in tick.unchecked where tick.sightings[number] == nil && !tick.stale.contains(number) {
            tick.unchecked[number] = nil
            var allowance = Examination.Allowance.none
            guard let node = surveyor.tree[number],
                let seen = try Examination(number, surveyor, logged: surveyor.tree.digests(of: number) ?? ContentDigests(), isUnchecked: true, &allowance)
            else { continue }
            guard node.isLogged(as: seen.attributes) else {
                // It changes again; the event is on its way.
                tick.unchecked[number] = since
                continue
            }
            if try contents.check(seen, &surveyor.tree) {
                tick.touch(number)
                let path = surveyor.tree.path(of: number)?.map(\.description).joined(separator: "/") ?? "a file without a name"
                session.report("\(path) was written otherwise than \(seen.kind.name)s are: states since \(since.time) become a gap")
                misjudged.append((path, since))
            }
        }
    }

    /// A file with names that nobody watches: its events may go unheard.
    func hasChanged(_ number: InodeNumber) throws(AsofError) -> Bool {
        guard let node = surveyor.tree[number], let descriptor = try surveyor.open(number, SystemCall.O_PATH) else { return true }
        return try !node.isLogged(as: Surveyor.status(of: descriptor).attributes)
    }

    /// What the server writes through memory nobody hears of: while it may, all is looked through, and states are fuzzy.
    func checkMappings(pause: Duration) throws(AsofError) {
        let wasMapping = server.isMapping
        guard try server.checkMappings(pause: pause) else { return }
        if server.isMapping || wasMapping { mustLookThroughAll = true }
        if server.isMapping, !wasMapping, let unmappedUntil { misjudged.append(("a file mapped for writing", unmappedUntil)) }
        if !server.isMapping {
            let end = session.journal.end
            unmappedUntil = CutPoint(lsn: end.lsn, time: end.time)
        }
    }

    func takeFindings() {
        for finding in auditor?.takeFindings() ?? [] {
            session.report("audit: \(finding.path) is not what the log says, although nothing told of a change; it is read again, and states since then become a gap")
            misjudged.append((finding.path, finding.since))
            if let number = surveyor.tree.number(of: finding.handle) {
                surveyor.tree.setDigests(nil, of: number)
                tick.touch(number)
                tick.rewritten.insert(number)
            } else {
                // A name that came to mean another file.
                mustLookThroughAll = true
            }
        }
    }

    func examineStale(isEverything: Bool = false) throws(AsofError) {
        var unfinished: Set<InodeNumber> = []
        for number in tick.stale {
            var allowance = Examination.Allowance(appended: 64 << 10, inPlace: 64 << 10)
            guard let seen = try examine(number, &allowance) else { continue }
            // Of what is new the log has nothing, though the tree has its attributes.
            if isEverything, !tick.born.contains(number), !tick.rewritten.contains(number), let node = surveyor.tree[number], node.isLogged(as: seen.attributes), node.kind.mode == .appendOnly || node.kind.mode == .writtenOnce {
                tick.sightings[number] = nil
                continue
            }
            if try !contents.take(seen, isStill: false, &surveyor.tree, &tick) { unfinished.insert(number) }
            try contents.goAhead()
        }
        tick.stale = unfinished
    }

    /// Looks at one thing; nil where it is gone.
    func examine(_ number: InodeNumber, _ allowance: inout Examination.Allowance) throws(AsofError) -> Examination? {
        let logged = surveyor.tree.digests(of: number) ?? ContentDigests()
        guard let seen = try Examination(number, surveyor, logged: logged, isUnchecked: tick.unchecked[number] != nil, &allowance) else {
            tick.sightings[number] = nil
            if tick.born.contains(number) { tick.vanished.insert(number) }
            return nil
        }
        var sighting = tick.sightings[number] ?? Tick.Sighting()
        sighting.attributes = seen.attributes
        if tick.born.contains(number) || surveyor.tree[number]?.isLogged(as: seen.attributes) == false {
            sighting.extendedAttributes = Surveyor.extendedAttributes(of: number, seen.descriptor)
            if seen.attributes.kind == .symbolicLink, tick.born.contains(number) {
                do throws(Errno) { sighting.target = try SystemCall.readLink(at: seen.descriptor.unmanaged, "") } catch {
                    throw AsofError(error, "cannot read a symbolic link")
                }
            }
        }
        tick.sightings[number] = sighting
        return seen
    }

    /// The kernel lost events, or there were none of what changed: anything may have changed since the last tick. What is found goes into one tick like any other.
    func lookThroughAll() throws(AsofError) {
        // What overflows while we look is lost as well: until a look had none. A tick that never had one is missed in its stop.
        for _ in 0..<5 where dirty.hasOverflowed || surveyor.hasLostTrack || mustLookThroughAll {
            if dirty.hasOverflowed { session.report("events of the directory were lost: all of it is looked through") }
            if dirty.hasOverflowed || surveyor.hasLostTrack { figures.withLock { $0.overflows += 1 } }
            mustLookThroughAll = false
            dirty.removeAll()
            try lookThroughOnce()
        }
    }

    func lookThroughOnce() throws(AsofError) {
        var gathered = tick
        tick = Tick()
        defer { tick = gathered }
        try surveyor.lookThroughAll(&gathered) { [self] (tick) throws(AsofError) in
            // The events of what is looked through later may go on filling the queue.
            hear()
            swap(&tick, &self.tick)
            defer { swap(&tick, &self.tick) }
            try examineStale(isEverything: true)
        }
    }
}
