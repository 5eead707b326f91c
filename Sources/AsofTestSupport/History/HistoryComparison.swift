package import AsofCore
internal import AsofFormat
internal import AsofRepository
package import AsofView
internal import Glibc

/// Compares a view with the model of the same transaction, and says the first difference.
package struct HistoryComparison {
    private let history: RecordedHistory

    package init(_ history: RecordedHistory) { self.history = history }

    /// Nil: the view is what it should be. `isThorough`: reads every byte of every file that is not absurdly large, else only where
    /// anything ever happened. Throws what the view throws.
    package func difference(_ view: View, at lsn: LSN, isThorough: Bool = false) throws(AsofError) -> String? {
        guard let position = Int(exactly: lsn.rawValue), history.models.indices.contains(position) else { return "no model of \(lsn)" }
        let model = history.models[position]
        for inode in history.touched.keys.sorted() {
            if let found = try difference(view, model, inode, isThorough) {
                return "seed \(history.options.seed), lsn \(lsn), inode \(inode): \(found)\n\(log(of: inode, upTo: position))"
            }
        }
        return nil
    }

    private func difference(
        _ view: View, _ model: HistoryModel, _ inode: InodeNumber, _ isThorough: Bool
    ) throws(AsofError) -> String? {
        let expected = model.attributes(of: inode)
        let found = try view.attributes(of: inode)
        guard found == expected else { return "attributes are \(text(found)), expected \(text(expected))" }
        guard let expected, let content = model.inodes[inode] else { return nil }
        if expected.isDirectory {
            var entries: [Name: InodeNumber] = [:]
            for entry in try view.entries(of: inode) { entries[entry.name] = entry.inode }
            guard entries == content.entries else { return "names are \(entries), expected \(content.entries)" }
            for name in RandomHistory.names {
                let target = try view.entry(name, in: inode)
                guard target == content.entries[name] else { return "\(name) is \(text(target)), expected \(text(content.entries[name]))" }
            }
        }
        let attributes = try view.extendedAttributes(of: inode)
        guard attributes == content.extendedAttributes else {
            return "extended attributes are \(attributes), expected \(content.extendedAttributes)"
        }
        let target = try view.symbolicLink(inode)
        guard target == content.target else { return "the target is \(text(target)), expected \(text(content.target))" }
        guard expected.isRegular else { return nil }
        return try contentDifference(view, content, inode, expected.size, isThorough)
    }

    private func contentDifference(
        _ view: View, _ content: HistoryModel.Inode, _ inode: InodeNumber, _ size: UInt64, _ isThorough: Bool
    ) throws(AsofError) -> String? {
        var windows: [Range<UInt64>] = []
        if isThorough, size <= 20 << 20 {
            windows = stride(from: 0, to: size, by: 1 << 20).map { $0..<min(size, $0 + 1 << 20) }
        } else {
            for block in (history.touched[inode] ?? []).union([size / SparseBytes.blockLength]).sorted() {
                let start = block * SparseBytes.blockLength
                guard start < size else { break }
                let end = min(size, start + SparseBytes.blockLength)
                if let last = windows.last, last.upperBound == start, last.count < 1 << 20 {
                    windows[windows.count - 1] = last.lowerBound..<end
                } else {
                    windows.append(start..<end)
                }
            }
        }
        for window in windows {
            // Asks for more than there is at the end, and finds what it must not touch untouched.
            var found = [UInt8](repeating: 0xEE, count: window.count + 3)
            var failure: AsofError?
            let count = found.withUnsafeMutableBytes { buffer -> Int in
                let wanted = window.upperBound == size ? buffer : UnsafeMutableRawBufferPointer(rebasing: buffer[..<window.count])
                do throws(AsofError) { return try view.read(inode, size: size, offset: window.lowerBound, into: wanted) } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            guard count == window.count else { return "\(count) bytes at \(window.lowerBound), expected \(window.count)" }
            let expected = content.content.bytes(in: window)
            // Not `==`, which takes its time in a debug build.
            let isSame = found.withUnsafeBytes { found in
                expected.withUnsafeBytes { expected in
                    guard let left = found.baseAddress, let right = expected.baseAddress else { return expected.isEmpty }
                    return memcmp(left, right, expected.count) == 0
                }
            }
            guard isSame, found[found.count - 3] == 0xEE, found[found.count - 2] == 0xEE, found[found.count - 1] == 0xEE else {
                let index = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? count
                return "byte \(window.lowerBound + UInt64(index)) is \(found[index]), expected \(index < count ? String(expected[index]) : "nothing")"
            }
        }
        return nil
    }

    private func text<Value>(_ value: Value?) -> String { value.map { "\($0)" } ?? "nothing" }

    /// What happened to an inode, segment by segment.
    private func log(of inode: InodeNumber, upTo position: Int) -> String {
        var lines: [String] = []
        for step in history.steps.prefix(position) {
            if history.head.segments.contains(where: { $0.first == step.transaction.lsn }) { lines.append("  -- segment") }
            for operation in step.transaction.operations where operation.inode == inode {
                lines.append("  \(step.transaction.lsn) \(step.transaction.verb): \(operation)")
            }
            if history.head.bases.contains(where: { $0.last == step.transaction.lsn }) { lines.append("  -- base") }
        }
        return lines.suffix(60).joined(separator: "\n")
    }
}

extension RecordedHistory {
    /// Checks every transaction: through a process of its own, with all bases and with only some. Nil: all as it should be.
    package func firstDifference(thoroughEvery period: Int = 16) throws(AsofError) -> String? {
        let comparison = HistoryComparison(self)
        let timeline = try reopened()
        let reader = ObjectReader(repository: timeline.repository)
        var random = SplitMix64(seed: options.seed ^ 0xC0FFEE)
        let whole = try timeline.head()
        guard whole == head else { return "seed \(options.seed): the head is another when read again" }
        for (index, step) in steps.enumerated() {
            var head = whole
            if random.chance(50) { head.bases = head.bases.filter { _ in random.chance(50) } }
            let cut = try timeline.resolve(.lsn(step.transaction.lsn), head: head, reader: reader)
            guard cut.time == step.transaction.time else { return "seed \(options.seed), lsn \(cut.lsn): its time is \(cut.time)" }
            let view = try View(cut, of: timeline, head: head, reader: reader)
            let isThorough = index % period == period - 1 || index == steps.count - 1
            if let found = try comparison.difference(view, at: cut.lsn, isThorough: isThorough) { return found }
            let byTime = try timeline.resolve(.instant(step.transaction.time), head: head, reader: reader)
            let expected = steps.last { $0.transaction.time <= step.transaction.time }?.transaction.lsn
            guard byTime.lsn == expected else { return "seed \(options.seed): \(cut.time) is lsn \(byTime.lsn), expected \(expected ?? .zero)" }
        }
        return nil
    }
}
