internal import CLinux

/// A hash of content for compare-and-swap: a CRC32C and a 64-bit mix of the bytes. Against accidents, not against forgers.
enum ContentVersion {
    static func token(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { buffer in
            let check = asof_crc32c(0, buffer.baseAddress, buffer.count)
            let mix = asof_mix64(0, buffer.baseAddress, buffer.count)
            return String(check, radix: 16) + "-" + String(mix, radix: 16)
        }
    }
}
