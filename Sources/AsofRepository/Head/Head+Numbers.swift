internal import AsofCore
internal import AsofFormat

extension Head {
    /// No timeline lives long enough for these; who goes on from a larger number soon comes to the last one.
    private static let largest: UInt64 = 1 << 60
    /// Numbers of what is made in an overlay begin here, so that they are none of any view's.
    private static let inodeEnd = InodeNumber(1 << 46)

    /// A checksum says nothing of who wrote the head, and whoever captures counts on from its numbers.
    func checkNumbers(name: String) throws(AsofError) {
        var numbers = [epoch, parent?.lsn.rawValue ?? 0, first?.lsn.rawValue ?? 0, unsettledSince?.lsn.rawValue ?? 0]
        var inodes = [parent?.highestInode ?? .root]
        for object in bases + segments {
            numbers += [object.epoch, object.last.rawValue]
            inodes.append(object.highestInode)
        }
        guard numbers.allSatisfy({ $0 <= Self.largest }), inodes.allSatisfy({ $0 < Self.inodeEnd }) else {
            throw AsofError(
                .damaged, "\(name) is damaged: it holds a number so high that nothing can go on from it", hint: "restore it from a copy of the repository")
        }
    }
}
