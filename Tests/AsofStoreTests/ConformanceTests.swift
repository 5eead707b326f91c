import AsofCore
import AsofStore
import AsofSystem
import AsofTestSupport
import Testing

@Suite("Every store keeps the contract")
struct ConformanceTests {
    @Test(arguments: ObjectStoreSuite.Case.allCases)
    func `in memory`(test: ObjectStoreSuite.Case) throws {
        try ObjectStoreSuite("memory") { MemoryStore() }.run(test)
    }

    @Test(arguments: ObjectStoreSuite.Case.allCases)
    func `in a directory`(test: ObjectStoreSuite.Case) throws {
        let directory = try TemporaryDirectory("store")
        try ObjectStoreSuite("directory") { try DirectoryStore(directory.path("repo"), access: .creating) }.run(test)
    }

    @Test(arguments: ObjectStoreSuite.Case.allCases)
    func `in a directory with room for a single open descriptor`(test: ObjectStoreSuite.Case) throws {
        let directory = try TemporaryDirectory("store")
        try ObjectStoreSuite("directory") {
            try DirectoryStore(directory.path("repo"), access: .creating, openDescriptors: 1)
        }.run(test)
    }

    @Test(arguments: ObjectStoreSuite.Case.allCases)
    func `behind retries`(test: ObjectStoreSuite.Case) throws {
        try ObjectStoreSuite("retrying") { RetryingStore(MemoryStore()) }.run(test)
    }

    @Test(arguments: ObjectStoreSuite.Case.allCases)
    func `behind a fault injector at rest`(test: ObjectStoreSuite.Case) throws {
        try ObjectStoreSuite("faulty") { FaultyStore(MemoryStore()) }.run(test)
    }

    @Test(arguments: ObjectStoreSuite.Case.allCases, [1, 2, 3] as [UInt64])
    func `behind retries over a store that fails every third call`(test: ObjectStoreSuite.Case, seed: UInt64) throws {
        try ObjectStoreSuite("retrying over faulty, seed \(seed)", mayRepeat: true) {
            RetryingStore(
                FaultyStore(MemoryStore(), seed: seed, rate: 0.33), attempts: 60, backoff: .zero, sleep: { _ in })
        }.run(test)
    }
}
