/// Numbers as people read them. Never parsed again: for that there is `Quantity`.
package enum HumanFormat {
    /// Bytes in decimal units with one digit after the point: `49.9 MB`.
    package static func bytes(_ bytes: UInt64) -> String {
        guard bytes >= 1000 else { return "\(bytes) B" }
        var tenth: UInt64 = 100
        for unit in ["kB", "MB", "GB", "TB", "PB", "EB"] {
            let (quotient, remainder) = bytes.quotientAndRemainder(dividingBy: tenth)
            let tenths = quotient + (remainder >= tenth / 2 ? 1 : 0)
            // Rounding can reach the next unit: 999,950 bytes are 1.0 MB, not 1000.0 kB.
            if tenths < 10_000 || unit == "EB" { return "\(tenths / 10).\(tenths % 10) \(unit)" }
            tenth *= 1000
        }
        return "\(bytes) B"
    }

    /// Nanoseconds in the two units that matter, cut rather than rounded: `3.2 s`, `5 min 07 s`, `1 h 05 min`, `3 d 04 h`.
    package static func duration(nanoseconds: Int64) -> String {
        let sign = nanoseconds < 0 ? "-" : ""
        return sign + duration(magnitude: nanoseconds.magnitude)
    }

    private static func duration(magnitude: UInt64) -> String {
        let seconds = magnitude / 1_000_000_000
        switch magnitude {
        case 0: return "0 s"
        case ..<1000: return "\(magnitude) ns"
        case ..<1_000_000: return "\(magnitude / 1000) µs"
        case ..<10_000_000: return "\(magnitude / 1_000_000).\(magnitude / 100_000 % 10) ms"
        case ..<1_000_000_000: return "\(magnitude / 1_000_000) ms"
        default: break
        }
        switch seconds {
        case ..<60: return "\(seconds).\(magnitude / 100_000_000 % 10) s"
        case ..<3600: return "\(seconds / 60) min \(twoDigits(seconds % 60)) s"
        case ..<86_400: return "\(seconds / 3600) h \(twoDigits(seconds / 60 % 60)) min"
        default: return "\(seconds / 86_400) d \(twoDigits(seconds / 3600 % 24)) h"
        }
    }

    /// With thousands separators: `1,234,567`.
    package static func count(_ value: some BinaryInteger) -> String {
        let text = String(value)
        let digits = text.drop { $0 == "-" }
        var grouped = text.hasPrefix("-") ? "-" : ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position).isMultiple(of: 3) { grouped.append(",") }
            grouped.append(digit)
        }
        return grouped
    }

    private static func twoDigits(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
