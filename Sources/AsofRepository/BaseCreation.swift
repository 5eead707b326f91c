package import AsofCore
package import AsofFormat
internal import AsofFrame
internal import AsofStore
internal import AsofSystem
internal import Glibc

extension Timeline {
    /// Writes a base from the log: everything up to the end of the newest segment, merged. Reads nothing from the captured directory.
    /// Returns nil when the newest base is as new as that, and whole. `scratch`: a folder for the file while it is written. Bases that turn out to
    /// be damaged leave the head.
    package func createBase(reader: ObjectReader, scratch: String) throws(AsofError) -> (base: SealedObject, inodes: Int)? {
        while true {
            let known = reader.givenUp
            do throws(AsofError) { return try mergeBase(reader: reader, scratch: scratch) } catch {
                guard error.code == .damaged, reader.givenUp > known else { throw error }
            }
        }
    }

    private func mergeBase(reader: ObjectReader, scratch: String) throws(AsofError) -> (base: SealedObject, inodes: Int)? {
        let head = try head()
        if let parent = head.parent, head.segments.isEmpty {
            throw AsofError(
                .outsideWindow, "timeline \(name) has nothing of its own yet: all that it shows is of timeline \(parent.timeline)",
                hint: "asof backup create --type base --timeline \(parent.timeline)")
        }
        guard let first = head.first, let newest = head.segments.last else {
            throw AsofError(.outsideWindow, "timeline \(name) has no recoverable state yet", hint: "wait for the end of the first scan")
        }
        // What a comparison has logged so far is half of the truth: a base of it would be the floor of every later view.
        guard head.unsettledSince == nil else {
            throw AsofError(
                .inGap, "no base can be made yet: the directory is being compared with the log",
                hint: "try again when `asof status` says that this is done; where no capture runs, start one: its comparison was interrupted")
        }
        for base in head.bases { try requireWhole(base, reader) }
        if let base = head.bases.last, base.last >= newest.last, !reader.isGivenUp(base) {
            let pages = try RunReader(base, name: ObjectName.base(name, last: base.last, id: base.id), isBase: true, reader: reader).pages()
            while try pages.nextPage() != nil {}
            if head.bases.contains(where: reader.isGivenUp) { _ = try update { head throws(AsofError) in head.bases.removeAll(where: reader.isGivenUp) } }
            return nil
        }
        guard newest.last >= first.lsn, !head.gaps.contains(where: { newest.last > $0.after.lsn && newest.last < $0.before.lsn }) else {
            throw AsofError(.inGap, "the newest archived state is inside a gap", hint: "wait until the directory was read again")
        }
        var sources: [any IndexSource] = []
        for layer in try layers(at: newest.last, head: head, reader: reader) {
            switch layer {
            case .run(let run): sources.append(run.pages())
            case .part(let part): sources.append(try part.pages())
            }
        }
        let header = ObjectHeader(kind: .run, id: .random(), first: LSN(1), epoch: head.epoch)
        let sealer = repository.sealer(for: header.id)
        let builder = try BaseBuilder(
            header: header, sources: sources, sealer: sealer, compression: repository.configuration.compression)
        let made = try storing(scratch, header.id) { write throws(AsofError) in
            try builder.build(
                last: newest.last, lastTime: newest.lastTime, highestInode: newest.highestInode, write: write)
        }
        _ = try update { head throws(AsofError) in
            head.bases.removeAll(where: reader.isGivenUp)
            if head.bases.contains(where: { $0.last >= made.summary.last }) { return }
            head.bases.append(made.summary)
        }
        return (made.summary, made.inodes)
    }

    /// Gives a base up whose size is another than the head says: of the older ones no more is looked at.
    private func requireWhole(_ base: SealedObject, _ reader: ObjectReader) throws(AsofError) {
        let name = ObjectName.base(self.name, last: base.last, id: base.id)
        let size = try repository.store.size(name)
        guard size != base.size else { return }
        reader.giveUp(
            base, AsofError(.damaged, "\(repository.store.description)/\(name) \(size.map { "has \($0) bytes instead of \(base.size)" } ?? "is missing")"))
    }

    /// Builds an object in a scratch file and puts it into the store.
    private func storing(
        _ scratch: String, _ id: ObjectID,
        _ build: (_ write: ([UInt8]) throws(AsofError) -> Void) throws(AsofError) -> (summary: SealedObject, inodes: Int)
    ) throws(AsofError) -> (summary: SealedObject, inodes: Int) {
        let path = "\(scratch)/base-\(id)"
        let descriptor: SharedDescriptor
        do throws(Errno) {
            descriptor = SharedDescriptor(try SystemCall.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode: 0o600))
            try SystemCall.unlink(path)
        } catch {
            throw AsofError(error, "cannot make a scratch file in \(scratch)")
        }
        var position: UInt64 = 0
        let made = try build { bytes throws(AsofError) in
            do throws(Errno) {
                try descriptor.withRaw { raw throws(Errno) in try SystemCall.writeFully(raw, at: position, bytes) }
            } catch {
                throw AsofError(error, "cannot write a scratch file in \(scratch)")
            }
            position += UInt64(bytes.count)
        }
        let name = ObjectName.base(self.name, last: made.summary.last, id: made.summary.id)
        try descriptor.withRaw { raw throws(AsofError) in try repository.store.put(name, fromDescriptor: raw) }
        return made
    }
}
