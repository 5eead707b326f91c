package import AsofCore
internal import AsofFormat

/// Reads the log itself, transaction by transaction.
package struct TransactionReader: Sendable {
    private let timeline: Timeline
    private let head: Head
    private let reader: ObjectReader

    package init(_ timeline: Timeline, head: Head, reader: ObjectReader) {
        self.timeline = timeline
        self.head = head
        self.reader = reader
    }

    /// Calls `body` for each transaction from `first` to `last`, in order.
    package func each(from first: LSN, to last: LSN, _ body: (Transaction) throws(AsofError) -> Void) throws(AsofError) {
        for generation in try timeline.generations(from: first, to: last, head: head) {
            let (first, last) = (max(first, generation.start.next), min(last, generation.end))
            for segment in generation.segments where segment.last >= first {
                let name = generation.name(of: segment)
                for group in try reader.tail(of: segment, name: name).groups where group.last >= first && group.first <= last {
                    for transaction in try reader.operations(group, of: name, segment.id).transactions
                    where transaction.lsn >= first && transaction.lsn <= last {
                        try body(transaction)
                    }
                }
            }
        }
    }
}
