@testable import AsofCapture
import AsofTestSupport
import Testing

@Suite("Content digests")
struct ContentDigestsTests {
    /// What `take` returns, applied to a copy, keeps the copy equal to the file: whatever happens to it between two looks.
    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `nothing that changed is missed, and pages that did not change are left out`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var file = random.bytes(random.below(40_000))
        var copy: [UInt8] = []
        var digests = ContentDigests()
        for step in 0..<30 {
            var touched = 0
            switch random.below(4) {
            case 0: file += random.bytes(1 + random.below(20_000))
            case 1 where !file.isEmpty:
                let at = random.below(file.count)
                file[at] &+= 1
                touched = 1
            case 2 where !file.isEmpty: file.removeLast(random.below(file.count))
            default: touched = -1
            }
            let before = copy.count
            if file.count < copy.count {
                copy.removeLast(copy.count - file.count)
                digests.cut(to: UInt64(file.count))
            }
            let changed = file.withUnsafeBytes { digests.take($0, at: 0) }
            copy += [UInt8](repeating: 0, count: max(0, file.count - copy.count))
            for range in changed { copy.replaceSubrange(range, with: file[range]) }
            #expect(copy == file, "seed \(seed), step \(step)")
            #expect(digests.length == UInt64(file.count))
            if touched >= 0, before == file.count { #expect(changed.reduce(0) { $0 + $1.count } <= touched * ContentDigests.pageLength) }
        }
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `of a file that is appended to, the tail tells whether it was only appended to`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var file = random.bytes(1 + random.below(30_000))
        var digests = ContentDigests()
        _ = file.withUnsafeBytes { digests.take($0, at: 0) }
        digests.forgetAllButTail()
        let start = Int(digests.tailStart)
        let isTornOff = random.chance(50)
        if isTornOff { file[file.count - 1] &+= 1 }
        file += random.bytes(random.below(9000))
        #expect(file[start...].withUnsafeBytes { digests.matchesTail($0) } == !isTornOff, "seed \(seed)")
        // What is read from the tail on is all that must be logged.
        let changed = file[start...].withUnsafeBytes { digests.take($0, at: UInt64(start)) }
        #expect(changed.allSatisfy { $0.upperBound <= file.count - start })
        #expect(digests.length == UInt64(file.count))
    }

    @Test func `nothing is remembered of a file at rest, and what comes is logged`() {
        var digests = ContentDigests(unseen: 10_000)
        #expect(digests.tailStart == 8192)
        let tail = [UInt8](repeating: 1, count: 3000)
        #expect(tail.withUnsafeBytes { digests.matchesTail($0) })
        #expect(tail.withUnsafeBytes { digests.take($0, at: 8192) } == [0..<3000])
        #expect(tail.withUnsafeBytes { digests.take($0, at: 8192) } == [])
    }
}
