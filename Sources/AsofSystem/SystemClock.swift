package import AsofCore
internal import Glibc

/// The machine's clocks. What needs a clock that tests can move takes a closure and gets one of these in production.
package enum SystemClock {
    /// Wall-clock time (`CLOCK_REALTIME`). May step.
    package static func now() -> Instant { Instant(read(CLOCK_REALTIME)) }

    /// Nanoseconds since the machine started, sleep included (`CLOCK_BOOTTIME`). Never steps.
    package static func bootNanoseconds() -> UInt64 {
        let time = read(CLOCK_BOOTTIME)
        return UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
    }

    /// Nanoseconds on the clock that time-outs use (`CLOCK_MONOTONIC`).
    package static func monotonicNanoseconds() -> UInt64 {
        let time = read(CLOCK_MONOTONIC)
        return UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
    }

    /// The kernel's random name for the time since the last boot; the same for every process and container of the machine.
    package static func bootIdentifier() throws(Errno) -> String {
        let bytes = try SystemCall.readAll(path: "/proc/sys/kernel/random/boot_id", limit: 4096)
        return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
    }

    /// Sleeps, also through signals.
    package static func sleep(_ duration: Duration) {
        let deadline = monotonicDeadline(after: duration)
        var target = deadline
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &target, nil) == EINTR {}
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}
