import CLinux

/// CRC32C (Castagnoli) of `bytes`, continued from the checksum of what stands before them.
package func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    asof_crc32c(seed, bytes.baseAddress, bytes.count)
}

/// CRC32C (Castagnoli) of `bytes`, continued from the checksum of what stands before them.
package func crc32c(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { crc32c($0, seed: seed) }
}
