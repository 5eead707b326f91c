import AsofWeaviate
import Testing

@Suite("The node's name in a data directory")
struct NodeNameTests {
    /// A server of a RAFT configuration, as Weaviate 1.30 and 1.40 wrote it: see `traces/`.
    private func entry(_ name: String, isLong: Bool = false) -> [UInt8] {
        [0x83, 0xA7] + Array("Address".utf8) + [0xAE] + Array("127.0.0.1:9082".utf8) + [0xA2] + Array("ID".utf8)
            + (isLong ? [0xD9, UInt8(name.utf8.count)] : [0xA0 | UInt8(name.utf8.count)]) + Array(name.utf8) + [0xA8] + Array("Suffrage".utf8) + [0]
    }

    private let page = [UInt8](repeating: 0, count: 4096)

    @Test func `is found in the database, however often it stands there`() {
        #expect(NodeName.inDatabase(page + entry("node1") + page + entry("node1")) == ["node1"])
        #expect(NodeName.inDatabase(page + entry("node1") + entry("node2") + page) == ["node1", "node2"])
        let long = "weaviate-0.weaviate-headless.production"
        #expect(NodeName.inDatabase(page + entry(long, isLong: true)) == [long])
    }

    @Test func `is not found where it is not`() {
        #expect(NodeName.inDatabase([]).isEmpty)
        #expect(NodeName.inDatabase(page).isEmpty)
        #expect(NodeName.inDatabase([0xA2] + Array("ID".utf8)).isEmpty)
        #expect(NodeName.inDatabase([0xA2] + Array("ID".utf8) + [0xA5] + Array("node1".utf8) + [0xA3] + Array("Foo".utf8)).isEmpty)
        let whole = entry("node1")
        for length in 0..<whole.count - 1 {
            let names = NodeName.inDatabase(Array(whole[..<length]))
            #expect(names.isEmpty || names == ["node1"])
        }
    }

    @Test func `is found in the description of a snapshot`() {
        let description = #"""
            {"Version":1,"ID":"3-8200-1700000000000","Index":8200,"Term":3,"Peers":"ka4x","Configuration":{"Servers":[{"Suffrage":0,"ID":"node1",\#
            "Address":"10.0.0.1:8300"}]},"ConfigurationIndex":1,"Size":100,"CRC":"x"}
            """#
        #expect(NodeName.inSnapshotDescription(Array(description.utf8)) == ["node1"])
        #expect(NodeName.inSnapshotDescription(Array(#"{"ID":"3-8200"}"#.utf8)).isEmpty)
        #expect(NodeName.inSnapshotDescription([]).isEmpty)
    }
}
