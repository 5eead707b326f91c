import AsofSystem
import AsofTestSupport
import Testing

/// Bytes as the kernel writes them.
private struct EventBytes {
    var bytes: [UInt8] = []
    var ends: [Int] = [0]

    static func little(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

    mutating func inotify(_ watch: Int32, _ mask: UInt32, _ name: String, padding: Int) {
        bytes += Self.little(watch) + Self.little(mask) + Self.little(UInt32(7)) + Self.little(UInt32(name.utf8.count + padding))
        bytes += Array(name.utf8) + [UInt8](repeating: 0, count: padding)
        ends.append(bytes.count)
    }

    mutating func fanotify(_ mask: UInt64, _ records: [[UInt8]]) {
        let body = records.flatMap { $0 }
        bytes += Self.little(UInt32(24 + body.count)) + [3, 0] + Self.little(UInt16(24)) + Self.little(mask)
        bytes += Self.little(Int32(-1)) + Self.little(Int32(4711)) + body
        ends.append(bytes.count)
    }

    static func record(_ kind: UInt8, _ handle: [UInt8], name: String? = nil) -> [UInt8] {
        var tail = little(UInt64(0xF51D)) + little(UInt32(handle.count)) + little(Int32(1)) + handle
        if let name { tail += Array(name.utf8) + [0] }
        while tail.count % 4 != 0 { tail.append(0) }
        return [kind, 0] + little(UInt16(4 + tail.count)) + tail
    }

    static let inotifySample = {
        var sample = EventBytes()
        sample.inotify(1, InotifyEvent.IN_MODIFY, "file", padding: 12)
        sample.inotify(2, InotifyEvent.IN_ATTRIB, "", padding: 0)
        sample.inotify(-1, InotifyEvent.IN_Q_OVERFLOW, "", padding: 0)
        sample.inotify(3, InotifyEvent.IN_CREATE, String(repeating: "n", count: 255), padding: 1)
        return sample
    }()

    static let fanotifySample = {
        var sample = EventBytes()
        let (folder, other, file) = ([UInt8](1...8), [UInt8](11...18), [UInt8](21...32))
        sample.fanotify(FanotifyEvent.FAN_MODIFY, [record(2, folder, name: "file"), record(1, file)])
        sample.fanotify(FanotifyEvent.FAN_ATTRIB | FanotifyEvent.FAN_ONDIR, [record(2, folder, name: ".")])
        sample.fanotify(FanotifyEvent.FAN_RENAME, [record(10, folder, name: "old"), record(12, other, name: "new"), record(1, file)])
        sample.fanotify(FanotifyEvent.FAN_DELETE_SELF, [record(3, folder), record(77, [9])])
        sample.fanotify(FanotifyEvent.FAN_Q_OVERFLOW, [])
        return sample
    }()
}

@Suite("Decoding events of the kernel")
struct WatchDecoderTests {
    private func inotify(_ bytes: [UInt8]) -> (events: [InotifyEvent], isWhole: Bool) {
        var events: [InotifyEvent] = []
        let isWhole = bytes.withUnsafeBytes { InotifyEvent.decode($0) { events.append($0) } }
        for event in events {
            #expect(event.whole.lowerBound >= 0 && event.whole.upperBound <= bytes.count)
            #expect(event.name.isEmpty || event.whole.contains(event.name.lowerBound) && event.whole.contains(event.name.upperBound - 1))
        }
        return (events, isWhole)
    }

    private func fanotify(_ bytes: [UInt8]) -> (events: [FanotifyEvent], isWhole: Bool) {
        var events: [FanotifyEvent] = []
        let isWhole = bytes.withUnsafeBytes { FanotifyEvent.decode($0) { events.append($0) } }
        for event in events {
            let entries = [event.entry, event.oldEntry, event.newEntry].compactMap { $0 }
            for range in entries.flatMap({ [$0.directory, $0.name] }) + [event.object].compactMap({ $0 }) {
                #expect(range.lowerBound >= 0 && range.upperBound <= bytes.count)
            }
        }
        return (events, isWhole)
    }

    private func text(_ bytes: [UInt8], _ range: Range<Int>?) -> String? { range.map { String(decoding: bytes[$0], as: UTF8.self) } }

    @Test func `inotify events say what was written`() {
        let bytes = EventBytes.inotifySample.bytes
        let (events, isWhole) = inotify(bytes)
        #expect(isWhole)
        #expect(events.map(\.watch) == [1, 2, -1, 3])
        #expect(events.map { text(bytes, $0.name) } == ["file", "", "", String(repeating: "n", count: 255)])
        #expect(events[2].mask == InotifyEvent.IN_Q_OVERFLOW)
    }

    @Test func `fanotify events say what was written`() {
        let bytes = EventBytes.fanotifySample.bytes
        let (events, isWhole) = fanotify(bytes)
        #expect(isWhole)
        #expect(events.count == 5)
        // A handle as StableHandle has it: the type, then the file system's bytes.
        #expect(events[0].entry.map { Array(bytes[$0.directory]) } == [1, 0, 0, 0] + [UInt8](1...8))
        #expect(text(bytes, events[0].entry?.name) == "file")
        #expect(events[0].object.map { Array(bytes[$0]) } == [1, 0, 0, 0] + [UInt8](21...32))
        #expect(events[1].entry?.name.isEmpty == true)
        #expect(text(bytes, events[2].oldEntry?.name) == "old")
        #expect(text(bytes, events[2].newEntry?.name) == "new")
        #expect(events[3].entry?.name.isEmpty == true)
        #expect(events[3].object == nil)
        #expect(events[4].mask == FanotifyEvent.FAN_Q_OVERFLOW)
    }

    @Test func `cut anywhere, the whole events before the cut come out and the cut is told`() {
        for (sample, isFanotify) in [(EventBytes.inotifySample, false), (EventBytes.fanotifySample, true)] {
            for cut in 0...sample.bytes.count {
                let part = Array(sample.bytes.prefix(cut))
                let (count, isWhole) = isFanotify ? { ($0.events.count, $0.isWhole) }(fanotify(part)) : { ($0.events.count, $0.isWhole) }(inotify(part))
                #expect(count == sample.ends.lastIndex { $0 <= cut })
                #expect(isWhole == sample.ends.contains(cut))
            }
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `no bytes make a decoder stop the program or reach outside`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<2500 {
            for sample in [EventBytes.inotifySample.bytes, EventBytes.fanotifySample.bytes] {
                var bytes = sample
                for _ in 0...random.below(4) {
                    let position = random.below(bytes.count)
                    switch random.below(5) {
                    case 0: bytes[position] ^= 1 << UInt8(random.below(8))
                    case 1: bytes[position] = 255
                    case 2: bytes[position] = UInt8(random.below(256))
                    case 3: bytes.remove(at: position)
                    default: bytes.insert(UInt8(random.below(256)), at: position)
                    }
                }
                _ = inotify(bytes)
                _ = fanotify(bytes)
            }
            let noise = random.bytes(random.below(120))
            _ = inotify(noise)
            _ = fanotify(noise)
        }
    }
}
