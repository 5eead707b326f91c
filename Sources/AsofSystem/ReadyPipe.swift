package import AsofCore
internal import Glibc

/// How a child in the background tells its starter that it is ready, or why it will not be: one line on descriptor 3, then it
/// closes it.
///
/// The starter makes a pipe, spawns the child with `inheritance` among its descriptors, and calls `wait`. The child calls
/// `ReadyPipe.report` once.
package struct ReadyPipe: ~Copyable {
    /// The descriptor's number in the child.
    package static let descriptor: Int32 = 3

    private let reader: OwnedDescriptor
    private var writer: OwnedDescriptor?

    package init() throws(Errno) {
        var ends: (Int32, Int32) = (-1, -1)
        _ = try withUnsafeMutablePointer(to: &ends) { (pair) throws(Errno) in
            try pair.withMemoryRebound(to: Int32.self, capacity: 2) { (ends) throws(Errno) in
                try SystemCall.checked { pipe(ends) }
            }
        }
        // Two steps, not pipe2: children of ours get what they are given and nothing else, flags or not.
        for end in [ends.0, ends.1] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        reader = OwnedDescriptor(taking: ends.0)
        writer = OwnedDescriptor(taking: ends.1)
    }

    /// What the child is given: the writing end as descriptor 3.
    package var inheritance: ChildProcess.Inheritance {
        let source: Int32
        switch writer {
        case .some(let writer): source = writer.raw
        case .none: source = -1
        }
        return ChildProcess.Inheritance(source: source, target: Self.descriptor)
    }

    /// What a child said of itself.
    package enum Report: Hashable, Sendable {
        case ready
        /// The child's own words.
        case failed(String)
        /// It ended, or closed the pipe, without a word.
        case silent
        case timedOut
    }

    /// Closes our copy of the writing end and waits for the child's line.
    package mutating func wait(timeout: Duration) throws(Errno) -> Report {
        writer = nil
        let deadline = ContinuousClock.now + timeout
        var line: [UInt8] = []
        while line.last != 0x0A {
            guard try SystemCall.waitReadable(reader.raw, until: deadline) else { return .timedOut }
            var piece = [UInt8](repeating: 0, count: 4096)
            let count = try piece.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try SystemCall.checked { read(reader.raw, buffer.baseAddress, buffer.count) }
            }
            if count == 0 || line.count > 1 << 16 { break }
            line += piece.prefix(count)
        }
        let text = String(decoding: line.prefix { $0 != 0x0A }, as: UTF8.self)
        return text == "ok" ? .ready : text.isEmpty ? .silent : .failed(text)
    }

    /// In the child: says that it is ready (nil) or what went wrong, and closes the pipe. Errors are dropped: the starter may
    /// be gone.
    package static func report(failure: String? = nil) {
        let text = failure.map { $0.split(separator: "\n").joined(separator: "; ") } ?? "ok"
        try? SystemCall.writeFully(descriptor, Array((text + "\n").utf8))
        close(descriptor)
    }
}

extension SystemCall {
    /// Waits until a read would not block (or would fail); false when `deadline` comes first (nil: never).
    package static func waitReadable(_ descriptor: Int32, until deadline: ContinuousClock.Instant?) throws(Errno) -> Bool {
        try waitFor(Int16(POLLIN), descriptor, until: deadline)
    }

    /// Waits until a write would not block (or would fail).
    package static func waitWritable(_ descriptor: Int32, until deadline: ContinuousClock.Instant?) throws(Errno) -> Bool {
        try waitFor(Int16(POLLOUT), descriptor, until: deadline)
    }

    private static func waitFor(
        _ events: Int16, _ descriptor: Int32, until deadline: ContinuousClock.Instant?
    ) throws(Errno) -> Bool {
        while true {
            var milliseconds: Int32 = -1
            if let deadline {
                let left = max(deadline - ContinuousClock.now, .zero)
                // Rounded up, so that the last wait does not spin.
                milliseconds = Int32(clamping: min(left / .milliseconds(1), 1_000_000).rounded(.up).exactInteger)
            }
            var request = pollfd(fd: descriptor, events: events, revents: 0)
            let count = poll(&request, 1, milliseconds)
            if count > 0 { return true }
            if count < 0, errno != EINTR { throw Errno(errno) }
            if let deadline, ContinuousClock.now >= deadline { return false }
        }
    }
}

extension Double {
    fileprivate var exactInteger: Int64 { Int64(exactly: self) ?? 0 }
}
