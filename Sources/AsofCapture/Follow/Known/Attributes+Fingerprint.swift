internal import AsofCore
internal import CLinux

extension Attributes {
    /// Stands for everything but the size and the time of modification: 8 bytes instead of 32.
    ///
    /// Different attributes have the same one once in 2^64 times, and never where they differ in one of the four words only, as when nothing but the
    /// time of change is another: each step of the mix turns different words into different states. The seed is drawn anew by each run, so that an
    /// unlucky pair is not unlucky for ever.
    func fingerprint(seed: UInt64) -> UInt64 {
        let words = (
            UInt64(mode) << 32 | UInt64(links), UInt64(owner) << 32 | UInt64(group), device, UInt64(bitPattern: changed.nanoseconds)
        )
        return withUnsafeBytes(of: words) { asof_mix64(seed, $0.baseAddress, $0.count) }
    }
}
