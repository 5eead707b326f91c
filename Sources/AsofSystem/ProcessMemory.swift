internal import CLinux
internal import Glibc

/// Memory of this process.
package enum ProcessMemory {
    /// Bytes that it has in memory now; 0 where that cannot be told.
    package static var resident: UInt64 {
        // Pages: size, resident, …
        let fields = ((try? SystemCall.readAll(path: "/proc/self/statm", limit: 4096)) ?? []).split(separator: 0x20)
        guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
        return pages &* UInt64(clamping: sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Returns memory to the kernel that the allocator keeps for later. Milliseconds for each 100 MiB: for ends of large works.
    package static func giveBack() { asof_trim_memory() }
}
