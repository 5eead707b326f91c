internal import AsofFrame

/// What is remembered of a file's logged bytes: a digest for each page of 4 KiB, so that pages that did not change are not logged again, and
/// pages that changed are not missed.
///
/// A digest is 8 bytes of SHA-256 under a key that this process draws and nobody sees. Who can choose what a database stores cannot choose pages
/// that digest alike without the key, and has one guess in 2^64 for each page changed. Chance alone, at a million changed pages a second, has one
/// taken for unchanged once in 580,000 years.
struct ContentDigests {
    static let pageLength = 4096

    /// The key fills SHA-256's first block, which is hashed once.
    private static let keyed: SHA256Hasher = {
        var hasher = SHA256Hasher()
        hasher.update((0..<64).map { _ in UInt8.random(in: .min ... .max) })
        return hasher
    }()

    private static func digest(_ page: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = keyed
        hasher.update(page)
        return hasher.finish().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The page that `pages` begins with: what is before is forgotten, and counts as unchanged.
    private var first = 0
    private var pages: [UInt64] = []
    /// Bytes of the file that the log has; the last page may be short.
    private(set) var length: UInt64 = 0

    init() {}

    /// The log has `length` bytes of the file, unseen by us.
    init(unseen length: UInt64) {
        self.length = length
        first = Int(tailStart / UInt64(Self.pageLength))
    }

    /// The log has `length` bytes of the file, and the last page's digest is `tail`.
    init(tail: UInt64, length: UInt64) {
        self.init(unseen: length)
        pages = [tail]
    }

    /// What is to be kept beside the length; all that there is, as a rule, of a file that rests.
    enum Summary {
        case unseen
        case tail(UInt64)
    }

    /// Nil: more than the last page is remembered, or another one.
    var summary: Summary? {
        if pages.isEmpty { return .unseen }
        return pages.count == 1 && length > 0 && first == Int(tailStart / UInt64(Self.pageLength)) ? .tail(pages[0]) : nil
    }

    var byteCount: Int { pages.capacity * 8 + 48 }

    /// Where the page of the last byte begins: it is never empty, so that a file cut off and written anew shows there.
    var tailStart: UInt64 { length == 0 ? 0 : (length - 1) / UInt64(Self.pageLength) * UInt64(Self.pageLength) }

    /// True when `bytes`, which begin at `tailStart`, begin with what the last page held.
    func matchesTail(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = Int(length - tailStart)
        guard count > 0 else { return true }
        // Nothing is remembered of a file that was at rest when capture started.
        guard let last = pages.last else { return true }
        guard bytes.count >= count else { return false }
        return Self.digest(UnsafeRawBufferPointer(rebasing: bytes[..<count])) == last
    }

    /// Whether `bytes` are what the first page holds, as far as the file has it; nil: nothing is remembered of it.
    func matchesHead(_ bytes: [UInt8]) -> Bool? {
        guard first == 0, let head = pages.first else { return nil }
        let count = min(Int(length), Self.pageLength)
        guard bytes.count >= count else { return false }
        return bytes.withUnsafeBytes { Self.digest(UnsafeRawBufferPointer(rebasing: $0[..<count])) == head }
    }

    /// Takes the file's bytes from `offset`, a multiple of the page's length, on. Returns the ranges in `bytes` that are not as they were,
    /// neighbours joined.
    mutating func take(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> [Range<Int>] {
        var changed: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + Self.pageLength, bytes.count)
            let page = Int(offset / UInt64(Self.pageLength)) + start / Self.pageLength - first
            let digest = Self.digest(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            if page < 0 || page >= pages.count || pages[page] != digest {
                if let last = changed.last, last.upperBound == start {
                    changed[changed.count - 1] = last.lowerBound..<end
                } else {
                    changed.append(start..<end)
                }
            }
            if pages.isEmpty { first += page }
            if page >= pages.count { pages.append(digest) } else if page >= 0 { pages[page] = digest }
            start = end
        }
        length = max(length, offset + UInt64(bytes.count))
        return changed
    }

    /// A hole lies before `offset`, the begin of a page: nothing is remembered of what is before it.
    mutating func skip(to offset: UInt64) {
        pages = []
        first = Int(offset / UInt64(Self.pageLength))
        length = max(length, offset)
    }

    /// Keeps the last page only: of a file that is appended to, or not changed at all.
    mutating func forgetAllButTail() {
        guard pages.count > 1 else { return }
        first += pages.count - 1
        pages = Array(pages.suffix(1))
    }

    /// The file ends at `size` now. The page that the end lies in counts as changed.
    mutating func cut(to size: UInt64) {
        guard size < length else { return }
        let kept = Int(size / UInt64(Self.pageLength))
        pages.removeLast(min(pages.count, max(0, first + pages.count - kept)))
        if pages.isEmpty { first = kept }
        length = UInt64(kept * Self.pageLength)
    }
}
