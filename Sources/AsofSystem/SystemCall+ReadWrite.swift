package import AsofCore
internal import CLinux
package import Glibc

extension SystemCall {
    /// `pread(2)` until `buffer` is full or the file ends; returns the bytes read.
    package static func readFully(
        _ descriptor: Int32, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let start = try signed(offset)
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let position = try advanced(start, by: done)
            let count = try checked { pread(descriptor, rest.baseAddress, rest.count, position) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// `length` bytes from `offset`, fewer where the file ends. `length` must not come from an untrusted place.
    package static func readFully(_ descriptor: Int32, at offset: UInt64, length: Int) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(length, 0)) { buffer, count in
            do throws(Errno) {
                let target = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<max(length, 0)])
                count = try readFully(descriptor, at: offset, into: target)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// `read(2)` once, at the file's own position (pipes, sockets, terminals); nothing at its end.
    package static func readSome(_ descriptor: Int32, atMost length: Int) throws(Errno) -> [UInt8] {
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: max(length, 0)) { buffer, count in
            do throws(Errno) { count = try checked { Glibc.read(descriptor, buffer.baseAddress, max(length, 0)) } } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The whole file, as large as `fstat` says and then until it ends (files in /proc say 0). EFBIG beyond `limit` bytes.
    package static func readAll(_ descriptor: Int32, limit: Int = 1 << 31) throws(Errno) -> [UInt8] {
        let size = try status(descriptor).attributes.size
        guard size <= UInt64(limit) else { throw Errno(EFBIG) }
        var bytes: [UInt8] = []
        // Files of /proc say 0, and some of them answer only a read from their start that is large enough.
        var expected = size == 0 ? 4095 : Int(clamping: size)
        while true {
            // One byte more than expected, so that the usual case ends with one short read.
            let piece = try readFully(descriptor, at: UInt64(bytes.count), length: max(expected - bytes.count, 0) + 1)
            bytes = bytes.isEmpty ? piece : bytes + piece
            guard bytes.count > expected else { return bytes }
            guard bytes.count <= limit else { throw Errno(EFBIG) }
            expected = min(max(bytes.count * 2, 4096), limit)
        }
    }

    /// The whole file at `path`.
    package static func readAll(path: some PathBytes, limit: Int = 1 << 31) throws(Errno) -> [UInt8] {
        try readAll(at: AT_FDCWD, path, limit: limit)
    }

    /// The whole file `name` in `directory`.
    package static func readAll(at directory: Int32, _ name: some PathBytes, limit: Int = 1 << 31) throws(Errno) -> [UInt8] {
        let file = try open(at: directory, name, O_RDONLY)
        return try readAll(file.raw, limit: limit)
    }

    /// `pwrite(2)` until everything is written.
    package static func writeFully(
        _ descriptor: Int32, at offset: UInt64, _ bytes: UnsafeRawBufferPointer
    ) throws(Errno) {
        let start = try signed(offset)
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let position = try advanced(start, by: done)
            let count = try checked { pwrite(descriptor, rest.baseAddress, rest.count, position) }
            if count == 0 { throw Errno(EIO) }
            done += count
        }
    }

    /// `pwrite(2)`, once: as many bytes as the file system took.
    package static func writeSome(_ descriptor: Int32, at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int {
        let start = try signed(offset)
        return try checked { pwrite(descriptor, bytes.baseAddress, bytes.count, start) }
    }

    package static func writeFully(_ descriptor: Int32, at offset: UInt64, _ bytes: [UInt8]) throws(Errno) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(Errno) in
            try writeFully(descriptor, at: offset, UnsafeRawBufferPointer(buffer))
        }
    }

    /// `write(2)` at the file's own position (pipes, sockets, `O_APPEND`) until everything is written.
    package static func writeFully(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            done += try checked { Glibc.write(descriptor, rest.baseAddress, rest.count) }
        }
    }

    package static func writeFully(_ descriptor: Int32, _ bytes: [UInt8]) throws(Errno) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(Errno) in
            try writeFully(descriptor, UnsafeRawBufferPointer(buffer))
        }
    }

    /// `pwritev(2)` of all pieces, in order and without gaps, until everything is written. `pieces` is used as scratch space.
    package static func writeFully(
        _ descriptor: Int32, at offset: UInt64, vectors pieces: inout [iovec]
    ) throws(Errno) {
        var position = try signed(offset)
        var first = 0
        while first < pieces.count {
            if pieces[first].iov_len == 0 {
                first += 1
                continue
            }
            let count = Int32(min(pieces.count - first, 1024))
            var written = try checked {
                pieces.withUnsafeBufferPointer { buffer in
                    pwritev(descriptor, buffer.baseAddress.map { $0 + first }, count, position)
                }
            }
            if written == 0 { throw Errno(EIO) }
            position = try advanced(position, by: written)
            while first < pieces.count, written >= pieces[first].iov_len {
                written -= pieces[first].iov_len
                first += 1
            }
            if written > 0 {
                pieces[first].iov_base = pieces[first].iov_base.map { $0 + written }
                pieces[first].iov_len -= written
            }
        }
    }

    /// `copy_file_range(2)` once: bytes copied, 0 at the end of the source. EXDEV, EINVAL or EOPNOTSUPP: copy by hand.
    package static func copyRange(
        from source: Int32, at sourceOffset: UInt64, to target: Int32, at targetOffset: UInt64, length: Int
    ) throws(Errno) -> Int {
        var from = Int64(try signed(sourceOffset))
        var to = Int64(try signed(targetOffset))
        return try checked { asof_copy_file_range(source, &from, target, &to, max(length, 0)) }
    }

    /// Copies `source` from its start to its end to the start of `target`: in the kernel where it can, else through a buffer.
    /// Returns the bytes copied.
    @discardableResult
    package static func copyWhole(from source: Int32, to target: Int32) throws(Errno) -> UInt64 {
        var done: UInt64 = 0
        do throws(Errno) {
            while true {
                let count = try copyRange(from: source, at: done, to: target, at: done, length: 1 << 30)
                if count == 0 { break }
                done += UInt64(count)
            }
            // Some file systems answer 0 for files whose size they do not know; the loop below finds their bytes.
        } catch {
            switch error.rawValue {
            case EXDEV, EINVAL, EOPNOTSUPP, ENOSYS, EPERM, EBADF, ETXTBSY: break
            default: throw error
            }
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try readFully(source, at: done, into: buffer)
            if count == 0 { return done }
            try writeFully(target, at: done, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
            done += UInt64(count)
        }
    }

    private static func advanced(_ offset: Int, by count: Int) throws(Errno) -> Int {
        let (sum, overflow) = offset.addingReportingOverflow(count)
        if overflow { throw Errno(EOVERFLOW) }
        return sum
    }
}
