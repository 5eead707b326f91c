package import AsofCore
package import AsofFormat

/// The index of one sealed object, a segment's or a base's: looks keys up, reading a page at most for each.
package final class RunReader: Sendable {
    package let object: SealedObject
    package let name: String
    package let tail: ObjectTail
    private let reader: ObjectReader
    private let isBase: Bool

    /// Reads the tail. `isBase`: the reader gives it up where it is damaged.
    package init(_ object: SealedObject, name: String, isBase: Bool = false, reader: ObjectReader) throws(AsofError) {
        self.object = object
        self.name = name
        self.isBase = isBase
        self.reader = reader
        tail = try Self.noting(isBase ? object : nil, reader) { () throws(AsofError) in try reader.tail(of: object, name: name) }
    }

    /// Runs `body`, which reads from the object; `base`: it is one.
    private static func noting<Value>(_ base: SealedObject?, _ reader: ObjectReader, _ body: () throws(AsofError) -> Value) throws(AsofError) -> Value {
        do throws(AsofError) { return try body() } catch {
            if let base, error.code == .damaged { reader.giveUp(base, error) }
            throw error
        }
    }

    private func page(_ number: Int) throws(AsofError) -> IndexPage {
        try Self.noting(isBase ? object : nil, reader) { () throws(AsofError) in try reader.page(tail.pages[number], of: name, object.id) }
    }

    /// False: the index says nothing of the inode, in no key.
    package func knows(_ inode: InodeNumber) -> Bool { tail.inodes.contains(inode) }

    package func value(_ key: IndexKey) throws(AsofError) -> IndexValue? {
        guard let number = pageNumber(key) else { return nil }
        let page = try page(number)
        let index = page.lowerBound(key)
        guard index < page.keys.count, page.keys[index] == key else { return nil }
        return try value(page, index)
    }

    /// Calls `body` for each key of the inode and kind, in order.
    package func scan(
        _ inode: InodeNumber, _ kind: IndexKey.Kind, _ body: (IndexKey, IndexValue) throws(AsofError) -> Void
    ) throws(AsofError) {
        let start = IndexKey.first(inode, kind)
        var number = pageNumber(start) ?? 0
        while number < tail.pages.count {
            let page = try page(number)
            for index in page.lowerBound(start)..<page.keys.count {
                let key = page.keys[index]
                guard key.inode == inode, key.kind == kind else { return }
                try body(key, try value(page, index))
            }
            number += 1
        }
    }

    /// Reads the whole index, a page at a time, past the cache.
    package func pages() -> any IndexSource { PageSequence(run: self, reader: reader) }

    private func value(_ page: IndexPage, _ index: Int) throws(AsofError) -> IndexValue {
        try Self.noting(isBase ? object : nil, reader) { () throws(AsofError) in
            do throws(FormatError) { return try page.value(at: index, objects: tail.objects.count) } catch {
                throw AsofError(.damaged, "\(name) is damaged: \(error.description)")
            }
        }
    }

    /// The page that would hold the key: the last one that does not begin behind it.
    private func pageNumber(_ key: IndexKey) -> Int? {
        var low = 0
        var high = tail.pages.count
        while low < high {
            let middle = (low + high) / 2
            if tail.pages[middle].firstKey <= key { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    private final class PageSequence: IndexSource {
        private let run: RunReader
        private let reader: ObjectReader
        private var number = 0

        init(run: RunReader, reader: ObjectReader) {
            self.run = run
            self.reader = reader
        }

        var objects: [ObjectReference] { run.tail.objects }

        func nextPage() throws(AsofError) -> IndexPage? {
            guard number < run.tail.pages.count else { return nil }
            defer { number += 1 }
            return try RunReader.noting(run.isBase ? run.object : nil, reader) { () throws(AsofError) in
                try reader.uncachedPage(run.tail.pages[number], of: run.name, run.object.id)
            }
        }
    }
}
