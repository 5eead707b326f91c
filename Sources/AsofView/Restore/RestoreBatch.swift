internal import AsofCore
internal import AsofFormat

/// How far a restore is: so many steps of the walk are there, and of the file that is the next one so many chunks.
package struct RestorePosition: Hashable, Sendable, Codable {
    package var steps: UInt64 = 0
    package var chunk: UInt64 = 0

    package init() {}
}

/// A part of a restore that fits in memory. Within it everything is read in the order of storage.
struct RestoreBatch: Sendable {
    struct File: Sendable {
        var inode: InodeNumber
        var attributes: Attributes
        var place: RestoredPlace
        /// How many of the batch's pieces are its.
        var pieces: Int32 = 0
        /// Nothing of it is in an earlier batch.
        var begins = true
        /// Nothing of it is in a later batch.
        var ends = true
        /// Where its last piece ends.
        var written: UInt64 = 0
    }

    /// Bytes of one frame that belong into a file.
    struct Piece: Sendable {
        var object: UInt32
        var frameLength: UInt32
        var frameOffset: UInt64
        /// Where they begin in the decoded frame.
        var skip: UInt32
        var length: UInt32
        /// Where they belong in the file.
        var offset: UInt64
        /// Index in `files`.
        var file: UInt32

        /// Where the frame lies in its object. Empty where no object can hold it: reading it fails, and says so.
        var frameRange: Range<UInt64> {
            let (end, overflow) = frameOffset.addingReportingOverflow(UInt64(frameLength))
            return frameOffset..<(overflow ? frameOffset : end)
        }
    }

    struct Link: Sendable {
        var place: RestoredPlace
        var first: RestoredPlace
    }

    /// Folders that the batch is the first to need.
    var folders: Range<UInt32> = 0..<0
    var files: [File] = []
    var pieces: [Piece] = []
    var links: [Link] = []
    /// Of all pieces.
    var bytes: UInt64 = 0
    /// What is there when the batch is.
    var end = RestorePosition()

    /// Files without a byte to read: empty ones, those that are all holes, and whatever is not a regular file.
    var bare: [UInt32] { files.indices.filter { files[$0].pieces == 0 }.map { UInt32($0) } }
}
