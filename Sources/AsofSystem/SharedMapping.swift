package import AsofCore
internal import CLinux
internal import Glibc

/// A file mapped readable and writable, shared with everybody else who has it open; unmapped when the last reference goes.
///
/// The range must lie within the file: a touch beyond its end, or a page that the disk has no room for, is a SIGBUS. So
/// allocate the range (`SystemCall.allocate`) and then `prefault` it before relying on it.
package final class SharedMapping: @unchecked Sendable {
    // Invariant behind @unchecked Sendable: base and length never change; which thread writes which bytes is agreed by the users.
    package let base: UnsafeMutableRawPointer
    /// Bytes.
    package let length: Int

    /// Maps `length` bytes from `offset`, a multiple of the page size, of an open file. The descriptor may be closed afterwards.
    package init(_ descriptor: Int32, offset: UInt64 = 0, length: Int) throws(Errno) {
        guard length > 0 else { throw Errno(EINVAL) }
        let start = try SystemCall.signed(offset)
        let mapped = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, start)
        guard let mapped, mapped != MAP_FAILED else { throw Errno(errno) }
        base = mapped
        self.length = length
    }

    deinit { munmap(base, length) }

    /// The mapped bytes. Valid while this object lives.
    package var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: length) }

    /// Writes the changed pages of `range` to the disk and waits (`msync` with `MS_SYNC`). Nil: everything.
    package func sync(_ range: Range<Int>? = nil) throws(Errno) {
        let (start, count) = pages(of: range ?? 0..<length)
        if count > 0 { _ = try SystemCall.checked { msync(base + start, count, MS_SYNC) } }
    }

    /// Makes every page of `range` present and writable now, so that later stores do not wait (`MADV_POPULATE_WRITE`).
    /// Throws EFAULT or ENOSPC where a page cannot be had; quietly does nothing on kernels before 5.14.
    package func prefault(_ range: Range<Int>? = nil) throws(Errno) {
        let (start, count) = pages(of: range ?? 0..<length)
        guard count > 0 else { return }
        do throws(Errno) {
            _ = try SystemCall.checked { asof_populate_write(base + start, count) }
        } catch {
            if error.rawValue != EINVAL { throw error }
        }
    }

    /// Takes the pages out of this process (`MADV_DONTNEED`): they stay in the page cache, and a touch brings them back.
    package func recede() { madvise(base, length, MADV_DONTNEED) }

    /// `range`, cut to the mapping and widened to whole pages at its start.
    private func pages(of range: Range<Int>) -> (start: Int, count: Int) {
        let cut = range.clamped(to: 0..<length)
        guard !cut.isEmpty else { return (0, 0) }
        let start = cut.lowerBound & ~(Int(getpagesize()) - 1)
        return (start, cut.upperBound - start)
    }
}
