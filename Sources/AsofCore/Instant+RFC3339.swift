extension Instant: CustomStringConvertible {
    /// RFC 3339 in UTC; the fraction only where there is one, without trailing zeros.
    package var description: String {
        guard subsecond > 0 else { return secondsDescription }
        var digits = padded(subsecond, 9)
        while digits.hasSuffix("0") { digits.removeLast() }
        return dateAndTime + "." + digits + "Z"
    }

    /// RFC 3339 in UTC, to the second, the fraction cut off: the form of backup ids.
    package var secondsDescription: String { dateAndTime + "Z" }

    /// `2026-11-23T10:30:00`, in UTC.
    private var dateAndTime: String {
        let date = CivilDate(dayNumber: seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
        let second = seconds - date.dayNumber * 86_400
        return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2)
            + "T" + padded(second / 3600, 2) + ":" + padded(second / 60 % 60, 2) + ":" + padded(second % 60, 2)
    }

    /// What was wrong with a text that should be an RFC 3339 time.
    package enum ParseFailure: Error, Equatable {
        case malformed
        /// Everything is there but the zone: `2026-11-23T10:30:00`.
        case missingZone
        case outOfRange
    }

    /// Parses `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`; a space or `t` may stand for the `T`; up to nine digits of fraction.
    /// Second 60 (a leap second) is the first of the next minute, as Unix time counts.
    package init(rfc3339 text: String) throws(ParseFailure) {
        var scanner = DigitScanner(Array(text.utf8))
        let year = try scanner.number(4)
        try scanner.expect("-")
        let month = try scanner.number(2)
        try scanner.expect("-")
        let day = try scanner.number(2)
        guard scanner.accept("T") || scanner.accept("t") || scanner.accept(" ") else { throw .malformed }
        let hour = try scanner.number(2)
        try scanner.expect(":")
        let minute = try scanner.number(2)
        try scanner.expect(":")
        let second = try scanner.number(2)
        var fraction: Int64 = 0
        if scanner.accept(".") { fraction = try scanner.fraction() }
        guard (1...12).contains(month), hour < 24, minute < 60, second < 61,
            day >= 1, day <= CivilDate.daysIn(month: month, year: year)
        else { throw .outOfRange }
        if scanner.isAtEnd { throw .missingZone }
        var offset: Int64 = 0
        if !scanner.accept("Z") && !scanner.accept("z") {
            let sign: Int64
            if scanner.accept("+") { sign = 1 } else if scanner.accept("-") { sign = -1 } else { throw .malformed }
            let hours = try scanner.number(2)
            try scanner.expect(":")
            let minutes = try scanner.number(2)
            guard hours < 24, minutes < 60 else { throw .outOfRange }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        guard scanner.isAtEnd else { throw .malformed }
        let days = CivilDate(year: year, month: month, day: day).dayNumber
        let total = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        guard let instant = Instant(exactlySeconds: total, nanoseconds: fraction) else { throw .outOfRange }
        self = instant
    }
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return digits.count >= width ? digits : String(repeating: "0", count: width - digits.count) + digits
}

/// A day of the proleptic Gregorian calendar. Algorithm: Howard Hinnant, "chrono-compatible low-level date algorithms".
private struct CivilDate {
    var year: Int64, month: Int64, day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(dayNumber: Int64) {
        let z = dayNumber + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days since 1970-01-01.
    var dayNumber: Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func daysIn(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Fixed-width numbers in ASCII.
private struct DigitScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, UInt32(bytes[position]) == character.value else { return false }
        position += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(Instant.ParseFailure) {
        guard accept(character) else { throw .malformed }
    }

    mutating func number(_ width: Int) throws(Instant.ParseFailure) -> Int64 {
        guard bytes.count - position >= width else { throw .malformed }
        var value: Int64 = 0
        for byte in bytes[position..<position + width] {
            guard (0x30...0x39).contains(byte) else { throw .malformed }
            value = value * 10 + Int64(byte - 0x30)
        }
        position += width
        return value
    }

    mutating func fraction() throws(Instant.ParseFailure) -> Int64 {
        var value: Int64 = 0
        var count = 0
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            guard count < 9 else { throw .malformed }
            value = value * 10 + Int64(bytes[position] - 0x30)
            count += 1
            position += 1
        }
        guard count > 0 else { throw .malformed }
        for _ in count..<9 { value *= 10 }
        return value
    }
}
