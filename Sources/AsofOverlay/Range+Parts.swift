extension UInt64 {
    /// The end of `length` bytes from here, at most the end of all offsets.
    func end(after length: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(length)
        return overflow ? .max : sum
    }
}

extension Range<UInt64> {
    var length: Int64 { Int64(clamping: upperBound &- lowerBound) }

    /// Goes through the range in pieces that lie all within or all outside of `set`, which is sorted.
    func forEachPart<Failure>(
        _ set: [Range<UInt64>], _ body: (Range<UInt64>, _ isWithin: Bool) throws(Failure) -> Void
    ) throws(Failure) {
        var position = lowerBound
        for part in set where part.upperBound > position && part.lowerBound < upperBound {
            if part.lowerBound > position { try body(position..<part.lowerBound, false) }
            let start = Swift.max(position, part.lowerBound)
            position = Swift.min(part.upperBound, upperBound)
            try body(start..<position, true)
        }
        if position < upperBound { try body(position..<upperBound, false) }
    }
}
