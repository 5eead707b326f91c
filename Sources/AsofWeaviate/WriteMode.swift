/// How a file of the data directory comes by its bytes: what a reader that saw an earlier state may go on believing.
///
/// Every mode allows a truncation (what lies below the new end stays) and a replacement by a rename over the name.
package enum WriteMode: UInt8, Hashable, Sendable, CaseIterable {
    /// Bytes once written do not change until a truncation: only what lies beyond the known end is new.
    case appendOnly
    /// Small, and any page may change at any time: read and compared by page.
    case inPlace
    /// Appended, and bytes of its first page written again, as a rule at the end. Checked whole once it has been renamed and rests.
    case growingTemporary
    /// Does not change once it rests. Until then (most arrive by a rename, some are written under this name) nothing is promised.
    case writtenOnce
    /// Appended; a header within the first page is patched in place.
    case appendWithPatchedHeader
    /// Nothing is known: above a limit a file of this mode makes a cut fuzzy.
    case unknown
}
