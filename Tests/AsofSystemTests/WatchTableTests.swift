import AsofCore
import AsofSystem
import AsofTestSupport
import Testing

@Suite("Tables of watches")
struct WatchTableTests {
    @Test(arguments: 0..<6 as Range<UInt64>)
    func `the table of handles agrees with two dictionaries`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var table = HandleTable()
        var byHandle: [[UInt8]: WatchToken] = [:]
        // Few handles and tokens, so that they meet often; much removal, so that slots and arena are cleaned up.
        let handles = (0..<400).map { number in [UInt8(number & 255), UInt8(number >> 8)] + random.bytes(random.below(30)) }
        for step in 0..<6000 {
            let handle = handles[random.below(handles.count)]
            let token = WatchToken(UInt64(random.below(500)))
            if random.chance(step % 2000 < 1200 ? 70 : 20) {
                byHandle = byHandle.filter { $0.value != token }
                byHandle[handle] = token
                handle.withUnsafeBytes { table.set($0, token) }
            } else {
                byHandle = byHandle.filter { $0.value != token }
                table.remove(token)
            }
            #expect(table.count == byHandle.count)
            if step % 100 == 0 {
                for handle in handles { #expect(handle.withUnsafeBytes { table.token(of: $0) } == byHandle[handle]) }
            }
        }
        #expect([UInt8]().withUnsafeBytes { table.token(of: $0) } == nil)
    }

    @Test func `the filter knows repeats, never takes a stranger for one, and forgets when told`() {
        var random = SplitMix64(seed: 4)
        var filter = RepeatFilter()
        var seen: Set<[UInt8]> = []
        var hits = 0
        for step in 0..<40_000 {
            if step % 9000 == 8999 {
                filter.forget()
                seen = []
            }
            let key = EventKey.make(random.below(3000))
            let isRepeated = key.withUnsafeBytes { filter.isRepeated($0) }
            if isRepeated {
                hits += 1
                #expect(seen.contains(key))
            }
            seen.insert(key)
        }
        #expect(hits > 10_000)
        let long = [UInt8](repeating: 1, count: 600)
        #expect(!long.withUnsafeBytes { filter.isRepeated($0) })
        #expect(!long.withUnsafeBytes { filter.isRepeated($0) })
    }

    private enum EventKey {
        static func make(_ number: Int) -> [UInt8] { [UInt8](repeating: UInt8(number & 255), count: 20 + number % 200) + [UInt8(number >> 8)] }
    }

    @Test func `a watch number that the kernel gives again is the new directory's after the old one's last event`() {
        var watches = InotifyWatches()
        let (old, new) = (WatchToken(1), WatchToken(2))
        #expect(watches.set(5, old) == nil)
        #expect(watches.token(of: 5) == old)
        #expect(watches.remove(old) == 5)
        #expect(watches.token(of: 5) == nil)
        // Given again while events of the old directory, and its IN_IGNORED, are still in the queue.
        #expect(watches.set(5, new) == nil)
        #expect(watches.token(of: 5) == nil)
        #expect(watches.ignored(5) == nil)
        #expect(watches.token(of: 5) == new)
        // Without a removal of ours the directory is gone.
        #expect(watches.ignored(5) == new)
        #expect(watches.count == 0)
        #expect(watches.ignored(5) == nil)
    }

    @Test func `a lost IN_IGNORED silences nobody`() {
        var watches = InotifyWatches()
        _ = watches.set(5, WatchToken(1))
        _ = watches.remove(WatchToken(1))
        _ = watches.set(5, WatchToken(2))
        watches.expectNothing()
        #expect(watches.token(of: 5) == WatchToken(2))
        // A token that moves leaves its old watch to be removed.
        #expect(watches.set(6, WatchToken(2)) == 5)
        #expect(watches.token(of: 5) == nil)
        #expect(watches.ignored(5) == nil)
        #expect(watches.token(of: 6) == WatchToken(2))
        #expect(watches.count == 1)
    }

    @Test func `a refusal names the setting and the figure`() {
        let failure = WatchFailure.outOfWatches(limit: 8192, needed: 30_000)
        #expect(failure.description == "fs.inotify.max_user_watches is 8192, watching every directory needs 30000")
        #expect(failure.asofError.hint == "sysctl -w fs.inotify.max_user_watches=30000, and in /etc/sysctl.d for the next boot")
        #expect(WatchFailure.notPermitted.asofError.description.contains("CAP_SYS_ADMIN"))
    }
}
