package import AsofCore

/// Where a timeline leaves its parent: its own transactions go on from there. In JSON:
/// `{"inode":…,"lsn":…,"time":…,"timeline":…}`, the time in nanoseconds since 1970.
package struct Branch: Hashable, Sendable {
    /// The parent's name.
    package var timeline: String
    package var point: CutPoint
    /// The highest inode number that the parent had given when this timeline was made: what is new here has higher ones.
    package var highestInode: InodeNumber

    package init(timeline: String, point: CutPoint, highestInode: InodeNumber) {
        self.timeline = timeline
        self.point = point
        self.highestInode = highestInode
    }

    package var lsn: LSN { point.lsn }
    package var time: Instant { point.time }

    /// False: no timeline can begin like this.
    var isPossible: Bool { ObjectName.isTimeline(timeline) && lsn > .zero }
}

extension Branch: Codable {
    private enum CodingKeys: CodingKey { case inode, timeline }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        timeline = try fields.decode(String.self, forKey: .timeline)
        highestInode = InodeNumber(try fields.decode(UInt64.self, forKey: .inode))
        point = try CutPoint(from: decoder)
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(timeline, forKey: .timeline)
        try fields.encode(highestInode.rawValue, forKey: .inode)
        try point.encode(to: encoder)
    }
}
