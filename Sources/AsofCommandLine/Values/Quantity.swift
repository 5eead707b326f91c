package import AsofCore

/// Durations, sizes and counts as people write them on a command line. Total: any text gives a value or an error with an example.
package enum Quantity {
    /// A duration in nanoseconds: whole numbers with a unit (`ns us ms s m h d`), largest first: `10s`, `500ms`, `1h30m`, `7d`.
    package static func nanoseconds(_ text: String) throws(AsofError) -> Int64 {
        do throws(Failure) {
            return try duration(text.utf8[...])
        } catch {
            switch error {
            case .missingUnit:
                throw AsofError(
                    .usage, "\(Printable.quoted(text)) has no unit",
                    hint: "write \(Printable.text(text, limit: 20))s for seconds; units are ms, s, m, h and d")
            case .tooLarge:
                throw AsofError(
                    .usage, "\(Printable.quoted(text)) is too long a time", hint: "write for example 10s, 1h30m or 7d")
            case .malformed:
                throw AsofError(
                    .usage, "\(Printable.quoted(text)) is not a duration", hint: "write for example 500ms, 10s, 1h30m or 7d")
            }
        }
    }

    /// A size in bytes: a whole number with a unit. `K M G T P` and `KiB MiB GiB TiB PiB` are powers of 1024, `KB MB GB TB PB`
    /// powers of 1000, none or `B` bytes; upper or lower case.
    package static func bytes(_ text: String) throws(AsofError) -> UInt64 {
        let example = "write for example 64MiB (1024s), 64MB (1000s) or 4096; 64M is 64MiB"
        guard text.utf8.count <= lengthLimit else {
            throw AsofError(.usage, "\(Printable.quoted(text)) is not a size", hint: example)
        }
        let (digits, unit) = split(text.utf8[...])
        guard !digits.isEmpty, let factor = byteUnits[(String(unit) ?? "?").lowercased()] else {
            throw AsofError(.usage, "\(Printable.quoted(text)) is not a size", hint: example)
        }
        guard let number = number(digits), !number.multipliedReportingOverflow(by: factor).overflow else {
            throw AsofError(.usage, "\(Printable.quoted(text)) is too large a size", hint: example)
        }
        return number &* factor
    }

    /// A whole number, not negative; nil for anything else.
    package static func count(_ text: String) -> Int? {
        guard text.utf8.count <= lengthLimit, let value = number(text.utf8[...]) else { return nil }
        return Int(exactly: value)
    }

    /// The shortest text that `nanoseconds(_:)` reads as this duration (with `-` before a negative one): `1h30m`.
    package static func text(nanoseconds: Int64) -> String {
        var left = nanoseconds.magnitude
        var text = ""
        for (unit, factor) in durationUnits where left >= factor.magnitude {
            text += String(left / factor.magnitude) + unit
            left %= factor.magnitude
        }
        return (nanoseconds < 0 ? "-" : "") + (text.isEmpty ? "0s" : text)
    }

    /// The size in the largest binary unit that divides it: `64MiB`, `4097`.
    package static func text(bytes: UInt64) -> String {
        for (unit, shift) in [("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)] as [(String, UInt64)] {
            let factor: UInt64 = 1 << shift
            if bytes >= factor, bytes.isMultiple(of: factor) { return "\(bytes / factor)\(unit)" }
        }
        return String(bytes)
    }

    enum Failure: Error {
        case malformed, missingUnit, tooLarge
    }

    /// No duration, size or time that means anything is longer than this many bytes of text.
    static let lengthLimit = 80

    /// Units in nanoseconds, largest first.
    private static let durationUnits: [(String, Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1000), ("ns", 1),
    ]

    private static let byteUnits: [String: UInt64] = {
        var units: [String: UInt64] = ["": 1, "b": 1]
        var binary: UInt64 = 1
        var decimal: UInt64 = 1
        for letter in ["k", "m", "g", "t", "p"] {
            binary *= 1024
            decimal *= 1000
            units[letter] = binary
            units[letter + "ib"] = binary
            units[letter + "b"] = decimal
        }
        return units
    }()

    /// Each unit at most once, largest first: `30m1h` is more likely a slip than a wish.
    static func duration(_ text: Substring.UTF8View) throws(Failure) -> Int64 {
        guard text.count <= lengthLimit, !text.isEmpty else { throw .malformed }
        var left = text
        var total: Int64 = 0
        var smallest = Int64.max
        while !left.isEmpty {
            let (digits, tail) = split(left)
            let letters = tail.prefix { !isDigit($0) }
            guard !digits.isEmpty else { throw .malformed }
            guard !letters.isEmpty else { throw .missingUnit }
            guard let unit = durationUnits.first(where: { $0.0.utf8.elementsEqual(letters) }), unit.1 < smallest else {
                throw .malformed
            }
            smallest = unit.1
            guard let count = number(digits).flatMap({ Int64(exactly: $0) }) else { throw .tooLarge }
            let (product, overflow) = count.multipliedReportingOverflow(by: unit.1)
            let (sum, overflow2) = total.addingReportingOverflow(product)
            guard !overflow, !overflow2 else { throw .tooLarge }
            total = sum
            left = tail.dropFirst(letters.count)
        }
        return total
    }

    /// Leading digits and what follows them.
    static func split(_ text: Substring.UTF8View) -> (digits: Substring.UTF8View, tail: Substring.UTF8View) {
        let digits = text.prefix(while: isDigit)
        return (digits, text[digits.endIndex...])
    }

    /// Nil when it is not digits alone, or too large.
    static func number(_ digits: Substring.UTF8View) -> UInt64? {
        guard !digits.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            guard isDigit(byte) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = product.addingReportingOverflow(UInt64(byte &- 0x30))
            guard !overflow, !overflow2 else { return nil }
            value = sum
        }
        return value
    }

    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
