import AsofCore
import AsofSystem
import Glibc
import Testing

@Suite("Locks and threads")
struct LockTests {
    @Test func `increments from many threads are never lost`() throws {
        let lock = Lock(0)
        let threads = try (0..<4).map { number in
            try NamedThread("adder-\(number)") { for _ in 0..<20_000 { lock.withLock { $0 += 1 } } }
        }
        for thread in threads { thread.join() }
        #expect(lock.withLock { $0 } == 80_000)
    }

    @Test func `a lock lets go when the body throws`() throws {
        let lock = Lock(1)
        #expect(throws: Errno(EIO)) { try lock.withLock { (_) throws(Errno) in throw Errno(EIO) } }
        #expect(lock.withLockIfFree { $0 } == 1)
    }

    @Test func `a lock that is held is not free`() throws {
        let lock = Lock(1)
        let found = try lock.withLock { _ in
            let found = Lock<Int?>(-1)
            try NamedThread("prober") { found.withLock { $0 = lock.withLockIfFree { $0 } } }.join()
            return found.withLock { $0 }
        }
        #expect(found == nil)
    }

    @Test func `a lock destroys its value`() {
        final class Witness: Sendable {
            let gone: Lock<Bool>
            init(_ gone: Lock<Bool>) { self.gone = gone }
            deinit { gone.withLock { $0 = true } }
        }
        let gone = Lock(false)
        var lock: Lock<Witness>? = Lock(Witness(gone))
        #expect(lock != nil)
        lock = nil
        #expect(gone.withLock { $0 })
    }

    @Test func `a monitor hands items over and every item arrives once`() throws {
        let queue = Monitor<[Int]>([])
        let sum = Lock(0)
        let consumers = try (0..<3).map { number in
            try NamedThread("taker-\(number)") {
                while let item = queue.take({ $0.popLast() }), item > 0 { sum.withLock { $0 += item } }
            }
        }
        for item in 1...1000 {
            queue.withLock { $0.insert(item, at: 0) }
            queue.signal()
        }
        queue.withLock { $0.insert(contentsOf: [0, 0, 0], at: 0) }
        queue.broadcast()
        for consumer in consumers { consumer.join() }
        #expect(sum.withLock { $0 } == 500_500)
    }

    @Test(arguments: [Duration.milliseconds(-5), .zero, .milliseconds(30)])
    func `a wait gives up after its timeout and not before`(timeout: Duration) {
        let monitor = Monitor(0)
        let elapsed = ContinuousClock().measure {
            #expect(!monitor.wait(timeout: timeout) { $0 == 1 })
        }
        #expect(elapsed >= timeout)
        #expect(elapsed < .seconds(20))
    }

    @Test func `a wait with an enormous timeout still wakes`() throws {
        let monitor = Monitor(0)
        let thread = try NamedThread("setter") {
            monitor.withLock { $0 = 1 }
            monitor.broadcast()
        }
        #expect(monitor.wait(timeout: .seconds(Int64.max)) { $0 == 1 })
        thread.join()
    }

    @Test func `a thread carries its name, cut to what the kernel keeps`() throws {
        let seen = Lock("")
        try NamedThread("a-very-long-thread-name") {
            let bytes = try? SystemCall.readAll(path: "/proc/thread-self/comm")
            seen.withLock { $0 = String(decoding: bytes ?? [], as: UTF8.self) }
        }.join()
        #expect(seen.withLock { $0 } == "a-very-long-thr\n")
    }
}
