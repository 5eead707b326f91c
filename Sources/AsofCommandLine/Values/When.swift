package import AsofCore

/// The instant that a person asks for: a time, a distance from now, the newest state or the number of a transaction.
package enum When: Hashable, Sendable {
    case instant(Instant)
    /// So long before now. Never negative when it was parsed.
    case relative(nanosecondsBefore: Int64)
    case latest
    case lsn(LSN)

    /// As `When`, once now is known.
    package enum Target: Hashable, Sendable {
        case instant(Instant)
        case latest
        case lsn(LSN)
    }

    /// What is meant at `now`. A distance that reaches beyond 1677 saturates.
    package func resolve(now: Instant) -> Target {
        switch self {
        case .instant(let instant): .instant(instant)
        case .relative(let before): .instant(now.advanced(byNanoseconds: before == .min ? .max : -before))
        case .latest: .latest
        case .lsn(let lsn): .lsn(lsn)
        }
    }

    /// Reads a `WHEN`: `2026-11-23T10:30:00.123456789+01:00`, `@1795429800.5`, `-10m`, `10m ago`, `10m-ago`, `latest`, `lsn:120`.
    /// Every failure is a usage error with what to write instead; a time without a zone is one.
    package static func parse(_ text: String) throws(AsofError) -> When {
        guard text.utf8.count <= Quantity.lengthLimit else { throw notATime(text) }
        switch text.lowercased() {
        case "latest": return .latest
        case let word where word.hasPrefix("lsn:"): return .lsn(try lsn(word.utf8.dropFirst(4), in: text))
        case let word where word.hasPrefix("@"): return .instant(try unix(word.utf8.dropFirst(), in: text))
        default: break
        }
        if text.hasPrefix("-") { return .relative(nanosecondsBefore: try distance(text.utf8.dropFirst(), in: text)) }
        for suffix in [" ago", "-ago"] where text.hasSuffix(suffix) {
            return .relative(nanosecondsBefore: try distance(text.utf8.dropLast(suffix.utf8.count), in: text))
        }
        do throws(Instant.ParseFailure) {
            return .instant(try Instant(rfc3339: text))
        } catch {
            throw explained(error, text)
        }
    }

    private static func lsn(_ digits: Substring.UTF8View, in text: String) throws(AsofError) -> LSN {
        guard let number = Quantity.number(digits) else {
            throw AsofError(.usage, "\(Printable.quoted(text)) is no transaction number", hint: "write for example lsn:120")
        }
        return LSN(number)
    }

    private static func distance(_ duration: Substring.UTF8View, in text: String) throws(AsofError) -> Int64 {
        do throws(Quantity.Failure) {
            return try Quantity.duration(duration)
        } catch {
            let shown = Printable.quoted(text)
            switch error {
            case .malformed:
                throw AsofError(.usage, "\(shown) is not a time", hint: "a distance from now is written -10m, -1h30m or 10m ago")
            case .missingUnit:
                throw AsofError(.usage, "\(shown) has no unit", hint: "write for example -10m; units are s, m, h and d")
            case .tooLarge:
                throw AsofError(.usage, "\(shown) is too long ago", hint: "the earliest time asof can hold is in 1677")
            }
        }
    }

    /// `seconds[.fraction]`, perhaps negative, the fraction up to nine digits.
    private static func unix(_ number: Substring.UTF8View, in text: String) throws(AsofError) -> Instant {
        let malformed = AsofError(
            .usage, "\(Printable.quoted(text)) is no Unix time",
            hint: "write seconds since 1970, for example @1795429800 or @1795429800.25")
        let isNegative = number.first == UInt8(ascii: "-")
        let (whole, tail) = Quantity.split(isNegative ? number.dropFirst() : number)
        guard !whole.isEmpty else { throw malformed }
        var nanoseconds: Int64 = 0
        if !tail.isEmpty {
            let digits = tail.dropFirst()
            guard tail.first == UInt8(ascii: "."), (1...9).contains(digits.count),
                let fraction = Quantity.number(digits).flatMap({ Int64(exactly: $0) })
            else { throw malformed }
            nanoseconds = (digits.count..<9).reduce(fraction) { value, _ in value &* 10 }
        }
        guard let seconds = Quantity.number(whole).flatMap({ Int64(exactly: $0) }),
            let instant = Instant(
                exactlySeconds: isNegative ? -seconds : seconds, nanoseconds: isNegative ? -nanoseconds : nanoseconds)
        else {
            throw AsofError(
                .usage, "\(Printable.quoted(text)) is out of range",
                hint: "asof holds times from 1677 to 2262; are these milliseconds?")
        }
        return instant
    }

    private static func explained(_ failure: Instant.ParseFailure, _ text: String) -> AsofError {
        let shown = Printable.quoted(text)
        switch failure {
        case .missingZone:
            return AsofError(.usage, "\(shown) has no zone", hint: "write \(text)Z (UTC) or \(text)+01:00")
        case .outOfRange:
            return AsofError(
                .usage, "\(shown) is not a moment that exists or that asof can hold",
                hint: "check the day and the hour; years run from 1677 to 2262")
        case .malformed:
            break
        }
        if text.lowercased() == "now" { return AsofError(.usage, "'now' is not recorded yet", hint: "write latest") }
        if let number = Quantity.number(text.utf8[...]) {
            return AsofError(
                .usage, "\(shown) could mean two things", hint: "write lsn:\(number) (a transaction) or @\(number) (Unix time)")
        }
        if (try? Quantity.duration(text.utf8[...])) != nil {
            return AsofError(.usage, "\(shown) does not say before or after", hint: "write -\(text) or \(text) ago")
        }
        if let better = corrected(text) { return AsofError(.usage, "\(shown) is not quite a time", hint: "write \(better)") }
        return notATime(text)
    }

    private static func notATime(_ text: String) -> AsofError {
        AsofError(
            .usage, "\(Printable.quoted(text)) is not a time",
            hint: "write 2026-11-23T10:30:00Z, -10m, 10m ago, @1795429800, latest or lsn:120")
    }

    /// The usual slips put right: seconds or the time of day left out, `UTC` for `Z`, `+0100`, a space before the zone.
    private static func corrected(_ text: String) -> String? {
        var stem = text
        var zone = "Z"
        for suffix in ["Z", "z", "UTC", "GMT"] where stem.hasSuffix(suffix) {
            stem.removeLast(suffix.count)
            break
        }
        let tail = stem.suffix(6).drop { $0 != "+" && $0 != "-" }
        let digits = tail.dropFirst().filter { $0 != ":" }
        // `-23` at the end of a bare date is its day, not a zone.
        if tail.count > 1, stem.contains(":"), digits.allSatisfy(\.isWholeNumber), digits.count == 2 || digits.count == 4 {
            stem.removeLast(tail.count)
            zone = "\(tail.prefix(1))\(digits.prefix(2)):\(digits.count == 4 ? String(digits.suffix(2)) : "00")"
        }
        while stem.hasSuffix(" ") { stem.removeLast() }
        for ending in ["", ":00", "T00:00:00"] {
            let candidate = stem + ending + zone
            if (try? Instant(rfc3339: candidate)) != nil { return candidate }
        }
        return nil
    }
}

extension When: CustomStringConvertible {
    /// A text that parses to the same value.
    package var description: String {
        switch self {
        case .instant(let instant): instant.description
        case .relative(let before): "-" + Quantity.text(nanoseconds: before)
        case .latest: "latest"
        case .lsn(let lsn): "lsn:\(lsn)"
        }
    }
}
